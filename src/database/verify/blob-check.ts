/**
 * Checks the blobs of a store on disk by a path of its own: every file that a version refers to is read whole, made again
 * from its value and compared. Files to which nothing refers are what an unclean stop leaves.
 */
import { equalBytes, readUint32, writeUint32 } from '../../base/bytes.ts';
import { crc32, identitySeed } from '../../base/checksum.ts';
import { errnoOf } from '../../base/errors.ts';
import type { Version } from '../../engine/cursor.ts';
import { KIND_REFERENCE } from '../../engine/types.ts';
import type { Vfs, VfsFile } from '../../vfs/vfs.ts';
import {
  BLOB_HEADER_BYTES,
  BLOB_SUM_BYTES,
  blobFileBytes,
  blobFileName,
  type BlobReference,
  isBlobFile,
} from '../blobs/blob-format.ts';
import { decodeBlobHeader, decodeReference } from '../blobs/blob-reader.ts';
import { encodeReference } from '../blobs/blob-writer.ts';
import type { Finding } from './finding.ts';

/** What the versions of a store refer to, gathered while its files are read. */
export class BlobsNamed {
  readonly references = new Map<number, BlobReference>();

  /** Called for each version. Returns what is wrong with it, if anything. */
  readonly judge = (version: Pick<Version, 'kind' | 'stored'>): string | undefined => {
    if (version.kind !== KIND_REFERENCE) return undefined;
    return this.add(version.stored().bytes);
  };

  /** The same for a reference. */
  add(bytes: Uint8Array): string | undefined {
    const reference = decodeReference(bytes);
    if (reference === undefined) return 'what it refers to is no blob';
    const other = this.references.get(reference.number);
    if (other !== undefined && !equalBytes(encodeReference(other), bytes))
      return `blob ${reference.number} is referred to in two ways`;
    this.references.set(reference.number, reference);
    return undefined;
  }
}

/** Examines every blob that is named; yields the bytes of each slice. @throws an operating system error other than ENOENT */
export function* verifyBlobs(
  vfs: Vfs,
  databaseId: Uint8Array,
  { references }: BlobsNamed,
): Generator<number, Finding[]> {
  const findings: Finding[] = [];
  for (const reference of references.values()) {
    const name = blobFileName(reference.number);
    const found = yield* problemOf(vfs, name, databaseId, reference);
    if (found !== undefined) findings.push({ severity: 'damage', file: name, ...found });
  }
  return findings;
}

/** Names of blobs to which nothing refers. */
export function unnamedBlobs(vfs: Vfs, { references }: BlobsNamed): string[] {
  return vfs.list('').filter((name) => isBlobFile(name) && !references.has(Number(name.slice('blob-'.length))));
}

type Problem = Pick<Finding, 'offset' | 'problem'>;

function* problemOf(
  vfs: Vfs,
  name: string,
  databaseId: Uint8Array,
  reference: BlobReference,
): Generator<number, Problem | undefined> {
  let file: VfsFile;
  try {
    file = vfs.open(name, 'read');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return { offset: undefined, problem: 'missing' };
  }
  try {
    return yield* problemIn(file, databaseId, reference);
  } finally {
    file.close();
  }
}

function* problemIn(
  file: VfsFile,
  databaseId: Uint8Array,
  reference: BlobReference,
): Generator<number, Problem | undefined> {
  const { number, length } = reference;
  const databaseSeed = crc32(databaseId);
  const header = new Uint8Array(BLOB_HEADER_BYTES);
  const headerBytes = file.read(header, 0, header.length, 0);
  const decoded = decodeBlobHeader(header.subarray(0, headerBytes), { databaseId, databaseSeed, number }, length);
  if (!decoded.ok) return { offset: 0, problem: decoded.problem };
  const chunkBytes = decoded.value;
  const sizeBytes = blobFileBytes(length, chunkBytes);
  if (file.size() !== sizeBytes)
    return { offset: undefined, problem: `${file.size()} bytes where ${sizeBytes} are expected` };
  const tail = new Uint8Array(sizeBytes - BLOB_HEADER_BYTES - length);
  file.read(tail, 0, tail.length, BLOB_HEADER_BYTES + length);
  const sums = new Uint8Array(tail.length - BLOB_SUM_BYTES);
  const chunk = new Uint8Array(chunkBytes);
  for (let i = 0; i * chunkBytes < length; i++) {
    const offset = BLOB_HEADER_BYTES + i * chunkBytes;
    const got = file.read(chunk, 0, Math.min(chunkBytes, length - i * chunkBytes), offset);
    const sum = crc32(chunk, 0, got, identitySeed(databaseSeed, number, offset));
    if (sum !== readUint32(tail, i * BLOB_SUM_BYTES))
      return { offset, problem: 'the checksum of a chunk does not match' };
    writeUint32(sums, sum, i * BLOB_SUM_BYTES);
    yield got;
  }
  const whole = crc32(sums, 0, sums.length, crc32(header, 0, header.length, identitySeed(databaseSeed, number, 0)));
  const offset = sizeBytes - BLOB_SUM_BYTES;
  if (whole !== readUint32(tail, sums.length)) return { offset, problem: 'the checksum of the blob does not match' };
  if (whole !== reference.checksum) return { offset, problem: 'another value than the version refers to' };
  return undefined;
}
