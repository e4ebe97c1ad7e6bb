/**
 * Writes one blob: the value piece by piece, its checksums, then the header. Nothing is durable before `sync` and an
 * fsync of the folder; whoever writes the record that names the blob does both before.
 *
 * States: open → sealed (`seal`) → closed; open or sealed → gone (`abandon`).
 */
import { assert } from '../../base/assert.ts';
import { writeUint16, writeUint32, writeUint48 } from '../../base/bytes.ts';
import { crc32, identitySeed } from '../../base/checksum.ts';
import { removeQuietly } from '../../vfs/watched-vfs.ts';
import type { Vfs, VfsFile } from '../../vfs/vfs.ts';
import {
  BLOB_BYTES_MAX,
  BLOB_FORMAT,
  BLOB_HEADER_BYTES,
  BLOB_MAGIC,
  BLOB_REFERENCE_BYTES,
  BLOB_SUM_BYTES,
  blobFileName,
  type BlobIdentity,
  type BlobReference,
} from './blob-format.ts';

/** The header of a blob. */
export function encodeBlobHeader(identity: BlobIdentity, length: number, chunkBytes: number): Uint8Array {
  assert(identity.databaseId.length === 16, 'a database id has 16 bytes');
  const header = new Uint8Array(BLOB_HEADER_BYTES);
  for (let i = 0; i < BLOB_MAGIC.length; i++) header[i] = BLOB_MAGIC.charCodeAt(i);
  writeUint16(header, BLOB_FORMAT, 8);
  header.set(identity.databaseId, 18);
  writeUint32(header, identity.number, 34);
  writeUint48(header, length, 38);
  writeUint32(header, chunkBytes, 44);
  return header;
}

/** What a version holds instead of the value. */
export function encodeReference({ number, length, checksum }: BlobReference): Uint8Array {
  const bytes = new Uint8Array(BLOB_REFERENCE_BYTES);
  writeUint32(bytes, number, 0);
  writeUint48(bytes, length, 4);
  writeUint32(bytes, checksum, 10);
  return bytes;
}

export class BlobWriter {
  readonly identity: BlobIdentity;
  readonly name: string;
  private readonly files: Vfs;
  private readonly chunkBytes: number;
  private readonly sums: number[] = [];
  private file: VfsFile | undefined;
  private sealed = false;
  /** Checksum of the chunk that is being filled. */
  private running = 0;
  /** Bytes of the value so far. */
  length = 0;

  /** Makes the file. @throws LightningError environment errors; there is no file then */
  constructor(files: Vfs, identity: BlobIdentity, chunkBytes: number) {
    this.files = files;
    this.identity = identity;
    this.chunkBytes = chunkBytes;
    this.name = blobFileName(identity.number);
    this.file = files.open(this.name, 'create');
  }

  /** Appends `bytes[start, end)` to the value. @throws LightningError environment errors; `abandon` it then */
  write(bytes: Uint8Array, start: number, end: number): void {
    const file = this.open();
    assert(!this.sealed && this.length + end - start <= BLOB_BYTES_MAX, 'a blob is bounded', this.length, end - start);
    file.write(bytes, start, end - start, BLOB_HEADER_BYTES + this.length);
    for (let at = start; at < end;) {
      const inChunk = this.length % this.chunkBytes;
      const stop = Math.min(end, at + this.chunkBytes - inChunk);
      const { databaseSeed, number } = this.identity;
      const seed = inChunk > 0 ? this.running : identitySeed(databaseSeed, number, BLOB_HEADER_BYTES + this.length);
      this.running = crc32(bytes, at, stop, seed);
      if (inChunk + stop - at === this.chunkBytes) this.sums.push(this.running);
      this.length += stop - at;
      at = stop;
    }
  }

  /** Writes what belongs around the value. Returns the reference. */
  seal(): Uint8Array {
    const file = this.open();
    assert(!this.sealed, 'a blob is sealed once');
    if (this.length % this.chunkBytes !== 0) this.sums.push(this.running);
    const header = encodeBlobHeader(this.identity, this.length, this.chunkBytes);
    const tail = new Uint8Array((this.sums.length + 1) * BLOB_SUM_BYTES);
    for (const [i, sum] of this.sums.entries()) writeUint32(tail, sum, i * BLOB_SUM_BYTES);
    const end = tail.length - BLOB_SUM_BYTES;
    const checksum = blobChecksum(this.identity, header, tail.subarray(0, end));
    writeUint32(tail, checksum, end);
    file.write(tail, 0, tail.length, BLOB_HEADER_BYTES + this.length);
    file.write(header, 0, header.length, 0);
    this.sealed = true;
    return encodeReference({ number: this.identity.number, length: this.length, checksum });
  }

  /** Makes what is written durable; the name is not. */
  sync(): void {
    this.open().sync();
  }

  /** The same off this thread. @throws (rejects) LightningError; the store is poisoned then */
  async syncAsync(): Promise<void> {
    const file = this.open();
    return new Promise((resolve, reject) => {
      file.syncAsync((error) => {
        if (error === undefined) resolve();
        else reject(error instanceof Error ? error : new Error('the fsync failed'));
      });
    });
  }

  close(): void {
    this.open().close();
    this.file = undefined;
  }

  /** Lets go of the file, which stays. Calling it again does nothing. */
  release(): void {
    this.file?.close();
    this.file = undefined;
  }

  /** Takes the file away. One that cannot be removed is garbage, which the next opening finds. */
  abandon(): void {
    this.release();
    removeQuietly(this.files, this.name);
  }

  private open(): VfsFile {
    const { file } = this;
    if (file === undefined) return assertOpen();
    return file;
  }
}

function assertOpen(): never {
  assert(false, 'a closed blob is not used');
}

/** The checksum that stands for the whole blob: over its header and the checksums of its chunks. */
export function blobChecksum(identity: BlobIdentity, header: Uint8Array, sums: Uint8Array): number {
  const seed = identitySeed(identity.databaseSeed, identity.number, 0);
  return crc32(sums, 0, sums.length, crc32(header, 0, header.length, seed));
}
