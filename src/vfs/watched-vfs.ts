/**
 * A Vfs that turns operating system errors into coded ones and reports the failures after which the engine cannot know
 * what is on the disk: any failed sync, any failed write but "disk full", any failed cut or rename (spec/errors.md).
 * It stands between the engine and every file, so that no component can forget.
 */
import { isLightningError, LightningError } from '../base/errors.ts';
import type { OpenMode, Vfs, VfsFile, VfsLock } from './vfs.ts';
import { readFully } from './read-fully.ts';
import { ioError, isDiskFull, uncertainError } from './io-errors.ts';

/** Called with the coded error before it is thrown. */
export type UncertaintyHandler = (error: unknown) => void;

export class WatchedVfs implements Vfs {
  private readonly inner: Vfs;
  private readonly uncertain: UncertaintyHandler;

  constructor(inner: Vfs, uncertain: UncertaintyHandler) {
    this.inner = inner;
    this.uncertain = uncertain;
  }

  open(path: string, mode: OpenMode): VfsFile {
    try {
      return new WatchedFile(this.inner.open(path, mode), path, this.uncertain);
    } catch (error) {
      throw ioError(error, 'open', path);
    }
  }

  rename(from: string, to: string): void {
    try {
      this.inner.rename(from, to);
    } catch (error) {
      throw this.fatal(error, 'rename', from);
    }
  }

  unlink(path: string): void {
    try {
      this.inner.unlink(path);
    } catch (error) {
      throw ioError(error, 'unlink', path);
    }
  }

  list(path: string): string[] {
    try {
      return this.inner.list(path);
    } catch (error) {
      throw ioError(error, 'list', path);
    }
  }

  kind(path: string): 'file' | 'directory' | 'other' | undefined {
    try {
      return this.inner.kind(path);
    } catch (error) {
      throw ioError(error, 'stat', path);
    }
  }

  makeDirectory(path: string): void {
    try {
      this.inner.makeDirectory(path);
    } catch (error) {
      throw ioError(error, 'mkdir', path);
    }
  }

  syncDirectory(path: string): void {
    try {
      this.inner.syncDirectory(path);
    } catch (error) {
      throw this.fatal(error, 'fsync of folder', path);
    }
  }

  lock(path: string): VfsLock {
    try {
      return this.inner.lock(path);
    } catch (error) {
      throw ioError(error, 'lock', path);
    }
  }

  private fatal(error: unknown, operation: string, path: string): unknown {
    const coded = uncertainError(error, operation, path);
    this.uncertain(coded);
    return coded;
  }
}

class WatchedFile implements VfsFile {
  private readonly inner: VfsFile;
  private readonly path: string;
  private readonly uncertain: UncertaintyHandler;

  constructor(inner: VfsFile, path: string, uncertain: UncertaintyHandler) {
    this.inner = inner;
    this.path = path;
    this.uncertain = uncertain;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    try {
      return readFully(this.inner, target, offset, length, position);
    } catch (error) {
      throw ioError(error, 'read', this.path);
    }
  }

  write(source: Uint8Array, offset: number, length: number, position: number): void {
    try {
      this.inner.write(source, offset, length, position);
    } catch (error) {
      if (isDiskFull(error)) throw ioError(error, 'write', this.path);
      throw this.fatal(error, 'write');
    }
  }

  sync(): void {
    try {
      this.inner.sync();
    } catch (error) {
      throw this.fatal(error, 'fsync');
    }
  }

  syncAsync(done: (error: unknown) => void): void {
    try {
      this.inner.syncAsync((error) => {
        done(error === undefined || error === null ? undefined : this.fatal(error, 'fsync'));
      });
    } catch (error) {
      // One that did not even begin is as bad as one that failed: a later one would be trusted with its bytes.
      throw this.fatal(error, 'fsync');
    }
  }

  truncate(sizeBytes: number): void {
    try {
      this.inner.truncate(sizeBytes);
    } catch (error) {
      throw this.fatal(error, 'truncate');
    }
  }

  size(): number {
    try {
      return this.inner.size();
    } catch (error) {
      throw ioError(error, 'stat', this.path);
    }
  }

  close(): void {
    this.inner.close();
  }

  private fatal(error: unknown, operation: string): unknown {
    const coded = uncertainError(error, operation, this.path);
    this.uncertain(coded);
    return coded;
  }
}

/**
 * Reads a whole file, bounded by its size when opened.
 * @throws LightningError for operating system errors, and for a file that gives less than its size: taken for a shorter
 *   file, a log would lose its end without a word
 */
export function readWholeFile(vfs: Vfs, path: string): Uint8Array {
  const file = vfs.open(path, 'read');
  try {
    const bytes = new Uint8Array(file.size());
    const length = readFully(file, bytes, 0, bytes.length, 0);
    if (length === bytes.length) return bytes;
    throw new LightningError('LIGHTNING_IO', `${path} gives ${length} of its ${bytes.length} bytes`, { file: path });
  } finally {
    file.close();
  }
}

/** Removes a file; a coded failure leaves garbage for the next opening, no more. Returns whether it is gone. */
export function removeQuietly(vfs: Vfs, path: string): boolean {
  try {
    vfs.unlink(path);
    return true;
  } catch (error) {
    if (!isLightningError(error)) throw error;
    return false;
  }
}

/**
 * Makes a file with this content, synced, and its name too if `syncName`; it stays open. On failure nothing is left, or
 * garbage.
 * @throws LightningError; EEXIST when the file is there
 */
export function createWholeFile(vfs: Vfs, path: string, content: Uint8Array, syncName: boolean): VfsFile {
  const file = vfs.open(path, 'create');
  try {
    file.write(content, 0, content.length, 0);
    file.sync();
    if (syncName) vfs.syncDirectory('');
    return file;
  } catch (error) {
    file.close();
    removeQuietly(vfs, path);
    throw error;
  }
}
