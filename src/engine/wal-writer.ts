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
import { writeUint16, writeUint32, writeUint48 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import { LightningError } from '../base/errors.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { isDiskFull } from '../vfs/io-errors.ts';
import { RECORD_BYTES_MAX } from './limits.ts';
import type { Memtable } from './memtable.ts';
import { NO_DEADLINE, type Sequence } from './types.ts';
import * as format from './wal-format.ts';
import { addToMemtable, type SegmentIdentity } from './wal-reader.ts';
import type { WriteOperation } from './write-operation.ts';

const SLAB_BYTES = 256 * 1024;

/** The header of a new segment. */
export function encodeSegmentHeader(identity: SegmentIdentity, durable: Sequence): Uint8Array {
  assert(identity.databaseId.length === 16, 'a database id has 16 bytes');
  const header = new Uint8Array(format.WAL_HEADER_BYTES);
  for (let i = 0; i < format.WAL_MAGIC.length; i++) header[i] = format.WAL_MAGIC.charCodeAt(i);
  writeUint16(header, format.WAL_FORMAT, 8);
  header.set(identity.databaseId, 18);
  writeUint32(header, identity.fileNumber, 34);
  writeUint48(header, durable, 38);
  const seed = identitySeed(identity.databaseSeed, identity.fileNumber, 0);
  writeUint32(header, crc32(header, 0, format.WAL_HEADER_CRC_AT, seed), format.WAL_HEADER_CRC_AT);
  return header;
}

/** An operation as a record holds it. */
interface EncodedOperation {
  readonly flags: number;
  readonly key: Uint8Array;
  readonly second: Uint8Array;
  readonly deadline: number;
}

const NOTHING = new Uint8Array(0);

function encoded(operation: WriteOperation): EncodedOperation {
  if (operation.type === 'delete') return { flags: 0, key: operation.key, second: NOTHING, deadline: NO_DEADLINE };
  if (operation.type === 'put') {
    const { key, value, deadline = NO_DEADLINE, isReference } = operation;
    let flags = isReference === true ? format.OPERATION_PUT | format.OPERATION_REFERENCE : format.OPERATION_PUT;
    if (deadline !== NO_DEADLINE) flags |= format.OPERATION_DEADLINE;
    return { flags, key, second: value, deadline };
  }
  const { start, end } = operation;
  const flags = end === undefined ? format.OPERATION_CLEAR | format.OPERATION_UNBOUNDED : format.OPERATION_CLEAR;
  return { flags, key: start, second: end ?? NOTHING, deadline: NO_DEADLINE };
}

function encodedBytes({ key, second, deadline }: EncodedOperation): number {
  const deadlineBytes = deadline === NO_DEADLINE ? 0 : format.DEADLINE_BYTES;
  return format.OPERATION_HEADER_BYTES + deadlineBytes + key.length + second.length;
}

/** Bytes of the record that would carry these operations. */
export function recordBytes(operations: readonly WriteOperation[]): number {
  let size = format.RECORD_HEADER_BYTES;
  for (const operation of operations) size += encodedBytes(encoded(operation));
  return size;
}

/** Binds the record in `bytes[start, end)` to its place in a segment, with the durable sequence that is known by then. */
export function sealRecord(
  bytes: Uint8Array,
  start: number,
  end: number,
  durable: number,
  { databaseSeed, fileNumber }: SegmentIdentity,
  position: number,
): void {
  writeUint48(bytes, durable, start + format.RECORD_DURABLE_AT);
  const seed = identitySeed(databaseSeed, fileNumber, position);
  writeUint32(bytes, crc32(bytes, start + format.RECORD_LENGTH_AT, end, seed), start);
}

export class WalWriter {
  readonly file: VfsFile;
  readonly identity: SegmentIdentity;
  /** End of the last whole record, in bytes. */
  position: number;
  lastSequence: Sequence;
  /** The store, and fsyncs that overlap its work: they may outlast rotation and close, and keep the file open. */
  private users = 1;
  private slab = new Uint8Array(0);
  private slabUsed = 0;

  /** @param file an open segment whose header and records up to `position` are in place */
  constructor(file: VfsFile, identity: SegmentIdentity, position: number, lastSequence: Sequence) {
    assert(position >= format.WAL_HEADER_BYTES, 'a segment begins with its header', position);
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
      const problem = `a commit of ${size} bytes exceeds ${RECORD_BYTES_MAX}`;
      throw new LightningError('LIGHTNING_BATCH_TOO_LARGE', problem, { size });
    }
    const start = this.reserve(size);
    const end = this.encode(start, operations, sequence, durable);
    assert(end === start + size, 'a record fills exactly its size', end - start, size);
    this.write(start, size);
    this.position += size;
    this.lastSequence = sequence;
    addToMemtable(this.slab, start, end, sequence, memtable);
  }

  /** Keeps the file open until one more `release`. */
  retain(): void {
    this.users++;
  }

  /** The last one closes the file. */
  release(): void {
    assert(this.users > 0, 'a segment is released once by each user');
    if (--this.users === 0) this.file.close();
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
    let end = start + format.RECORD_HEADER_BYTES;
    for (const operation of operations) end = encodeOperation(bytes, end, encoded(operation));
    writeUint32(bytes, end - start - format.RECORD_HEADER_BYTES, start + format.RECORD_LENGTH_AT);
    writeUint48(bytes, sequence, start + format.RECORD_SEQUENCE_AT);
    writeUint32(bytes, operations.length, start + format.RECORD_COUNT_AT);
    sealRecord(bytes, start, end, durable, this.identity, this.position);
    return end;
  }
}

function encodeOperation(bytes: Uint8Array, at: number, operation: EncodedOperation): number {
  const { flags, key, second, deadline } = operation;
  bytes[at] = flags;
  writeUint16(bytes, key.length, at + 1);
  writeUint32(bytes, second.length, at + 3);
  at += format.OPERATION_HEADER_BYTES;
  if (deadline !== NO_DEADLINE) {
    new DataView(bytes.buffer, bytes.byteOffset + at, format.DEADLINE_BYTES).setFloat64(0, deadline, true);
    at += format.DEADLINE_BYTES;
  }
  bytes.set(key, at);
  bytes.set(second, at + key.length);
  return at + key.length + second.length;
}
