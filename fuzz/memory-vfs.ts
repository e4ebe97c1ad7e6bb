/** Files that are byte arrays: enough of a file system to write one and to read it back. */
import { LightningError } from '../src/base/errors.ts';
import type { OpenMode, Vfs, VfsFile, VfsLock } from '../src/vfs/vfs.ts';

function notHere(): never {
  throw new LightningError('LIGHTNING_HARNESS', 'files of a fuzz target are only created, read and written');
}

/** No folders, no names that change. */
export class MemoryVfs implements Vfs {
  readonly files = new Map<string, Uint8Array>();

  open(path: string, mode: OpenMode): VfsFile {
    if (mode === 'create') this.files.set(path, new Uint8Array(0));
    const { files } = this;
    const content = (): Uint8Array => files.get(path) ?? notHere();
    return {
      read(target, offset, length, position) {
        const part = content().subarray(position, position + length);
        target.set(part, offset);
        return part.length;
      },
      write(source, offset, length, position) {
        const grown = new Uint8Array(Math.max(content().length, position + length));
        grown.set(content());
        grown.set(source.subarray(offset, offset + length), position);
        files.set(path, grown);
      },
      size: () => content().length,
      sync() {},
      syncAsync: notHere,
      truncate: notHere,
      close() {},
    };
  }

  list(): string[] {
    return [...this.files.keys()].sort();
  }

  kind(path: string): 'file' | undefined {
    return this.files.has(path) ? 'file' : undefined;
  }

  rename(): void {
    notHere();
  }

  unlink(): void {
    notHere();
  }

  makeDirectory(): void {
    notHere();
  }

  syncDirectory(): void {}

  lock(): VfsLock {
    return notHere();
  }
}
