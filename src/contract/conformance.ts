/**
 * One conformance suite over the contract, for every driver: small fixed programs with the outcome each step must have.
 * It says whether a driver tells the truth about its engine and its capabilities; whether the engine is right under load
 * is for the stages. Used by tests and by the command; needs no test runner.
 */
import { LightningError } from '../base/errors.ts';
import { type EngineDriver, type EngineSession, supports } from './driver.ts';
import { CONFORMANCE_CASES, type ConformanceStep } from './conformance-cases.ts';
import type { Operation } from './operations.ts';
import { describeOutcome, type Outcome, sameOutcome } from './outcomes.ts';

/** Result of one case. */
export interface ConformanceResult {
  readonly name: string;
  /** `unsupported`: the capabilities say that the engine cannot do what the case needs. */
  readonly verdict: 'pass' | 'fail' | 'unsupported';
  readonly detail: string;
}

function refused(outcome: Outcome): boolean {
  return outcome.kind === 'error' && outcome.code === 'LIGHTNING_MISSING_CAPABILITY' && outcome.definite;
}

async function runSteps(session: EngineSession, steps: readonly ConformanceStep[]): Promise<string | undefined> {
  for (const [index, [operation, expected]] of steps.entries()) {
    const outcome = await session.execute(operation);
    if (!sameOutcome(expected, outcome)) {
      const found = describeOutcome(outcome);
      return `step ${index} (${operation.kind}): ${found} instead of ${describeOutcome(expected)}`;
    }
  }
  return undefined;
}

/** Operations outside the capabilities must be refused, and must leave the store as it was. */
async function runRefusals(driver: EngineDriver, session: EngineSession): Promise<string | undefined> {
  const before = await session.execute({ kind: 'get', key: '6b' });
  for (const operation of ONE_OF_EACH) {
    if (supports(driver.capabilities, operation)) continue;
    const outcome = await session.execute(operation);
    if (!refused(outcome)) return `${operation.kind} is outside the capabilities and gave ${describeOutcome(outcome)}`;
  }
  const after = await session.execute({ kind: 'get', key: '6b' });
  return sameOutcome(before, after) ? undefined : 'a refused operation changed the store';
}

const ONE_OF_EACH: readonly Operation[] = [
  { kind: 'put', key: '6b', value: '01', deadline: 2_000_000 },
  { kind: 'batch', operations: [{ kind: 'put', key: '6b', value: '02' }] },
  { kind: 'put', key: '6b', value: '04', sync: true },
  { kind: 'batch', operations: [{ kind: 'clear', range: {} }] },
  { kind: 'clear', range: {} },
  { kind: 'scan', range: {} },
  { kind: 'scan', range: { reverse: true } },
  { kind: 'openSnapshot', snapshot: 900 },
  { kind: 'snapshotGet', snapshot: 900, key: '6b' },
  { kind: 'snapshotScan', snapshot: 900, range: {} },
  { kind: 'begin', transaction: 900 },
  { kind: 'begin', transaction: 901, isolation: 'serializable' },
  { kind: 'begin', transaction: 902, isolation: 'read-committed' },
  { kind: 'txPut', transaction: 900, key: '6b', value: '03' },
  { kind: 'commit', transaction: 900 },
  { kind: 'sync' },
  { kind: 'flush' },
  { kind: 'merge' },
  { kind: 'collect' },
  { kind: 'crash' },
  { kind: 'advanceClock', milliseconds: 1 },
];

/**
 * Runs every case in a directory of its own below `directory`.
 * @param makeDirectory gives an empty directory for a case; the caller removes it
 */
export async function runConformance(
  driver: EngineDriver,
  makeDirectory: (caseName: string) => string,
): Promise<readonly ConformanceResult[]> {
  const results: ConformanceResult[] = [];
  const add = async (name: string, run: (session: EngineSession) => Promise<string | undefined>): Promise<void> => {
    const session = await driver.open(makeDirectory(name), {});
    let detail: string | undefined;
    try {
      detail = await run(session);
    } finally {
      await session.close();
    }
    results.push({ name, verdict: detail === undefined ? 'pass' : 'fail', detail: detail ?? '' });
  };
  for (const one of CONFORMANCE_CASES) {
    const missing = one.steps.find(([operation]) => !supports(driver.capabilities, operation));
    if (missing !== undefined || (one.emptyKey === true && !driver.capabilities.emptyKey)) {
      const detail = missing === undefined ? 'no empty key' : `no ${missing[0].kind}`;
      results.push({ name: one.name, verdict: 'unsupported', detail });
    } else await add(one.name, (session) => runSteps(session, one.steps));
  }
  await add('what is outside the capabilities is refused and has no effect', (session) => runRefusals(driver, session));
  return results;
}

/** Throws when a driver does not conform. @throws LightningError `LIGHTNING_HARNESS` naming the first case that failed */
export function requireConformance(results: readonly ConformanceResult[]): void {
  const failed = results.find((result) => result.verdict === 'fail');
  if (failed !== undefined) {
    throw new LightningError('LIGHTNING_HARNESS', `driver does not conform: ${failed.name}: ${failed.detail}`);
  }
}
