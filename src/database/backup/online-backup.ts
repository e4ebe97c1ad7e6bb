/** Backs up an open store while it is written to: from the commits that are durable when it begins. */
import type { Engine } from '../../engine/index.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import { WatchedVfs } from '../../vfs/watched-vfs.ts';
import { type BackupReport, makeBackup } from './backup.ts';
import { ioError } from '../../vfs/io-errors.ts';
import type { FreezableVfs, FrozenVfs } from './frozen-vfs.ts';

/** How an open store is backed up. */
export interface OnlineBackupOptions {
  /** Build on the newest backup of the folder, if there is one. Default false. */
  readonly incremental?: boolean;
  /** Whether fsyncs may run beside the work, because the event loop turns between slices. Default false. */
  readonly overlapped?: boolean;
  /** Milliseconds since 1970. */
  readonly time: number;
}

/**
 * Syncs, freezes the files in the same turn, and makes a backup of them in slices; between two slices anybody may write,
 * flush and merge. It pins no version and no file for longer than it runs.
 * @param files what the engine was opened on
 * @throws LightningError as `makeBackup`; `LIGHTNING_LIMIT` when more than 256 MiB of what had not been copied yet was
 *   overwritten meanwhile
 */
export function* backupOpenStore(
  engine: Engine,
  files: FreezableVfs,
  folder: Vfs,
  { incremental = false, overlapped = false, time }: OnlineBackupOptions,
): Generator<number, BackupReport> {
  engine.sync();
  const sequence = engine.published;
  const frozen = freeze(files);
  try {
    const source = {
      vfs: new WatchedVfs(frozen, () => undefined),
      forget: (path: string, chunk: number): void => frozen.forget(path, chunk),
      sequence,
      time,
    };
    return yield* makeBackup(source, new WatchedVfs(folder, () => undefined), { incremental, overlapped });
  } finally {
    frozen.release();
  }
}

function freeze(files: FreezableVfs): FrozenVfs {
  try {
    return files.freeze();
  } catch (error) {
    throw ioError(error, 'open', 'the files to back up');
  }
}
