/** From what a checker said to a verdict of the stage. Pure; a check that could not run is never a pass. */
import { LightningError } from '../src/base/errors.ts';
import { type CheckOutcome } from './check-outcome.ts';

/** One row of the stage. */
export interface Judgement {
  readonly verdict: 'pass' | 'fail' | 'vacuous' | 'unknown';
  readonly detail: string;
}

/**
 * A configuration that must pass.
 * @param pinned the least number of distinct states that makes the pass worth something
 * @param other the number that the other checker found, if it was asked
 * @throws LightningError `LIGHTNING_HARNESS` when the checker could not read the model
 */
export function judgePassing(outcome: CheckOutcome, pinned: number, other: number | undefined): Judgement {
  switch (outcome.verdict) {
    case 'unknown':
      return { verdict: 'unknown', detail: outcome.reason };
    case 'broken':
      throw new LightningError('LIGHTNING_HARNESS', outcome.reason);
    case 'violated':
      return { verdict: 'fail', detail: `${outcome.invariant} is violated after ${outcome.trace.length - 1} steps` };
    case 'pass': {
      const { distinctStates } = outcome;
      if (other !== undefined && other !== distinctStates) {
        return { verdict: 'fail', detail: `the checkers disagree: ${distinctStates} and ${other} distinct states` };
      }
      if (distinctStates < pinned) {
        return { verdict: 'vacuous', detail: `${distinctStates} distinct states, pinned are ${pinned}` };
      }
      const depth = outcome.depth === undefined ? '' : `, depth ${outcome.depth}`;
      return { verdict: 'pass', detail: `${distinctStates} distinct states${depth}` };
    }
  }
}

/**
 * A configuration that must violate `violates`, by name. Anything else means that the invariant was not seen to fail.
 * @param steps the pinned length of the shortest counterexample; another one means that the model has changed
 * @throws LightningError `LIGHTNING_HARNESS` when the checker could not read the model
 */
export function judgeControl(outcome: CheckOutcome, violates: string, steps: number | undefined): Judgement {
  switch (outcome.verdict) {
    case 'unknown':
      return { verdict: 'unknown', detail: outcome.reason };
    case 'broken':
      throw new LightningError('LIGHTNING_HARNESS', outcome.reason);
    case 'pass':
      return { verdict: 'vacuous', detail: `survived: no error in ${outcome.distinctStates} distinct states` };
    case 'violated': {
      const length = outcome.trace.length - 1;
      if (outcome.invariant !== violates) {
        return { verdict: 'vacuous', detail: `violated ${outcome.invariant}, not ${violates}` };
      }
      if (steps !== undefined && length !== steps) {
        return { verdict: 'vacuous', detail: `${violates} violated after ${length} steps, pinned are ${steps}` };
      }
      return { verdict: 'pass', detail: `${violates} violated after ${length} steps` };
    }
  }
}
