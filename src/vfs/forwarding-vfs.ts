/**
 * A Vfs, and an open file, that hand every call on. Whoever stands between an engine and its files to look at some calls
 * or to change them extends these, and writes down those calls alone. Errors pass as they come.
 */
import type { OpenMode, Vfs, VfsFile, VfsLock } from './vfs.ts';

/** Hands every call on to `inner`. */
export class ForwardingVfs implements Vfs {
  protected readonly inner: Vfs;

  constructor(inner: Vfs) {
    this.inner = inner;
  }

  open(path: string, mode: OpenMode): VfsFile {
    return this.inner.open(path, mode);
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
    this.inner.syncDirectory(path);
  }

  lock(path: string): VfsLock {
    return this.inner.lock(path);
  }
}

/** Hands every call on to the open file `inner`. */
export class ForwardingFile implements VfsFile {
  protected readonly inner: VfsFile;

  constructor(inner: VfsFile) {
    this.inner = inner;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    return this.inner.read(target, offset, length, position);
  }

  write(source: Uint8Array, offset: number, length: number, position: number): void {
    this.inner.write(source, offset, length, position);
  }

  sync(): void {
    this.inner.sync();
  }

  syncAsync(done: (error: unknown) => void): void {
    this.inner.syncAsync(done);
  }

  truncate(sizeBytes: number): void {
    this.inner.truncate(sizeBytes);
  }

  size(): number {
    return this.inner.size();
  }

  close(): void {
    this.inner.close();
  }
}
