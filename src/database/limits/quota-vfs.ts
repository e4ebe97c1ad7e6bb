/**
 * Bounds on the space of a store: on the bytes of its files, and on what its file system keeps free. A write that would
 * pass the first fails with EDQUOT, as a disk with a quota does, and one that would pass the second with ENOSPC. So
 * everything that holds for a full disk holds here: a commit is refused, definite; reads go on; flushes and merges are
 * tried again.
 *
 * The log stops at the bound. Other files may use a reserve beyond it (an eighth of the quota, half of the free space), so
 * that a flush or a merge can still make the room that lets writing resume. The manifest and what a segment begins
 * with (its header, and what a recovery takes over), which every opening writes, are never refused: a store beyond its bounds can be opened and read.
 *
 * Counted are sizes of files, not blocks of the file system.
 */
import { LightningError } from '../../base/errors.ts';
import { fileNumberOf, isStoreFile, LOCK_FILE, MANIFEST_TEMPORARY_FILE, walFileName } from '../../engine/file-names.ts';
import { errnoError } from '../../vfs/errno.ts';
import type { OpenMode, Vfs, VfsFile, VfsLock } from '../../vfs/vfs.ts';

/** The least quota: a store without a row has to fit. */
export const QUOTA_BYTES_MIN = 64 * 1024;
const RESERVE_DIVISOR = 8;

/** Bytes; `undefined`: no bound. */
export interface SpaceLimits {
  readonly quotaBytes: number | undefined;
  readonly freeBytesMin: number | undefined;
}

/** @throws LightningError `LIGHTNING_INVALID_ARGUMENT` unless each is a whole number of bytes, a quota from {@link QUOTA_BYTES_MIN}, a minimum from 1 */
export function checkSpace({ quotaBytes, freeBytesMin }: SpaceLimits): void {
  checkBytes('quotaBytes', quotaBytes, QUOTA_BYTES_MIN);
  checkBytes('freeBytesMin', freeBytesMin, 1);
}

function checkBytes(name: string, value: unknown, least: number): void {
  if (value === undefined || (typeof value === 'number' && Number.isSafeInteger(value) && value >= least)) return;
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `${name} is a whole number from ${least} bytes`, {
    [name]: value,
  });
}

/** See the head of the file. Every change of the folder has to go through it. */
export class QuotaVfs implements Vfs {
  private readonly inner: Vfs;
  private readonly quotaBytes: number;
  private readonly freeBytesMin: number;
  private readonly freeBytes: () => number;
  private readonly sizes = new Map<string, { bytes: number }>();

  /** @param freeBytes what the file system has left; asked before each write that makes a file longer */
  constructor(inner: Vfs, limits: SpaceLimits, freeBytes: () => number) {
    checkSpace(limits);
    this.inner = inner;
    this.quotaBytes = limits.quotaBytes ?? Infinity;
    this.freeBytesMin = limits.freeBytesMin ?? 0;
    this.freeBytes = freeBytes;
  }

  /** Bytes of all files now; known from the lock on. */
  get usedBytes(): number {
    let sum = 0;
    for (const { bytes } of this.sizes.values()) sum += bytes;
    return sum;
  }

  /** Nobody else changes the folder from here on: what is in it is measured now. */
  lock(path: string): VfsLock {
    const lock = this.inner.lock(path);
    try {
      for (const name of this.inner.list('')) this.measure(name);
    } catch (error) {
      lock.release();
      throw error;
    }
    return lock;
  }

  private measure(name: string): void {
    if (!isStoreFile(name) || name === LOCK_FILE || this.inner.kind(name) !== 'file') return;
    const file = this.inner.open(name, 'read');
    this.sizes.set(name, { bytes: file.size() });
    file.close();
  }

  open(path: string, mode: OpenMode): VfsFile {
    const file = this.inner.open(path, mode);
    if (mode === 'read') return file;
    let size = this.sizes.get(path);
    if (size === undefined) {
      size = { bytes: file.size() };
      this.sizes.set(path, size);
    }
    return this.counted(file, path, size);
  }

  private counted(file: VfsFile, path: string, counted: { bytes: number }): VfsFile {
    return {
      read: (target, offset, length, position) => file.read(target, offset, length, position),
      write: (source, offset, length, position) => {
        this.checkGrowth(path, counted.bytes, position + length, 'write');
        file.write(source, offset, length, position);
        counted.bytes = Math.max(counted.bytes, position + length);
      },
      truncate: (sizeBytes) => {
        this.checkGrowth(path, counted.bytes, sizeBytes, 'ftruncate');
        file.truncate(sizeBytes);
        counted.bytes = sizeBytes;
      },
      sync: () => file.sync(),
      syncAsync: (done) => file.syncAsync(done),
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  /** @throws an operating system error, before anything is written */
  private checkGrowth(path: string, now: number, end: number, call: string): void {
    const more = end - now;
    if (more <= 0 || path === MANIFEST_TEMPORARY_FILE) return;
    const number = fileNumberOf(path);
    const isLog = number !== undefined && path === walFileName(number);
    if (isLog && now === 0) return;
    const quota = isLog ? this.quotaBytes : this.quotaBytes * (1 + 1 / RESERVE_DIVISOR);
    if (this.usedBytes + more > quota) throw errnoError('EDQUOT', call, path);
    const keptFree = isLog ? this.freeBytesMin : this.freeBytesMin / 2;
    if (keptFree > 0 && this.freeBytes() - more < keptFree) throw errnoError('ENOSPC', call, path);
  }

  rename(from: string, to: string): void {
    this.inner.rename(from, to);
    const size = this.sizes.get(from);
    this.sizes.delete(from);
    if (size !== undefined) this.sizes.set(to, size);
  }

  unlink(path: string): void {
    this.inner.unlink(path);
    this.sizes.delete(path);
  }

  list(path: string): string[] {
    return this.inner.list(path);
  }

  kind(path: string): 'file' | 'directory' | 'other' | undefined {
    return this.inner.kind(path);
  }

  makeDirectory(path: string): void {
    this.inner.makeDirectory(path);
  }

  syncDirectory(path: string): void {
    this.inner.syncDirectory(path);
  }
}
