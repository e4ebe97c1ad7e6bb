/**
 * Restores a backup into an empty folder, and on to a later commit from archived log segments.
 *
 *   source verified whole → target found empty → files written and fsynced, `MANIFEST` under another name → store
 *   recovered, archived commits replayed, closed cleanly, examined → `MANIFEST` gets its name: only now there is a store
 *
 * A restore that is cut leaves a folder that no engine opens and no later restore takes for empty. The restored store
 * begins a new timeline.
 */
import { freshDatabaseId } from '../../base/prng.ts';
import { LightningError } from '../../base/errors.ts';
import { LOCK_FILE, MANIFEST_FILE } from '../../engine/file-names.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import { sweepBlobs } from '../blobs/blob-sweep.ts';
import { openStore } from '../blobs/open-store.ts';
import { verifyStore } from '../verify/verify-store.ts';
import { checkArchive, replayArchive } from './archive-replay.ts';
import { verifyBackup } from './backup.ts';
import type { BackupFile, BackupState } from './backup-format.ts';
import { ChunkReader } from './backup-reader.ts';
import { CHUNK_BYTES } from './frozen-vfs.ts';
import { HiddenManifestVfs, HIDDEN_MANIFEST_FILE } from './hidden-manifest-vfs.ts';
import { encodeTimeline, TIMELINE_FILE } from './timeline.ts';

/** Where a restore goes to. */
export interface RestoreOptions {
  /** Number of the backup. */
  readonly backup: number;
  /** Archived segments, and the commit up to which they are replayed. */
  readonly archive?: { readonly folder: Vfs; readonly toCommit: number };
  /** Sixteen bytes that name the new timeline. */
  readonly newTimeline?: () => Uint8Array;
}

/** What a restore came to. */
export interface RestoreReport {
  readonly backup: number;
  /** The last commit in the restored store. */
  readonly sequence: number;
  readonly commitsReplayed: number;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Restores from `folder` into `target`, an empty folder. Yields bytes of work done. Writes nothing outside of `target`.
 * @param target a function is called once the source has been verified, to make the folder
 * @throws LightningError `LIGHTNING_EXISTS` when the target is not empty, `LIGHTNING_NOT_FOUND` (no such backup, or the
 *   archive does not reach the commit), `LIGHTNING_CORRUPTION` and the others of verifying: the target is untouched then;
 *   environment errors: what was written so far is no store
 */
export function* restoreBackup(
  folder: Vfs,
  target: Vfs | (() => Vfs),
  options: RestoreOptions,
): Generator<number, RestoreReport> {
  const state = yield* verifyBackup(folder, options.backup);
  refusePointBeforeBackup(state, options);
  if (options.archive !== undefined) yield* checkArchive(options.archive.folder, state, options.archive.toCommit);
  return yield* restoreVerified(folder, typeof target === 'function' ? target() : target, state, options);
}

function* restoreVerified(
  folder: Vfs,
  target: Vfs,
  state: BackupState,
  options: RestoreOptions,
): Generator<number, RestoreReport> {
  if (target.list('').length > 0) {
    throw new LightningError('LIGHTNING_EXISTS', 'a restore needs an empty folder', { found: target.list('')[0] });
  }
  const bytes = yield* writeFiles(folder, state, target);
  const hidden = new HiddenManifestVfs(target);
  const { engine, blobs } = openStore({ vfs: hidden }, { createIfMissing: false, durability: 'none' });
  const { files } = blobs;
  let commitsReplayed = 0;
  let sequence: number;
  try {
    if (options.archive !== undefined) {
      const { folder: archive, toCommit } = options.archive;
      commitsReplayed = yield* replayArchive(engine, archive, state, { toCommit, target: hidden });
    }
    sequence = engine.published;
    // A backup of an open store may hold values whose commit was still on its way.
    yield* sweepBlobs(engine, files, files.numbers());
  } finally {
    engine.close();
  }
  const timeline = (options.newTimeline ?? freshDatabaseId)();
  writeWhole(target, TIMELINE_FILE, encodeTimeline(timeline, state.timeline, sequence));
  refuseDamage(hidden);
  target.unlink(LOCK_FILE);
  target.syncDirectory('');
  target.rename(HIDDEN_MANIFEST_FILE, MANIFEST_FILE);
  target.syncDirectory('');
  return { backup: state.number, sequence, commitsReplayed, files: state.files.length, bytes };
}

function refusePointBeforeBackup(state: BackupState, { archive }: RestoreOptions): void {
  if (archive === undefined) return;
  const { toCommit } = archive;
  if (Number.isSafeInteger(toCommit) && toCommit >= state.sequence) return;
  throw new LightningError(
    'LIGHTNING_INVALID_ARGUMENT',
    `backup ${state.number} holds commits up to ${state.sequence}; it cannot go back to ${toCommit}`,
    { toCommit, sequence: state.sequence },
  );
}

function* writeFiles(folder: Vfs, state: BackupState, target: Vfs): Generator<number, number> {
  const chunks = new ChunkReader(folder);
  let bytes = 0;
  try {
    for (const file of state.files) bytes += yield* writeFile(chunks, file, target);
  } finally {
    chunks.close();
  }
  target.syncDirectory('');
  return bytes;
}

function* writeFile(chunks: ChunkReader, file: BackupFile, target: Vfs): Generator<number, number> {
  const output = target.open(file.name === MANIFEST_FILE ? HIDDEN_MANIFEST_FILE : file.name, 'create');
  try {
    for (let index = 0; index < file.chunks.length; index++) {
      const bytes = chunks.read(file, index);
      output.write(bytes, 0, bytes.length, index * CHUNK_BYTES);
      yield bytes.length;
    }
    output.sync();
  } finally {
    output.close();
  }
  return file.sizeBytes;
}

function writeWhole(target: Vfs, name: string, bytes: Uint8Array): void {
  const file = target.open(name, 'create');
  try {
    file.write(bytes, 0, bytes.length, 0);
    file.sync();
  } finally {
    file.close();
  }
}

function refuseDamage(vfs: Vfs): void {
  const { sound, findings } = verifyStore(vfs, { isOpen: false });
  if (sound) return;
  const [first] = findings;
  throw new LightningError('LIGHTNING_CORRUPTION', `the restored store is damaged: ${first.file}: ${first.problem}`, {
    file: first.file,
  });
}
