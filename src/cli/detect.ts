/** `lightning-db detect`: plants the bugs of real engines one at a time and measures how each is found. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { LightningError } from '../base/errors.ts';
import { freshSeed } from '../base/prng.ts';
import { type CatalogueEntry, findEntry, readCatalogue, staleness } from '../gate/catalogue.ts';
import { runDetection } from '../gate/detection.ts';
import { silentObserver } from '../gate/display.ts';
import { readProfile } from '../gate/profile.ts';
import { type DetectionRow, storyLengths } from '../report/detection.ts';
import { writeWhole } from '../report/files.ts';
import { EXIT } from '../report/verdict.ts';
import { interruptSignal, parseNatural, parsePositive } from './command.ts';

interface DetectFlags {
  readonly stage?: string;
  readonly bug?: readonly string[];
  readonly seconds: number;
  readonly seed?: number;
  readonly out?: string;
  readonly json?: boolean;
}

/** What power cuts and failing disks should find, in stages other than the one of power cuts. */
const ELSEWHERE: readonly string[] = [
  'config-sync-mode-dropped',
  'freelist-not-persisted',
  'index-separate-write',
  'index-stale-on-update',
  'readonly-open-creates',
  'restore-wipes-first',
  'separator-child-off-by-one',
];
const SECONDS_DEFAULT = 60;

function chosen(flags: DetectFlags): CatalogueEntry[] {
  const catalogue = readCatalogue().filter(({ kind }) => kind === 'bug');
  if (flags.bug !== undefined) return flags.bug.map((name) => findEntry(catalogue, name));
  const entries = catalogue.filter(({ name, stage }) =>
    flags.stage === undefined ? stage === 'crash' || ELSEWHERE.includes(name) : stage === flags.stage,
  );
  if (entries.length === 0) {
    throw new LightningError('LIGHTNING_NOT_FOUND', `no planted bug belongs to ${String(flags.stage)}`);
  }
  return entries;
}

function rowLine(row: DetectionRow): string {
  const { name, outcome, class: failureClass, cycles, cpuSeconds, operations, sentence, detail } = row;
  if (outcome !== 'caught') return `${outcome.toUpperCase()}  ${name}: ${detail}`;
  const cost = `${cycles ?? '–'} cycles, ${cpuSeconds.toFixed(1)} s of CPU, ${operations} operations`;
  return `caught  ${name} as ${failureClass}: ${cost}\n        ${sentence}`;
}

async function runCommand(flags: DetectFlags): Promise<void> {
  const entries = chosen(flags);
  for (const entry of entries) {
    const stale = staleness([entry]);
    if (stale !== undefined) throw new LightningError('LIGHTNING_STALE_PLANTED_BUG', `${entry.name}: ${stale}`);
  }
  const time = new Date(systemClock.now()).toISOString().slice(0, 19).replaceAll(':', '-');
  const outDirectory = resolve(join('reports/runs', `detect-${time}`));
  const signal = interruptSignal();
  const detection = await runDetection({
    profile: readProfile('smoke'),
    entries,
    seed: flags.seed ?? freshSeed(),
    budgetSeconds: flags.seconds,
    outDirectory,
    signal,
    observer: silentObserver,
    onRow: (row) => process.stderr.write(`${rowLine(row)}\n`),
  });
  const file = resolve(flags.out ?? join(outDirectory, 'detection.json'));
  writeWhole(file, `${JSON.stringify(detection, null, 2)}\n`);
  const { rows } = detection;
  const caught = rows.filter(({ outcome }) => outcome === 'caught').length;
  const { median, longest } = storyLengths(rows);
  const slowest = Math.max(0, ...rows.map(({ cpuSeconds }) => cpuSeconds));
  const text = `${caught} of ${rows.length} caught; slowest after ${slowest.toFixed(1)} s of CPU; stories of ${median} operations in the middle, ${longest} at most\n${file}\n`;
  process.stdout.write(flags.json === true ? `${JSON.stringify(detection)}\n` : text);
  process.exitCode = signal.aborted ? EXIT.interrupted : caught === entries.length ? EXIT.pass : EXIT.fail;
}

/** Adds the command. */
export function addDetect(program: Command): void {
  program
    .command('detect')
    .description('plant the bugs of real engines one at a time, and measure how each is found')
    .option('--stage <name>', 'every bug of one stage (default: those that power cuts and failing disks should find)')
    .option('--bug <name...>', 'these bugs alone')
    .option('--seconds <number>', 'CPU within which each has to be found', parsePositive, SECONDS_DEFAULT)
    .option('--seed <number>', 'repeat an earlier run', parseNatural)
    .option('--out <file>', 'where the table goes (default: reports/runs/detect-<time>/detection.json)')
    .option('--json', 'the table as one line of JSON on standard output')
    .addHelpText('after', '\nExit codes: 0 all were caught, 1 one was not, 130 interrupted')
    .action(runCommand);
}
