/**
 * The blobs of one store as files: what the engine asks for when it meets a reference (reading it, and deleting what
 * nobody can read any more), and the only maker of new ones.
 */
import { crc32 } from '../../base/checksum.ts';
import { LightningError } from '../../base/errors.ts';
import type { OpenReferences, References, Stored } from '../../vfs/references.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import { removeQuietly } from '../../vfs/watched-vfs.ts';
import * as format from './blob-format.ts';
import { BlobReader, decodeReference, wholeOf } from './blob-reader.ts';
import { BlobWriter } from './blob-writer.ts';

/** Work that the deletion of a file stands for. */
const DELETION_BYTES = 64 * 1024;

/** Files and bytes of values since the store was opened. */
export interface BlobStatistics {
  readonly blobsWritten: number;
  readonly blobBytesWritten: number;
  readonly blobsDeleted: number;
  readonly blobBytesDeleted: number;
}

export class BlobFiles implements References {
  readonly files: Vfs;
  private readonly databaseId: Uint8Array;
  private readonly databaseSeed: number;
  /** Files and bytes, since the store was opened. */
  readonly counts = { written: 0, writtenBytes: 0, deleted: 0, deletedBytes: 0 };
  /** Whether a name was made or removed. */
  private touched = false;
  /** What merges have dropped and not deleted yet. */
  private readonly drops = new Set<Uint8Array[]>();

  constructor(files: Vfs, databaseId: Uint8Array) {
    this.files = files;
    this.databaseId = databaseId;
    this.databaseSeed = crc32(databaseId);
  }

  /** Opens what a version refers to. @throws LightningError `LIGHTNING_CORRUPTION`, environment errors */
  open(reference: Uint8Array): BlobReader {
    return BlobReader.open(this.files, this.databaseId, reference);
  }

  read(reference: Uint8Array): Uint8Array {
    const work = wholeOf(this.open(reference));
    for (;;) {
      const step = work.next();
      if (step.done === true) return step.value;
    }
  }

  /** The same, the event loop between two slices. */
  async readInTurns(reference: Uint8Array): Promise<Uint8Array> {
    const work = wholeOf(this.open(reference));
    for (;;) {
      const step = work.next();
      if (step.done === true) return step.value;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** What a version holds, wherever it lies, the event loop between two slices of a blob. */
  async valueOf({ bytes, isReference }: Stored): Promise<Uint8Array> {
    return isReference ? this.readInTurns(bytes) : bytes;
  }

  *drop(references: readonly Uint8Array[]): Generator<number, undefined> {
    const rest = [...references];
    this.drops.add(rest);
    try {
      while (rest.length > 0) {
        this.deleteLast(rest);
        yield DELETION_BYTES;
      }
    } finally {
      this.finish(rest);
    }
    return undefined;
  }

  private finish(rest: Uint8Array[]): void {
    while (rest.length > 0) this.deleteLast(rest);
    this.drops.delete(rest);
  }

  private deleteLast(rest: Uint8Array[]): void {
    const bytes = rest.pop();
    if (bytes !== undefined) this.delete(bytes);
  }

  private delete(bytes: Uint8Array): void {
    const reference = decodeReference(bytes);
    this.touched = true;
    if (reference === undefined || !removeQuietly(this.files, format.blobFileName(reference.number))) return;
    this.counts.deleted++;
    this.counts.deletedBytes += reference.length;
  }

  /** A new file. @param number one that no file of this store has had */
  create(number: number, chunkBytes: number): BlobWriter {
    this.touched = true;
    return new BlobWriter(
      this.files,
      { databaseId: this.databaseId, databaseSeed: this.databaseSeed, number },
      chunkBytes,
    );
  }

  statistics(): BlobStatistics {
    const { written, writtenBytes, deleted, deletedBytes } = this.counts;
    return {
      blobsWritten: written,
      blobBytesWritten: writtenBytes,
      blobsDeleted: deleted,
      blobBytesDeleted: deletedBytes,
    };
  }

  /**
   * Deletes what merges have dropped, and makes removed names durable: after a clean close nobody looks for files that a
   * power cut has brought back.
   * @throws LightningError environment errors; the store is poisoned then
   */
  syncNames(): void {
    for (const rest of this.drops) this.finish(rest);
    if (this.touched) this.files.syncDirectory('');
    this.touched = false;
  }

  /** The numbers of all files that are there. */
  numbers(): Set<number> {
    const names = this.files.list('').filter((name) => format.isBlobFile(name));
    return new Set(names.map((name) => Number(name.slice('blob-'.length))));
  }
}

/** What an engine is opened with that reads blobs and writes none. */
export const readingBlobs: OpenReferences = (files, databaseId) => new BlobFiles(files, databaseId);

/** The size of chunks that suits values from a bound on: small ones where small values become blobs. */
export function chunkBytesFor(blobBytes: number): number {
  let chunkBytes = format.BLOB_CHUNK_BYTES_MIN;
  while (chunkBytes < blobBytes && chunkBytes < format.BLOB_BYTES_PRESET) chunkBytes *= 2;
  return chunkBytes;
}

/** @throws LightningError `LIGHTNING_VALUE_TOO_LARGE` */
export function checkBlobLength(length: number): void {
  if (length <= format.BLOB_BYTES_MAX) return;
  throw new LightningError(
    'LIGHTNING_VALUE_TOO_LARGE',
    `value has ${length} bytes, more than ${format.BLOB_BYTES_MAX}`,
    { length, limit: format.BLOB_BYTES_MAX },
  );
}
