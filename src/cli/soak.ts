/** `lightning-db soak`: the engine at work for hours or days, watched for anything that grows. */
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { formatDuration, parseDuration } from '../../chaos/duration.ts';
import { runSoak, soakLines } from '../../chaos/soak-run.ts';
import { systemClock } from '../base/clock.ts';
import { isLightningError } from '../base/errors.ts';
import { freshSeed } from '../base/prng.ts';
import { EXIT } from '../report/verdict.ts';
import { interruptSignal, parseNatural } from './command.ts';

interface SoakFlags {
  readonly duration: number;
  readonly out?: string;
  readonly seed?: number;
  readonly json?: boolean;
}

function parseDurationOption(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (isLightningError(error)) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

function defaultDirectory(): string {
  const time = new Date(systemClock.now()).toISOString().slice(0, 19).replaceAll(':', '-');
  return join('reports/runs', `soak-${time}`);
}

async function runCommand(flags: SoakFlags): Promise<void> {
  const outDirectory = resolve(flags.out ?? defaultDirectory());
  const seed = flags.seed ?? freshSeed();
  process.stderr.write(`soak for ${formatDuration(flags.duration)}, seed ${seed}, in ${outDirectory}\n`);
  const report = await runSoak({
    durationSeconds: flags.duration,
    outDirectory,
    seed,
    signal: interruptSignal(),
    onLine: (line) => process.stderr.write(`${line}\n`),
  });
  process.stdout.write(
    flags.json === true ? `${JSON.stringify(report, null, 2)}\n` : `${soakLines(report).join('\n')}\n`,
  );
  const codes = { pass: EXIT.pass, fail: EXIT.fail, unknown: EXIT.unknown } as const;
  process.exitCode = report.interrupted ? EXIT.interrupted : codes[report.verdict];
}

/** Adds the command. */
export function addSoak(program: Command): void {
  program
    .command('soak')
    .description('run the engine for hours or days and watch what grows')
    .option('--duration <time>', '90s, 15m, 24h, 7d', parseDurationOption, 86_400)
    .option('--out <folder>', 'where measurements and the report go (default: reports/runs/soak-<time>)')
    .option('--seed <number>', 'repeat the program of an earlier run', parseNatural)
    .option('--json', 'the report as JSON on standard output')
    .action(runCommand);
}
