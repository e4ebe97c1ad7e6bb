/** Seeded operations for the miniature store: few keys, so that they meet. */
import { Prng } from '../../base/prng.ts';
import type { MiniatureOperation } from './store.ts';

const KEY_COUNT = 12;
const KINDS = ['put', 'delete', 'scan'] as const;

/** `length` operations that depend on the seed alone. */
export function generateOperations(seed: number, length: number): MiniatureOperation[] {
  const prng = new Prng(seed);
  const operations: MiniatureOperation[] = [];
  for (let index = 0; index < length; index++) {
    const kind = KINDS[prng.weighted([5, 3, 2])];
    operations.push({ kind, key: prng.below(KEY_COUNT), value: kind === 'scan' ? prng.between(1, KEY_COUNT) : index });
  }
  return operations;
}
