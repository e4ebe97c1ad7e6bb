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
import { ForwardingFile, ForwardingVfs } from '../../vfs/forwarding-vfs.ts';
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

class CountedFile extends ForwardingFile {
  private readonly counted: { bytes: number };
  private readonly check: (end: number, call: string) => void;

  /** @param check throws when the file may not become so long */
  constructor(inner: VfsFile, counted: { bytes: number }, check: (end: number, call: string) => void) {
    super(inner);
    this.counted = counted;
    this.check = check;
  }

  override write(source: Uint8Array, offset: number, length: number, position: number): void {
    this.check(position + length, 'write');
    super.write(source, offset, length, position);
    this.counted.bytes = Math.max(this.counted.bytes, position + length);
  }

  override truncate(sizeBytes: number): void {
    this.check(sizeBytes, 'ftruncate');
    super.truncate(sizeBytes);
    this.counted.bytes = sizeBytes;
  }
}

/** See the head of the file. Every change of the folder has to go through it. */
export class QuotaVfs extends ForwardingVfs {
  private readonly quotaBytes: number;
  private readonly freeBytesMin: number;
  private readonly freeBytes: () => number;
  private readonly sizes = new Map<string, { bytes: number }>();

  /** @param freeBytes what the file system has left; asked before each write that makes a file longer */
  constructor(inner: Vfs, limits: SpaceLimits, freeBytes: () => number) {
    checkSpace(limits);
    super(inner);
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
  override lock(path: string): VfsLock {
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

  override open(path: string, mode: OpenMode): VfsFile {
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
    const check = (end: number, call: string): void => this.checkGrowth(path, counted.bytes, end, call);
    return new CountedFile(file, counted, check);
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

  override rename(from: string, to: string): void {
    this.inner.rename(from, to);
    const size = this.sizes.get(from);
    this.sizes.delete(from);
    if (size !== undefined) this.sizes.set(to, size);
  }

  override unlink(path: string): void {
    this.inner.unlink(path);
    this.sizes.delete(path);
  }
}
