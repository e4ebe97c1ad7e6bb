/**
 * Range tombstones during a merge: which subtrees they overlap, and which sequences cover the key that the merge has
 * reached. Both are asked in ascending order of keys, so each range is taken up once and dropped once.
 */
import { compareBytes, compareSlices } from '../base/bytes.ts';
import type { Version } from './cursor.ts';
import type { Retention } from './retention.ts';
import type { Separator } from './tree-format.ts';
import { KIND_PUT, NO_DEADLINE, type RangeTombstone, type Sequence, SEQUENCE_MAX } from './types.ts';

/** The range tombstones of one merge. */
export class TombstoneSweep {
  private readonly retention: Retention;
  /** Not empty, by their starts, descending: the next one is the last. */
  private readonly waiting: RangeTombstone[];
  /** Those that begin at or before the current key and end behind it, newest first. */
  private active: RangeTombstone[] = [];
  private covering: readonly Sequence[] = [];

  constructor(tombstones: readonly RangeTombstone[], retention: Retention) {
    this.retention = retention;
    this.waiting = tombstones.filter(({ start, end }) => end === undefined || compareBytes(start, end) < 0);
    this.waiting.sort((a, b) => compareBytes(b.start, a.start));
  }

  /** Whether a range holds a key that may stand between the two bounds, which lie behind all keys asked for so far. */
  overlaps(lower: Separator, upper: Separator | undefined): boolean {
    if (this.active.length === 0 && this.waiting.length === 0) return false;
    const { key } = lower;
    const endsBehind = ({ end }: RangeTombstone): boolean => end === undefined || compareBytes(end, key) > 0;
    if (this.active.some(endsBehind)) return true;
    for (let i = this.waiting.length - 1; i >= 0; i--) {
      // Versions of the upper bound's key stand before it only if it parts versions of one key.
      const order = upper === undefined ? -1 : compareBytes(this.waiting[i].start, upper.key);
      if (order > 0 || (order === 0 && upper?.sequence === SEQUENCE_MAX)) return false;
      if (endsBehind(this.waiting[i])) return true;
    }
    return false;
  }

  /**
   * The sequences of the ranges that cover the version's key, descending. Where nobody reads between two of them the
   * older one is left out: rule 5 would drop it, and decides alike for everything below.
   */
  coveringKeyOf({ bytes, keyStart, keyEnd }: Version): readonly Sequence[] {
    const isBehind = (bound: Uint8Array): boolean => compareSlices(bound, 0, bound.length, bytes, keyStart, keyEnd) > 0;
    const { waiting } = this;
    let moved = this.active.some(({ end }) => end !== undefined && !isBehind(end));
    for (let next = waiting.at(-1); next !== undefined && !isBehind(next.start); next = waiting.at(-1)) {
      this.active.push(next);
      waiting.pop();
      moved = true;
    }
    if (moved) {
      this.active = this.active.filter(({ end }) => end === undefined || isBehind(end));
      this.active.sort((a, b) => b.sequence - a.sequence);
      this.thin();
    }
    return this.covering;
  }

  private thin(): void {
    const kept: Sequence[] = [];
    let newer = Infinity;
    for (const { sequence } of this.active) {
      if (sequence === newer) continue;
      if (this.retention.keeps(sequence, newer, KIND_PUT, NO_DEADLINE)) kept.push(sequence);
      newer = sequence;
    }
    this.covering = kept;
  }
}
