/**
 * Opening a store: find its manifest, read what it names, take over the log, and only then publish (spec/durability.md).
 *
 *   1. The folder is looked at; what is missing is created only when asked for, and "cannot open" is never "empty".
 *   2. The manifest's runs, tree, free map and sealed segments are read; any damage is an error.
 *   3. The valid records of the last segment are copied into a new segment, which is fsynced with its name: what was
 *      found may never have been on disk. A recovered segment is never appended to.
 *   4. The manifest is swapped; then the old segment and everything that no manifest names is deleted.
 *
 * It can be cut at any point and started again: until step 4 nothing that was there has changed.
 */
import { assert } from '../base/assert.ts';
import { writeUint32, writeUint48 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import { isLightningError, LightningError } from '../base/errors.ts';
import type { Vfs } from '../vfs/vfs.ts';
import type { BlockCache } from '../base/block-cache.ts';
import {
  fileNumberOf,
  isStoreFile,
  LOCK_FILE,
  MANIFEST_FILE,
  MANIFEST_TEMPORARY_FILE,
  runFileName,
  TREE_FILE,
  walFileName,
} from './file-names.ts';
import { corruption, readNamed } from './damage.ts';
import { closeSegment, createSegmentFile } from './log.ts';
import type { ManifestState, SegmentState } from './manifest-format.ts';
import { decodeManifest } from './manifest-reader.ts';
import { swapManifest } from './manifest-writer.ts';
import { Memtable } from './memtable.ts';
import type { EngineOptions } from './options.ts';
import { RunReader } from './run-reader.ts';
import type { FrozenMemtable, StoreParts } from './store.ts';
import { EMPTY_TREE, Tree } from './tree.ts';
import { asFileNumber, asGeneration, type FileNumber, type Sequence } from './types.ts';
import { RECORD_DURABLE_AT, RECORD_LENGTH_AT, WAL_HEADER_BYTES } from './wal-format.ts';
import { readRecord, readSegment, recordAt } from './wal-reader.ts';
import { addToMemtable, encodeSegmentHeader, type SegmentIdentity, WalWriter } from './wal-writer.ts';
import { readWholeFile, removeQuietly } from '../vfs/watched-vfs.ts';

const NO_SEQUENCE = 0 as Sequence;

/** What a recovery did, for reports. */
export interface RecoveryReport {
  readonly recordsReplayed: number;
  readonly bytesReplayed: number;
  /** Why the log ended, when it did not end with a whole record. */
  readonly tornTail: string | undefined;
  readonly filesDeleted: number;
  readonly cleanlyClosed: boolean;
}

/**
 * Whether the folder holds a store. Changes nothing.
 * @throws LightningError when it holds something else, or the remains of a store without its manifest
 */
export function storeExists(vfs: Vfs): boolean {
  if (vfs.kind('') === undefined) return false;
  if (vfs.kind('') !== 'directory') throw new LightningError('LIGHTNING_NOT_A_STORE', 'the path is not a folder');
  const names = vfs.list('');
  if (names.includes(MANIFEST_FILE)) return true;
  const foreign = names.find((name) => !isStoreFile(name));
  if (foreign !== undefined) {
    throw new LightningError('LIGHTNING_NOT_A_STORE', `the folder holds ${foreign} and no store`, { file: foreign });
  }
  for (const name of names) {
    if (name === LOCK_FILE || name === MANIFEST_TEMPORARY_FILE || isEmptySegment(vfs, name)) continue;
    throw new LightningError('LIGHTNING_CORRUPTION', `${MANIFEST_FILE} is missing beside ${name}`, {
      file: MANIFEST_FILE,
    });
  }
  return false;
}

/** A creation that was cut leaves a segment without a record. */
function isEmptySegment(vfs: Vfs, name: string): boolean {
  if (!name.startsWith('wal-')) return false;
  const file = vfs.open(name, 'read');
  try {
    return file.size() <= WAL_HEADER_BYTES;
  } finally {
    file.close();
  }
}

/** Makes an empty store in a folder without one, durable with its names. Remains of a creation that was cut are replaced. */
export function createStore(vfs: Vfs, databaseId: Uint8Array, options: EngineOptions): void {
  for (const name of vfs.list('')) if (name !== LOCK_FILE) vfs.unlink(name);
  const identity = { databaseId, databaseSeed: crc32(databaseId), fileNumber: asFileNumber(1) };
  createSegmentFile(vfs, identity.fileNumber, encodeSegmentHeader(identity, NO_SEQUENCE)).close();
  swapManifest(vfs, {
    databaseId,
    generation: asGeneration(1),
    cleanlyClosed: true,
    blockSizeBytes: options.blockSizeBytes,
    nextFileNumber: asFileNumber(2),
    flushedSequence: NO_SEQUENCE,
    collectTime: -Infinity,
    segments: [
      {
        fileNumber: identity.fileNumber,
        firstSequence: 1 as Sequence,
        sealed: { length: WAL_HEADER_BYTES, lastSequence: NO_SEQUENCE },
      },
    ],
    runs: [],
    tree: EMPTY_TREE,
  });
}

/** Leaves the folder as it was before a creation that was refused, unless a manifest may be there already. */
export function undoCreation(vfs: Vfs): void {
  try {
    const names = vfs.list('');
    if (names.includes(MANIFEST_FILE)) return;
    for (const name of names) if (name !== LOCK_FILE) removeQuietly(vfs, name);
    removeQuietly(vfs, LOCK_FILE);
  } catch (error) {
    // The error on its way says more.
    if (!isLightningError(error)) throw error;
  }
}

/** @throws LightningError `LIGHTNING_CORRUPTION`, `LIGHTNING_UNSUPPORTED_FORMAT` or `LIGHTNING_NOT_A_STORE` */
export function readManifest(vfs: Vfs): ManifestState {
  const reading = decodeManifest(readWholeFile(vfs, MANIFEST_FILE));
  if (reading.ok) return reading.value;
  const code = (
    {
      foreign: 'LIGHTNING_NOT_A_STORE',
      format: 'LIGHTNING_UNSUPPORTED_FORMAT',
      damaged: 'LIGHTNING_CORRUPTION',
    } as const
  )[reading.reason];
  throw new LightningError(code, `${MANIFEST_FILE}: ${reading.problem}`, { file: MANIFEST_FILE });
}

/**
 * Opens the store in a folder that has one. The caller holds the lock.
 * @throws LightningError; every file that was opened is closed again, and nothing that was there has changed
 */
export function recoverStore(
  vfs: Vfs,
  cache: BlockCache,
): { readonly parts: StoreParts; readonly report: RecoveryReport } {
  const old = readManifest(vfs);
  const names = vfs.list('');
  const opened: { close(): void }[] = [];
  try {
    const runs = old.runs.map((meta) => {
      const run = RunReader.open(vfs, meta, old.databaseId, cache);
      opened.push(run);
      return run;
    });
    const tree = old.tree.blockCount === 0 ? undefined : Tree.open(vfs, old, cache);
    if (tree !== undefined) opened.push(tree);
    const frozen = old.segments.slice(0, -1).map((segment) => replaySealed(vfs, old, segment));
    const last = replay(vfs, old, old.segments[old.segments.length - 1]);
    refuseOlderManifest(vfs, names, old);
    const next = nextNumber(names, old.nextFileNumber);
    const { manifest, wal } = takeOver(vfs, old, last, next);
    opened.push({ close: () => closeSegment(wal) });
    const filesDeleted = deleteUnnamed(vfs, names, manifest);
    return {
      parts: {
        manifest,
        nextFileNumber: manifest.nextFileNumber,
        active: last.memtable,
        frozen,
        runs,
        tree,
        wal,
        lastSequence: last.lastSequence,
      },
      report: {
        recordsReplayed: last.lastSequence - old.segments[old.segments.length - 1].firstSequence + 1,
        bytesReplayed: last.bytes.length,
        tornTail: last.tornTail,
        filesDeleted,
        cleanlyClosed: old.cleanlyClosed,
      },
    };
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

/** A segment whose valid records, up to `end`, are in the memtable, which points into `bytes`. */
interface ReplayedSegment {
  readonly bytes: Uint8Array;
  readonly end: number;
  readonly memtable: Memtable;
  readonly lastSequence: Sequence;
  readonly tornTail: string | undefined;
}

function identityOf(manifest: ManifestState, fileNumber: FileNumber): SegmentIdentity {
  return { databaseId: manifest.databaseId, databaseSeed: crc32(manifest.databaseId), fileNumber };
}

function replay(vfs: Vfs, manifest: ManifestState, segment: SegmentState): ReplayedSegment {
  const name = walFileName(segment.fileNumber);
  const bytes = readNamed(vfs, name);
  const reading = readSegment(bytes, { ...identityOf(manifest, segment.fileNumber), ...segment });
  if (reading.state === 'corrupt') throw corruption(name, reading.offset, reading.problem);
  const { end: recordsEnd, lastSequence } = reading;
  const memtable = new Memtable();
  for (let at = WAL_HEADER_BYTES; at < recordsEnd;) {
    const { end, sequence } = recordAt(bytes, at);
    if (!addToMemtable(bytes, at, end, sequence, memtable)) {
      throw corruption(name, at, 'a record with a right checksum does not hold whole operations');
    }
    at = end;
  }
  const tornTail = reading.state === 'torn' ? reading.problem : undefined;
  return { bytes, end: recordsEnd, memtable, lastSequence, tornTail };
}

function replaySealed(vfs: Vfs, manifest: ManifestState, segment: SegmentState): FrozenMemtable {
  assert(segment.sealed !== undefined, 'all but the last segment are sealed');
  const { memtable, lastSequence } = replay(vfs, manifest, segment);
  if (memtable.isEmpty) {
    throw corruption(walFileName(segment.fileNumber), WAL_HEADER_BYTES, 'a sealed segment holds no record');
  }
  return { memtable, segment: segment.fileNumber, lastSequence };
}

/**
 * A segment gets its first record only once a durable manifest names it, except the copy that a cut recovery leaves,
 * which begins where the named one begins. One that begins behind it proves that this manifest was put in the place of a
 * newer one; to go on would silently drop the newer commits.
 * @throws LightningError `LIGHTNING_CORRUPTION`
 */
function refuseOlderManifest(vfs: Vfs, names: readonly string[], manifest: ManifestState): void {
  const named = new Set(manifest.segments.map((segment) => walFileName(segment.fileNumber)));
  const { firstSequence } = manifest.segments[manifest.segments.length - 1];
  for (const name of names) {
    const fileNumber = fileNumberOf(name);
    if (fileNumber === undefined || name !== walFileName(fileNumber) || named.has(name)) continue;
    const record = readRecord(readWholeFile(vfs, name), WAL_HEADER_BYTES, identityOf(manifest, fileNumber));
    if (typeof record === 'string' || record.sequence <= firstSequence) continue;
    throw corruption(MANIFEST_FILE, 0, `older than ${name}, which begins with commit ${record.sequence}`);
  }
}

/** Beyond the manifest's and the folder's: a file of a swap that was cut keeps its number for ever. */
function nextNumber(names: readonly string[], fromManifest: FileNumber): FileNumber {
  let next: number = fromManifest;
  for (const name of names) next = Math.max(next, (fileNumberOf(name) ?? 0) + 1);
  return asFileNumber(next);
}

/** Steps 3 and 4, up to the swap. */
function takeOver(
  vfs: Vfs,
  old: ManifestState,
  last: ReplayedSegment,
  fileNumber: FileNumber,
): { readonly manifest: ManifestState; readonly wal: WalWriter } {
  const identity = identityOf(old, fileNumber);
  const content = copyRecords(last, identity);
  const file = createSegmentFile(vfs, fileNumber, content);
  const wal = new WalWriter(file, identity, content.length, last.lastSequence);
  const replaced = old.segments[old.segments.length - 1];
  const manifest: ManifestState = {
    ...old,
    generation: asGeneration(old.generation + 1),
    cleanlyClosed: false,
    nextFileNumber: asFileNumber(fileNumber + 1),
    segments: [...old.segments.slice(0, -1), { fileNumber, firstSequence: replaced.firstSequence, sealed: undefined }],
  };
  try {
    swapManifest(vfs, manifest);
  } catch (error) {
    file.close();
    throw error;
  }
  return { manifest, wal };
}

/**
 * A segment with the same records, bound to their new place; all of it counts as durable once the manifest names it. It
 * is made in the bytes that were read: the memtable points to keys and values in them, and those stay as they are.
 */
function copyRecords(last: ReplayedSegment, identity: SegmentIdentity): Uint8Array {
  const header = encodeSegmentHeader(identity, last.lastSequence);
  const content = last.bytes.subarray(0, last.end);
  content.set(header);
  for (let start = header.length; start < last.end;) {
    const { end, sequence, durable } = recordAt(content, start);
    writeUint48(content, Math.min(durable, sequence - 1), start + RECORD_DURABLE_AT);
    const seed = identitySeed(identity.databaseSeed, identity.fileNumber, start);
    writeUint32(content, crc32(content, start + RECORD_LENGTH_AT, end, seed), start);
    start = end;
  }
  return content;
}

/**
 * Deletes files of ours that the manifest does not name. Only after the swap: a recovery that is cut changes nothing. What
 * names blobs are versions; who keeps them deletes them.
 */
function deleteUnnamed(vfs: Vfs, names: readonly string[], manifest: ManifestState): number {
  const named = new Set([LOCK_FILE, MANIFEST_FILE]);
  for (const segment of manifest.segments) named.add(walFileName(segment.fileNumber));
  for (const run of manifest.runs) named.add(runFileName(run.fileNumber));
  if (manifest.tree.blockCount > 0) named.add(TREE_FILE);
  let deleted = 0;
  for (const name of names) {
    const isLeft = name.startsWith('blob-') || name === MANIFEST_TEMPORARY_FILE || named.has(name);
    if (isStoreFile(name) && !isLeft && removeQuietly(vfs, name)) deleted++;
  }
  return deleted;
}
