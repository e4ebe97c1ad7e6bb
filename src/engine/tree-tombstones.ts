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
    const endsBehind = ({ end }: RangeTombstone): boolean => end === undefined || compareBytes(end, lower.key) > 0;
    const beginsBehind = ({ start }: RangeTombstone): boolean => {
      const order = upper === undefined ? -1 : compareBytes(start, upper.key);
      // Versions of the upper bound's key stand before it only if it parts versions of one key.
      return order > 0 || (order === 0 && upper?.sequence === SEQUENCE_MAX);
    };
    const first = this.waiting.findLastIndex(beginsBehind) + 1;
    return this.active.some(endsBehind) || this.waiting.slice(first).some(endsBehind);
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
