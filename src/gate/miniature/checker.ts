/** The oracle of the miniature store: a map, sorted anew for every scan. Shares no code with the store. */
import type { MiniatureOperation } from './store.ts';

/** What one scan returned. */
export type MiniatureAnswer = readonly (readonly [number, number])[];

/** The index of the first operation whose answer is wrong, or −1. */
export function firstWrongAnswer(
  operations: readonly MiniatureOperation[],
  answers: readonly MiniatureAnswer[],
): number {
  const truth = new Map<number, number>();
  for (let index = 0; index < operations.length; index++) {
    const { kind, key, value } = operations[index];
    if (kind === 'put') truth.set(key, value);
    if (kind === 'delete') truth.delete(key);
    if (kind !== 'scan') continue;
    const expected = [...truth].filter(([candidate]) => candidate >= key).sort(([a], [b]) => a - b);
    const wrong = JSON.stringify(answers[index]) !== JSON.stringify(expected.slice(0, value));
    if (wrong) return index;
  }
  return -1;
}
