/** Holds the lock of a store that is only looked at, so that nobody writes meanwhile. Never makes a lock file. */
import { errnoOf, isLightningError, LightningError } from '../base/errors.ts';
import { LOCK_FILE } from '../engine/file-names.ts';
import type { Vfs } from '../vfs/vfs.ts';

/** The lock, or why it is not held although the store may be read. */
export interface HeldLock {
  /** In words; `undefined` when the lock is held or there is none to hold. */
  readonly doubt: string | undefined;
  /** What is wrong with the lock file itself. */
  readonly damage: string | undefined;
  release(): void;
}

function unheld(doubt: string | undefined, damage?: string): HeldLock {
  return { doubt, damage, release: () => undefined };
}

/**
 * Takes the lock of the store in `vfs`. A folder that cannot be written to (a backup on a read-only medium) may be read
 * without.
 * @throws LightningError `LIGHTNING_LOCKED` when a process has the store open
 */
export function holdLock(vfs: Vfs): HeldLock {
  try {
    if (vfs.kind(LOCK_FILE) !== 'file') return unheld(undefined);
    const lock = vfs.lock(LOCK_FILE);
    return { doubt: undefined, damage: undefined, release: () => lock.release() };
  } catch (error) {
    if (isLightningError(error, 'LIGHTNING_LOCKED')) {
      const text = 'the store is open in another process; close it there, or copy the folder and look at the copy';
      throw new LightningError('LIGHTNING_LOCKED', text, error.details, error);
    }
    if (isLightningError(error, 'LIGHTNING_CORRUPTION')) return unheld(undefined, 'the lock file holds foreign bytes');
    const errno = errnoOf(error);
    if (errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS') {
      return unheld(`the lock cannot be taken (${errno}): if a process is writing, what follows may be wrong`);
    }
    throw error;
  }
}
