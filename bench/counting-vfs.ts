/** A Vfs that counts what it makes durable, and changes nothing. */
import type { OpenMode, Vfs, VfsFile, VfsLock } from '../src/vfs/vfs.ts';

export class CountingVfs implements Vfs {
  private readonly inner: Vfs;
  fileSyncs = 0;
  folderSyncs = 0;

  constructor(inner: Vfs) {
    this.inner = inner;
  }

  open(path: string, mode: OpenMode): VfsFile {
    const file = this.inner.open(path, mode);
    const count = (): void => void this.fileSyncs++;
    return {
      read: (target, offset, length, position) => file.read(target, offset, length, position),
      write: (source, offset, length, position) => file.write(source, offset, length, position),
      sync: () => {
        count();
        file.sync();
      },
      syncAsync: (done) => {
        count();
        file.syncAsync(done);
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
    this.folderSyncs++;
    this.inner.syncDirectory(path);
  }

  lock(path: string): VfsLock {
    return this.inner.lock(path);
  }
}
