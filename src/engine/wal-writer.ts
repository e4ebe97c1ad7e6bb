/**
 * Appends commits to one WAL segment. One commit is one record is one write; nothing is durable before `sync`.
 *
 * Invariants
 *   1. `position` is the end of the last whole record; the file holds nothing behind it that a reader would take.
 *   2. Sequences of records in a segment rise by one.
 *   3. After a failed cut the writer is unusable; its owner poisons the store.
 *
 * Records are packed into slabs that stay in memory as long as the memtable points into them: keys and values are
 * copied once.
 */
import { assert } from '../base/assert.ts';
import { readUint16, readUint32, writeUint16, writeUint32, writeUint48 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import { LightningError } from '../base/errors.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { isDiskFull } from '../vfs/io-errors.ts';
import { RECORD_BYTES_MAX } from './limits.ts';
import type { Memtable } from './memtable.ts';
import { type FileNumber, KIND_DELETE, KIND_PUT, KIND_REFERENCE, NO_DEADLINE, type Sequence } from './types.ts';
import {
  DEADLINE_BYTES,
  OPERATION_CLEAR,
  OPERATION_DEADLINE,
  OPERATION_HEADER_BYTES,
  OPERATION_PUT,
  OPERATION_REFERENCE,
  OPERATION_UNBOUNDED,
  RECORD_COUNT_AT,
  RECORD_DURABLE_AT,
  RECORD_HEADER_BYTES,
  RECORD_LENGTH_AT,
  RECORD_SEQUENCE_AT,
  WAL_FORMAT,
  WAL_HEADER_BYTES,
  WAL_HEADER_CRC_AT,
  WAL_MAGIC,
} from './wal-format.ts';
import type { WriteOperation } from './write-operation.ts';

const SLAB_BYTES = 256 * 1024;

/** What binds a segment's bytes to their place. */
export interface SegmentIdentity {
  readonly databaseId: Uint8Array;
  readonly databaseSeed: number;
  readonly fileNumber: FileNumber;
}

/** The header of a new segment. */
export function encodeSegmentHeader(identity: SegmentIdentity, durable: Sequence): Uint8Array {
  assert(identity.databaseId.length === 16, 'a database id has 16 bytes');
  const header = new Uint8Array(WAL_HEADER_BYTES);
  for (let i = 0; i < WAL_MAGIC.length; i++) header[i] = WAL_MAGIC.charCodeAt(i);
  writeUint16(header, WAL_FORMAT, 8);
  header.set(identity.databaseId, 18);
  writeUint32(header, identity.fileNumber, 34);
  writeUint48(header, durable, 38);
  const seed = identitySeed(identity.databaseSeed, identity.fileNumber, 0);
  writeUint32(header, crc32(header, 0, WAL_HEADER_CRC_AT, seed), WAL_HEADER_CRC_AT);
  return header;
}

/** Bytes of the record that would carry these operations. */
export function recordBytes(operations: readonly WriteOperation[]): number {
  let size = RECORD_HEADER_BYTES;
  for (const operation of operations) {
    size += OPERATION_HEADER_BYTES;
    if (operation.type === 'clear') size += operation.start.length + (operation.end?.length ?? 0);
    else size += operation.key.length;
    if (operation.type === 'put') {
      size +=
        operation.value.length +
        (operation.deadline === undefined || operation.deadline === NO_DEADLINE ? 0 : DEADLINE_BYTES);
    }
  }
  return size;
}

export class WalWriter {
  readonly file: VfsFile;
  readonly identity: SegmentIdentity;
  /** End of the last whole record, in bytes. */
  position: number;
  lastSequence: Sequence;
  private slab = new Uint8Array(0);
  private slabUsed = 0;

  /** @param file an open segment whose header and records up to `position` are in place */
  constructor(file: VfsFile, identity: SegmentIdentity, position: number, lastSequence: Sequence) {
    assert(position >= WAL_HEADER_BYTES, 'a segment begins with its header', position);
    this.file = file;
    this.identity = identity;
    this.position = position;
    this.lastSequence = lastSequence;
  }

  /**
   * Writes one commit and adds its versions to the memtable. Not durable yet.
   * @throws LightningError `LIGHTNING_DISK_FULL`: nothing was added, the segment is cut back, writing may go on later;
   *   any other error: the segment's end is unknown and the store must be poisoned
   */
  append(operations: readonly WriteOperation[], sequence: Sequence, durable: Sequence, memtable: Memtable): void {
    assert(sequence === this.lastSequence + 1, 'sequences of a segment rise by one', sequence, this.lastSequence);
    assert(durable < sequence, 'a record is not durable before it is written', durable, sequence);
    const size = recordBytes(operations);
    if (size > RECORD_BYTES_MAX) {
      throw new LightningError('LIGHTNING_BATCH_TOO_LARGE', `a commit of ${size} bytes exceeds ${RECORD_BYTES_MAX}`, {
        size,
      });
    }
    const start = this.reserve(size);
    const end = this.encode(start, operations, sequence, durable);
    assert(end === start + size, 'a record fills exactly its size', end - start, size);
    this.write(start, size);
    this.position += size;
    this.lastSequence = sequence;
    addToMemtable(this.slab, start, end, sequence, memtable);
  }

  private write(start: number, size: number): void {
    try {
      this.file.write(this.slab, start, size, this.position);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      // The cut is made durable before anything else is written there: what a power cut brings back of this record could
      // lengthen a sealed segment, or complete a second rejected record (both found by the crash stage).
      this.file.truncate(this.position);
      this.file.sync();
      throw new LightningError('LIGHTNING_DISK_FULL', 'no space for the commit; it was not made', { size }, error);
    }
  }

  private reserve(size: number): number {
    if (this.slabUsed + size > this.slab.length) {
      this.slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, size));
      this.slabUsed = 0;
    }
    const start = this.slabUsed;
    this.slabUsed += size;
    return start;
  }

  private encode(start: number, operations: readonly WriteOperation[], sequence: Sequence, durable: Sequence): number {
    const bytes = this.slab;
    let at = start + RECORD_HEADER_BYTES;
    for (const operation of operations) at = encodeOperation(bytes, at, operation);
    writeUint32(bytes, at - start - RECORD_HEADER_BYTES, start + RECORD_LENGTH_AT);
    writeUint48(bytes, sequence, start + RECORD_SEQUENCE_AT);
    writeUint48(bytes, durable, start + RECORD_DURABLE_AT);
    writeUint32(bytes, operations.length, start + RECORD_COUNT_AT);
    const seed = identitySeed(this.identity.databaseSeed, this.identity.fileNumber, this.position);
    writeUint32(bytes, crc32(bytes, start + RECORD_LENGTH_AT, at, seed), start);
    return at;
  }
}

function encodeOperation(bytes: Uint8Array, at: number, operation: WriteOperation): number {
  const key = operation.type === 'clear' ? operation.start : operation.key;
  const second = operation.type === 'put' ? operation.value : operation.type === 'clear' ? operation.end : undefined;
  const deadline = operation.type === 'put' ? (operation.deadline ?? NO_DEADLINE) : NO_DEADLINE;
  let flags = 0;
  if (operation.type === 'put')
    flags = operation.isReference === true ? OPERATION_PUT | OPERATION_REFERENCE : OPERATION_PUT;
  if (operation.type === 'clear')
    flags = second === undefined ? OPERATION_CLEAR | OPERATION_UNBOUNDED : OPERATION_CLEAR;
  if (deadline !== NO_DEADLINE) flags |= OPERATION_DEADLINE;
  bytes[at] = flags;
  writeUint16(bytes, key.length, at + 1);
  writeUint32(bytes, second?.length ?? 0, at + 3);
  at += OPERATION_HEADER_BYTES;
  if (deadline !== NO_DEADLINE) {
    new DataView(bytes.buffer, bytes.byteOffset + at, DEADLINE_BYTES).setFloat64(0, deadline, true);
    at += DEADLINE_BYTES;
  }
  bytes.set(key, at);
  at += key.length;
  if (second !== undefined) {
    bytes.set(second, at);
    at += second.length;
  }
  return at;
}

/** Bit f is set where f are flags of an operation: a delete, a put with or without a deadline, a clear with or without an end. */
const KNOWN_FLAGS =
  1 |
  (1 << OPERATION_PUT) |
  (1 << (OPERATION_PUT | OPERATION_DEADLINE)) |
  (1 << (OPERATION_PUT | OPERATION_REFERENCE)) |
  (1 << (OPERATION_PUT | OPERATION_REFERENCE | OPERATION_DEADLINE)) |
  (1 << OPERATION_CLEAR) |
  (1 << (OPERATION_CLEAR | OPERATION_UNBOUNDED));

/** Whether a reader knows these flags, and they allow a second byte string of that length (found by fuzzing). */
function isKnownOperation(flags: number, secondLength: number): boolean {
  if (flags > 31 || ((KNOWN_FLAGS >>> flags) & 1) === 0) return false;
  return secondLength === 0 || (flags !== 0 && (flags & OPERATION_UNBOUNDED) === 0);
}

/**
 * Adds the versions of one valid record to a memtable. The entries point into `bytes`.
 * @returns false when the payload is not a list of whole, known operations; the memtable may then hold a part of it
 */
export function addToMemtable(
  bytes: Uint8Array,
  start: number,
  end: number,
  sequence: Sequence,
  memtable: Memtable,
): boolean {
  let at = start + RECORD_HEADER_BYTES;
  let remaining = readUint32(bytes, start + RECORD_COUNT_AT);
  while (at + OPERATION_HEADER_BYTES <= end) {
    const flags = bytes[at];
    const keyLength = readUint16(bytes, at + 1);
    const secondLength = readUint32(bytes, at + 3);
    if (!isKnownOperation(flags, secondLength)) return false;
    at += OPERATION_HEADER_BYTES;
    let deadline: number | undefined;
    if ((flags & OPERATION_DEADLINE) !== 0) {
      if (at + DEADLINE_BYTES > end) return false;
      deadline = new DataView(bytes.buffer, bytes.byteOffset + at, DEADLINE_BYTES).getFloat64(0, true);
      if (!Number.isSafeInteger(deadline)) return false;
      at += DEADLINE_BYTES;
    }
    const keyEnd = at + keyLength;
    const valueEnd = keyEnd + secondLength;
    if (valueEnd > end || remaining-- === 0) return false;
    if ((flags & OPERATION_CLEAR) !== 0) {
      const unbounded = (flags & OPERATION_UNBOUNDED) !== 0;
      memtable.addRangeTombstone({
        start: bytes.slice(at, keyEnd),
        end: unbounded ? undefined : bytes.slice(keyEnd, valueEnd),
        sequence,
      });
    } else {
      const put = (flags & OPERATION_REFERENCE) !== 0 ? KIND_REFERENCE : KIND_PUT;
      const kind = (flags & OPERATION_PUT) !== 0 ? put : KIND_DELETE;
      memtable.insert({ bytes, keyStart: at, keyEnd, valueEnd, sequence, kind, deadline });
    }
    at = valueEnd;
  }
  return at === end && remaining === 0;
}
