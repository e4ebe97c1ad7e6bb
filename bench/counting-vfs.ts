/** A Vfs that counts what it makes durable, and changes nothing. */
import { ForwardingFile, ForwardingVfs } from '../src/vfs/forwarding-vfs.ts';
import type { OpenMode, VfsFile } from '../src/vfs/vfs.ts';

class CountingFile extends ForwardingFile {
  private readonly count: () => void;

  constructor(inner: VfsFile, count: () => void) {
    super(inner);
    this.count = count;
  }

  override sync(): void {
    this.count();
    super.sync();
  }

  override syncAsync(done: (error: unknown) => void): void {
    this.count();
    super.syncAsync(done);
  }
}

export class CountingVfs extends ForwardingVfs {
  fileSyncs = 0;
  folderSyncs = 0;

  override open(path: string, mode: OpenMode): VfsFile {
    return new CountingFile(super.open(path, mode), () => void this.fileSyncs++);
  }

  override syncDirectory(path: string): void {
    this.folderSyncs++;
    super.syncDirectory(path);
  }
}
