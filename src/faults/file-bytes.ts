/**
 * The bytes of one file in memory: they grow by doubling, and are shared with disk images until somebody changes them.
 *
 * Invariants:
 *   1. Bytes of the buffer at and beyond `size` are zero, so that growing never shows what was there before.
 *   2. A buffer that was handed out or taken in is never written again (`shared`).
 */
import { assert } from '../base/assert.ts';
import { allZero } from '../base/bytes.ts';

const CAPACITY_BYTES_MIN = 512;

/** Growable bytes, copied on the first write after they were shared. */
export class FileBytes {
  private buffer: Uint8Array;
  private shared = true;
  size: number;

  /** @param bytes the first content; never written by this object, and must not change while it is used */
  constructor(bytes: Uint8Array) {
    this.buffer = bytes;
    this.size = bytes.length;
  }

  /** Copies up to `length` bytes at `position` into `target`; fewer at the end. Returns how many. */
  read(target: Uint8Array, offset: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.size - position));
    if (count > 0) target.set(this.buffer.subarray(position, position + count), offset);
    return count;
  }

  /** Writes `source[start, end)` at `position`; what lies between the old end and `position` becomes zeros. */
  write(source: Uint8Array, start: number, end: number, position: number): void {
    if (start === end) return;
    const size = Math.max(this.size, position + (end - start));
    this.reserve(size);
    this.buffer.set(source.subarray(start, end), position);
    this.size = size;
  }

  /** The same with bytes that nobody will change: where they are all that there is, they are taken without a copy. */
  writeKept(bytes: Uint8Array, position: number): void {
    if (this.size > 0 || position > 0 || bytes.length === 0) {
      this.write(bytes, 0, bytes.length, position);
      return;
    }
    this.buffer = bytes;
    this.size = bytes.length;
    this.shared = true;
  }

  /** Cuts, or extends with zeros. */
  resize(sizeBytes: number): void {
    if (sizeBytes === this.size) return;
    this.reserve(Math.max(sizeBytes, this.size));
    if (sizeBytes < this.size) this.buffer.fill(0, sizeBytes, this.size);
    this.size = sizeBytes;
  }

  /** The content without a copy; from here on it is left alone, and the next write makes a copy first. */
  share(): Uint8Array {
    if (this.buffer.length !== this.size) this.buffer = this.buffer.slice(0, this.size);
    this.shared = true;
    return this.buffer;
  }

  checkInvariants(): void {
    assert(this.size <= this.buffer.length, 'the content lies inside its buffer', this.size, this.buffer.length);
    assert(allZero(this.buffer, this.size), 'a buffer is zero beyond its content');
  }

  private reserve(sizeBytes: number): void {
    if (!this.shared && sizeBytes <= this.buffer.length) return;
    const capacity =
      sizeBytes <= this.buffer.length
        ? this.buffer.length
        : Math.max(sizeBytes, this.buffer.length * 2, CAPACITY_BYTES_MIN);
    const grown = new Uint8Array(capacity);
    grown.set(this.buffer.subarray(0, this.size));
    this.buffer = grown;
    this.shared = false;
  }
}
