/** A folder of another Vfs as a Vfs of its own: the same files, under shorter paths. */
import { splitPath } from './path.ts';
import type { OpenMode, Vfs, VfsFile, VfsLock } from './vfs.ts';

export class FolderVfs implements Vfs {
  private readonly inner: Vfs;
  private readonly folder: string;

  /** @param folder path of the folder, which exists */
  constructor(inner: Vfs, folder: string) {
    this.inner = inner;
    this.folder = folder;
  }

  private below(path: string): string {
    return [...splitPath(this.folder), ...splitPath(path)].join('/');
  }

  open(path: string, mode: OpenMode): VfsFile {
    return this.inner.open(this.below(path), mode);
  }

  rename(from: string, to: string): void {
    this.inner.rename(this.below(from), this.below(to));
  }

  unlink(path: string): void {
    this.inner.unlink(this.below(path));
  }

  list(path: string): string[] {
    return this.inner.list(this.below(path));
  }

  kind(path: string): 'file' | 'directory' | 'other' | undefined {
    return this.inner.kind(this.below(path));
  }

  makeDirectory(path: string): void {
    this.inner.makeDirectory(this.below(path));
  }

  syncDirectory(path: string): void {
    this.inner.syncDirectory(this.below(path));
  }

  lock(path: string): VfsLock {
    return this.inner.lock(this.below(path));
  }
}
