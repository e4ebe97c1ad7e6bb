/**
 * The index of a run: for each data block its place and its first version. It is held in memory while the run is open,
 * as stored, with one number a block to find the entries by; never more than a small multiple of its stored size.
 *
 * The first version suffices: where (key, sequence) lies beyond the last version of its block, it opens the next one,
 * and the index alone tells whether that one still holds the key.
 */
import { assert } from '../base/assert.ts';
import { compareSlices, readUint16, readUint32, readUint48 } from '../base/bytes.ts';
import { compareInternal } from './cursor.ts';
import { BLOCK_HEADER_BYTES, type EntryBlock } from './entry-block.ts';
import {
  type BlockPlace,
  FRAME_HEADER_BYTES,
  INDEX_ENTRY_BYTES,
  RUN_HEADER_BYTES,
  type RunFooter,
} from './run-format.ts';
import type { Decoded } from './types.ts';

const SEQUENCE_AT = 12;
const KEY_LENGTH_AT = 18;

export class RunIndex {
  readonly count: number;
  private readonly body: Uint8Array;
  /** Where each entry starts in the body. */
  private readonly starts: Uint32Array;

  private constructor(body: Uint8Array, starts: Uint32Array) {
    this.body = body;
    this.starts = starts;
    this.count = starts.length;
  }

  /**
   * Validates a body (count u32, entries) against the footer: blocks tile the file from the header to the range
   * tombstone block, first versions ascend strictly. The body is kept, not copied.
   */
  static decode(body: Uint8Array, footer: RunFooter): Decoded<RunIndex> {
    if (body.length < 4) return { ok: false, problem: 'index shorter than its header' };
    const count = readUint32(body, 0);
    if (count !== footer.blockCount)
      return { ok: false, problem: `index of ${count} blocks, not ${footer.blockCount}` };
    if (count * INDEX_ENTRY_BYTES > body.length - 4) return { ok: false, problem: 'index has more entries than bytes' };
    const starts = new Uint32Array(count);
    const index = new RunIndex(body, starts);
    let at = 4;
    let place = RUN_HEADER_BYTES;
    for (let i = 0; i < count; i++) {
      if (at + INDEX_ENTRY_BYTES > body.length) return { ok: false, problem: `index entry ${i} is cut` };
      const length = readUint32(body, at + 4);
      if (readUint32(body, at) !== place)
        return { ok: false, problem: `data block ${i} is not where the one before it ends` };
      if (length < FRAME_HEADER_BYTES + BLOCK_HEADER_BYTES)
        return { ok: false, problem: `data block ${i} is too short` };
      starts[i] = at;
      at += INDEX_ENTRY_BYTES + readUint16(body, at + KEY_LENGTH_AT);
      if (at > body.length) return { ok: false, problem: `index entry ${i} is cut` };
      if (i > 0 && index.compareFirst(i - 1, i) >= 0) return { ok: false, problem: `index entry ${i} is out of order` };
      place += length;
    }
    if (at !== body.length) return { ok: false, problem: 'bytes after the last index entry' };
    if (place !== footer.tombstones.offset)
      return { ok: false, problem: 'data blocks do not reach the range tombstones' };
    return { ok: true, value: index };
  }

  /** Bytes held in memory. */
  get sizeBytes(): number {
    return this.body.length + this.starts.byteLength;
  }

  place(block: number): BlockPlace {
    assert(block >= 0 && block < this.count, 'a block number is inside its run', block, this.count);
    const at = this.starts[block];
    const body = this.body;
    return { offset: readUint32(body, at), length: readUint32(body, at + 4), crc: readUint32(body, at + 8) };
  }

  /** Offset of a block in the file; the same as in {@link place}, without an allocation. */
  offset(block: number): number {
    return readUint32(this.body, this.starts[block]);
  }

  /** The last block whose first version is at or before (key, sequence); -1 if there is none. O(log count). */
  search(key: Uint8Array, sequence: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.comparePair(middle, key, 0, key.length, sequence) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Internal order of a block's first version and (bytes[start, end), sequence). */
  comparePair(block: number, bytes: Uint8Array, start: number, end: number, sequence: number): number {
    const at = this.starts[block];
    const keyAt = at + INDEX_ENTRY_BYTES;
    const keyEnd = keyAt + readUint16(this.body, at + KEY_LENGTH_AT);
    return compareInternal(
      this.body,
      keyAt,
      keyEnd,
      readUint48(this.body, at + SEQUENCE_AT),
      bytes,
      start,
      end,
      sequence,
    );
  }

  /** Whether a block's first version is one of `key`. */
  opensWith(block: number, key: Uint8Array): boolean {
    const at = this.starts[block];
    const keyAt = at + INDEX_ENTRY_BYTES;
    const length = readUint16(this.body, at + KEY_LENGTH_AT);
    return length === key.length && compareSlices(this.body, keyAt, keyAt + length, key, 0, length) === 0;
  }

  /** Whether `entries`, not none, begin with the version that is named here for a block. */
  isFirstOf(block: number, entries: EntryBlock): boolean {
    const at = this.starts[block];
    const keyAt = at + INDEX_ENTRY_BYTES;
    const key = this.body.subarray(keyAt, keyAt + readUint16(this.body, at + KEY_LENGTH_AT));
    const sequence = readUint48(this.body, at + SEQUENCE_AT);
    // Nothing before it, and one version up to and including it.
    return entries.search(key, sequence) === 0 && entries.search(key, sequence - 1) === 1;
  }

  private compareFirst(i: number, j: number): number {
    const at = this.starts[j];
    const keyAt = at + INDEX_ENTRY_BYTES;
    const keyEnd = keyAt + readUint16(this.body, at + KEY_LENGTH_AT);
    return this.comparePair(i, this.body, keyAt, keyEnd, readUint48(this.body, at + SEQUENCE_AT));
  }
}
