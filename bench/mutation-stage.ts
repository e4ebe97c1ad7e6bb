/**
 * The stage `mutation`: Stryker changes the WAL and the B+tree in small ways, one at a time, and the unit tests have to
 * notice. One file after the other in an order that the seed chooses, as far as the budget reaches. Results are
 * kept between runs (reports/runs/mutation), so that repeated runs cover all of it; they are kept apart by a hash of all
 * sources and tests, because Stryker itself does not notice a change outside the mutated file.
 */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import {
  fileExists,
  listFilesBelow,
  listNames,
  makeDirectory,
  readBytes,
  readText,
  readTextIfThere,
  removeTree,
  writeWhole,
} from '../src/report/files.ts';
import { sourceExtension, sourceRoot } from '../src/report/sources-hash.ts';
import { stageMain, type StageContext } from '../src/report/stage.ts';
import { addSummaries, type MutationSummary, mutationScore, readMutationReport } from './mutation-report.ts';
import { runProgram } from './run-program.ts';

const ENGINE = 'src/engine';
const MUTATED = /^(wal-.*|log|tree-.*|tree)\.ts$/;
/** Tests, their kits, and files of constants have nothing to mutate. */
const NOT_MUTATED = /(\.test\.ts|-kit\.ts|-format\.ts)$/;
/**
 * Measured on two busy cores with the engine's random programs among the tests (14 mutants in 27 s; 129 in 50 s without
 * them). Decides how much of a file is mutated: a run of Stryker that is stopped leaves nothing.
 */
const MUTANTS_PER_SECOND = 0.5;
const MUTANTS_PER_LINE = 1.6;
const START_SECONDS = 15;
/** Beyond the budget, a run that is under way may take this much longer. */
const GRACE_SECONDS = 60;
const SURVIVORS_LISTED_MAX = 40;

/** Unit tests of the two halves; the corpus of the fuzz targets belongs to both. */
const TESTS_OF_WAL: readonly string[] = [
  'src/engine/engine.test.ts',
  'src/engine/store-corners.test.ts',
  'src/engine/wal-*.test.ts',
  'fuzz/fuzz.test.ts',
];
const TESTS_OF_TREE: readonly string[] = ['src/engine/tree-*.test.ts', 'fuzz/fuzz.test.ts'];

/** Stryker's program, or `undefined` where it is not installed. */
function findStryker(): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve('@stryker-mutator/core/package.json');
    return join(dirname(manifest), 'bin/stryker.js');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Everything that decides whether a mutant is noticed. */
function hashOfAll(): string {
  const hash = createHash('sha256');
  for (const folder of ['src', 'fuzz', 'bench', 'properties']) {
    for (const name of listFilesBelow(join(sourceRoot, folder))) {
      hash.update(`${folder}/${name}\0`).update(readBytes(join(sourceRoot, folder, name)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}

/** Files to mutate, in the order of this run. */
function chooseFiles(seed: number): string[] {
  const names = listNames(join(sourceRoot, ENGINE)).filter((name) => MUTATED.test(name) && !NOT_MUTATED.test(name));
  return new Prng(seed).shuffle(names.map((name) => `${ENGINE}/${name}`));
}

/** The part of a file that the rest of the budget reaches, as Stryker names it: `file`, or `file:first-last`. */
function mutateRange(file: string, seconds: number, prng: Prng): string {
  const lines = readText(join(sourceRoot, file)).split('\n').length;
  const reachable = Math.floor(
    (Math.max(seconds - START_SECONDS, START_SECONDS) * MUTANTS_PER_SECOND) / MUTANTS_PER_LINE,
  );
  if (reachable >= lines) return file;
  const first = 1 + prng.below(lines - reachable);
  return `${file}:${first}-${first + reachable}`;
}

/** One run of Stryker; a text says why there is no result. */
async function mutateFile(
  context: StageContext,
  stryker: string,
  range: string,
  seconds: number,
): Promise<MutationSummary | string> {
  const name = basename(range.split(':')[0], '.ts');
  const report = join(context.workDirectory, `${name}.report.json`);
  const kept = join(sourceRoot, 'reports/runs/mutation', hashOfAll());
  makeDirectory(kept);
  const incrementalFile = join(kept, `${name}.json`);
  const earlier = readTextIfThere(incrementalFile);
  const configuration: unknown = JSON.parse(readText(join(sourceRoot, 'bench/stryker.json')));
  const scratch = `.stryker-tmp/${process.pid}`;
  const own = {
    mutate: [range],
    incrementalFile,
    jsonReporter: { fileName: report },
    tempDirName: scratch,
  };
  const file = join(context.workDirectory, `${name}.stryker.json`);
  writeWhole(file, JSON.stringify({ ...(configuration as object), ...own }, null, 2));
  const result = await runProgram([stryker, 'run', file], {
    cwd: sourceRoot,
    timeLimitSeconds: seconds,
    environment: { LIGHTNING_MUTATION_TESTS: (name.startsWith('tree') ? TESTS_OF_TREE : TESTS_OF_WAL).join(',') },
  });
  // Stryker tidies up after itself, unless it was stopped.
  removeTree(join(sourceRoot, scratch));
  if (result.timedOut) return `not done after ${seconds.toFixed(0)} s`;
  const text = readTextIfThere(report);
  if (text === undefined) {
    throw new LightningError('LIGHTNING_HARNESS', `Stryker left no report\n${result.output.slice(-2000)}`, { range });
  }
  return readMutationReport(JSON.parse(text), earlier === undefined ? undefined : JSON.parse(earlier));
}

function describe(summary: MutationSummary): string {
  const { killed, timedOut, survivors } = summary;
  const score = mutationScore(summary).toFixed(1);
  return `${score} %: ${killed} killed, ${timedOut} timed out, ${survivors.length} survived, ${summary.testsPerMutant.toFixed(1)} tests per mutant; ${summary.remembered} results from earlier runs`;
}

/** Books the sums. The minimum score is the profile's, through the count `mutation score percent`. */
function book(context: StageContext, summary: MutationSummary): void {
  const mutants = summary.killed + summary.timedOut + summary.survivors.length;
  context.count('mutants', mutants);
  context.count('mutants noticed', summary.killed + summary.timedOut);
  context.count('mutants that survived', summary.survivors.length);
  context.count('mutants left out', summary.leftOut);
  context.count('mutants remembered from earlier runs of these sources', summary.remembered);
  context.count('mutation score percent', Math.floor(mutationScore(summary)));
  context.figure('mutation score', mutationScore(summary), '%');
  context.figure('tests per mutant', summary.testsPerMutant, 'tests');
  if (mutants === 0) context.check('tests per mutant', 'vacuous', 'no mutant was tested');
  else if (summary.testsPerMutant === 0)
    context.check('tests per mutant', 'fail', `${mutants} mutants, and no test run on any`);
  else context.check('tests per mutant', 'pass', `${summary.testsPerMutant.toFixed(1)} tests over ${mutants} mutants`);
  for (const { file, line, mutator, replacement, uncovered } of summary.survivors.slice(0, SURVIVORS_LISTED_MAX)) {
    const short = replacement.replaceAll(/\s+/g, ' ').slice(0, 60);
    context.notTested(
      `${file}:${line} ${mutator}${short === '' ? '' : ` → ${short}`}${uncovered ? ', reached by no test' : ''}`,
    );
  }
  const rest = summary.survivors.length - SURVIVORS_LISTED_MAX;
  if (rest > 0) context.notTested(`and ${rest} more mutants that survived`);
}

async function run(context: StageContext): Promise<void> {
  const stryker = findStryker();
  if (stryker === undefined || sourceExtension !== '.ts' || !fileExists(join(sourceRoot, 'bench/stryker.json'))) {
    context.check('mutation', 'unknown', 'Stryker works on a checkout with its development dependencies; this is none');
    return;
  }
  const only = process.env['LIGHTNING_MUTATE'];
  const prng = new Prng(context.seed);
  const files = only === undefined ? chooseFiles(context.seed) : only.split(',');
  const summaries: MutationSummary[] = [];
  for (const [i, file] of files.entries()) {
    const left = context.budgetSeconds - context.elapsedSeconds();
    if (i > 0 && left < 2 * START_SECONDS) {
      context.notTested(
        `mutants of ${files
          .slice(i)
          .map((path) => relative(ENGINE, path))
          .join(', ')}: out of budget`,
      );
      break;
    }
    const range = mutateRange(file, left, prng);
    context.progress(range, i, files.length);
    const result = await mutateFile(context, stryker, range, left + GRACE_SECONDS);
    if (typeof result === 'string') context.check(`mutants of ${range}`, 'unknown', result);
    else {
      summaries.push(result);
      context.check(`mutants of ${range}`, 'pass', describe(result));
    }
  }
  book(context, addSummaries(summaries));
}

await stageMain({
  name: 'mutation',
  deterministic: false,
  run,
  replay() {
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'a surviving mutant is listed, not replayed');
  },
});
