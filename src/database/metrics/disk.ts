/** What a store asks of its disk: a Vfs that counts and changes nothing. */
import { ForwardingFile, ForwardingVfs } from '../../vfs/forwarding-vfs.ts';
import type { OpenMode, Vfs, VfsFile } from '../../vfs/vfs.ts';

/** Told of each call that moves bytes or makes them durable. @param seconds how long an fsync took; 0 for others */
export type DiskListener = (call: 'read' | 'write' | 'sync', bytes: number, seconds: number) => void;

class CountedFile extends ForwardingFile {
  private readonly told: DiskListener;
  private readonly now: () => number;

  constructor(inner: VfsFile, told: DiskListener, now: () => number) {
    super(inner);
    this.told = told;
    this.now = now;
  }

  override read(target: Uint8Array, offset: number, length: number, position: number): number {
    const count = super.read(target, offset, length, position);
    this.told('read', count, 0);
    return count;
  }

  override write(source: Uint8Array, offset: number, length: number, position: number): void {
    super.write(source, offset, length, position);
    this.told('write', length, 0);
  }

  override sync(): void {
    const began = this.now();
    super.sync();
    this.told('sync', 0, (this.now() - began) / 1000);
  }

  override syncAsync(done: (error: unknown) => void): void {
    const began = this.now();
    super.syncAsync((error) => {
      if (error === undefined || error === null) this.told('sync', 0, (this.now() - began) / 1000);
      done(error);
    });
  }
}

/** Counts reads, writes and fsyncs of files and folders; a call that fails is not counted. */
export class CountedVfs extends ForwardingVfs {
  private readonly told: DiskListener;
  private readonly now: () => number;

  /** @param now a clock for durations, in milliseconds */
  constructor(inner: Vfs, told: DiskListener, now: () => number) {
    super(inner);
    this.told = told;
    this.now = now;
  }

  override open(path: string, mode: OpenMode): VfsFile {
    return new CountedFile(super.open(path, mode), this.told, this.now);
  }

  override syncDirectory(path: string): void {
    const began = this.now();
    super.syncDirectory(path);
    this.told('sync', 0, (this.now() - began) / 1000);
  }
}
