/**
 * Range tombstones during a merge: which subtrees they overlap, and which sequences cover the key that the merge has
 * reached. Keys are asked for in ascending order.
 */
import { assert } from '../base/assert.ts';
import { compareBytes, compareSlices } from '../base/bytes.ts';
import type { Version } from './cursor.ts';
import type { Retention } from './retention.ts';
import type { Separator } from './tree-format.ts';
import { KIND_PUT, NO_DEADLINE, type RangeTombstone, type Sequence, SEQUENCE_MAX } from './types.ts';

/** A range begins or ends at a key. */
interface Edge {
  readonly key: Uint8Array;
  readonly sequence: Sequence;
  readonly begins: boolean;
}

/** The range tombstones of one merge. */
export class TombstoneSweep {
  private readonly retention: Retention;
  /** Ascending. */
  private readonly edges: Edge[] = [];
  private nextEdge = 0;
  /** Sequences of the ranges around the current key, descending. */
  private readonly active: Sequence[] = [];
  private covering: readonly Sequence[] = [];
  /** The union of all ranges: disjoint, ascending; the last may have no end. */
  private readonly union: { start: Uint8Array; end: Uint8Array | undefined }[] = [];

  constructor(tombstones: readonly RangeTombstone[], retention: Retention) {
    this.retention = retention;
    const ranges = tombstones.filter(({ start, end }) => end === undefined || compareBytes(start, end) < 0);
    ranges.sort((a, b) => compareBytes(a.start, b.start));
    for (const { start, end, sequence } of ranges) {
      this.edges.push({ key: start, sequence, begins: true });
      if (end !== undefined) this.edges.push({ key: end, sequence, begins: false });
      const last = this.union.at(-1);
      if (last === undefined || (last.end !== undefined && compareBytes(last.end, start) < 0)) {
        this.union.push({ start, end });
      } else if (end === undefined || (last.end !== undefined && compareBytes(last.end, end) < 0)) last.end = end;
    }
    this.edges.sort((a, b) => compareBytes(a.key, b.key));
  }

  /** Whether a range holds a key that may stand between the two bounds. O(log n). */
  overlaps(lower: Separator, upper: Separator | undefined): boolean {
    const { union } = this;
    let low = 0;
    let high = union.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { end } = union[middle];
      if (end !== undefined && compareBytes(end, lower.key) <= 0) low = middle + 1;
      else high = middle;
    }
    if (low === union.length) return false;
    if (upper === undefined) return true;
    // Versions of the upper bound's key stand before it only if it parts versions of one key.
    const order = compareBytes(union[low].start, upper.key);
    return order < 0 || (order === 0 && upper.sequence !== SEQUENCE_MAX);
  }

  /**
   * The sequences of the ranges that cover the version's key, descending. Where nobody reads between two of them the
   * older one is left out: rule 5 would drop it, and decides alike for everything below.
   */
  coveringKeyOf(version: Version): readonly Sequence[] {
    const { edges } = this;
    const { bytes, keyStart, keyEnd } = version;
    let moved = false;
    for (; this.nextEdge < edges.length; this.nextEdge++) {
      const edge = edges[this.nextEdge];
      if (compareSlices(edge.key, 0, edge.key.length, bytes, keyStart, keyEnd) > 0) break;
      this.pass(edge);
      moved = true;
    }
    if (moved) this.thin();
    return this.covering;
  }

  private pass({ sequence, begins }: Edge): void {
    const { active } = this;
    let at = 0;
    while (at < active.length && active[at] > sequence) at++;
    if (begins) active.splice(at, 0, sequence);
    else {
      assert(active[at] === sequence, 'a range that ends has begun', sequence);
      active.splice(at, 1);
    }
  }

  private thin(): void {
    const kept: Sequence[] = [];
    let newer = Infinity;
    for (const sequence of this.active) {
      if (sequence === newer) continue;
      if (this.retention.keeps(sequence, newer, KIND_PUT, NO_DEADLINE)) kept.push(sequence);
      newer = sequence;
    }
    this.covering = kept;
  }
}
