/**
 * Assertions for beliefs about memory. Damage on disk is never an assertion; it is an error value (spec/errors.md).
 *
 * Constant text and values passed apart: a template literal at the call site was measured at 2.6 to 2.9 times the cost
 * of the whole function, a constant text with values at 0 to 8 %.
 */
import { LightningError } from './errors.ts';

/** How much is checked: 0 only what is O(1), 1 the structure just touched, 2 everything after each step. */
export type AssertionLevel = 0 | 1 | 2;

function readLevel(): AssertionLevel {
  const text = process.env['LIGHTNING_ASSERTIONS'];
  return text === '2' ? 2 : text === '1' ? 1 : 0;
}

/** Read once at start from `LIGHTNING_ASSERTIONS` (`0`, `1` or `2`; default `0`). */
export const assertionLevel: AssertionLevel = readLevel();

/**
 * States that `condition` holds.
 * @param invariant the invariant in words, constant text
 * @param actual the value found, shown only on failure
 * @param bound what it was held against, shown only on failure
 * @throws LightningError `LIGHTNING_ASSERTION`; an engine that sees it poisons itself
 */
export function assert(condition: boolean, invariant: string, actual?: unknown, bound?: unknown): asserts condition {
  if (!condition) fail(invariant, actual, bound);
}

function fail(invariant: string, actual: unknown, bound: unknown): never {
  const values =
    actual === undefined
      ? ''
      : bound === undefined
        ? ` (${String(actual)})`
        : ` (${String(actual)} against ${String(bound)})`;
  throw new LightningError('LIGHTNING_ASSERTION', `broken invariant: ${invariant}${values}`, {
    invariant,
    actual,
    bound,
  });
}

/** For the branch that the types say cannot be reached. */
export function unreachable(value: never): never {
  throw new LightningError('LIGHTNING_ASSERTION', 'broken invariant: a value outside its type', { value });
}

const reached = new Map<string, number>();

/** Marks a situation that runs must reach; stages list the marks that were never reached. */
export function sometimes(situation: string): void {
  reached.set(situation, (reached.get(situation) ?? 0) + 1);
}

/** How often each situation was reached in this process so far. */
export function situationsReached(): ReadonlyMap<string, number> {
  return reached;
}
