/**
 * Byte layout of `blob-<n>`, one large value (spec/formats/blob.md), and of the reference that a version holds instead of
 * it. No behaviour.
 *
 *   blob       header · value · checksum u32 for each chunk of the value · checksum u32 over them and the header
 *   header     magic 8 · format u16 · compatible u32 · incompatible u32 · database id 16 · number u32 · length u48
 *              · chunk bytes u32 · zero to 64
 *   reference  number u32 · length u48 · the last checksum of the blob u32
 *
 * The checksum of a chunk is bound to (database, number, offset of the chunk in the file), the last one to
 * (database, number, 0).
 */
export const BLOB_MAGIC = 'LDBBLB\r\n';
export const BLOB_FORMAT = 1;
export const BLOB_HEADER_BYTES = 64;
/** Where the header's zeros begin. */
export const BLOB_HEADER_END = 48;
export const BLOB_SUM_BYTES = 4;
export const BLOB_REFERENCE_BYTES = 14;

/** Longest value that is kept. */
export const BLOB_BYTES_MAX = 256 * 1024 * 1024;
/** Values above so many bytes become blobs, unless a store is opened with another bound. */
export const BLOB_BYTES_PRESET = 64 * 1024;
/** A chunk is a power of two of bytes in these bounds. */
export const BLOB_CHUNK_BYTES_MIN = 64;
export const BLOB_CHUNK_BYTES_MAX = 1024 * 1024;
/** Work between two chances for others. */
export const BLOB_SLICE_BYTES = 1024 * 1024;

/** What a reference says. */
export interface BlobReference {
  readonly number: number;
  /** Bytes of the value. */
  readonly length: number;
  readonly checksum: number;
}

/** Whose blob it is. */
export interface BlobIdentity {
  readonly databaseId: Uint8Array;
  readonly databaseSeed: number;
  readonly number: number;
}

/** Name of a blob's file. */
export function blobFileName(number: number): string {
  return `blob-${number}`;
}

/** Whether a file of a store is a blob. */
export function isBlobFile(name: string): boolean {
  return /^blob-\d{1,10}$/.test(name);
}

/** Bytes of the file of a value. */
export function blobFileBytes(length: number, chunkBytes: number): number {
  return BLOB_HEADER_BYTES + length + (Math.ceil(length / chunkBytes) + 1) * BLOB_SUM_BYTES;
}
