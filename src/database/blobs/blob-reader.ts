/**
 * Reads blobs. Every chunk is checked each time that it is read; the header and the list of checksums must be those that
 * the reference was made with, so that no other blob can stand in.
 */
import { assert } from '../../base/assert.ts';
import { allZero, equalBytes, readUint16, readUint32, readUint48 } from '../../base/bytes.ts';
import { crc32, identitySeed } from '../../base/checksum.ts';
import { errnoOf, LightningError } from '../../base/errors.ts';
import { corruption } from '../../engine/damage.ts';
import type { Decoded } from '../../engine/types.ts';
import type { Vfs, VfsFile } from '../../vfs/vfs.ts';
import * as format from './blob-format.ts';
import type { BlobIdentity, BlobReference } from './blob-format.ts';
import { blobChecksum } from './blob-writer.ts';

/** What a version holds instead of a value; `undefined` for what is no reference. */
export function decodeReference(bytes: Uint8Array): BlobReference | undefined {
  if (bytes.length !== format.BLOB_REFERENCE_BYTES) return undefined;
  const reference = { number: readUint32(bytes, 0), length: readUint48(bytes, 4), checksum: readUint32(bytes, 10) };
  return reference.length > format.BLOB_BYTES_MAX ? undefined : reference;
}

/** Checks a header, and gives the size of the chunks. */
export function decodeBlobHeader(header: Uint8Array, identity: BlobIdentity, length: number): Decoded<number> {
  const wrong = (problem: string): Decoded<number> => ({ ok: false, problem });
  if (header.length < format.BLOB_HEADER_BYTES) return wrong('the header is cut');
  const { BLOB_MAGIC } = format;
  for (let i = 0; i < BLOB_MAGIC.length; i++) if (header[i] !== BLOB_MAGIC.charCodeAt(i)) return wrong('not a blob');
  if (readUint16(header, 8) !== format.BLOB_FORMAT) return wrong(`format ${readUint16(header, 8)} is not known`);
  if (readUint32(header, 14) !== 0) return wrong('an incompatible feature is not known');
  if (!equalBytes(header.subarray(18, 34), identity.databaseId)) return wrong('it belongs to another store');
  if (readUint32(header, 34) !== identity.number) return wrong('it carries another number');
  if (readUint48(header, 38) !== length) return wrong(`it holds ${readUint48(header, 38)} bytes, not ${length}`);
  if (!allZero(header, format.BLOB_HEADER_END, format.BLOB_HEADER_BYTES)) return wrong('its header is not zero-filled');
  const chunkBytes = readUint32(header, 44);
  const isSound =
    chunkBytes >= format.BLOB_CHUNK_BYTES_MIN &&
    chunkBytes <= format.BLOB_CHUNK_BYTES_MAX &&
    (chunkBytes & (chunkBytes - 1)) === 0;
  return isSound ? { ok: true, value: chunkBytes } : wrong(`chunks of ${chunkBytes} bytes`);
}

function openReferred(files: Pick<Vfs, 'open'>, name: string): VfsFile {
  try {
    return files.open(name, 'read');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw corruption(name, undefined, 'a version refers to it, and it is missing', error);
  }
}

export class BlobReader {
  readonly length: number;
  readonly name: string;
  readonly chunkBytes: number;
  private readonly identity: BlobIdentity;
  private readonly sums: Uint8Array;
  private file: VfsFile | undefined;

  private constructor(file: VfsFile, identity: BlobIdentity, length: number, chunkBytes: number, sums: Uint8Array) {
    this.file = file;
    this.identity = identity;
    this.name = format.blobFileName(identity.number);
    this.length = length;
    this.chunkBytes = chunkBytes;
    this.sums = sums;
  }

  /**
   * Opens the blob that a version refers to; a file that is deleted afterwards is still read. Close it.
   * @throws LightningError `LIGHTNING_CORRUPTION` naming file and offset; environment errors
   */
  static open(files: Pick<Vfs, 'open'>, databaseId: Uint8Array, bytes: Uint8Array): BlobReader {
    const reference = decodeReference(bytes);
    if (reference === undefined) throw corruption('blob', undefined, 'what a version refers to is no blob');
    const { number, length } = reference;
    const name = format.blobFileName(number);
    const identity = { databaseId, databaseSeed: crc32(databaseId), number };
    const file = openReferred(files, name);
    try {
      const header = new Uint8Array(format.BLOB_HEADER_BYTES);
      const got = file.read(header, 0, header.length, 0);
      const chunkBytes = decodeBlobHeader(header.subarray(0, got), identity, length);
      if (!chunkBytes.ok) throw corruption(name, 0, chunkBytes.problem);
      const sizeBytes = format.blobFileBytes(length, chunkBytes.value);
      const at = format.BLOB_HEADER_BYTES + length;
      if (file.size() !== sizeBytes) throw corruption(name, at, `${file.size()} bytes where ${sizeBytes} are expected`);
      const tail = new Uint8Array(sizeBytes - at);
      const tailBytes = file.read(tail, 0, tail.length, at);
      const sums = tail.subarray(0, tail.length - format.BLOB_SUM_BYTES);
      const checksum = blobChecksum(identity, header, sums);
      if (tailBytes !== tail.length || checksum !== readUint32(tail, sums.length))
        throw corruption(name, at, 'the checksum of header and checksums does not match');
      if (checksum !== reference.checksum) throw corruption(name, at, 'another value than the version refers to');
      return new BlobReader(file, identity, length, chunkBytes.value, sums);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /**
   * Reads whole chunks, beginning at `position` of the value, into `target[offset…]`; returns how many bytes.
   * @param position a multiple of the chunk's size
   * @throws LightningError `LIGHTNING_CORRUPTION`
   */
  readChunks(target: Uint8Array, offset: number, position: number, lengthMax: number): number {
    const { file, chunkBytes, identity } = this;
    if (file === undefined) throw new LightningError('LIGHTNING_ITERATOR_CLOSED', 'the stream of the value was closed');
    assert(position % chunkBytes === 0, 'chunks are read whole', position, chunkBytes);
    const length = Math.min(this.length - position, lengthMax - (lengthMax % chunkBytes));
    const start = format.BLOB_HEADER_BYTES + position;
    const got = file.read(target, offset, length, start);
    if (got !== length) throw corruption(this.name, start + got, 'the value is cut');
    for (let at = 0; at < length; at += chunkBytes) {
      const stop = Math.min(length, at + chunkBytes);
      const seed = identitySeed(identity.databaseSeed, identity.number, start + at);
      const sum = readUint32(this.sums, ((position + at) / chunkBytes) * format.BLOB_SUM_BYTES);
      if (crc32(target, offset + at, offset + stop, seed) !== sum)
        throw corruption(this.name, start + at, 'the checksum of a chunk does not match');
    }
    return length;
  }

  /** Calling it again does nothing. */
  close(): void {
    this.file?.close();
    this.file = undefined;
  }
}

/** The pieces of an open blob in their order, at most a slice each; it is closed at the end. Whoever takes them owns them. */
export function* piecesOf(reader: BlobReader): Generator<Uint8Array, undefined> {
  try {
    for (let at = 0; at < reader.length;) {
      const piece = new Uint8Array(Math.min(reader.length - at, format.BLOB_SLICE_BYTES));
      at += reader.readChunks(piece, 0, at, format.BLOB_SLICE_BYTES);
      yield piece;
    }
  } finally {
    reader.close();
  }
  return undefined;
}

/** Reads a blob to its end, into one piece of memory; yields bytes read. @throws LightningError `LIGHTNING_CORRUPTION` */
export function* checkBlob(reader: BlobReader): Generator<number, void> {
  try {
    const piece = new Uint8Array(Math.min(reader.length, format.BLOB_SLICE_BYTES));
    for (let at = 0; at < reader.length;) {
      const count = reader.readChunks(piece, 0, at, format.BLOB_SLICE_BYTES);
      at += count;
      yield count;
    }
  } finally {
    reader.close();
  }
}

/** The whole value, a slice at a time; yields bytes read. */
export function* wholeOf(reader: BlobReader): Generator<number, Uint8Array> {
  try {
    const value = new Uint8Array(reader.length);
    for (let at = 0; at < reader.length;) {
      const count = reader.readChunks(value, at, at, format.BLOB_SLICE_BYTES);
      at += count;
      yield count;
    }
    return value;
  } finally {
    reader.close();
  }
}
