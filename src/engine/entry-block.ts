/**
 * The one packing of sorted versions: the payload of every node of a tree file (spec/formats/entries.md).
 *
 *   count u32 · slot u32 × count (offset of each entry from the start of the block) · entries
 *   entry: flags u8 (bit 0 put, bit 1 deadline, bit 2 with bit 0: the value lies outside) · key length u16
 *          · value length u32 · sequence u48 · deadline f64 (only with bit 1) · key · value
 *
 * Entries stand in internal order, without gaps. A reader validates a block once, when it is loaded; after that its
 * accessors trust it.
 */
import { assert } from '../base/assert.ts';
import {
  compareSlices,
  readFloat64,
  readUint16,
  readUint32,
  readUint48,
  writeFloat64,
  writeUint16,
  writeUint32,
  writeUint48,
} from '../base/bytes.ts';
import { compareVersions, Version } from './cursor.ts';
import { type Decoded, KIND_DELETE, KIND_PUT, KIND_REFERENCE, NO_DEADLINE, type Sequence } from './types.ts';

export const BLOCK_HEADER_BYTES = 4;
export const SLOT_BYTES = 4;
export const ENTRY_HEADER_BYTES = 13;
export const DEADLINE_BYTES = 8;
const FLAG_PUT = 1;
const FLAG_DEADLINE = 2;
const FLAG_REFERENCE = 4;
/** Put or not, by kind; no entry is a reference without being a put. */
const FLAGS_BY_KIND: readonly number[] = [0, FLAG_PUT, FLAG_PUT | FLAG_REFERENCE];
const KNOWN_FLAGS: readonly boolean[] = [true, true, true, true, false, true, false, true];

/** Bytes that a version with so many bytes of key and value takes in a block, its slot included. */
export function entryBytes(length: number, deadline: number): number {
  return SLOT_BYTES + ENTRY_HEADER_BYTES + (deadline === NO_DEADLINE ? 0 : DEADLINE_BYTES) + length;
}

/** Collects versions in internal order and packs them. Reusable after `reset`. */
export class EntryBlockBuilder {
  private entries = new Uint8Array(2048);
  private scratch = new Uint8Array(0);
  private entriesLength = 0;
  private offsets: number[] = [];
  /** The version added last, its key in `entries`. */
  readonly last: Version = new Version();

  get count(): number {
    return this.offsets.length;
  }

  /** Size of the block as it would be packed now. */
  get sizeBytes(): number {
    return BLOCK_HEADER_BYTES + this.offsets.length * SLOT_BYTES + this.entriesLength;
  }

  reset(): void {
    this.entriesLength = 0;
    this.offsets.length = 0;
  }

  /** Adds a version; it must come after the last one in internal order. Its bytes are copied. */
  add(version: Version): void {
    const { bytes, keyStart, keyEnd, valueEnd, sequence, kind, deadline } = version;
    const { last } = this;
    assert(this.offsets.length === 0 || compareVersions(last, version) < 0, 'versions enter a block in internal order');
    assert(keyEnd - keyStart <= 0xffff, 'a key fits its length field', keyEnd - keyStart);
    const at = this.entriesLength;
    const size = entryBytes(valueEnd - keyStart, deadline) - SLOT_BYTES;
    this.reserve(at + size);
    const target = this.entries;
    target[at] = FLAGS_BY_KIND[kind] | (deadline === NO_DEADLINE ? 0 : FLAG_DEADLINE);
    writeUint16(target, keyEnd - keyStart, at + 1);
    writeUint32(target, valueEnd - keyEnd, at + 3);
    writeUint48(target, sequence, at + 7);
    let to = at + ENTRY_HEADER_BYTES;
    if (deadline !== NO_DEADLINE) {
      writeFloat64(target, deadline, to);
      to += DEADLINE_BYTES;
    }
    copy(bytes, keyStart, valueEnd, target, to);
    last.set(target, to, to + keyEnd - keyStart, at + size, sequence, kind, deadline);
    this.offsets.push(at);
    this.entriesLength = at + size;
  }

  /** Overwrites the value of the version added last with one of the same length. */
  replaceLastValue(value: Uint8Array): void {
    assert(
      value.length === this.entriesLength - this.last.keyEnd,
      'a value is replaced by one of its length',
      value.length,
    );
    this.entries.set(value, this.last.keyEnd);
  }

  /** The packed block; a view that the next call overwrites. */
  packed(): Uint8Array {
    const count = this.offsets.length;
    const entriesAt = BLOCK_HEADER_BYTES + count * SLOT_BYTES;
    const { sizeBytes } = this;
    if (this.scratch.length < sizeBytes) this.scratch = new Uint8Array(Math.max(sizeBytes, this.entries.length));
    const { scratch } = this;
    writeUint32(scratch, count, 0);
    for (let i = 0; i < count; i++) {
      writeUint32(scratch, entriesAt + this.offsets[i], BLOCK_HEADER_BYTES + i * SLOT_BYTES);
    }
    scratch.set(this.entries.subarray(0, this.entriesLength), entriesAt);
    return scratch.subarray(0, sizeBytes);
  }

  private reserve(sizeBytes: number): void {
    if (sizeBytes <= this.entries.length) return;
    const grown = new Uint8Array(Math.max(sizeBytes, this.entries.length * 2));
    grown.set(this.entries.subarray(0, this.entriesLength));
    this.entries = grown;
  }
}

/** Short slices are copied faster by a loop than by `set` with two views. */
function copy(source: Uint8Array, start: number, end: number, target: Uint8Array, to: number): void {
  if (end - start > 32) target.set(source.subarray(start, end), to);
  else for (let i = start; i < end; i++) target[to + i - start] = source[i];
}

/** A packed block that has been validated. Holds no copy: the bytes must not change while it is used. */
export class EntryBlock {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly count: number;

  private constructor(bytes: Uint8Array, start: number, count: number) {
    this.bytes = bytes;
    this.start = start;
    this.count = count;
  }

  /**
   * Checks everything that the accessors rely on: slots inside, entries without gaps or overlap up to `end`, known
   * flags, deadlines that are safe integers, internal order.
   * Cost: linear in the block, no copies.
   */
  static decode(bytes: Uint8Array, start: number, end: number): Decoded<EntryBlock> {
    assert(start >= 0 && start <= end && end <= bytes.length, 'a block stays inside its bytes', start, end);
    if (end - start < BLOCK_HEADER_BYTES) return { ok: false, problem: 'entry block shorter than its header' };
    const count = readUint32(bytes, start);
    let expected = BLOCK_HEADER_BYTES + count * SLOT_BYTES;
    if (start + expected > end) return { ok: false, problem: 'entry block has more slots than bytes' };
    const block = new EntryBlock(bytes, start, count);
    const version = new Version();
    const previous = new Version();
    for (let i = 0; i < count; i++) {
      const offset = readUint32(bytes, start + BLOCK_HEADER_BYTES + i * SLOT_BYTES);
      if (offset !== expected) return { ok: false, problem: `slot ${i} points to ${offset}, not ${expected}` };
      const at = start + offset;
      if (at + ENTRY_HEADER_BYTES > end) return { ok: false, problem: `entry ${i} is cut` };
      if (KNOWN_FLAGS[bytes[at]] !== true) return { ok: false, problem: `entry ${i} has unknown flags` };
      const header = ENTRY_HEADER_BYTES + ((bytes[at] & FLAG_DEADLINE) !== 0 ? DEADLINE_BYTES : 0);
      const size = header + readUint16(bytes, at + 1) + readUint32(bytes, at + 3);
      if (at + size > end) return { ok: false, problem: `entry ${i} is cut` };
      if (header > ENTRY_HEADER_BYTES && !Number.isSafeInteger(readFloat64(bytes, at + ENTRY_HEADER_BYTES))) {
        return { ok: false, problem: `entry ${i} has a deadline that is no time` };
      }
      block.load(i, version);
      if (i > 0 && compareVersions(previous, version) >= 0) return { ok: false, problem: `entry ${i} is out of order` };
      previous.assign(version);
      expected = offset + size;
    }
    if (start + expected !== end) return { ok: false, problem: 'bytes after the last entry' };
    return { ok: true, value: block };
  }

  private at(index: number): number {
    return this.start + readUint32(this.bytes, this.start + BLOCK_HEADER_BYTES + index * SLOT_BYTES);
  }

  private keyAt(entry: number): number {
    return entry + ENTRY_HEADER_BYTES + ((this.bytes[entry] & FLAG_DEADLINE) !== 0 ? DEADLINE_BYTES : 0);
  }

  /** Index of the first entry at or after (key, sequence); `count` if there is none. O(log count). */
  search(key: Uint8Array, sequence: number): number {
    const bytes = this.bytes;
    let low = 0;
    let high = this.count;
    // Not `partitionPoint`: its calls were measured at 6 % of a point read.
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.at(middle);
      const keyAt = this.keyAt(entry);
      const byKey = compareSlices(bytes, keyAt, keyAt + readUint16(bytes, entry + 1), key, 0, key.length);
      if (byKey < 0 || (byKey === 0 && readUint48(bytes, entry + 7) > sequence)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Where the value of entry `index` begins in `bytes`. */
  valueAt(index: number): number {
    const entry = this.at(index);
    return this.keyAt(entry) + readUint16(this.bytes, entry + 1);
  }

  /** Points a cursor at entry `index`. */
  load(index: number, cursor: Version): void {
    assert(index >= 0 && index < this.count, 'an entry index is inside its block', index, this.count);
    const bytes = this.bytes;
    const entry = this.at(index);
    const flags = bytes[entry];
    const keyAt = this.keyAt(entry);
    const keyEnd = keyAt + readUint16(bytes, entry + 1);
    const valueEnd = keyEnd + readUint32(bytes, entry + 3);
    const sequence = readUint48(bytes, entry + 7) as Sequence;
    const kind = (flags & FLAG_REFERENCE) !== 0 ? KIND_REFERENCE : (flags & FLAG_PUT) !== 0 ? KIND_PUT : KIND_DELETE;
    const deadline = (flags & FLAG_DEADLINE) !== 0 ? readFloat64(bytes, entry + ENTRY_HEADER_BYTES) : NO_DEADLINE;
    cursor.set(bytes, keyAt, keyEnd, valueEnd, sequence, kind, deadline);
  }
}
