/**
 * Real files without fsync. A short probe looks for what grows, and an fsync makes nothing grow; on a busy disk a hundred
 * of them would take longer than all the rest. Nothing about durability is shown on it.
 */
import { NodeVfs } from '../src/vfs/node-vfs.ts';
import type { OpenMode, VfsFile } from '../src/vfs/vfs.ts';

export class UnsyncedVfs extends NodeVfs {
  override open(path: string, mode: OpenMode): VfsFile {
    const file = super.open(path, mode);
    return {
      read: (target, offset, length, position) => file.read(target, offset, length, position),
      write: (source, offset, length, position) => file.write(source, offset, length, position),
      sync: () => undefined,
      syncAsync: (done) => {
        setImmediate(done, undefined);
      },
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  override syncDirectory(): void {
    // Nothing, as the file's comment says.
  }
}
