/**
 * The newest versions, sorted, in memory; one memtable for one WAL segment.
 *
 * Two levels: chunks of at most `CHUNK_ENTRIES_MAX` entries in internal order. An insertion is a binary search over the
 * first entries of the chunks, one inside the chunk, and a short move; a chunk that is full splits in the middle. Keys
 * and values are not copied: an entry points into the WAL record that carried it.
 *
 * Invariants
 *   1. No chunk is empty, and entries ascend in internal order within and across chunks.
 *   2. Of one (key, sequence) there is one entry: within a commit the later operation replaces the earlier.
 *   3. `greatestSequence` is not below any entry or range tombstone.
 */
import { assert } from '../base/assert.ts';
import { compareSlices } from '../base/bytes.ts';
import { compareInternal, Cursor, type Version } from './cursor.ts';
import type { Layer } from './layers.ts';
import { type Kind, NO_DEADLINE, type RangeTombstone, type Sequence } from './types.ts';

const CHUNK_ENTRIES_MAX = 128;
/** What an entry weighs beyond its key and value; measured on a heap snapshot, rounded up. */
const ENTRY_OVERHEAD_BYTES = 112;
/** Range tombstones are searched one by one, so a memtable that holds this many counts as full. */
export const RANGE_TOMBSTONES_MAX = 256;

/** One version, its value right behind its key. `bytes` is shared with the WAL record and never changes. */
export interface MemtableEntry {
  readonly bytes: Uint8Array;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueEnd: number;
  readonly sequence: Sequence;
  readonly kind: Kind;
  /** `undefined` for none: a number of its own, `Infinity` too, would be boxed in every entry. */
  readonly deadline: number | undefined;
}

export class Memtable implements Layer {
  private readonly chunks: MemtableEntry[][] = [];
  private readonly tombstones: RangeTombstone[] = [];
  /** Entries of all keys and versions. */
  count = 0;
  sizeBytes = 0;
  greatestSequence = 0 as Sequence;

  get isEmpty(): boolean {
    return this.count === 0 && this.tombstones.length === 0;
  }

  /** Oldest first. */
  get rangeTombstones(): readonly RangeTombstone[] {
    return this.tombstones;
  }

  addRangeTombstone(tombstone: RangeTombstone): void {
    assert(tombstone.sequence >= this.greatestSequence, 'range tombstones arrive in commit order');
    this.tombstones.push(tombstone);
    this.greatestSequence = tombstone.sequence;
    this.sizeBytes += ENTRY_OVERHEAD_BYTES + tombstone.start.length + (tombstone.end?.length ?? 0);
  }

  /** Adds a version, in O(log count). An entry of the same key and sequence is replaced. */
  insert(entry: MemtableEntry): void {
    assert(entry.sequence >= this.greatestSequence, 'versions arrive in commit order');
    this.greatestSequence = entry.sequence;
    this.sizeBytes += ENTRY_OVERHEAD_BYTES + (entry.valueEnd - entry.keyStart);
    this.count++;
    if (this.chunks.length === 0) {
      this.chunks.push([entry]);
      return;
    }
    const { bytes, keyStart, keyEnd, sequence } = entry;
    const chunkIndex = Math.max(0, this.chunkAfter(bytes, keyStart, keyEnd, sequence) - 1);
    const chunk = this.chunks[chunkIndex];
    const index = searchChunk(chunk, bytes, keyStart, keyEnd, sequence);
    if (index < chunk.length && compareEntry(chunk[index], bytes, keyStart, keyEnd, sequence) === 0) {
      this.count--;
      chunk[index] = entry;
      return;
    }
    // Moved one by one: `splice` makes an array for nothing, and is no faster over half a chunk.
    for (let at = chunk.length; at > index; at--) chunk[at] = chunk[at - 1];
    chunk[index] = entry;
    if (chunk.length > CHUNK_ENTRIES_MAX) this.split(chunkIndex, chunk);
  }

  /** Ascending loads fill chunks: a split at the right edge leaves the left chunk whole. */
  private split(chunkIndex: number, chunk: MemtableEntry[]): void {
    const isLast = chunkIndex === this.chunks.length - 1;
    const tail = chunk.splice(isLast ? CHUNK_ENTRIES_MAX - 8 : CHUNK_ENTRIES_MAX >>> 1);
    this.chunks.splice(chunkIndex + 1, 0, tail);
  }

  /** Removes every entry with start ≤ key < end; used by a transaction's write set. Linear. */
  removeRange(start: Uint8Array, end: Uint8Array | undefined): void {
    for (let i = this.chunks.length - 1; i >= 0; i--) {
      const kept = this.chunks[i].filter(
        (e) =>
          compareSlices(e.bytes, e.keyStart, e.keyEnd, start, 0, start.length) < 0 ||
          (end !== undefined && compareSlices(e.bytes, e.keyStart, e.keyEnd, end, 0, end.length) >= 0),
      );
      this.count -= this.chunks[i].length - kept.length;
      if (kept.length > 0) this.chunks[i] = kept;
      else this.chunks.splice(i, 1);
    }
  }

  /** Points `into` at the newest version of `key` at or before `sequence`; false if there is none. O(log count). */
  get(key: Uint8Array, sequence: Sequence, into: Version): boolean {
    const length = key.length;
    const next = this.chunkAfter(key, 0, length, sequence);
    let chunk = this.chunks[Math.max(0, next - 1)];
    if (chunk === undefined) return false;
    let index = searchChunk(chunk, key, 0, length, sequence);
    if (index === chunk.length) {
      if (next >= this.chunks.length) return false;
      chunk = this.chunks[next];
      index = 0;
    }
    const entry = chunk[index];
    if (compareSlices(entry.bytes, entry.keyStart, entry.keyEnd, key, 0, length) !== 0) return false;
    load(entry, into);
    return true;
  }

  cursor(): Cursor {
    return new MemtableCursor(this.chunks);
  }

  /** All entries, in internal order. */
  *entries(): Generator<MemtableEntry> {
    for (const chunk of this.chunks) yield* chunk;
  }

  /** Index of the first chunk whose first entry is after (key, sequence) in internal order. */
  private chunkAfter(bytes: Uint8Array, keyStart: number, keyEnd: number, sequence: number): number {
    return chunkAfter(this.chunks, bytes, keyStart, keyEnd, sequence);
  }

  /** Invariants 1 to 3, over everything. */
  checkInvariants(): void {
    let previous: MemtableEntry | undefined;
    let seen = 0;
    for (const chunk of this.chunks) {
      assert(chunk.length > 0, 'no chunk of a memtable is empty');
      for (const entry of chunk) {
        assert(
          previous === undefined ||
            compareEntry(previous, entry.bytes, entry.keyStart, entry.keyEnd, entry.sequence) < 0,
          'entries of a memtable ascend',
        );
        assert(entry.sequence <= this.greatestSequence, 'the greatest sequence bounds every entry');
        previous = entry;
        seen++;
      }
    }
    assert(seen === this.count, 'a memtable counts its entries', seen, this.count);
  }
}

function compareEntry(entry: MemtableEntry, bytes: Uint8Array, start: number, end: number, sequence: number): number {
  return compareInternal(entry.bytes, entry.keyStart, entry.keyEnd, entry.sequence, bytes, start, end, sequence);
}

function chunkAfter(
  chunks: readonly MemtableEntry[][],
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  sequence: number,
): number {
  let low = 0;
  let high = chunks.length;
  // Ascending loads end at the last chunk; asking it first saves the search.
  if (high > 0 && compareEntry(chunks[high - 1][0], bytes, keyStart, keyEnd, sequence) <= 0) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareEntry(chunks[middle][0], bytes, keyStart, keyEnd, sequence) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first entry of a chunk at or after (key, sequence). */
function searchChunk(
  chunk: readonly MemtableEntry[],
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  sequence: number,
): number {
  let low = 0;
  let high = chunk.length;
  if (compareEntry(chunk[high - 1], bytes, keyStart, keyEnd, sequence) < 0) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareEntry(chunk[middle], bytes, keyStart, keyEnd, sequence) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Points `into` at the entry. */
export function load(entry: MemtableEntry, into: Version): void {
  into.bytes = entry.bytes;
  into.keyStart = entry.keyStart;
  into.keyEnd = entry.keyEnd;
  into.valueStart = entry.keyEnd;
  into.valueEnd = entry.valueEnd;
  into.sequence = entry.sequence;
  into.kind = entry.kind;
  into.deadline = entry.deadline ?? NO_DEADLINE;
  into.valid = true;
}

/** Walks the chunks. An insertion invalidates it; whoever holds one seeks again after a commit (scan.ts). */
class MemtableCursor extends Cursor {
  private readonly chunks: readonly MemtableEntry[][];
  private chunk = 0;
  private index = 0;

  constructor(chunks: readonly MemtableEntry[][]) {
    super();
    this.chunks = chunks;
  }

  override seek(key: Uint8Array, sequence: Sequence): void {
    this.chunk = Math.max(0, chunkAfter(this.chunks, key, 0, key.length, sequence) - 1);
    const entries = this.chunks[this.chunk];
    this.index = entries === undefined ? 0 : searchChunk(entries, key, 0, key.length, sequence);
    if (entries !== undefined && this.index === entries.length) {
      this.chunk++;
      this.index = 0;
    }
    this.settle();
  }

  override seekBefore(key: Uint8Array, sequence: Sequence): void {
    this.seek(key, sequence);
    if (this.chunks.length === 0) return;
    this.back();
  }

  override first(): void {
    this.chunk = 0;
    this.index = 0;
    this.settle();
  }

  override last(): void {
    this.chunk = this.chunks.length - 1;
    this.index = this.chunk < 0 ? 0 : this.chunks[this.chunk].length - 1;
    this.settle();
  }

  override next(): void {
    assert(this.valid, 'a cursor that moves is valid');
    if (++this.index === this.chunks[this.chunk].length) {
      this.chunk++;
      this.index = 0;
    }
    this.settle();
  }

  override previous(): void {
    assert(this.valid, 'a cursor that moves is valid');
    this.back();
  }

  private back(): void {
    if (this.index === 0) {
      this.chunk--;
      this.index = this.chunk < 0 ? 0 : this.chunks[this.chunk].length - 1;
    } else {
      this.index--;
    }
    this.settle();
  }

  private settle(): void {
    if (this.chunk < 0 || this.chunk >= this.chunks.length) {
      this.valid = false;
      return;
    }
    load(this.chunks[this.chunk][this.index], this);
  }
}

/** The newest range tombstone at or before `sequence` that covers `key`; 0 if none does. Linear in the list. */
export function newestCover(tombstones: readonly RangeTombstone[], key: Uint8Array, sequence: Sequence): Sequence {
  let newest = 0 as Sequence;
  for (const t of tombstones) {
    if (t.sequence <= sequence && t.sequence > newest && covers(t, key, 0, key.length)) newest = t.sequence;
  }
  return newest;
}

/** Whether a range tombstone covers the key in `bytes[start, end)`. */
export function covers(tombstone: RangeTombstone, bytes: Uint8Array, start: number, end: number): boolean {
  const { start: from, end: to } = tombstone;
  return (
    compareSlices(from, 0, from.length, bytes, start, end) <= 0 &&
    (to === undefined || compareSlices(bytes, start, end, to, 0, to.length) < 0)
  );
}
