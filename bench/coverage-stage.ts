/**
 * The stage `coverage`: which lines and branches of the engine and of the database do neither the unit tests nor the
 * stages reach. Unit tests run under vitest's own coverage, because vitest loads sources through a transform that c8
 * cannot map back; stages run as plain processes, children included, under c8. A line counts when either reaches it.
 */
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { LightningError } from '../src/base/errors.ts';
import { fileExists, makeDirectory, readTextIfThere } from '../src/report/files.ts';
import { sourceExtension, sourceRoot } from '../src/report/sources-hash.ts';
import { stageMain, type StageContext } from '../src/report/stage.ts';
import { type FileCoverage, mergeCoverage, readCoverage, share } from './coverage-report.ts';
import { runProgram } from './run-program.ts';

const FOLDERS: readonly string[] = ['src/engine', 'src/database'];
/** Stages that run the engine in processes that end by themselves: a killed one leaves no coverage behind. */
const STAGES: readonly string[] = ['crash-sim/crash-stage.ts', 'properties/properties-stage.ts', 'fuzz/fuzz-stage.ts'];
/** What tests share stands beside the sources and is none of them. */
const KIT = /(-kit|-fixtures|\.fixture)\.ts$/;
/** Share of the budget for unit tests; the rest is for stages. */
const TESTS_SHARE = 0.6;
const STAGE_GRACE_SECONDS = 90;
const REPORT_SECONDS_MAX = 120;
const FILES_LISTED_MAX = 12;

/** A program of an installed package, or `undefined` where it is not installed. */
function findProgram(name: string, path: string): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return join(dirname(manifest), path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function readReport(path: string): FileCoverage[] {
  const text = readTextIfThere(path);
  return text === undefined ? [] : readCoverage(JSON.parse(text), (file) => relative(sourceRoot, file));
}

/** The unit tests of both folders. */
async function coverTests(context: StageContext, vitest: string): Promise<FileCoverage[]> {
  const out = join(context.workDirectory, 'tests');
  const include = FOLDERS.map((folder) => `--coverage.include=${folder}/**/*.ts`);
  const args = ['run', ...FOLDERS, 'fuzz', '--coverage', '--coverage.provider=v8', '--coverage.reporter=json'];
  const limits = [
    '--coverage.exclude=**/*.test.ts',
    '--coverage.reportOnFailure',
    `--coverage.reportsDirectory=${out}`,
  ];
  const timeLimitSeconds = context.budgetSeconds * TESTS_SHARE + STAGE_GRACE_SECONDS;
  const result = await runProgram([vitest, ...args, ...include, ...limits], { cwd: sourceRoot, timeLimitSeconds });
  const files = readReport(join(out, 'coverage-final.json'));
  if (result.timedOut) context.check('unit tests', 'unknown', `not done after ${timeLimitSeconds.toFixed(0)} s`);
  else if (files.length === 0) {
    throw new LightningError('LIGHTNING_HARNESS', `vitest left no coverage\n${result.output.slice(-1500)}`);
  } else {
    const ended = result.exitCode === 0 ? 'all passed' : 'some failed; that is for the tests to say';
    context.check('unit tests', 'pass', `${files.length} files seen by the unit tests; ${ended}`);
  }
  return files;
}

/** The stages, one after the other, with what V8 saw in all their processes. */
async function coverStages(context: StageContext, c8: string): Promise<FileCoverage[]> {
  const raw = join(context.workDirectory, 'v8');
  const out = join(context.workDirectory, 'stages');
  makeDirectory(raw);
  const left = Math.max(0, context.budgetSeconds - context.elapsedSeconds());
  const seconds = Math.max(3, Math.floor(left / STAGES.length));
  for (const stage of STAGES.filter((file) => fileExists(join(sourceRoot, file)))) {
    context.progress(stage);
    const own = join(context.workDirectory, stage.replaceAll('/', '-'));
    const args = ['--seed', String(context.seed), '--budget-seconds', String(seconds), '--work', own];
    const result = await runProgram([join(sourceRoot, stage), ...args], {
      cwd: sourceRoot,
      timeLimitSeconds: seconds + STAGE_GRACE_SECONDS,
      environment: { NODE_V8_COVERAGE: raw },
    });
    context.count('stages run', result.exitCode === 0 ? 1 : 0);
    if (result.exitCode !== 0) context.check(`coverage of ${stage}`, 'unknown', result.output.slice(-300));
  }
  const include = FOLDERS.flatMap((folder) => ['--include', `${folder}/**/*.ts`]);
  const options = [
    '--all',
    '--temp-directory',
    raw,
    '--reports-dir',
    out,
    '--reporter',
    'json',
    '--exclude',
    '**/*.test.ts',
  ];
  await runProgram([c8, 'report', ...options, ...include], { cwd: sourceRoot, timeLimitSeconds: REPORT_SECONDS_MAX });
  const files = readReport(join(out, 'coverage-final.json'));
  const verdict = files.length === 0 ? 'vacuous' : 'pass';
  context.check('stages', verdict, `${files.length} files seen by ${STAGES.length} stages of ${seconds} s`);
  return files;
}

/**
 * Books a folder. The profile's minimum is on the counts `lines percent of …` and `branches percent of …`, which are
 * there only when both halves are: a part of the picture is no lower bound that anybody should compare.
 */
function book(
  context: StageContext,
  folder: string,
  tests: readonly FileCoverage[],
  stages: readonly FileCoverage[],
): void {
  const inside = ({ file }: FileCoverage): boolean => file.startsWith(`${folder}/`) && !KIT.test(file);
  const [byTests, byStages] = [tests.filter(inside), stages.filter(inside)];
  const both = mergeCoverage([...byTests, ...byStages]);
  const lines = share(linesOf(both));
  const branches = share(both.flatMap((file) => file.branches));
  context.figure(`lines of ${folder} by stages alone, comments counted`, share(linesOf(byStages)), '%');
  context.figure(`lines of ${folder} by unit tests alone`, share(linesOf(byTests)), '%');
  if (byTests.length === 0 || byStages.length === 0) {
    const half = byTests.length === 0 ? 'the unit tests' : 'the stages';
    context.check(folder, 'unknown', `nothing is known from ${half}`);
    return;
  }
  context.count(`lines percent of ${folder}`, Math.floor(lines));
  context.count(`branches percent of ${folder}`, Math.floor(branches));
  context.figure(`lines of ${folder}`, lines, '%');
  context.figure(`branches of ${folder}`, branches, '%');
  context.check(folder, 'pass', `${lines.toFixed(1)} % of lines, ${branches.toFixed(1)} % of branches`);
  const open = both
    .map(({ file, lines: all }) => ({ file, missed: [...all].filter(([, hit]) => !hit).map(([line]) => line) }))
    .filter(({ missed }) => missed.length > 0)
    .sort((a, b) => b.missed.length - a.missed.length);
  for (const { file, missed } of open.slice(0, FILES_LISTED_MAX)) {
    context.notTested(`${file}: lines ${missed.slice(0, 20).join(', ')}${missed.length > 20 ? ', …' : ''}`);
  }
}

function linesOf(files: readonly FileCoverage[]): boolean[] {
  return files.flatMap(({ lines }) => [...lines.values()]);
}

async function run(context: StageContext): Promise<void> {
  const vitest = findProgram('vitest', 'vitest.mjs');
  const c8 = findProgram('c8', 'bin/c8.js');
  if (vitest === undefined || c8 === undefined || sourceExtension !== '.ts') {
    context.check(
      'coverage',
      'unknown',
      'vitest and c8 work on a checkout with its development dependencies; this is none',
    );
    return;
  }
  const tests = await coverTests(context, vitest);
  const stages = await coverStages(context, c8);
  for (const folder of FOLDERS) book(context, folder, tests, stages);
  context.notTested('lines reached only in processes that are killed (chaos): they leave no coverage');
}

await stageMain({
  name: 'coverage',
  deterministic: false,
  run,
  replay() {
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'lines that nothing reaches are listed, not replayed');
  },
});
