/**
 * An exclusive lock on a file that dies with the process. Node has no `flock`; an SQLite transaction `BEGIN EXCLUSIVE` on
 * an empty file takes the operating system's lock, refuses every second holder and is released by SIGKILL.
 *
 * What keeps it sound:
 *   1. POSIX drops a process's locks on a file when *any* descriptor of that process on it is closed. So nothing here
 *      opens the file except SQLite (which knows), permissions are asked for by path.
 *   2. A connection that is garbage collected closes itself, and with it the lock (seen within a second in an idle
 *      process), so every held one is referenced from here, whatever the holder does with what it got.
 *   3. The journal mode is MEMORY: with the default, and with OFF, a `-journal` file appeared beside the lock.
 */
import { accessSync, chmodSync, closeSync, constants, existsSync, openSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type * as Sqlite from 'node:sqlite';
import { assert } from '../base/assert.ts';
import { LightningError } from '../base/errors.ts';
import { errnoError } from './errno.ts';
import type { VfsLock } from './vfs.ts';

/** Result codes of SQLite (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
const SQLITE_NOT_A_DATABASE = 26;

/** The locks that this process holds, by real path. */
const heldHere = new Map<string, Sqlite.DatabaseSync>();

/** Whether this process holds the lock at an absolute path. Whoever opened and closed that file would release it. */
export function isLockHeldHere(absolutePath: string): boolean {
  return heldHere.size > 0 && heldHere.has(realPathOfLock(absolutePath));
}

/**
 * Takes the lock at an absolute path; the file is created, for its owner alone, if it is missing.
 * @throws LightningError `LIGHTNING_LOCKED` when somebody holds it, this process included; `LIGHTNING_CORRUPTION` when
 *   the file is not a lock; operating system errors (EACCES, EROFS, ENOENT, EMFILE) as they come
 */
export function lockFile(absolutePath: string): VfsLock {
  const path = realPathOfLock(absolutePath);
  if (heldHere.has(path)) throw lockedError(path, 'this process');
  const status = statSync(path, { throwIfNoEntry: false });
  if (status?.isDirectory() === true) throw errnoError('EISDIR', 'lock', path);
  const existed = status !== undefined;
  if (existed) accessSync(path, constants.R_OK | constants.W_OK);
  else accessSync(dirname(path), constants.W_OK | constants.X_OK);
  const database = beginExclusive(path);
  try {
    if (!existed) chmodSync(path, 0o600);
  } catch (error) {
    database.close();
    throw error;
  }
  heldHere.set(path, database);
  let released = false;
  return {
    release: () => {
      assert(!released, 'a lock is released once', path);
      released = true;
      heldHere.delete(path);
      database.close();
    },
  };
}

/** The folder may be reached by several paths; the file itself need not be there yet. */
function realPathOfLock(absolutePath: string): string {
  return existsSync(absolutePath)
    ? realpathSync(absolutePath)
    : join(realpathSync(dirname(absolutePath)), basename(absolutePath));
}

function beginExclusive(path: string): Sqlite.DatabaseSync {
  let database: Sqlite.DatabaseSync | undefined;
  try {
    database = new (loadSqlite().DatabaseSync)(path);
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    if (database !== undefined && database.isOpen) database.close();
    throw meaningOf(error, path);
  }
}

function meaningOf(error: unknown, path: string): unknown {
  const resultCode = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
  if (resultCode === SQLITE_BUSY) return lockedError(path, 'another process', error);
  if (resultCode === SQLITE_NOT_A_DATABASE) {
    return new LightningError('LIGHTNING_CORRUPTION', `the lock file holds foreign bytes: ${path}`, { path }, error);
  }
  return errnoBehind(path) ?? new LightningError('LIGHTNING_IO', `the lock cannot be taken: ${path}`, { path }, error);
}

/** SQLite hides the operating system's error; opening the folder instead of the file shows EMFILE and its like. */
function errnoBehind(path: string): unknown {
  try {
    closeSync(openSync(dirname(path), 'r'));
    return undefined;
  } catch (error) {
    return error;
  }
}

function lockedError(path: string, holder: string, cause?: unknown): LightningError {
  return new LightningError('LIGHTNING_LOCKED', `${path} is locked by ${holder}`, { path, holder }, cause);
}

/** Loads SQLite when it is first needed, without its notice of being experimental; every other warning passes. */
function loadSqlite(): typeof Sqlite {
  const emitWarning = process.emitWarning;
  const filtered = (warning: string | Error, ...rest: unknown[]): void => {
    const text = typeof warning === 'string' ? warning : warning.message;
    if (!text.startsWith('SQLite is an experimental feature')) Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
  process.emitWarning = filtered;
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}
