/** `lightning-db crash`: power cuts by the million on the simulated disk, over worker processes. */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type CampaignResult, runCampaign } from '../../crash-sim/campaign.ts';
import { systemClock } from '../base/clock.ts';
import { freshSeed } from '../base/prng.ts';
import { writeWhole } from '../report/files.ts';
import { EXIT } from '../report/verdict.ts';
import { interruptSignal, parseNatural, parsePositive, parseShard, type Shard } from './command.ts';

interface CrashFlags {
  readonly cycles: number;
  readonly seconds: number;
  readonly workers: number;
  readonly seed?: number;
  readonly shard: Shard;
  readonly directoryModel?: 'strict' | 'journaled' | 'ext4';
  readonly out?: string;
  readonly json?: boolean;
}

const SECONDS_DEFAULT = 900;

function defaultDirectory(): string {
  const time = new Date(systemClock.now()).toISOString().slice(0, 19).replaceAll(':', '-');
  return join('reports/runs', `crash-${time}`);
}

function linesOf(result: CampaignResult): string[] {
  const { cycles, images, programs, violations, seconds, cpuSeconds, peakMemoryBytes, recoveryMilliseconds } = result;
  const recovery = recoveryMilliseconds;
  return [
    `${cycles} cycles over ${images} different disks, left by ${programs} programs; ${violations.length} violations`,
    `${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU, at most ${Math.round(peakMemoryBytes / 1e6)} MB`,
    `recovery: p50 ${recovery.p50.toFixed(2)} ms, p99 ${recovery.p99.toFixed(2)} ms, maximum ${recovery.max.toFixed(2)} ms (${recovery.samples} samples)`,
    ...Object.entries(result.counts).map(([name, count]) => `${String(count).padStart(12)} ${name}`),
    ...violations.map(
      ({ class: name, message, witness }) => `${name}: ${message}\nReplay: lightning-db replay ${witness}`,
    ),
    ...(result.shortfall === '' ? [] : [`UNKNOWN: less than was asked for: ${result.shortfall}`]),
  ];
}

async function runCommand(flags: CrashFlags): Promise<void> {
  const outDirectory = resolve(flags.out ?? defaultDirectory());
  const seed = flags.seed ?? freshSeed();
  process.stderr.write(`crash campaign, seed ${seed}, in ${outDirectory}\n`);
  const signal = interruptSignal();
  const result = await runCampaign({
    seed,
    imagesWanted: flags.cycles,
    secondsMax: flags.seconds,
    workerCount: flags.workers,
    shard: flags.shard.index,
    shardCount: flags.shard.count,
    directoryModel: flags.directoryModel,
    outDirectory,
    signal,
    onProgress: (text) => process.stderr.write(process.stderr.isTTY ? `\r${text} ` : `${text}\n`),
  });
  writeWhole(join(outDirectory, 'campaign.json'), `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(flags.json === true ? `${JSON.stringify(result)}\n` : `${linesOf(result).join('\n')}\n`);
  process.exitCode =
    result.violations.length > 0
      ? EXIT.fail
      : signal.aborted
        ? EXIT.interrupted
        : result.shortfall === ''
          ? EXIT.pass
          : EXIT.unknown;
}

/** Adds the command. */
export function addCrash(program: Command): void {
  program
    .command('crash')
    .description('cut the power of generated programs, as often as you like, and judge every recovery')
    .option('--cycles <number>', 'end when so many different disks were recovered and judged', parsePositive, 100_000)
    .option('--seconds <number>', 'end by then', parsePositive, SECONDS_DEFAULT)
    .option('--workers <number>', 'processes', parsePositive, availableParallelism())
    .option('--seed <number>', 'repeat the programs of an earlier campaign', parseNatural)
    .option('--shard <k/n>', 'run the k-th of n parts of the programs', parseShard, { index: 0, count: 1 })
    .addOption(
      new Option('--directory-model <name>', 'how names survive (default: drawn)').choices([
        'strict',
        'journaled',
        'ext4',
      ]),
    )
    .option('--out <folder>', 'where the result and witnesses go (default: reports/runs/crash-<time>)')
    .option('--json', 'the result as one line of JSON on standard output')
    .addHelpText('after', '\nExit codes: 0 no violation, 1 violations, 4 less than was asked for, 130 interrupted')
    .action(runCommand);
}
