/**
 * Verification of writes, to be switched on: what was written since the last sync is read back after each sync and
 * compared by checksum. A difference is a failed sync (EIO), after which the store is poisoned: whether what was
 * acknowledged before is there is then for recovery to find out.
 *
 * It finds what goes wrong between the engine and the file system's cache (memory, a driver, a file system that loses
 * writes); what a medium does later is found by scrubbing. Cost: each byte is read once more.
 */
import { crc32 } from '../../base/checksum.ts';
import { errnoError } from '../../vfs/errno.ts';
import { readFully } from '../../vfs/read-fully.ts';
import { ForwardingFile, ForwardingVfs } from '../../vfs/forwarding-vfs.ts';
import type { OpenMode, VfsFile } from '../../vfs/vfs.ts';

interface Written {
  readonly position: number;
  readonly length: number;
  readonly crc: number;
}

/** Pieces that may wait for a sync before the oldest are read back early. */
const WAITING_MAX = 4096;

class ReadBackFile extends ForwardingFile {
  private readonly path: string;
  private waiting: Written[] = [];

  constructor(inner: VfsFile, path: string) {
    super(inner);
    this.path = path;
  }

  override write(source: Uint8Array, offset: number, length: number, position: number): void {
    // Before the write: whatever happens to the bytes from here on shows.
    const crc = crc32(source, offset, offset + length);
    this.inner.write(source, offset, length, position);
    // What is written over is no longer to be read back.
    this.forget(position, position + length);
    if (this.waiting.length >= WAITING_MAX) this.readBack();
    this.waiting.push({ position, length, crc });
  }

  private forget(start: number, end: number): void {
    const last = this.waiting.at(-1);
    if (last === undefined || last.position + last.length <= start) return;
    this.waiting = this.waiting.filter((w) => w.position + w.length <= start || w.position >= end);
  }

  private readBack(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const { position, length, crc } of waiting) {
      const bytes = new Uint8Array(length);
      if (readFully(this.inner, bytes, 0, length, position) !== length || crc32(bytes) !== crc)
        throw errnoError('EIO', 'reading back', this.path);
    }
  }

  override sync(): void {
    this.inner.sync();
    this.readBack();
  }

  override syncAsync(done: (error: unknown) => void): void {
    this.inner.syncAsync((error) => {
      if (error !== undefined && error !== null) return done(error);
      try {
        this.readBack();
      } catch (different) {
        return done(different);
      }
      done(undefined);
    });
  }

  override truncate(sizeBytes: number): void {
    this.inner.truncate(sizeBytes);
    this.forget(sizeBytes, Infinity);
  }

  override close(): void {
    this.waiting = [];
    this.inner.close();
  }
}

/** See the head of the file. */
export class ReadBackVfs extends ForwardingVfs {
  override open(path: string, mode: OpenMode): VfsFile {
    const file = this.inner.open(path, mode);
    return mode === 'read' ? file : new ReadBackFile(file, path);
  }
}
