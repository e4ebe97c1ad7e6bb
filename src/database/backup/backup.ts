/**
 * Makes backups, in slices of one chunk, from a folder that stands still: a {@link FrozenVfs} of an open store, or a
 * store that nobody has open.
 *
 *   chunks written → data fsynced → its name fsynced → everything read back, and the store in it recovered and read to
 *   its end → manifest written, fsynced, renamed, its name fsynced: only now there is a backup
 *
 * An increment writes only chunks that differ, by SHA-256, from the same chunk of the same file of the backup it builds on.
 */
import { assert } from '../../base/assert.ts';
import { equalBytes } from '../../base/bytes.ts';
import { LightningError } from '../../base/errors.ts';
import { isStoreFile, LOCK_FILE, MANIFEST_TEMPORARY_FILE } from '../../engine/file-names.ts';
import { readManifest } from '../../engine/recovery.ts';
import type { Vfs, VfsFile } from '../../vfs/vfs.ts';
import { isBlobFile } from '../blobs/blob-format.ts';
import { readStore } from '../read-only/read-store.ts';
import {
  backupDataName,
  type BackupChunk,
  type BackupFile,
  backupManifestName,
  backupNumberOf,
  type BackupState,
} from './backup-format.ts';
import { listBackups, loadBackup, loadChain, type LoadedBackup } from './backup-reader.ts';
import { BackupView } from './backup-view.ts';
import { encodeBackup } from './backup-writer.ts';
import { CHUNK_BYTES } from './frozen-vfs.ts';
import { SlicedDigests } from './sliced-digests.ts';
import { SlicedSync } from './sliced-sync.ts';
import { sha256 } from './sha256.ts';
import { timelineOf } from './timeline.ts';

/** Chunks of a large file that are copied at once: the larger the pieces, the less the file system does. */
const CHUNKS_A_RUN = 4;

/** What is backed up. */
export interface BackupSource {
  /** Files that stand still. */
  readonly vfs: Vfs;
  /** Told of each chunk that will not be read again. */
  readonly forget?: (path: string, chunk: number) => void;
  /** The last commit in it. */
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/** What a backup came to. */
export interface BackupReport {
  readonly number: number;
  /** 0 for a full one. */
  readonly parent: number;
  readonly sequence: number;
  readonly storeBytes: number;
  /** Bytes that are new in this backup. */
  readonly dataBytes: number;
  /** Rows that were read when it was verified. */
  readonly rows: number;
}

/**
 * Makes a backup in `folder`. Yields bytes of work done, at most a mebibyte or a thousand rows at a time.
 * @param incremental builds on the newest backup of the folder, if there is one
 * @param overlapped whether fsyncs may run beside the work, because the event loop turns between slices
 * @throws LightningError; no backup exists then, and what was written is removed where that is possible.
 *   `LIGHTNING_INVALID_ARGUMENT` when the newest backup is of another store or timeline; `LIGHTNING_CORRUPTION` when the
 *   source, or what was read back, is damaged; environment errors
 */
export function* makeBackup(
  source: BackupSource,
  folder: Vfs,
  { incremental, overlapped = false }: { readonly incremental: boolean; readonly overlapped?: boolean },
): Generator<number, BackupReport> {
  const newest = listBackups(folder).at(-1);
  const identity = { databaseId: readManifest(source.vfs).databaseId, timeline: timelineOf(source.vfs) };
  const parent = incremental && newest !== undefined ? loadParent(folder, newest, identity) : undefined;
  // Beyond what a backup that was cut has left.
  const number = Math.max(0, ...folder.list('').flatMap((name) => backupNumberOf(name) ?? [])) + 1;
  const written: string[] = [];
  try {
    const copied = yield* copyFiles(source, folder, { number, parent, written, overlapped });
    const state: BackupState = {
      ...identity,
      number,
      parent: parent?.state.number ?? 0,
      parentCrc: parent?.crc ?? 0,
      sequence: source.sequence,
      time: source.time,
      ...copied,
    };
    const rows = yield* verifyChunksAndRows(folder, state, true);
    yield* installManifest(folder, state, written, overlapped);
    const storeBytes = state.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const { sequence, dataBytes } = state;
    return { number, parent: state.parent, sequence, storeBytes, dataBytes, rows };
  } catch (error) {
    for (const name of written) removeIfThere(folder, name);
    throw error;
  }
}

function loadParent(
  folder: Vfs,
  number: number,
  identity: { readonly databaseId: Uint8Array; readonly timeline: Uint8Array },
): LoadedBackup {
  const [parent] = loadChain(folder, number);
  const { databaseId, timeline } = parent.state;
  if (!equalBytes(databaseId, identity.databaseId) || !equalBytes(timeline, identity.timeline)) {
    throw new LightningError(
      'LIGHTNING_INVALID_ARGUMENT',
      `backup ${number} is of another store or timeline; make a full one, best in a folder of its own`,
      { number },
    );
  }
  return parent;
}

interface CopyOptions {
  readonly number: number;
  readonly parent: LoadedBackup | undefined;
  readonly written: string[];
  readonly overlapped: boolean;
}

function* copyFiles(
  source: BackupSource,
  folder: Vfs,
  { number, parent, written, overlapped }: CopyOptions,
): Generator<number, { files: BackupFile[]; dataBytes: number }> {
  const dataName = backupDataName(number);
  const data = folder.open(dataName, 'create');
  written.push(dataName);
  const files: BackupFile[] = [];
  const buffer = new Uint8Array(CHUNK_BYTES * CHUNKS_A_RUN);
  const sync = new SlicedSync(data, overlapped);
  const digests = new SlicedDigests();
  let dataBytes = 0;
  try {
    for (const name of source.vfs.list('')) {
      if (!isStoreFile(name) || name === LOCK_FILE || name === MANIFEST_TEMPORARY_FILE) continue;
      const before = parent?.state.files.find((file) => file.name === name);
      const file = source.vfs.open(name, 'read');
      const chunks: BackupChunk[] = [];
      const sizeBytes = file.size();
      // Nothing to tell apart: where others get their turn, whole runs are written, and the digests come later.
      while (overlapped && before === undefined && sizeBytes >= (chunks.length + CHUNKS_A_RUN) * CHUNK_BYTES) {
        const run = readChunks(file, buffer, chunks.length, CHUNKS_A_RUN, name);
        for (let at = 0; at < run.length; at += CHUNK_BYTES) {
          source.forget?.(name, chunks.length);
          const digest = new Uint8Array(32);
          digests.begin(run.subarray(at, at + CHUNK_BYTES), digest);
          chunks.push({ backup: number, offset: dataBytes + at, sha256: digest });
        }
        data.write(run, 0, run.length, dataBytes);
        dataBytes += run.length;
        sync.note(run.length);
        yield run.length;
        yield* digests.room();
      }
      for (let index = chunks.length; index * CHUNK_BYTES < sizeBytes; index++) {
        const bytes = readChunks(file, buffer, index, 1, name);
        source.forget?.(name, index);
        const digest = sha256(bytes);
        const old = before?.chunks[index];
        if (old !== undefined && equalBytes(old.sha256, digest)) {
          chunks.push(old);
        } else {
          data.write(bytes, 0, bytes.length, dataBytes);
          chunks.push({ backup: number, offset: dataBytes, sha256: digest });
          dataBytes += bytes.length;
          sync.note(bytes.length);
        }
        yield bytes.length;
      }
      file.close();
      files.push({ name, sizeBytes, chunks });
    }
    yield* digests.finish();
    yield* sync.finish();
  } finally {
    data.close();
  }
  folder.syncDirectory('');
  return { files, dataBytes };
}

/** Up to `count` chunks, as many as there are. Overwrites what the last call gave. */
function readChunks(
  file: VfsFile,
  buffer: Uint8Array<ArrayBuffer>,
  index: number,
  count: number,
  name: string,
): Uint8Array<ArrayBuffer> {
  const bytes = buffer.subarray(0, Math.min(count * CHUNK_BYTES, file.size() - index * CHUNK_BYTES));
  const got = file.read(bytes, 0, bytes.length, index * CHUNK_BYTES);
  assert(got === bytes.length, 'a source stands still while it is copied', name, got);
  return bytes;
}

/**
 * Reads every chunk of a backup back, recovers the store in it in memory and reads all of its rows. Returns how many.
 * @param isJustMade the digests are those of the bytes that were written: large values are then held against their own
 *   checksums alone
 * @throws LightningError `LIGHTNING_CORRUPTION`
 */
function* verifyChunksAndRows(folder: Vfs, state: BackupState, isJustMade = false): Generator<number, number> {
  const view = new BackupView(folder, state, isJustMade);
  try {
    // Large values are read once, with the rows.
    for (const file of state.files) if (!isBlobFile(file.name)) yield* view.check(file);
    const found = yield* readStore(view);
    for (const file of state.files) yield* view.check(file);
    if (found.sequence === state.sequence) return found.rows;
    throw new LightningError(
      'LIGHTNING_CORRUPTION',
      `the store in backup ${state.number} ends with commit ${found.sequence}, not ${state.sequence}`,
      { file: backupManifestName(state.number) },
    );
  } finally {
    view.close();
  }
}

/**
 * Verifies a backup with everything that it builds on. Returns its manifest.
 * @throws LightningError `LIGHTNING_NOT_FOUND`, `LIGHTNING_NOT_A_STORE`, `LIGHTNING_UNSUPPORTED_FORMAT`,
 *   `LIGHTNING_CORRUPTION`, environment errors
 */
export function* verifyBackup(folder: Vfs, number: number): Generator<number, BackupState> {
  const [{ state }] = loadChain(folder, number);
  yield* verifyChunksAndRows(folder, state);
  return state;
}

/** Manifests of all backups of a folder, oldest first. @throws as {@link verifyBackup} */
export function describeBackups(folder: Vfs): BackupState[] {
  return listBackups(folder).map((number) => loadBackup(folder, number).state);
}

function* installManifest(
  folder: Vfs,
  state: BackupState,
  written: string[],
  overlapped: boolean,
): Generator<number, void> {
  const bytes = encodeBackup(state);
  const name = backupManifestName(state.number);
  written.push(`${name}.tmp`);
  const file = folder.open(`${name}.tmp`, 'create');
  try {
    file.write(bytes, 0, bytes.length, 0);
    yield* new SlicedSync(file, overlapped).finish();
  } finally {
    file.close();
  }
  // From here on a failure leaves it open whether the backup exists: its data must stay.
  written.length = 0;
  folder.rename(`${name}.tmp`, name);
  folder.syncDirectory('');
}

function removeIfThere(folder: Vfs, name: string): void {
  try {
    folder.unlink(name);
  } catch {
    // What cannot be removed is no backup: its manifest is not there, and its number is not used again.
  }
}
