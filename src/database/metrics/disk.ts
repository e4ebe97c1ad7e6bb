/** What a store asks of its disk: a Vfs that counts and changes nothing. */
import type { OpenMode, Vfs, VfsFile, VfsLock } from '../../vfs/vfs.ts';

/** Told of each call that moves bytes or makes them durable. @param seconds how long an fsync took; 0 for others */
export type DiskListener = (call: 'read' | 'write' | 'sync', bytes: number, seconds: number) => void;

/** Counts reads, writes and fsyncs of files and folders; a call that fails is not counted. */
export class CountedVfs implements Vfs {
  private readonly inner: Vfs;
  private readonly told: DiskListener;
  private readonly now: () => number;

  /** @param now a clock for durations, in milliseconds */
  constructor(inner: Vfs, told: DiskListener, now: () => number) {
    this.inner = inner;
    this.told = told;
    this.now = now;
  }

  open(path: string, mode: OpenMode): VfsFile {
    const { told, now } = this;
    const file = this.inner.open(path, mode);
    return {
      read(target, offset, length, position) {
        const count = file.read(target, offset, length, position);
        told('read', count, 0);
        return count;
      },
      write(source, offset, length, position) {
        file.write(source, offset, length, position);
        told('write', length, 0);
      },
      sync() {
        const began = now();
        file.sync();
        told('sync', 0, (now() - began) / 1000);
      },
      syncAsync(done) {
        const began = now();
        file.syncAsync((error) => {
          if (error === undefined || error === null) told('sync', 0, (now() - began) / 1000);
          done(error);
        });
      },
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  rename(from: string, to: string): void {
    this.inner.rename(from, to);
  }

  unlink(path: string): void {
    this.inner.unlink(path);
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
    const began = this.now();
    this.inner.syncDirectory(path);
    this.told('sync', 0, (this.now() - began) / 1000);
  }

  lock(path: string): VfsLock {
    return this.inner.lock(path);
  }
}
