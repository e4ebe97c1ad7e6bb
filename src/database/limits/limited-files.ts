/** The files of a store behind what was asked for: a quota, a minimum of free space, reading back what was written. */
import { LightningError } from '../../base/errors.ts';
import { NodeVfs } from '../../vfs/node-vfs.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import { checkSpace, QuotaVfs, type SpaceLimits } from './quota-vfs.ts';
import { ReadBackVfs } from './read-back-vfs.ts';

/** What can be asked for; `undefined`: nothing of it. */
export interface FileLimits extends SpaceLimits {
  /** Whether everything written is read back at each sync. */
  readonly verifyWrites: boolean | undefined;
}

/** @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for limits that make no sense */
export function checkFileLimits({ verifyWrites, ...space }: FileLimits): void {
  checkSpace(space);
  if (verifyWrites !== undefined && typeof verifyWrites !== 'boolean')
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'verifyWrites is true or false', { verifyWrites });
}

/**
 * @param files what the engine's calls reach in the end
 * @param disk where they lie, to be asked for its free space
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT`; `LIGHTNING_MISSING_CAPABILITY` for a minimum of free space on files
 *   that no file system holds
 */
export function limitedFiles(files: Vfs, disk: Vfs, limits: FileLimits): Vfs {
  checkFileLimits(limits);
  const verified = limits.verifyWrites === true ? new ReadBackVfs(files) : files;
  if (limits.quotaBytes === undefined && limits.freeBytesMin === undefined) return verified;
  if (limits.freeBytesMin !== undefined && !(disk instanceof NodeVfs))
    throw new LightningError('LIGHTNING_MISSING_CAPABILITY', 'free space is known of files of the system alone');
  const freeBytes = disk instanceof NodeVfs ? () => disk.freeBytes() : () => Infinity;
  return new QuotaVfs(verified, limits, freeBytes);
}
