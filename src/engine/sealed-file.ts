/**
 * The beginning that files of a store share: what a file is, whose it is, and a checksum (spec/formats/seal.md).
 *
 *   magic 8 · crc u32 · format version u16 · zero u16 · compatible features u32 · incompatible features u32
 *   · database id 16 · file number u32
 *
 * The CRC covers everything behind it up to the end of the sealed bytes, bound to (database, file number, place 0).
 * A writer puts its own fields at `SEAL_BYTES` and behind, then calls {@link seal}; a reader asks {@link sealProblem}
 * before it believes any of them. What is sealed may be the whole file, or a header of fixed length.
 */
import { assert } from '../base/assert.ts';
import { equalBytes, readUint16, readUint32, writeUint16, writeUint32 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';

/** Where a file's own fields begin. */
export const SEAL_BYTES = 44;
/** Where the bytes under the checksum begin. */
const CHECKED_FROM = 12;
const DATABASE_ID_AT = 24;
const FILE_NUMBER_AT = 40;

/** A kind of file. */
export interface FileKind {
  /** Eight bytes. */
  readonly magic: Uint8Array;
  readonly formatVersion: number;
}

/**
 * Why bytes are not believed. `foreign`: no file of this kind; `format`: one, but of a version or with a feature that is
 * not known here; `damaged`: one that lost something, or one that belongs elsewhere.
 */
export interface SealProblem {
  readonly reason: 'foreign' | 'format' | 'damaged';
  readonly problem: string;
}

function checksum(bytes: Uint8Array, databaseId: Uint8Array, fileNumber: number): number {
  return crc32(bytes, CHECKED_FROM, bytes.length, identitySeed(crc32(databaseId), fileNumber, 0));
}

/** The database that sealed bytes say they belong to. The caller vouches for `SEAL_BYTES`. */
export function sealedDatabaseId(bytes: Uint8Array): Uint8Array {
  return bytes.slice(DATABASE_ID_AT, DATABASE_ID_AT + 16);
}

/** The number that sealed bytes say their file has. The caller vouches for `SEAL_BYTES`. */
export function sealedFileNumber(bytes: Uint8Array): number {
  return readUint32(bytes, FILE_NUMBER_AT);
}

/** Fills in the first `SEAL_BYTES` of `bytes`, whose other fields are in place, and returns it. */
export function seal(bytes: Uint8Array, kind: FileKind, databaseId: Uint8Array, fileNumber: number): Uint8Array {
  assert(databaseId.length === 16, 'a database id has 16 bytes', databaseId.length);
  bytes.set(kind.magic);
  writeUint16(bytes, kind.formatVersion, 12);
  bytes.set(databaseId, DATABASE_ID_AT);
  writeUint32(bytes, fileNumber, FILE_NUMBER_AT);
  writeUint32(bytes, checksum(bytes, databaseId, fileNumber), 8);
  return bytes;
}

/**
 * What is wrong with the seal on exactly these bytes; `undefined`: nothing, every one of them is as it was written.
 * @param databaseId whose file it has to be; the one it names ({@link sealedDatabaseId}) where nothing else is known
 */
export function sealProblem(
  bytes: Uint8Array,
  kind: FileKind,
  databaseId: Uint8Array,
  fileNumber: number,
): SealProblem | undefined {
  const damaged = (problem: string): SealProblem => ({ reason: 'damaged', problem });
  // The beginning of one of ours, down to nothing at all, is a file that lost its end, not somebody else's.
  const start = bytes.subarray(0, kind.magic.length);
  if (!equalBytes(start, kind.magic.subarray(0, start.length))) {
    return { reason: 'foreign', problem: 'not a file of this kind: wrong magic' };
  }
  if (bytes.length < SEAL_BYTES) return damaged('the file is shorter than its header');
  // First, so that a flipped bit in the version is no later version. Every later one keeps what is sealed where it is.
  if (readUint32(bytes, 8) !== checksum(bytes, databaseId, fileNumber)) {
    return damaged('the checksum does not match, or the file is another one');
  }
  const version = readUint16(bytes, 12);
  if (version !== kind.formatVersion) return { reason: 'format', problem: `format version ${version} is not known` };
  if (readUint32(bytes, 20) !== 0) return { reason: 'format', problem: 'an incompatible feature is not known' };
  if (!equalBytes(sealedDatabaseId(bytes), databaseId)) return damaged('the file belongs to another database');
  if (sealedFileNumber(bytes) !== fileNumber) return damaged('the file has another number');
  return readUint16(bytes, 14) === 0 ? undefined : damaged('a reserved field is not zero');
}
