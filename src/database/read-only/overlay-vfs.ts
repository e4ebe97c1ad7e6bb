/**
 * A Vfs that reads from another one and keeps every change in memory, so that an engine can recover a store without
 * writing: what lies below is opened for reading only. Flat: one folder, as a store is.
 *
 * Invariants
 *   1. The Vfs below gets `open(…, 'read')`, `list` and `kind`, nothing else.
 *   2. A page that was written is read from memory, any other from below.
 *
 * Memory: 4 KiB a page written, until {@link OverlayVfs.close}.
 */
import { isBlobFile } from '../blobs/blob-format.ts';
import { assert } from '../../base/assert.ts';
import { errnoError } from '../../vfs/errno.ts';
import type { OpenMode, Vfs, VfsFile, VfsLock } from '../../vfs/vfs.ts';

const PAGE_BYTES = 4096;

/** What a name stands for: bytes from below, with pages of memory over them. */
class Content {
  readonly below: VfsFile | undefined;
  /** Bytes of `below` that still count; a cut lowers it for good. */
  belowBytes: number;
  sizeBytes: number;
  private readonly pages = new Map<number, Uint8Array>();

  constructor(below: VfsFile | undefined) {
    this.below = below;
    this.belowBytes = below?.size() ?? 0;
    this.sizeBytes = this.belowBytes;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    const end = Math.min(position + length, this.sizeBytes);
    let at = position;
    while (at < end) {
      const number = Math.floor(at / PAGE_BYTES);
      const page = this.pages.get(number);
      // A run of pages from below is one read.
      let stop = Math.min(end, (number + 1) * PAGE_BYTES);
      if (page === undefined) {
        while (stop < end && !this.pages.has(stop / PAGE_BYTES)) stop = Math.min(end, stop + PAGE_BYTES);
        this.readBelow(target, offset + at - position, stop - at, at);
      } else {
        target.set(page.subarray(at % PAGE_BYTES, (at % PAGE_BYTES) + stop - at), offset + at - position);
      }
      at = stop;
    }
    return Math.max(0, end - position);
  }

  private readBelow(target: Uint8Array, offset: number, length: number, position: number): void {
    const there = Math.max(0, Math.min(length, this.belowBytes - position));
    const count = there === 0 ? 0 : (this.below?.read(target, offset, there, position) ?? 0);
    target.fill(0, offset + count, offset + length);
  }

  write(source: Uint8Array, offset: number, length: number, position: number): void {
    let at = position;
    const end = position + length;
    while (at < end) {
      const number = Math.floor(at / PAGE_BYTES);
      const stop = Math.min(end, (number + 1) * PAGE_BYTES);
      this.page(number).set(source.subarray(offset + at - position, offset + stop - position), at % PAGE_BYTES);
      at = stop;
    }
    this.sizeBytes = Math.max(this.sizeBytes, end);
  }

  private page(number: number): Uint8Array {
    let page = this.pages.get(number);
    if (page === undefined) {
      page = new Uint8Array(PAGE_BYTES);
      this.readBelow(page, 0, PAGE_BYTES, number * PAGE_BYTES);
      this.pages.set(number, page);
    }
    return page;
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) {
      this.belowBytes = Math.min(this.belowBytes, sizeBytes);
      const last = Math.floor(sizeBytes / PAGE_BYTES);
      for (const [number, page] of this.pages) {
        if (number > last) this.pages.delete(number);
        else if (number === last) page.fill(0, sizeBytes % PAGE_BYTES);
      }
    }
    this.sizeBytes = sizeBytes;
  }
}

class OverlayFile implements VfsFile {
  private readonly content: Content;
  private isOpen = true;

  constructor(content: Content) {
    this.content = content;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    this.check();
    return this.content.read(target, offset, length, position);
  }

  write(source: Uint8Array, offset: number, length: number, position: number): void {
    this.check();
    this.content.write(source, offset, length, position);
  }

  sync(): void {
    this.check();
  }

  syncAsync(done: (error: unknown) => void): void {
    this.check();
    setImmediate(done, undefined);
  }

  truncate(sizeBytes: number): void {
    this.check();
    this.content.truncate(sizeBytes);
  }

  size(): number {
    this.check();
    return this.content.sizeBytes;
  }

  close(): void {
    this.check();
    this.isOpen = false;
  }

  private check(): void {
    assert(this.isOpen, 'a closed file is not used');
  }
}

/** See the head of the file. */
export class OverlayVfs implements Vfs {
  private readonly below: Vfs;
  /** `undefined`: the name was taken away, whatever is below. */
  private readonly names = new Map<string, Content | undefined>();
  private readonly opened: VfsFile[] = [];
  private isLocked = false;

  constructor(below: Vfs) {
    this.below = below;
  }

  open(path: string, mode: OpenMode): VfsFile {
    const isThere = this.kind(path) !== undefined;
    if (mode === 'create') {
      if (isThere) throw errnoError('EEXIST', 'open', path);
      const content = new Content(undefined);
      this.names.set(path, content);
      return new OverlayFile(content);
    }
    if (!isThere) throw errnoError('ENOENT', 'open', path);
    // Never changed, and there may be more of them than descriptors.
    if (mode === 'read' && isBlobFile(path) && !this.names.has(path)) return this.below.open(path, 'read');
    return new OverlayFile(this.contentOf(path));
  }

  private contentOf(path: string): Content {
    let content = this.names.get(path);
    if (content === undefined) {
      const file = this.below.open(path, 'read');
      this.opened.push(file);
      content = new Content(file);
      this.names.set(path, content);
    }
    return content;
  }

  rename(from: string, to: string): void {
    if (this.kind(from) === undefined) throw errnoError('ENOENT', 'rename', from);
    const content = this.contentOf(from);
    this.names.set(from, undefined);
    this.names.set(to, content);
  }

  unlink(path: string): void {
    if (this.kind(path) === undefined) throw errnoError('ENOENT', 'unlink', path);
    this.names.set(path, undefined);
  }

  list(path: string): string[] {
    const names = this.below.list(path).filter((name) => !this.names.has(name));
    for (const [name, content] of this.names) if (content !== undefined) names.push(name);
    return names.sort();
  }

  kind(path: string): 'file' | 'directory' | 'other' | undefined {
    if (this.names.has(path)) return this.names.get(path) === undefined ? undefined : 'file';
    return this.below.kind(path);
  }

  makeDirectory(path: string): void {
    throw errnoError('EROFS', 'mkdir', path);
  }

  syncDirectory(): void {
    // Nothing here is ever durable.
  }

  /** Excludes a second engine on this overlay; what lies below is not locked by it. */
  lock(path: string): VfsLock {
    assert(!this.isLocked, 'an overlay has one engine', path);
    this.isLocked = true;
    return { release: () => (this.isLocked = false) };
  }

  /** Lets go of the files below and of all changes. */
  close(): void {
    for (const file of this.opened) file.close();
    this.opened.length = 0;
    this.names.clear();
  }
}
