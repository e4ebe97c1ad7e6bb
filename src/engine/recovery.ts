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
import { crc32 } from '../base/checksum.ts';
import { isLightningError, LightningError } from '../base/errors.ts';
import type { Vfs } from '../vfs/vfs.ts';
import type { BlockCache } from '../base/block-cache.ts';
import { fileNumberOf, filesOf, isStoreFile, walFileName } from './file-names.ts';
import { LOCK_FILE, MANIFEST_FILE, MANIFEST_TEMPORARY_FILE } from './file-names.ts';
import { corruption, readNamed } from './damage.ts';
import { createSegment } from './log.ts';
import type { ManifestState, SegmentState } from './manifest-format.ts';
import { decodeManifest } from './manifest-reader.ts';
import { swapSuccessor } from './manifest-writer.ts';
import { Memtable } from './memtable.ts';
import type { EngineOptions } from './options.ts';
import { RunReader } from './run-reader.ts';
import { EMPTY_TREE, Tree } from './tree.ts';
import { asFileNumber, asGeneration, asSequence, type FileNumber, type Sequence } from './types.ts';
import { WAL_HEADER_BYTES } from './wal-format.ts';
import { readRecord, readSegment, recordAt, type SegmentIdentity } from './wal-reader.ts';
import { encodeSegmentHeader, sealRecord } from './wal-writer.ts';
import { readWholeFile, removeQuietly } from '../vfs/watched-vfs.ts';

const NO_SEQUENCE = asSequence(0);
const NO_FILE = asFileNumber(0);

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

/**
 * What stands in for the manifest of a store that is to be made: its creation is the recovery of nothing. Its one segment
 * has no file.
 */
export function emptyManifest(databaseId: Uint8Array, { blockSizeBytes }: EngineOptions): ManifestState {
  return {
    databaseId,
    generation: asGeneration(0),
    cleanlyClosed: true,
    blockSizeBytes,
    nextFileNumber: asFileNumber(1),
    flushedSequence: NO_SEQUENCE,
    collectTime: -Infinity,
    segments: [{ fileNumber: NO_FILE, firstSequence: asSequence(1), sealed: undefined }],
    runs: [],
    tree: EMPTY_TREE,
  };
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
 * Opens the store that `old` describes: what {@link readManifest} found, or an {@link emptyManifest}. The caller holds the
 * lock.
 * @throws LightningError; every file that was opened is closed again, and nothing that was there has changed
 */
export function recoverStore(vfs: Vfs, cache: BlockCache, old: ManifestState) {
  const names = vfs.list('');
  const opened: (() => void)[] = [];
  try {
    const runs = old.runs.map((meta) => {
      const run = RunReader.open(vfs, meta, old.databaseId, cache);
      opened.push(() => run.close());
      return run;
    });
    const tree = old.tree.blockCount === 0 ? undefined : Tree.open(vfs, old, cache);
    opened.push(() => tree?.close());
    const frozen = old.segments.slice(0, -1).map((segment) => replaySealed(vfs, old, segment));
    const live = old.segments[old.segments.length - 1];
    const last = replay(vfs, old, live);
    refuseOlderManifest(vfs, names, old);
    const fileNumber = nextNumber(names, old.nextFileNumber);
    const { lastSequence } = last;
    const identity = identityOf(old, fileNumber);
    const wal = createSegment(vfs, identity, copyRecords(last, identity), lastSequence);
    opened.push(() => wal.release());
    const nextFileNumber = asFileNumber(fileNumber + 1);
    const segments = [...old.segments.slice(0, -1), { ...live, fileNumber, sealed: undefined }];
    const manifest = swapSuccessor(vfs, old, nextFileNumber, { segments });
    const filesDeleted = deleteUnnamed(vfs, names, manifest);
    return {
      parts: { manifest, nextFileNumber, active: last.memtable, frozen, runs, tree, wal, lastSequence },
      report: {
        recordsReplayed: lastSequence - live.firstSequence + 1,
        bytesReplayed: last.bytes.length,
        tornTail: last.tornTail,
        filesDeleted,
        cleanlyClosed: old.cleanlyClosed,
      },
    };
  } catch (error) {
    for (const close of opened) close();
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

function identityOf({ databaseId }: ManifestState, fileNumber: FileNumber): SegmentIdentity {
  return { databaseId, databaseSeed: crc32(databaseId), fileNumber };
}

function replay(vfs: Vfs, manifest: ManifestState, segment: SegmentState): ReplayedSegment {
  const memtable = new Memtable();
  if (segment.fileNumber === NO_FILE) {
    const bytes = new Uint8Array(WAL_HEADER_BYTES);
    return { bytes, end: bytes.length, memtable, lastSequence: NO_SEQUENCE, tornTail: undefined };
  }
  const name = walFileName(segment.fileNumber);
  const bytes = readNamed(vfs, name);
  const reading = readSegment(bytes, { ...identityOf(manifest, segment.fileNumber), ...segment }, memtable);
  if (reading.state === 'corrupt') throw corruption(name, reading.offset, reading.problem);
  const { end, lastSequence } = reading;
  const tornTail = reading.state === 'torn' ? reading.problem : undefined;
  return { bytes, end, memtable, lastSequence, tornTail };
}

function replaySealed(vfs: Vfs, manifest: ManifestState, segment: SegmentState): Memtable {
  assert(segment.sealed !== undefined, 'all but the last segment are sealed');
  const { memtable } = replay(vfs, manifest, segment);
  if (!memtable.isEmpty) return memtable;
  throw corruption(walFileName(segment.fileNumber), WAL_HEADER_BYTES, 'a sealed segment holds no record');
}

/**
 * A segment gets its first record only once a durable manifest names it, except the copy that a cut recovery leaves,
 * which begins where the named one begins. One that begins behind it proves that this manifest was put in the place of a
 * newer one; to go on would silently drop the newer commits.
 * @throws LightningError `LIGHTNING_CORRUPTION`
 */
function refuseOlderManifest(vfs: Vfs, names: readonly string[], manifest: ManifestState): void {
  const named = filesOf(manifest);
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

/**
 * A segment with the same records, bound to their new place; all of it counts as durable once the manifest names it. It
 * is made in the bytes that were read: the memtable points to keys and values in them, and those stay as they are.
 */
function copyRecords(last: ReplayedSegment, identity: SegmentIdentity): Uint8Array {
  const content = last.bytes.subarray(0, last.end);
  content.set(encodeSegmentHeader(identity, last.lastSequence));
  for (let position = WAL_HEADER_BYTES; position < last.end;) {
    const { end, sequence, durable } = recordAt(content, position);
    sealRecord(content, position, end, Math.min(durable, sequence - 1), identity, position);
    position = end;
  }
  return content;
}

/**
 * Deletes files of ours that the manifest does not name. Only after the swap: a recovery that is cut changes nothing. What
 * names blobs are versions; who keeps them deletes them.
 */
function deleteUnnamed(vfs: Vfs, names: readonly string[], manifest: ManifestState): number {
  const kept = filesOf(manifest).add(MANIFEST_TEMPORARY_FILE);
  const isGarbage = (name: string): boolean => isStoreFile(name) && !kept.has(name) && !name.startsWith('blob-');
  return names.filter((name) => isGarbage(name) && removeQuietly(vfs, name)).length;
}
