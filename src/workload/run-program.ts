/**
 * Runs a program on a driver, one operation at a time, and shows every outcome to a judge that the caller brings (the
 * executable specification is one). Stops at the first outcome that the judge does not accept.
 */
import { isLightningError } from '../base/errors.ts';
import type { EngineDriver, EngineSession } from '../contract/driver.ts';
import type { Operation, Program } from '../contract/operations.ts';
import { errorOutcome, type Outcome } from '../contract/outcomes.ts';

/** What is wrong with an outcome. `class` is the signature that shrinking keeps. */
export interface Objection {
  readonly class: string;
  readonly message: string;
}

/** Looks at one outcome, in order. */
export type OutcomeJudge = (operation: Operation, outcome: Outcome, index: number) => Objection | undefined;

/** How a run ended. */
export interface ProgramRun {
  /** Outcomes up to the end, or up to the one objected to. */
  readonly outcomes: readonly Outcome[];
  readonly objection: Objection | undefined;
}

/** An exception out of an engine or its driver as an outcome: coded errors keep their code. */
export function outcomeOfException(error: unknown): Outcome {
  if (isLightningError(error)) return errorOutcome(error.code, error.message);
  return errorOutcome('UNCODED', String(error));
}

/** Opens, runs, closes. An error from open or close is an objection of class `unexpected-error`. */
export async function runProgram(
  driver: EngineDriver,
  directory: string,
  program: Program,
  judge: OutcomeJudge,
): Promise<ProgramRun> {
  const outcomes: Outcome[] = [];
  let session: EngineSession;
  try {
    session = await driver.open(directory, program.options);
  } catch (error) {
    if (isLightningError(error, 'LIGHTNING_MISSING_CAPABILITY')) throw error;
    return { outcomes, objection: { class: 'unexpected-error', message: `open: ${String(error)}` } };
  }
  let objection: Objection | undefined;
  try {
    for (const [index, operation] of program.operations.entries()) {
      const outcome = await session.execute(operation).catch(outcomeOfException);
      outcomes.push(outcome);
      objection = judge(operation, outcome, index);
      if (objection !== undefined) break;
    }
  } finally {
    try {
      await session.close();
    } catch (error) {
      objection ??= { class: 'unexpected-error', message: `close: ${String(error)}` };
    }
  }
  return { outcomes, objection };
}
