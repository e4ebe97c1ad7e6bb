/**
 * A sorted list in memory for insertions in any order: chunks of at most `CHUNK_LENGTH_MAX` elements. An insertion is a
 * binary search over the first elements of the chunks, one inside the chunk, and a short move; a chunk that is full splits
 * in the middle. Positions are found with a probe, an element that need not be in the list.
 *
 * Invariants
 *   1. No chunk is empty, and elements ascend strictly within and across chunks.
 *   2. `length` counts them.
 */
import { assert } from './assert.ts';

const CHUNK_LENGTH_MAX = 128;

/** Negative, 0 or positive, a total order. */
export type Comparator<T> = (a: T, b: T) => number;

export class SortedList<T> implements Iterable<T> {
  private readonly chunks: T[][] = [];
  private readonly compare: Comparator<T>;
  length = 0;

  constructor(compare: Comparator<T>) {
    this.compare = compare;
  }

  /** Adds an element; one that compares equal is replaced. O(log length) comparisons. */
  insert(element: T): void {
    const { chunks } = this;
    const chunkIndex = Math.max(0, this.chunkAfter(element) - 1);
    if (chunks.length === 0) chunks.push([]);
    const chunk = chunks[chunkIndex];
    const index = this.indexIn(chunk, element);
    if (index < chunk.length && this.compare(chunk[index], element) === 0) {
      chunk[index] = element;
      return;
    }
    this.length++;
    // Moved one by one: `splice` makes an array for nothing, and is no faster over half a chunk.
    for (let at = chunk.length; at > index; at--) chunk[at] = chunk[at - 1];
    chunk[index] = element;
    if (chunk.length > CHUNK_LENGTH_MAX) this.split(chunkIndex);
  }

  /** Ascending loads fill chunks: a split at the right edge leaves the left chunk whole. */
  private split(chunkIndex: number): void {
    const isLast = chunkIndex === this.chunks.length - 1;
    const tail = this.chunks[chunkIndex].splice(isLast ? CHUNK_LENGTH_MAX - 8 : CHUNK_LENGTH_MAX >>> 1);
    this.chunks.splice(chunkIndex + 1, 0, tail);
  }

  /** Removes every element that `isGone`. Linear. */
  remove(isGone: (element: T) => boolean): void {
    for (let i = this.chunks.length - 1; i >= 0; i--) {
      const kept = this.chunks[i].filter((element) => !isGone(element));
      this.length -= this.chunks[i].length - kept.length;
      if (kept.length > 0) this.chunks[i] = kept;
      else this.chunks.splice(i, 1);
    }
  }

  /** The first element at or after `probe`; `undefined` when there is none. O(log length). */
  atOrAfter(probe: T): T | undefined {
    const next = this.chunkAfter(probe);
    if (next > 0) {
      const chunk = this.chunks[next - 1];
      const index = this.indexIn(chunk, probe);
      if (index < chunk.length) return chunk[index];
    }
    return next < this.chunks.length ? this.chunks[next][0] : undefined;
  }

  /** A position, at no element yet. An insertion or removal makes it stale until it is placed anew. */
  position(): SortedListPosition<T> {
    return new SortedListPosition(this.chunks, (probe) => {
      const chunkIndex = Math.max(0, this.chunkAfter(probe) - 1);
      const chunk = this.chunks[chunkIndex];
      return [chunkIndex, chunk === undefined ? 0 : this.indexIn(chunk, probe)];
    });
  }

  /** All elements, ascending. */
  *[Symbol.iterator](): Generator<T> {
    for (const chunk of this.chunks) yield* chunk;
  }

  /** Index of the first chunk whose first element is after `probe`. */
  private chunkAfter(probe: T): number {
    const { chunks } = this;
    let low = 0;
    let high = chunks.length;
    // Ascending loads end at the last chunk; asking it first saves the search.
    if (high > 0 && this.compare(chunks[high - 1][0], probe) <= 0) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(chunks[middle][0], probe) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Index of the first element of a chunk at or after `probe`. */
  private indexIn(chunk: readonly T[], probe: T): number {
    let low = 0;
    let high = chunk.length;
    if (high > 0 && this.compare(chunk[high - 1], probe) < 0) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(chunk[middle], probe) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Invariants 1 and 2, over everything. */
  checkInvariants(): void {
    assert(
      this.chunks.every((chunk) => chunk.length > 0),
      'no chunk of a sorted list is empty',
    );
    let previous: T | undefined;
    let seen = 0;
    for (const element of this) {
      assert(previous === undefined || this.compare(previous, element) < 0, 'elements of a sorted list ascend');
      previous = element;
      seen++;
    }
    assert(seen === this.length, 'a sorted list counts its elements', seen, this.length);
  }
}

/** Walks a sorted list in both directions. */
export class SortedListPosition<T> {
  private readonly chunks: readonly T[][];
  private readonly find: (probe: T) => [chunk: number, index: number];
  private chunk = 0;
  private index = 0;
  /** The element there; `undefined` before the first, behind the last, and before the position is placed. */
  element: T | undefined;

  /** Made by {@link SortedList.position}. */
  constructor(chunks: readonly T[][], find: (probe: T) => [chunk: number, index: number]) {
    this.chunks = chunks;
    this.find = find;
  }

  /** Goes to the first element at or after `probe`. */
  seek(probe: T): void {
    const [chunk, index] = this.find(probe);
    this.place(chunk, index);
  }

  /** Goes to the last element before `probe`. */
  seekBefore(probe: T): void {
    const [chunk, index] = this.find(probe);
    this.place(chunk, index - 1);
  }

  first(): void {
    this.place(0, 0);
  }

  last(): void {
    this.place(this.chunks.length, -1);
  }

  next(): void {
    this.place(this.chunk, this.index + 1);
  }

  previous(): void {
    this.place(this.chunk, this.index - 1);
  }

  /** One step over an edge of a chunk leads to its neighbour. */
  private place(chunk: number, index: number): void {
    if (index < 0) {
      chunk--;
      index = chunk < 0 ? 0 : this.chunks[chunk].length - 1;
    } else if (chunk < this.chunks.length && index === this.chunks[chunk].length) {
      chunk++;
      index = 0;
    }
    this.chunk = chunk;
    this.index = index;
    this.element = chunk >= 0 && chunk < this.chunks.length ? this.chunks[chunk][index] : undefined;
  }
}
