/** `lightning-db crash`: power cuts by the million on the simulated disk, over worker processes. */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { type CampaignPart, type CampaignResult, runCampaign } from '../../crash-sim/campaign.ts';
import { runScopeCampaign, type ScopeCampaign } from '../../crash-sim/scope-campaign.ts';
import { systemClock } from '../base/clock.ts';
import { freshSeed } from '../base/prng.ts';
import { LightningError } from '../base/errors.ts';
import { makeDirectory, readTextIfThere, writeWhole } from '../report/files.ts';
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
  readonly scope: 'small' | 'swarm';
  readonly length: number;
  readonly resume?: boolean;
  readonly json?: boolean;
}

const SECONDS_DEFAULT = 900;
const RESULT_FILE = 'campaign.json';
/** The disks met so far, each as eight bytes, in base64. */
const IMAGES_FILE = 'campaign.images';

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

function scopeLines(scope: ScopeCampaign): string[] {
  return [
    `every program of up to ${scope.length} operations: ${scope.cycles} judged states, ${scope.images} disks, ${scope.violations.length} violations, ${scope.seconds.toFixed(1)} s`,
    ...scope.models.map(
      ({ directoryModel, programs, programsByFormula, cuts, states, statesByFormula, statesInRecovery }) =>
        `${directoryModel} names: ${programs} of ${programsByFormula} programs, ${cuts} cuts, ${states} of ${statesByFormula} states, ${statesInRecovery} in recovery`,
    ),
    ...scope.violations.map(({ class: name, message }) => `${name}: ${message}`),
    ...(scope.complete || scope.violations.length > 0 ? [] : ['UNKNOWN: it was not walked to its end']),
  ];
}

function runSmall(flags: CrashFlags): void {
  const outDirectory = resolve(flags.out ?? defaultDirectory());
  const scope = runScopeCampaign({
    length: flags.length,
    directoryModel: flags.directoryModel,
    secondsMax: flags.seconds,
    signal: interruptSignal(),
    onProgress: showProgress,
  });
  makeDirectory(outDirectory);
  writeWhole(join(outDirectory, 'scope.json'), `${JSON.stringify(scope, null, 2)}\n`);
  process.stdout.write(flags.json === true ? `${JSON.stringify(scope)}\n` : `${scopeLines(scope).join('\n')}\n`);
  process.exitCode = scope.violations.length > 0 ? EXIT.fail : scope.complete ? EXIT.pass : EXIT.unknown;
}

function showProgress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r${text} ` : `${text}\n`);
}

/** What an earlier run left in the folder. @throws LightningError when that is no campaign */
function readPart(folder: string): CampaignPart {
  const text = readTextIfThere(join(folder, RESULT_FILE));
  const images = readTextIfThere(join(folder, IMAGES_FILE));
  if (text === undefined || images === undefined) {
    throw new LightningError('LIGHTNING_NOT_FOUND', `no campaign to go on with in ${folder}`, { folder });
  }
  const bytes = new Uint8Array(Buffer.from(images, 'base64'));
  return { result: JSON.parse(text) as CampaignResult, images: new Float64Array(bytes.buffer) };
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

async function runCommand(flags: CrashFlags): Promise<void> {
  if (flags.scope === 'small') {
    runSmall(flags);
    return;
  }
  const outDirectory = resolve(flags.out ?? defaultDirectory());
  const before = flags.resume === true ? readPart(outDirectory) : undefined;
  const seed = before?.result.seed ?? flags.seed ?? freshSeed();
  process.stderr.write(`crash campaign, seed ${seed}, in ${outDirectory}\n`);
  const signal = interruptSignal();
  const { result, images } = await runCampaign({
    seed,
    imagesWanted: flags.cycles,
    secondsMax: flags.seconds,
    workerCount: before?.result.next.length ?? flags.workers,
    ...(before === undefined ? {} : { before }),
    shard: flags.shard.index,
    shardCount: flags.shard.count,
    directoryModel: flags.directoryModel,
    outDirectory,
    signal,
    onProgress: showProgress,
  });
  writeWhole(join(outDirectory, RESULT_FILE), `${JSON.stringify(result, null, 2)}\n`);
  writeWhole(join(outDirectory, IMAGES_FILE), bytesOf(images).toString('base64'));
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
    .addOption(
      new Option('--scope <name>', 'generated programs, or every one of the small scope')
        .choices(['small', 'swarm'])
        .default('swarm'),
    )
    .option('--length <number>', 'operations of the longest programs of the small scope', parsePositive, 3)
    .option('--resume', 'go on with the campaign in the folder of --out')
    .option('--out <folder>', 'where the result and witnesses go (default: reports/runs/crash-<time>)')
    .option('--json', 'the result as one line of JSON on standard output')
    .addHelpText('after', '\nExit codes: 0 no violation, 1 violations, 4 less than was asked for, 130 interrupted')
    .action(runCommand);
}
