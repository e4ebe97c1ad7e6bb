/**
 * The file-system seam on real files, below one root folder. Files are made for their owner alone (0600, folders 0700).
 * The one place, with sqlite-lock.ts, where an engine's I/O meets `node:fs`.
 */
import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { assert } from '../base/assert.ts';
import { errnoError } from './errno.ts';
import { splitPath } from './path.ts';
import { isLockHeldHere, lockFile } from './sqlite-lock.ts';
import type { OpenMode, Vfs, VfsFile, VfsLock } from './vfs.ts';

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
/** A pipe or a device under a store's name must not make the open wait. Without meaning for regular files. */
const NEVER_WAIT = constants.O_NONBLOCK ?? 0;
const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY | NEVER_WAIT,
  write: constants.O_RDWR | NEVER_WAIT,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

/** The file system that a folder is on; `freeBytes` is what an ordinary user may still take. */
export function spaceAround(path: string): { readonly sizeBytes: number; readonly freeBytes: number } {
  const { bsize, blocks, bfree, bavail } = statfsSync(path);
  // As `df` counts: what is kept for root belongs to neither.
  return { sizeBytes: (blocks - bfree + bavail) * bsize, freeBytes: bavail * bsize };
}

/** A folder of the operating system as a {@link Vfs}. */
export class NodeVfs implements Vfs {
  readonly root: string;

  /** @param root absolute path of a folder; it is neither created nor looked at here */
  constructor(root: string) {
    assert(isAbsolute(root), 'the root of a Vfs is absolute', root);
    this.root = root;
  }

  open(path: string, mode: OpenMode): VfsFile {
    const absolute = this.absolute(path);
    assert(!isLockHeldHere(absolute), 'nothing opens a lock that is held', path);
    const descriptor = openSync(absolute, OPEN_FLAGS[mode], FILE_MODE);
    try {
      // O_RDONLY opens a folder without complaint.
      const status = fstatSync(descriptor);
      if (status.isDirectory()) throw errnoError('EISDIR', 'open', absolute);
      if (!status.isFile()) throw errnoError('EINVAL', 'open', absolute);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    return new NodeFile(descriptor);
  }

  rename(from: string, to: string): void {
    renameSync(this.absolute(from), this.absolute(to));
  }

  unlink(path: string): void {
    unlinkSync(this.absolute(path));
  }

  list(path: string): string[] {
    return readdirSync(this.absolute(path)).sort();
  }

  kind(path: string): 'file' | 'directory' | 'other' | undefined {
    const status = statSync(this.absolute(path), { throwIfNoEntry: false });
    if (status === undefined) return undefined;
    return status.isFile() ? 'file' : status.isDirectory() ? 'directory' : 'other';
  }

  makeDirectory(path: string): void {
    mkdirSync(this.absolute(path), { mode: DIRECTORY_MODE });
  }

  syncDirectory(path: string): void {
    const descriptor = openSync(this.absolute(path), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  lock(path: string): VfsLock {
    return lockFile(this.absolute(path));
  }

  /** Bytes that the file system has left for this process's user. */
  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.root);
    return bavail * bsize;
  }

  private absolute(path: string): string {
    return join(this.root, ...splitPath(path));
  }
}

const CLOSED = -1;

class NodeFile implements VfsFile {
  private descriptor: number;
  private syncsUnderWay = 0;

  constructor(descriptor: number) {
    this.descriptor = descriptor;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    this.assertSlice(target, offset, length, position);
    let done = 0;
    while (done < length) {
      const count = readSync(this.descriptor, target, offset + done, length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  write(source: Uint8Array, offset: number, length: number, position: number): void {
    this.assertSlice(source, offset, length, position);
    let done = 0;
    while (done < length) {
      const count = writeSync(this.descriptor, source, offset + done, length - done, position + done);
      assert(count > 0, 'a write without an error makes progress', count, length - done);
      done += count;
    }
  }

  sync(): void {
    this.assertOpen();
    fdatasyncSync(this.descriptor);
  }

  syncAsync(done: (error: unknown) => void): void {
    this.assertOpen();
    const descriptor = this.descriptor;
    this.syncsUnderWay++;
    fdatasync(descriptor, (error) => {
      this.syncsUnderWay--;
      let outcome: unknown = error ?? undefined;
      if (this.descriptor === CLOSED && this.syncsUnderWay === 0) outcome ??= closeQuietly(descriptor);
      done(outcome);
    });
  }

  truncate(sizeBytes: number): void {
    this.assertOpen();
    assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, 'a size is a whole number of bytes', sizeBytes);
    ftruncateSync(this.descriptor, sizeBytes);
  }

  size(): number {
    this.assertOpen();
    return fstatSync(this.descriptor).size;
  }

  /** While a sync is under way the descriptor lives on until it ends: its number must not pass to another file. */
  close(): void {
    this.assertOpen();
    const descriptor = this.descriptor;
    this.descriptor = CLOSED;
    if (this.syncsUnderWay === 0) closeSync(descriptor);
  }

  private assertOpen(): void {
    assert(this.descriptor !== CLOSED, 'a closed file is not used');
  }

  private assertSlice(bytes: Uint8Array, offset: number, length: number, position: number): void {
    this.assertOpen();
    assert(
      offset >= 0 && length >= 0 && offset + length <= bytes.length,
      'I/O stays inside its buffer',
      offset,
      length,
    );
    assert(Number.isSafeInteger(position) && position >= 0, 'a position is a whole number of bytes', position);
  }
}

/** Closes, and returns the error instead of throwing it. */
function closeQuietly(descriptor: number): unknown {
  try {
    closeSync(descriptor);
    return undefined;
  } catch (error) {
    return error;
  }
}
