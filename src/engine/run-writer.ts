/**
 * Writes one sorted run from its first byte to its last (spec/formats/run.md).
 *
 * States: open --finish()--> finished, open --abandon()--> abandoned. After an error of the operating system from `add`
 * or `finish` the writer is still open and only good for `abandon`.
 *
 * Invariants
 *   1. Versions are added in strict internal order.
 *   2. `buffer[0, buffered)` is what follows the `written` bytes already handed to the operating system.
 *   3. What a finished run names in its index and footer has been written; it is durable once `finish` returns, its
 *      name once the caller has synced the folder.
 */
import { assert } from '../base/assert.ts';
import { ByteWriter, compareBytes, compareSlices, writeUint32 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import type { Vfs, VfsFile } from '../vfs/vfs.ts';
import { compressBlock, COMPRESSION_CODES } from '../base/block-compression.ts';
import { BloomBuilder, bloomHash } from '../base/bloom.ts';
import type { Cursor } from './cursor.ts';
import { entryBytes, EntryBlockBuilder } from './entry-block.ts';
import { BLOCK_BYTES_MAX, KEY_BYTES_MAX, RUN_BYTES_MAX } from './limits.ts';
import { footerChecksum } from './run-decode.ts';
import {
  type BlockPlace,
  DATABASE_ID_BYTES,
  FOOTER_CRC_AT,
  FRAME_HEADER_BYTES,
  RUN_END_MAGIC,
  RUN_FOOTER_BYTES,
  RUN_FORMAT_VERSION,
  RUN_HEADER_BYTES,
  RUN_MAGIC,
  type RunMeta,
  TOMBSTONE_HAS_END,
} from './run-format.ts';
import { type Compression, type FileNumber, type RangeTombstone, type Sequence, SEQUENCE_MAX } from './types.ts';

/** Bytes collected before a write; one system call for many blocks. */
const WRITE_CHUNK_BYTES = 256 * 1024;

/** What a run is made with. */
export interface RunWriterOptions {
  readonly vfs: Vfs;
  readonly path: string;
  readonly databaseSeed: number;
  readonly databaseId: Uint8Array;
  readonly fileNumber: FileNumber;
  /** Raw size at which a data block is closed. */
  readonly runBlockBytes: number;
  readonly compression: Compression;
  readonly bloomBitsPerKey: number;
}

export class RunWriter {
  private readonly options: RunWriterOptions;
  private readonly file: VfsFile;
  private state: 'open' | 'finished' | 'abandoned' = 'open';
  private closed = false;

  /** Grows by doubling: most runs of a test, and some of a store, are much smaller than a chunk. */
  private buffer = new Uint8Array(4096);
  private buffered = 0;
  private written = 0;

  private readonly block = new EntryBlockBuilder();
  private readonly index = new ByteWriter();
  private readonly filter = new BloomBuilder();
  private readonly tombstones = new ByteWriter();
  private blockCount = 0;
  private entryCount = 0;
  private tombstoneCount = 0;
  private leastSequence: number = SEQUENCE_MAX;
  private greatestSequence = 0;

  /** The last version added, to check the order and to tell distinct keys. */
  private lastKey = new Uint8Array(256);
  private lastKeyLength = 0;
  private lastSequence = 0;
  /** The first version of the open block, for the index. */
  private firstKey = new Uint8Array(0);
  private firstSequence = 0;

  /**
   * Creates the file.
   * @throws an operating system error, EEXIST among them; nothing is left open then
   */
  constructor(options: RunWriterOptions) {
    assert(options.databaseId.length === DATABASE_ID_BYTES, 'a database id has 16 bytes', options.databaseId.length);
    assert(options.databaseSeed === crc32(options.databaseId), 'the database seed is that of its id');
    assert(options.runBlockBytes > 0 && options.runBlockBytes <= BLOCK_BYTES_MAX, 'a block target is within bounds');
    this.options = options;
    this.file = options.vfs.open(options.path, 'create');
    this.appendHeader();
  }

  /** Adds the version that a cursor stands on; it must come after the last one in internal order. The bytes are copied. */
  add(cursor: Cursor): void {
    assert(this.state === 'open', 'an open run is written');
    assert(cursor.valid, 'a version is added from a valid cursor');
    const { bytes, keyStart, keyEnd, sequence } = cursor;
    const order =
      this.entryCount === 0 ? -1 : compareSlices(this.lastKey, 0, this.lastKeyLength, bytes, keyStart, keyEnd);
    assert(order < 0 || (order === 0 && sequence < this.lastSequence), 'versions enter a run in internal order');
    if (order !== 0) {
      this.filter.add(bloomHash(bytes, keyStart, keyEnd));
      this.rememberKey(bytes, keyStart, keyEnd);
    }
    this.lastSequence = sequence;
    const size = entryBytes(keyEnd - keyStart, cursor.valueEnd - cursor.valueStart, cursor.deadline);
    if (this.block.count > 0 && this.block.sizeBytes + size > this.options.runBlockBytes) this.closeBlock();
    if (this.block.count === 0) {
      this.firstKey = new Uint8Array(bytes.subarray(keyStart, keyEnd));
      this.firstSequence = sequence;
    }
    this.block.addFrom(cursor);
    this.entryCount++;
    this.cover(sequence);
  }

  /** Adds a range tombstone, in any order among themselves and among the versions. */
  addRangeTombstone(tombstone: RangeTombstone): void {
    assert(this.state === 'open', 'an open run is written');
    const { start, end, sequence } = tombstone;
    assert(end === undefined || compareBytes(start, end) < 0, 'a range tombstone covers something');
    // The successor of the longest key is one byte longer than it.
    assert(start.length <= KEY_BYTES_MAX + 1 && (end?.length ?? 0) <= KEY_BYTES_MAX + 1, 'a range bound is bounded');
    this.tombstones
      .uint8(end === undefined ? 0 : TOMBSTONE_HAS_END)
      .uint48(sequence)
      .uint32(start.length)
      .uint32(end?.length ?? 0)
      .append(start);
    if (end !== undefined) this.tombstones.append(end);
    this.tombstoneCount++;
    this.cover(sequence);
  }

  /**
   * Writes the rest, syncs the file and closes it. The caller syncs the folder.
   * @returns what the manifest needs to name exactly this run
   * @throws an operating system error; the run is then good for `abandon` only
   */
  finish(): RunMeta {
    assert(this.state === 'open', 'a run is finished once');
    assert(this.entryCount + this.tombstoneCount > 0, 'a run holds a version or a range tombstone');
    if (this.block.count > 0) this.closeBlock();
    const tombstones = this.appendFrame(withCount(this.tombstoneCount, this.tombstones));
    const filter = this.appendFrame(this.filter.finish(this.options.bloomBitsPerKey));
    const index = this.appendFrame(withCount(this.blockCount, this.index));
    const footerCrc = this.appendFooter([tombstones, filter, index]);
    this.flush();
    this.file.sync();
    this.closed = true;
    this.file.close();
    this.state = 'finished';
    return {
      fileNumber: this.options.fileNumber,
      sizeBytes: this.written,
      entryCount: this.entryCount,
      leastSequence: this.leastSequence as Sequence,
      greatestSequence: this.greatestSequence as Sequence,
      footerCrc,
    };
  }

  /** Closes the file and removes it. For a run that nobody has been told of; safe after an error. */
  abandon(): void {
    assert(this.state === 'open', 'an unfinished run is abandoned once');
    this.state = 'abandoned';
    try {
      if (!this.closed) {
        this.closed = true;
        this.file.close();
      }
    } finally {
      this.options.vfs.unlink(this.options.path);
    }
  }

  private cover(sequence: number): void {
    if (sequence < this.leastSequence) this.leastSequence = sequence;
    if (sequence > this.greatestSequence) this.greatestSequence = sequence;
  }

  private rememberKey(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > this.lastKey.length) this.lastKey = new Uint8Array(KEY_BYTES_MAX);
    assert(length <= this.lastKey.length, 'a key is no longer than the longest', length, KEY_BYTES_MAX);
    const target = this.lastKey;
    if (length <= 64) for (let i = 0; i < length; i++) target[i] = bytes[start + i];
    else target.set(bytes.subarray(start, end));
    this.lastKeyLength = length;
  }

  private appendHeader(): void {
    const { databaseId, databaseSeed, fileNumber } = this.options;
    const fields = new ByteWriter(RUN_HEADER_BYTES).uint32(RUN_MAGIC).uint16(RUN_FORMAT_VERSION).uint16(0);
    const header = fields.uint32(0).uint32(0).append(databaseId).uint32(fileNumber).finish();
    const crc = crc32(header, 0, header.length, identitySeed(databaseSeed, fileNumber, 0));
    const at = this.reserve(RUN_HEADER_BYTES);
    this.buffer.set(header, at);
    writeUint32(this.buffer, crc, at + header.length);
    this.buffered += RUN_HEADER_BYTES;
  }

  /** Packs, frames and indexes the collected block. */
  private closeBlock(): void {
    const size = this.block.sizeBytes;
    assert(size <= BLOCK_BYTES_MAX, 'a data block is bounded', size, BLOCK_BYTES_MAX);
    const at = this.reserve(FRAME_HEADER_BYTES + size) + FRAME_HEADER_BYTES;
    this.block.pack(this.buffer, at);
    this.block.reset();
    const compression = this.options.compression;
    const packed = compressBlock(this.buffer.subarray(at, at + size), compression);
    if (packed !== undefined) this.buffer.set(packed, at);
    const stored = packed === undefined ? size : packed.length;
    const place = this.sealFrame(packed === undefined ? 0 : COMPRESSION_CODES.indexOf(compression), size, stored);
    this.index.uint32(place.offset).uint32(place.length).uint32(place.crc);
    this.index.uint48(this.firstSequence).uint16(this.firstKey.length).append(this.firstKey);
    this.blockCount++;
  }

  /** Frames bytes that are made elsewhere, not compressed. */
  private appendFrame(body: Uint8Array): BlockPlace {
    const at = this.reserve(FRAME_HEADER_BYTES + body.length);
    this.buffer.set(body, at + FRAME_HEADER_BYTES);
    return this.sealFrame(0, body.length, body.length);
  }

  /** Completes the frame whose stored bytes stand behind the gap for its header at the end of the buffer. */
  private sealFrame(compressionCode: number, rawLength: number, storedLength: number): BlockPlace {
    const { databaseSeed, fileNumber } = this.options;
    const at = this.buffered;
    const offset = this.written + at;
    const end = at + FRAME_HEADER_BYTES + storedLength;
    assert(offset + FRAME_HEADER_BYTES + storedLength <= RUN_BYTES_MAX, 'a run is bounded', offset, RUN_BYTES_MAX);
    this.buffer[at + 4] = compressionCode;
    writeUint32(this.buffer, rawLength, at + 5);
    const crc = crc32(this.buffer, at + 4, end, identitySeed(databaseSeed, fileNumber, offset));
    writeUint32(this.buffer, crc, at);
    this.buffered = end;
    if (this.buffered >= WRITE_CHUNK_BYTES) this.flush();
    return { offset, length: FRAME_HEADER_BYTES + storedLength, crc };
  }

  private appendFooter(places: readonly BlockPlace[]): number {
    const { databaseSeed, fileNumber } = this.options;
    const fields = new ByteWriter(RUN_FOOTER_BYTES);
    for (const place of places) fields.uint32(place.offset).uint32(place.length).uint32(place.crc);
    fields.uint32(this.blockCount).uint48(this.entryCount).uint48(this.filter.count).uint32(this.tombstoneCount);
    fields.uint48(this.leastSequence).uint48(this.greatestSequence);
    assert(fields.length === FOOTER_CRC_AT, 'a footer fills exactly its size', fields.length, FOOTER_CRC_AT);
    const footer = fields.uint32(0).uint32(RUN_END_MAGIC).finish();
    const crc = footerChecksum(footer, databaseSeed, fileNumber, this.written + this.buffered);
    writeUint32(footer, crc, FOOTER_CRC_AT);
    const at = this.reserve(RUN_FOOTER_BYTES);
    this.buffer.set(footer, at);
    this.buffered += RUN_FOOTER_BYTES;
    assert(this.written + this.buffered <= RUN_BYTES_MAX, 'a run is bounded', this.written, RUN_BYTES_MAX);
    return crc;
  }

  /** Makes room for `length` bytes at the end of the buffer, and says where. */
  private reserve(length: number): number {
    const needed = this.buffered + length;
    if (needed > this.buffer.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.buffer.length));
      grown.set(this.buffer.subarray(0, this.buffered));
      this.buffer = grown;
    }
    return this.buffered;
  }

  private flush(): void {
    if (this.buffered === 0) return;
    this.file.write(this.buffer, 0, this.buffered, this.written);
    this.written += this.buffered;
    this.buffered = 0;
  }
}

function withCount(count: number, list: ByteWriter): Uint8Array {
  const entries = list.finish();
  const body = new Uint8Array(4 + entries.length);
  writeUint32(body, count, 0);
  body.set(entries, 4);
  return body;
}
