/** `lightning-db test ENGINE`: generated programs on one engine, held against the executable specification. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { programFor, streamFor, Workbench } from '../../properties/peers.ts';
import { monotonicMilliseconds } from '../base/clock.ts';
import { isLightningError, LightningError } from '../base/errors.ts';
import { freshSeed } from '../base/prng.ts';
import type { EngineDriver } from '../contract/driver.ts';
import { adapterCommand } from '../drivers/adapter-process.ts';
import { lightningDriver } from '../drivers/lightning.ts';
import { pipelineProblem, protocolDriver } from '../drivers/protocol.ts';
import { THIRD_PARTY_DRIVERS } from '../drivers/third-party.ts';
import { makeDirectory, readText, removeTree } from '../report/files.ts';
import { EXIT } from '../report/verdict.ts';
import { printProgram } from '../workload/print.ts';
import { canRun, parseVectors, runVector } from '../workload/vectors.ts';
import { interruptSignal, parseNatural } from './command.ts';

const SHRINK_MILLISECONDS = 10_000;
const PROGRESS_EVERY = 25;

interface TestFlags {
  readonly programs: number;
  readonly seed?: number;
  readonly json?: boolean;
  readonly vectors?: string;
}

/** What one run found. */
interface TestReport {
  readonly engine: string;
  readonly version: string | undefined;
  readonly seed: number;
  readonly verdict: 'pass' | 'fail' | 'unknown';
  readonly programs: number;
  readonly operations: number;
  readonly detail: string;
  readonly story: readonly string[];
}

/** The driver of a command that starts an adapter; or what is wrong with how it answers requests under way at once. */
async function adapterOf(command: string, scratch: string): Promise<EngineDriver | string> {
  for (const name of ['pipeline', 'hello']) makeDirectory(join(scratch, name));
  const start = adapterCommand(command);
  try {
    const problem = await pipelineProblem(start, join(scratch, 'pipeline'));
    return problem ?? (await protocolDriver(command, start, join(scratch, 'hello')));
  } finally {
    removeTree(scratch);
  }
}

/** A name of the list, or a command: anything with a space in it. */
async function driverOf(name: string): Promise<EngineDriver | string> {
  if (name.includes(' ')) return adapterOf(name, join(tmpdir(), `lightning-db-adapter-${process.pid}`));
  const drivers = [lightningDriver(), ...THIRD_PARTY_DRIVERS];
  const driver = drivers.find((candidate) => candidate.name === name);
  if (driver !== undefined) return driver;
  const known = drivers.map((candidate) => candidate.name).join(', ');
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `no engine ${name}; there are ${known}`, { name });
}

/** The report of an adapter that gives requests each other's answers: nothing that it says could be judged. */
function misanswers(engine: string, seed: number, detail: string): TestReport {
  return { engine, version: undefined, seed, verdict: 'fail', programs: 0, operations: 0, detail, story: [] };
}

async function testEngine(
  driver: EngineDriver,
  seed: number,
  flags: TestFlags,
  signal: AbortSignal,
): Promise<TestReport> {
  const directory = join(tmpdir(), `lightning-db-test-${process.pid}`);
  const workbench = new Workbench(directory);
  const stream = streamFor(seed, driver.name);
  const done = { programs: 0, operations: 0 };
  const report = (verdict: TestReport['verdict'], detail: string, story: readonly string[] = []): TestReport => ({
    engine: driver.name,
    version: driver.version,
    seed,
    verdict,
    ...done,
    detail,
    story,
  });
  try {
    while (done.programs < flags.programs && !signal.aborted) {
      const program = programFor(driver, stream);
      const { objection } = await workbench.judge(driver, program);
      done.programs++;
      done.operations += program.operations.length;
      if (done.programs % PROGRESS_EVERY === 0)
        process.stderr.write(`${done.programs} of ${flags.programs} programs\n`);
      if (objection === undefined) continue;
      const deadline = monotonicMilliseconds() + SHRINK_MILLISECONDS;
      const small = await workbench.shrink(driver, program, objection.class, () => monotonicMilliseconds() > deadline);
      return report('fail', `${objection.class}: ${objection.message}`, printProgram(small.program));
    }
    return report('pass', 'every outcome is one that the specification allows');
  } catch (error) {
    if (!isLightningError(error, 'LIGHTNING_MISSING_CAPABILITY')) throw error;
    return report('unknown', error.message);
  } finally {
    removeTree(directory);
  }
}

/** The conformance vectors of a file, as far as the engine can be asked. */
async function testVectors(driver: EngineDriver, file: string, signal: AbortSignal): Promise<TestReport> {
  const directory = join(tmpdir(), `lightning-db-vectors-${process.pid}`);
  const vectors = parseVectors(readText(file));
  const asked = vectors.filter((vector) => canRun(driver.capabilities, vector));
  const report = { engine: driver.name, version: driver.version, seed: 0, programs: 0, operations: 0, story: [] };
  try {
    for (const vector of asked) {
      if (signal.aborted) break;
      const store = join(directory, String(report.programs));
      makeDirectory(store);
      const objection = await runVector(driver, store, vector);
      removeTree(store);
      report.programs++;
      report.operations += vector.steps.length;
      if (objection !== undefined) {
        const story = vector.steps.map((step) => JSON.stringify(step));
        return { ...report, verdict: 'fail', detail: objection.message, story };
      }
    }
  } catch (error) {
    if (!isLightningError(error, 'LIGHTNING_MISSING_CAPABILITY')) throw error;
    return { ...report, verdict: 'unknown', detail: error.message };
  } finally {
    removeTree(directory);
  }
  const left = vectors.length - report.programs;
  const detail = `${report.programs} vectors, every answer an allowed one; ${left} not run, for the engine cannot do what they ask`;
  return { ...report, verdict: report.programs > 0 ? 'pass' : 'unknown', detail };
}

async function runCommand(engine: string, flags: TestFlags): Promise<void> {
  const driver = await driverOf(engine);
  const seed = flags.seed ?? freshSeed();
  const signal = interruptSignal();
  const report =
    typeof driver === 'string'
      ? misanswers(engine, seed, driver)
      : await (flags.vectors === undefined
          ? testEngine(driver, seed, flags, signal)
          : testVectors(driver, flags.vectors, signal));
  if (flags.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
  else {
    const again =
      flags.vectors === undefined ? `--seed ${seed} --programs ${flags.programs}` : `--vectors ${flags.vectors}`;
    const lines = [
      `${report.verdict.toUpperCase()} ${report.engine} ${report.version ?? ''}: ${report.programs} programs, ${report.operations} operations`,
      report.detail,
      ...report.story.map((line) => `  ${line}`),
      `Again: lightning-db test ${report.engine.includes(' ') ? JSON.stringify(report.engine) : report.engine} ${again}`,
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  const codes = { pass: EXIT.pass, fail: EXIT.fail, unknown: EXIT.unknown } as const;
  process.exitCode = signal.aborted ? EXIT.interrupted : codes[report.verdict];
}

/** Adds the command. */
export function addTest(program: Command): void {
  program
    .command('test <engine>')
    .description(
      "hold an engine against the specification: lightning-db, node:sqlite, memory-level, classic-level, lmdb, or a command that speaks the protocol: 'node adapter.js {dir}'",
    )
    .option('--programs <n>', 'generated programs', parseNatural, 200)
    .option('--seed <n>', 'the seed; a fresh one by default', parseNatural)
    .option(
      '--vectors <file>',
      'run the conformance vectors of a file instead, for example spec/vectors/mvcc-one-key.ndjson',
    )
    .option('--json', 'one JSON object on standard output')
    .action(runCommand);
}
