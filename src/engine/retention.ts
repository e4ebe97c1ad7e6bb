/**
 * Which versions a merge keeps: rules 5 and 6 of spec/semantics.md, and nothing else. The rule was checked by a model
 * checker before it was written here (models/MVCC.tla).
 *
 * Fixed at the start of a merge:
 *   H  the live snapshots and the published sequence
 *   m  the least of H
 *   T  the time before which a deadline has passed for every reader
 *
 * Versions of one key are offered newest first. Streaming, so that a million versions of one key need no memory.
 */
import { assert } from '../base/assert.ts';
import { partitionPoint } from '../base/partition-point.ts';
import { type Kind, KIND_DELETE, type Sequence } from './types.ts';

export class Retention {
  /** H, ascending, without duplicates. */
  readonly horizon: readonly Sequence[];
  readonly collectTime: number;

  /** @param horizon live snapshots and the published sequence, ascending, without duplicates, not empty */
  constructor(horizon: readonly Sequence[], collectTime: number) {
    assert(horizon.length > 0, 'a merge has a horizon');
    for (let i = 1; i < horizon.length; i++) assert(horizon[i - 1] < horizon[i], 'the horizon ascends');
    this.horizon = horizon;
    this.collectTime = collectTime;
  }

  /** m, the oldest sequence that somebody may still read at. */
  get oldest(): Sequence {
    return this.horizon[0];
  }

  /**
   * Whether a version is kept.
   * @param newer the sequence of the next newer version of the same key, kept or not, range tombstones included;
   *   `Infinity` for the newest
   */
  keeps(sequence: Sequence, newer: number, kind: Kind, deadline: number): boolean {
    assert(sequence < newer, 'versions are offered newest first', sequence, newer);
    if (!this.someoneReads(sequence, newer)) return false;
    const gone = kind === KIND_DELETE || deadline <= this.collectTime;
    return !(gone && sequence <= this.oldest);
  }

  /** Whether some h in H has sequence ≤ h < newer. O(log |H|). */
  private someoneReads(sequence: number, newer: number): boolean {
    const { horizon } = this;
    const first = partitionPoint(horizon.length, (index) => horizon[index] < sequence);
    return first < horizon.length && horizon[first] < newer;
  }
}

/**
 * The least published-and-unwatched sequence at which a kept version becomes droppable (rule 8): when nobody reads below
 * the next newer version, or, for a deletion, below itself.
 * @param newer the next newer kept version of the key; `Infinity` for the newest
 */
export function droppableAt(sequence: Sequence, newer: number, kind: Kind): number {
  const ownEnd = kind === KIND_DELETE ? sequence : Infinity;
  return Math.min(newer, ownEnd);
}
