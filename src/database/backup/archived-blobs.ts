/**
 * Blobs in an archive: `<timeline in hex>-blob-<n>-<checksum in hex>`. A blob is archived before the segment that refers
 * to it, or before it is deleted, whichever comes first; so whoever has the segment has its values. The checksum keeps
 * apart a file whose commit was never made and a later one that got its number.
 */
import { readUint32, writeUint32 } from '../../base/bytes.ts';
import { crc32 } from '../../base/checksum.ts';
import { toHex } from '../../base/bytes.ts';
import { corruption } from '../../engine/damage.ts';
import { Memtable } from '../../engine/memtable.ts';
import { asFileNumber, KIND_REFERENCE } from '../../engine/types.ts';
import { WAL_HEADER_BYTES } from '../../engine/wal-format.ts';
import { addToMemtable, readRecord } from '../../engine/wal-reader.ts';
import type { OpenMode, Vfs, VfsFile } from '../../vfs/vfs.ts';
import {
  BLOB_MAGIC,
  BLOB_SLICE_BYTES,
  BLOB_SUM_BYTES,
  blobFileName,
  type BlobReference,
} from '../blobs/blob-format.ts';
import { BlobReader, checkBlob, decodeReference } from '../blobs/blob-reader.ts';

/** The name of a blob in the archive. */
export function archivedBlobName(
  timeline: Uint8Array,
  { number, checksum }: Pick<BlobReference, 'number' | 'checksum'>,
): string {
  const sum = new Uint8Array(4);
  writeUint32(sum, checksum, 0);
  return `${toHex(timeline)}-${blobFileName(number)}-${toHex(sum)}`;
}

/** Copies a file and makes it durable with its name, in bounded pieces. Nothing happens when the copy is there. */
export function copyDurably(from: Vfs, path: string, to: Vfs, name: string): void {
  if (to.kind(name) !== undefined) return;
  if (to.kind(`${name}.tmp`) !== undefined) to.unlink(`${name}.tmp`);
  const source = from.open(path, 'read');
  try {
    const target = to.open(`${name}.tmp`, 'create');
    try {
      const sizeBytes = source.size();
      const piece = new Uint8Array(Math.min(sizeBytes, BLOB_SLICE_BYTES));
      for (let at = 0; at < sizeBytes; at += piece.length) {
        const count = source.read(piece, 0, Math.min(piece.length, sizeBytes - at), at);
        target.write(piece, 0, count, at);
      }
      target.sync();
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
  to.rename(`${name}.tmp`, name);
  to.syncDirectory('');
}

/** Archives a blob that is about to be deleted. One that was never finished is no value, and is not kept. */
export function archiveBlob(files: Vfs, archive: Vfs, timeline: Uint8Array, path: string): void {
  const file = files.open(path, 'read');
  const magic = new Uint8Array(BLOB_MAGIC.length);
  const sum = new Uint8Array(BLOB_SUM_BYTES);
  try {
    const isWhole =
      file.read(magic, 0, magic.length, 0) === magic.length &&
      Buffer.from(magic).toString('latin1') === BLOB_MAGIC &&
      file.read(sum, 0, sum.length, file.size() - sum.length) === sum.length;
    if (!isWhole) return;
  } finally {
    file.close();
  }
  const number = Number(path.slice('blob-'.length));
  copyDurably(files, path, archive, archivedBlobName(timeline, { number, checksum: readUint32(sum, 0) }));
}

/** Archives every blob that the records of a segment refer to, as far as they are still there. */
export function archiveBlobsOf(
  segment: Uint8Array,
  fileNumber: number,
  { files, archive, databaseId, timeline }: BlobArchive,
): void {
  for (const reference of referencesIn(segment, fileNumber, databaseId)) {
    const name = blobFileName(reference.number);
    if (files.kind(name) === 'file') copyDurably(files, name, archive, archivedBlobName(timeline, reference));
  }
}

/** Where blobs are archived from and to. */
export interface BlobArchive {
  readonly files: Vfs;
  readonly archive: Vfs;
  readonly databaseId: Uint8Array;
  readonly timeline: Uint8Array;
}

function referencesIn(bytes: Uint8Array, fileNumber: number, databaseId: Uint8Array): BlobReference[] {
  const identity = { databaseId, databaseSeed: crc32(databaseId), fileNumber: asFileNumber(fileNumber) };
  const found: BlobReference[] = [];
  for (let at = WAL_HEADER_BYTES; at < bytes.length;) {
    const record = readRecord(bytes, at, identity);
    if (typeof record === 'string') break;
    const memtable = new Memtable();
    if (!addToMemtable(bytes, at, record.end, record.sequence, memtable)) break;
    for (const entry of memtable.entries()) {
      if (entry.kind !== KIND_REFERENCE) continue;
      const reference = decodeReference(bytes.subarray(entry.keyEnd, entry.valueEnd));
      if (reference !== undefined) found.push(reference);
    }
    at = record.end;
  }
  return found;
}

/** Reads an archived blob whole, to be sure of it. @throws LightningError `LIGHTNING_CORRUPTION` */
export function* checkArchivedBlob(
  archive: Vfs,
  databaseId: Uint8Array,
  timeline: Uint8Array,
  bytes: Uint8Array,
): Generator<number, void> {
  const reference = decodeReference(bytes);
  if (reference === undefined) throw corruption('archive', undefined, 'what a record refers to is no blob');
  const name = archivedBlobName(timeline, reference);
  yield* checkBlob(BlobReader.open(renamed(archive, blobFileName(reference.number), name), databaseId, bytes));
}

/** The archive, with one file under another name. */
function renamed(archive: Vfs, from: string, to: string): Pick<Vfs, 'open'> {
  return { open: (path: string, mode: OpenMode): VfsFile => archive.open(path === from ? to : path, mode) };
}
