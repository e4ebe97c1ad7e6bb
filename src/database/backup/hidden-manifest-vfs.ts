/** A folder in which `MANIFEST` goes by another name, so that what lies in it is no store yet. */
import { LOCK_FILE, MANIFEST_FILE } from '../../engine/file-names.ts';
import { ForwardingVfs } from '../../vfs/forwarding-vfs.ts';
import type { OpenMode, VfsFile, VfsLock } from '../../vfs/vfs.ts';

/** The name that `MANIFEST` has until a restore is done. */
export const HIDDEN_MANIFEST_FILE = 'MANIFEST.restoring';

function hidden(path: string): string {
  return path === MANIFEST_FILE ? HIDDEN_MANIFEST_FILE : path;
}

/** See the head of the file. */
export class HiddenManifestVfs extends ForwardingVfs {
  override open(path: string, mode: OpenMode): VfsFile {
    return this.inner.open(hidden(path), mode);
  }

  override rename(from: string, to: string): void {
    this.inner.rename(hidden(from), hidden(to));
  }

  override unlink(path: string): void {
    this.inner.unlink(hidden(path));
  }

  override list(path: string): string[] {
    return this.inner.list(path).map((name) => (name === HIDDEN_MANIFEST_FILE ? MANIFEST_FILE : name));
  }

  override kind(path: string): 'file' | 'directory' | 'other' | undefined {
    return this.inner.kind(hidden(path));
  }

  override lock(path: string): VfsLock {
    return this.inner.lock(path === '' ? LOCK_FILE : path);
  }
}
