/**
 * `npm run bench`: our engine beside lmdb, classic-level and node:sqlite. Progress on standard error, the table on
 * standard output.
 *
 *   --quick         small sizes, for trying
 *   --json FILE     writes the result as JSON too
 *   --against FILE  holds the ratios to peers against those of an earlier result (against.ts)
 *   --dir DIR       where the stores lie while they are measured; default: reports/runs
 *
 * Exit codes: 0 measured, 1 slower than the earlier result, or a figure of it is missing, 2 usage, 3 the bench broke. A
 * missed target is a figure, not a failure.
 */
import { parseArgs } from 'node:util';
import { isLightningError } from '../src/base/errors.ts';
import { systemClock } from '../src/base/clock.ts';
import { readText } from '../src/report/files.ts';
import { type Comparable, compareResults, comparisonLines, parseSaved } from './against.ts';
import { classicLevelEngine } from './engine-classic-level.ts';
import { lightningEngine } from './engine-lightning.ts';
import { lmdbEngine } from './engine-lmdb.ts';
import { sqliteEngine } from './engine-sqlite.ts';
import { checkWritable, saveJson, Workspace } from './ground.ts';
import { FULL, QUICK } from './plan.ts';
import { runBench } from './run.ts';
import { tableOf } from './table.ts';

const ENGINES = [lightningEngine, lmdbEngine, classicLevelEngine, sqliteEngine];
const EXIT_SLOWER = 1;
const EXIT_USAGE = 2;
const EXIT_BROKEN = 3;

interface Arguments {
  readonly quick: boolean;
  readonly json: string | undefined;
  readonly against: string | undefined;
  readonly dir: string;
}

function readArguments(): Arguments | string {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean' },
        json: { type: 'string' },
        against: { type: 'string' },
        dir: { type: 'string' },
      },
    });
    const { quick = false, json, against, dir = 'reports/runs' } = values;
    return { quick, json, against, dir };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function main(): Promise<number> {
  const given = readArguments();
  if (typeof given === 'string') {
    process.stderr.write(`${given}\nusage: npm run bench -- [--quick] [--json FILE] [--against FILE] [--dir DIR]\n`);
    return EXIT_USAGE;
  }
  let space: Workspace;
  let earlier: Comparable | undefined;
  const plan = given.quick ? QUICK : FULL;
  try {
    if (given.against !== undefined) earlier = parseSaved(readText(given.against), plan.name);
    if (given.json !== undefined) checkWritable(given.json);
    space = new Workspace(given.dir);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT_USAGE;
  }
  try {
    const date = new Date(systemClock.now()).toISOString().slice(0, 10);
    const result = await runBench(ENGINES, space, plan, date, (line) => {
      process.stderr.write(`${line}\n`);
    });
    process.stdout.write(`${tableOf(result)}\n`);
    if (given.json !== undefined) saveJson(given.json, result);
    if (earlier === undefined) return 0;
    const comparisons = compareResults(earlier, result);
    process.stdout.write(`\n${comparisonLines(comparisons)}\n`);
    return comparisons.every(({ verdict }) => verdict === 'not slower') ? 0 : EXIT_SLOWER;
  } finally {
    space.remove();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  const code = isLightningError(error) ? `${error.code}: ` : '';
  process.stderr.write(
    `the bench broke: ${code}${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = EXIT_BROKEN;
}
