/**
 * The peers stage: the same kinds of generated programs on engines of others, through the same contract, against the
 * executable specification; a clean close and reopening included where the engine keeps anything. It shows that the
 * contract, the specification and the generator are about key-value stores and not about one engine's habits.
 *
 * Live negative controls: drivers that lie (src/drivers/buggy.ts) must be caught, and the program that catches one must
 * pass without the lie.
 */
import { isLightningError, LightningError } from '../src/base/errors.ts';
import { runConformance } from '../src/contract/conformance.ts';
import type { EngineDriver } from '../src/contract/driver.ts';
import type { Program } from '../src/contract/operations.ts';
import { describeOutcome, type Outcome } from '../src/contract/outcomes.ts';
import { toProgram } from '../src/contract/program-json.ts';
import { BUGGY_DRIVERS, type BuggyDriver, withLie, withRefusals } from '../src/drivers/buggy.ts';
import { nodeSqliteDriver } from '../src/drivers/node-sqlite.ts';
import { THIRD_PARTY_DRIVERS } from '../src/drivers/third-party.ts';
import { makeDirectory } from '../src/report/files.ts';
import { stageMain, type StageContext } from '../src/report/stage.ts';
import { GeneratorCoverage } from '../src/workload/coverage.ts';
import { printProgram } from '../src/workload/print.ts';
import { specificationDriver } from '../spec/executable/session.ts';
import { programFor, streamFor, type Tolerated, Workbench } from './peers.ts';

/** Share of the budget for controls; the rest is for the engines. */
const CONTROL_SHARE = 0.3;
/** Below this, a feature that was never met says nothing about the generator. */
const PROGRAMS_FOR_COVERAGE_MIN = 150;
/** However small the budget. */
const PROGRAMS_PER_ENGINE_MIN = 5;
/** However slow the disk; the lie that is hardest to meet took 15 programs in four runs. */
const CONTROL_PROGRAMS_MIN = 80;
const CONTROL_PROGRAMS_MAX = 400;
const HASH_PROGRAMS = 12;
/** How far shrinking may go past the budget, in seconds. */
const SHRINK_SECONDS_MAX = 10;

const refusedOnPurpose: Tolerated = (outcome) => outcome.kind === 'error' && outcome.code === 'LIGHTNING_DISK_FULL';

/** A saved case. */
interface PeerCase {
  readonly engine: string;
  readonly program: Program;
}

function freshDirectories(context: StageContext, prefix: string): () => string {
  let next = 0;
  return () => {
    const directory = `${context.workDirectory}/${prefix}-${next++}`;
    makeDirectory(directory);
    return directory;
  };
}

/** Why an engine cannot be judged here; `undefined` when it can. */
async function absence(context: StageContext, driver: EngineDriver): Promise<string | undefined> {
  try {
    const directory = freshDirectories(context, `there-${driver.name.replace(':', '-')}`)();
    await (await driver.open(directory, {})).close();
    return undefined;
  } catch (error) {
    if (isLightningError(error, 'LIGHTNING_MISSING_CAPABILITY')) return error.message;
    throw error;
  }
}

async function checkConformance(context: StageContext, driver: EngineDriver): Promise<void> {
  const name = driver.name.replace(':', '-');
  const results = await runConformance(driver, freshDirectories(context, `conformance-${name}`));
  const failed = results.filter((result) => result.verdict === 'fail');
  const passed = results.filter((result) => result.verdict === 'pass').length;
  context.count('conformance cases', passed);
  const detail =
    failed.length === 0
      ? `${passed} cases, ${results.length - passed} outside its capabilities`
      : failed.map((result) => `${result.name}: ${result.detail}`).join('; ');
  context.check(`conformance:${driver.name}`, failed.length === 0 ? 'pass' : 'fail', detail);
}

async function reportFailure(
  context: StageContext,
  bench: Workbench,
  driver: EngineDriver,
  program: Program,
  failureClass: string,
): Promise<void> {
  const end = context.elapsedSeconds() + SHRINK_SECONDS_MAX;
  const shrunk = await bench.shrink(driver, program, failureClass, () => context.elapsedSeconds() > end);
  const run = await bench.judge(driver, shrunk.program);
  const peerCase: PeerCase = { engine: driver.name, program: shrunk.program };
  await context.fail({
    class: failureClass,
    message: `${driver.name}: ${run.objection?.message ?? 'failed once and not again'}`,
    case: peerCase,
    story: printProgram(shrunk.program, run.outcomes),
    operations: shrunk.program.operations.length,
    shrink: `${program.operations.length} operations to ${shrunk.program.operations.length} in ${shrunk.runs} runs${shrunk.minimal ? '' : ', budget ended'}`,
  });
}

/** Runs programs on one engine until its share of the time is over. @returns whether nothing was objected to */
async function judgeEngine(
  context: StageContext,
  bench: Workbench,
  driver: EngineDriver,
  coverage: GeneratorCoverage,
  untilSeconds: number,
): Promise<boolean> {
  const prng = streamFor(context.seed, driver.name);
  let programs = 0;
  while (programs < PROGRAMS_PER_ENGINE_MIN || (context.elapsedSeconds() < untilSeconds && !context.outOfBudget())) {
    const program = programFor(driver, prng);
    const run = await bench.judge(driver, program, undefined, coverage);
    programs++;
    context.count('programs');
    context.count('operations', run.outcomes.length);
    context.count('reopenings', program.operations.filter((operation) => operation.kind === 'reopen').length);
    context.progress(`${driver.name}: ${programs} programs`);
    if (run.objection !== undefined) {
      context.check(`peer:${driver.name}`, 'fail', run.objection.message);
      await reportFailure(context, bench, driver, program, run.objection.class);
      return false;
    }
  }
  context.figure(`programs on ${driver.name}`, programs, 'programs');
  const version = driver.version === undefined ? '' : ` ${driver.version}`;
  context.check(
    `peer:${driver.name}`,
    'pass',
    `${driver.name}${version} agrees with the specification, ${programs} programs`,
  );
  return true;
}

/** The engine that a lie is told about. */
function baseFor(buggy: BuggyDriver): EngineDriver {
  if (buggy.needs === 'transactions') return specificationDriver();
  return buggy.needs === 'errors' ? withRefusals(nodeSqliteDriver) : nodeSqliteDriver;
}

/** Runs one control: the lie must be found, and the program that finds it must pass without it. */
async function runControl(
  context: StageContext,
  bench: Workbench,
  buggy: BuggyDriver,
  untilSeconds: number,
): Promise<void> {
  const honest = baseFor(buggy);
  const lying = withLie(honest, buggy);
  const tolerated = buggy.needs === 'errors' ? refusedOnPurpose : undefined;
  const prng = streamFor(context.seed, buggy.name);
  const started = context.elapsedSeconds();
  let programs = 0;
  while (
    programs < CONTROL_PROGRAMS_MAX &&
    (programs < CONTROL_PROGRAMS_MIN || context.elapsedSeconds() < untilSeconds)
  ) {
    const program = programFor(lying, prng);
    programs++;
    const run = await bench.judge(lying, program, tolerated);
    if (run.objection === undefined) continue;
    const clean = await bench.judge(honest, program, tolerated);
    const caught = clean.objection === undefined;
    const seconds = (context.elapsedSeconds() - started).toFixed(2);
    context.count('controls', caught ? 1 : 0);
    const detail = caught
      ? `caught by program ${programs} after ${seconds} s: ${run.objection.class}: ${run.objection.message}`
      : `the program fails without the lie too: ${clean.objection?.message ?? ''}`;
    context.check(`control:${buggy.name}`, caught ? 'pass' : 'vacuous', detail);
    return;
  }
  context.check(`control:${buggy.name}`, 'vacuous', `survived ${programs} programs`);
}

/** A piece that depends on the seed alone. */
async function hashPiece(context: StageContext, bench: Workbench): Promise<void> {
  const prng = streamFor(context.seed, 'hash');
  for (let i = 0; i < HASH_PROGRAMS; i++) {
    const program = programFor(nodeSqliteDriver, prng);
    context.hash(JSON.stringify(program));
    const run = await bench.judge(nodeSqliteDriver, program);
    for (const outcome of run.outcomes) context.hash(describeOutcome(outcome as Outcome));
    context.count('programs');
    context.count('operations', run.outcomes.length);
  }
}

async function run(context: StageContext): Promise<void> {
  const bench = new Workbench(`${context.workDirectory}/stores`);
  if (context.hashOnly) return hashPiece(context, bench);
  const coverage = new GeneratorCoverage();
  const present: EngineDriver[] = [];
  for (const driver of THIRD_PARTY_DRIVERS) {
    const reason = await absence(context, driver);
    if (reason === undefined) present.push(driver);
    else context.check(`peer:${driver.name}`, 'unknown', reason);
  }
  const controlsEnd = context.budgetSeconds * CONTROL_SHARE;
  for (const [index, buggy] of BUGGY_DRIVERS.entries()) {
    await runControl(context, bench, buggy, (controlsEnd * (index + 1)) / BUGGY_DRIVERS.length);
    context.progress('drivers that lie', index + 1, BUGGY_DRIVERS.length);
  }
  // One after the other: the synchronous engines would starve the others.
  const start = context.elapsedSeconds();
  const share = Math.max(0, context.budgetSeconds - start) / present.length;
  for (const [index, driver] of present.entries()) {
    await checkConformance(context, driver);
    if (!(await judgeEngine(context, bench, driver, coverage, start + share * (index + 1)))) return;
  }
  checkCoverage(context, coverage);
  context.notTested('transactions, deadlines and crashes of these engines: their drivers offer none here');
  context.notTested('a process that survives its kill: these engines run inside the harness');
}

/** Every feature of the generator that these engines can be shown must have been met. */
function checkCoverage(context: StageContext, coverage: GeneratorCoverage): void {
  const programs = coverage.programs;
  for (const [feature, times] of coverage.counts) if (times > 0) context.reached(feature);
  const missing = coverage.missing(nodeSqliteDriver.capabilities);
  const few = programs < PROGRAMS_FOR_COVERAGE_MIN;
  const detail =
    missing.length === 0
      ? `${coverage.counts.size} features met in ${programs} programs`
      : `never met in ${programs} programs: ${missing.join(', ')}`;
  context.figure('features of the generator met', coverage.counts.size, 'features');
  context.check('generator-coverage', missing.length === 0 ? 'pass' : few ? 'unknown' : 'vacuous', detail);
}

async function replay(context: StageContext, caseJson: unknown): Promise<void> {
  if (typeof caseJson !== 'object' || caseJson === null || !('engine' in caseJson) || !('program' in caseJson)) {
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'a case of the peers stage has an engine and a program');
  }
  const { engine } = caseJson;
  const driver = THIRD_PARTY_DRIVERS.find((one) => one.name === engine);
  if (driver === undefined) {
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'a case of an engine that is not known here', { engine });
  }
  const program = toProgram(caseJson.program);
  const result = await new Workbench(`${context.workDirectory}/stores`).judge(driver, program);
  if (result.objection === undefined) return;
  const peerCase: PeerCase = { engine: driver.name, program };
  await context.fail({
    class: result.objection.class,
    message: `${driver.name}: ${result.objection.message}`,
    case: peerCase,
    story: printProgram(program, result.outcomes),
    operations: program.operations.length,
  });
}

await stageMain({ name: 'peers', deterministic: true, run, replay });
