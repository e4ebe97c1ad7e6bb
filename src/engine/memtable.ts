/**
 * The newest versions, sorted, in memory; one memtable for one WAL segment. Keys and values are not copied: an entry points
 * into the WAL record that carried it.
 *
 * Invariants
 *   1. Entries ascend in internal order; of one (key, sequence) there is one: within a commit the later operation replaces
 *      the earlier.
 *   2. `greatestSequence` is not below any entry or range tombstone.
 */
import { assert } from '../base/assert.ts';
import { compareSlices } from '../base/bytes.ts';
import { SortedList, type SortedListPosition } from '../base/sorted-list.ts';
import { compareInternal, Cursor, type Version } from './cursor.ts';
import type { Layer } from './layers.ts';
import { type Kind, KIND_DELETE, NO_DEADLINE, type RangeTombstone, type Sequence } from './types.ts';

/** What an entry weighs beyond its key and value; measured on a heap snapshot, rounded up. */
const ENTRY_OVERHEAD_BYTES = 112;
/** Range tombstones are searched one by one, so a memtable that holds this many counts as full. */
export const RANGE_TOMBSTONES_MAX = 256;

/**
 * One version, its value right behind its key. `bytes` is shared with the WAL record and never changes. A deadline of
 * `undefined` is none: a number of its own, `Infinity` too, would be boxed in every entry.
 */
export type MemtableEntry = Readonly<ReturnType<typeof makeEntry>>;

function makeEntry(
  bytes: Uint8Array,
  keyStart: number,
  keyEnd: number,
  valueEnd: number,
  sequence: Sequence,
  kind: Kind,
  deadline: number | undefined,
) {
  // The first four bytes of the key, zeros behind a shorter one: as signed numbers they stand in the order of keys.
  let prefix = 0;
  for (let at = keyStart; at < keyStart + 4; at++) prefix = (prefix << 8) | (at < keyEnd ? bytes[at] : 0);
  return { prefix: prefix ^ (1 << 31), bytes, keyStart, keyEnd, valueEnd, sequence, kind, deadline };
}

/** Internal order. Most pairs differ in their prefixes, which stand in the entries: their records stay out of the caches. */
function compareEntries(a: MemtableEntry, b: MemtableEntry): number {
  if (a.prefix !== b.prefix) return a.prefix < b.prefix ? -1 : 1;
  return compareInternal(a.bytes, a.keyStart, a.keyEnd, a.sequence, b.bytes, b.keyStart, b.keyEnd, b.sequence);
}

/** An entry that stands where (key, sequence) would. */
function probe(key: Uint8Array, sequence: Sequence): MemtableEntry {
  return makeEntry(key, 0, key.length, key.length, sequence, KIND_DELETE, undefined);
}

export class Memtable implements Layer {
  private readonly list = new SortedList<MemtableEntry>(compareEntries);
  private readonly tombstones: RangeTombstone[] = [];
  sizeBytes = 0;
  greatestSequence = 0 as Sequence;

  get isEmpty(): boolean {
    return this.list.length === 0 && this.tombstones.length === 0;
  }

  /** Entries of all keys and versions. */
  get count(): number {
    return this.list.length;
  }

  /** Oldest first. */
  get rangeTombstones(): readonly RangeTombstone[] {
    return this.tombstones;
  }

  addRangeTombstone(tombstone: RangeTombstone): void {
    this.grow(tombstone.sequence, tombstone.start.length + (tombstone.end?.length ?? 0));
    this.tombstones.push(tombstone);
  }

  /** Adds the version that {@link makeEntry} makes of it, in O(log count). One of the same key and sequence is replaced. */
  insert(...version: Parameters<typeof makeEntry>): void {
    const entry = makeEntry(...version);
    this.grow(entry.sequence, entry.valueEnd - entry.keyStart);
    this.list.insert(entry);
  }

  private grow(sequence: Sequence, bytes: number): void {
    assert(sequence >= this.greatestSequence, 'versions and range tombstones arrive in commit order');
    this.greatestSequence = sequence;
    this.sizeBytes += ENTRY_OVERHEAD_BYTES + bytes;
  }

  /** Removes every entry of a covered key; used by a transaction's write set. Linear. */
  removeCovered(by: RangeTombstone): void {
    this.list.remove((entry) => covers(by, entry.bytes, entry.keyStart, entry.keyEnd));
  }

  /** Points `into` at the newest version of `key` at or before `sequence`; false if there is none. O(log count). */
  get(key: Uint8Array, sequence: Sequence, into: Version): boolean {
    const entry = this.list.length === 0 ? undefined : this.list.atOrAfter(probe(key, sequence));
    if (entry === undefined) return false;
    if (compareSlices(entry.bytes, entry.keyStart, entry.keyEnd, key, 0, key.length) !== 0) return false;
    load(entry, into);
    return true;
  }

  cursor(): Cursor {
    return new MemtableCursor(this.list);
  }

  /** All entries, in internal order. */
  entries(): Iterable<MemtableEntry> {
    return this.list;
  }

  checkInvariants(): void {
    this.list.checkInvariants();
    for (const { sequence } of [...this.list, ...this.tombstones]) {
      assert(sequence <= this.greatestSequence, 'the greatest sequence bounds every entry');
    }
  }
}

/** Points `into` at the entry. */
export function load(entry: MemtableEntry, into: Version): void {
  const { bytes, keyStart, keyEnd, valueEnd, sequence, kind, deadline } = entry;
  into.set(bytes, keyStart, keyEnd, valueEnd, sequence, kind, deadline ?? NO_DEADLINE);
}

/** Walks the entries. An insertion invalidates it; whoever holds one seeks again after a commit (scan.ts). */
class MemtableCursor extends Cursor {
  private readonly at: SortedListPosition<MemtableEntry>;

  constructor(list: SortedList<MemtableEntry>) {
    super();
    this.at = list.position();
  }

  override seek(key: Uint8Array, sequence: Sequence): void {
    this.at.seek(probe(key, sequence));
    this.settle();
  }

  override seekBefore(key: Uint8Array | undefined, sequence: Sequence): void {
    if (key === undefined) this.at.last();
    else this.at.seekBefore(probe(key, sequence));
    this.settle();
  }

  override next(): void {
    assert(this.valid, 'a cursor that moves is valid');
    this.at.next();
    this.settle();
  }

  override previous(): void {
    assert(this.valid, 'a cursor that moves is valid');
    this.at.previous();
    this.settle();
  }

  private settle(): void {
    const { element } = this.at;
    if (element === undefined) this.valid = false;
    else load(element, this);
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
