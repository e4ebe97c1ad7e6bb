/** Backups by path: the folders of the operating system that makeBackup and restoreBackup work on. */
import { resolve } from 'node:path';
import { LightningError } from '../../base/errors.ts';
import { NodeVfs } from '../../vfs/node-vfs.ts';
import { WatchedVfs } from '../../vfs/watched-vfs.ts';
import { openLocation } from '../location.ts';
import { finishInSlices } from '../read-only/read-store.ts';
import { restoreBackup, type RestoreReport } from './restore.ts';
import { verifyBackup } from './backup.ts';
import type { BackupState } from './backup-format.ts';

/** A folder that may be missing yet: nothing is made before it is needed. */
function watched(path: string, create: boolean): WatchedVfs {
  return new WatchedVfs(openLocation(path, create), () => undefined);
}

/** What a restore by path is told. */
export interface RestoreRequest {
  /** Number of the backup. */
  readonly backup: number;
  /** Folder of archived segments; with `toCommit`. */
  readonly archive?: string;
  /** The last commit to be restored; with `archive`. */
  readonly toCommit?: number;
}

/** @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
function checkRequest({ backup, archive, toCommit }: RestoreRequest): void {
  if (!Number.isSafeInteger(backup) || backup < 1 || backup > 999_999_999)
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a backup has a number from 1', { backup });
  if ((archive === undefined) !== (toCommit === undefined))
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a point in time takes an archive and a commit');
}

/**
 * Restores from the folder `backups` into `target`, which is empty or missing; it is made only once the source, the
 * archive included, has been verified.
 * @throws (rejects) LightningError as `restoreBackup`
 */
export async function restore(backups: string, target: string, request: RestoreRequest): Promise<RestoreReport> {
  checkRequest(request);
  const { backup, archive, toCommit = 0 } = request;
  const folder = watched(backups, false);
  const point = archive === undefined ? {} : { archive: { folder: watched(archive, false), toCommit } };
  const isMissing = new NodeVfs(resolve(target)).kind('') === undefined;
  return finishInSlices(restoreBackup(folder, () => watched(target, isMissing), { backup, ...point }));
}

/** Verifies one backup with everything that it builds on. @throws (rejects) LightningError as `verifyBackup` */
export async function verifyBackupFolder(backups: string, backup: number): Promise<BackupState> {
  checkRequest({ backup });
  return finishInSlices(verifyBackup(watched(backups, false), backup));
}
