/**
 * Files that stand still while others write: a copy-on-write view of a folder, made in one moment without copying.
 *
 * {@link FreezableVfs} stands between the engine and the files. `freeze` opens every file and notes its size. From then on
 * the bytes below that size are saved, a chunk at a time, before a write or a cut changes them; a file whose name is
 * taken away or given to another lives on behind its descriptor. What the view shows is what a process that died in that
 * moment would have left, and recovery is made for that: nothing of the engine's formats is known here.
 *
 * Invariants
 *   1. A byte that the view shows is the byte of the moment it was frozen.
 *   2. Saved bytes never exceed the view's limit. Past it the view is given up (reads of it fail with `LIGHTNING_LIMIT`),
 *      never the writer.
 */
import { assert } from '../../base/assert.ts';
import { LightningError } from '../../base/errors.ts';
import { LOCK_FILE } from '../../engine/file-names.ts';
import { errnoError } from '../../vfs/errno.ts';
import { readFully } from '../../vfs/read-fully.ts';
import { ForwardingFile, ForwardingVfs } from '../../vfs/forwarding-vfs.ts';
import type { OpenMode, Vfs, VfsFile, VfsLock } from '../../vfs/vfs.ts';

/** Bytes that are saved, and copied, at a time. */
export const CHUNK_BYTES = 64 * 1024;
const SAVED_BYTES_MAX = 256 * 1024 * 1024;

/** What a name stands for; goes with the file through a rename. */
interface Node {
  /** Views that show it, each with its piece. */
  readonly frozen: Map<FrozenVfs, FrozenFile>;
}

/** One file of a view. */
class FrozenFile {
  readonly sizeBytes: number;
  readonly handle: VfsFile;
  private readonly saved = new Map<number, Uint8Array>();
  /** Chunks that nobody will ask for again. */
  private readonly done = new Set<number>();

  constructor(handle: VfsFile) {
    this.handle = handle;
    this.sizeBytes = handle.size();
  }

  /** Saves what a change of `[position, end)` would destroy. Returns how many bytes were newly saved. */
  save(position: number, end: number): number {
    const stop = Math.min(end, this.sizeBytes);
    let count = 0;
    for (let n = Math.floor(position / CHUNK_BYTES); n * CHUNK_BYTES < stop; n++) {
      if (this.saved.has(n) || this.done.has(n)) continue;
      const bytes = new Uint8Array(Math.min(CHUNK_BYTES, this.sizeBytes - n * CHUNK_BYTES));
      const length = readFully(this.handle, bytes, 0, bytes.length, n * CHUNK_BYTES);
      assert(length === bytes.length, 'a frozen byte is saved before it goes', length, bytes.length);
      this.saved.set(n, bytes);
      count += bytes.length;
    }
    return count;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    const end = Math.min(position + length, this.sizeBytes);
    let at = position;
    while (at < end) {
      const n = Math.floor(at / CHUNK_BYTES);
      const saved = this.saved.get(n);
      let next = n + 1;
      while (saved === undefined && next * CHUNK_BYTES < end && !this.saved.has(next)) next++;
      const stop = Math.min(end, next * CHUNK_BYTES);
      const to = offset + at - position;
      if (saved !== undefined) target.set(saved.subarray(at % CHUNK_BYTES, (at % CHUNK_BYTES) + stop - at), to);
      else if (readFully(this.handle, target, to, stop - at, at) < stop - at)
        throw errnoError('EIO', 'read of a frozen file', '');
      at = stop;
    }
    return Math.max(0, end - position);
  }

  /** Chunk `n` has been read for the last time. Returns the bytes that were let go. */
  forget(n: number): number {
    this.done.add(n);
    const bytes = this.saved.get(n)?.length ?? 0;
    this.saved.delete(n);
    return bytes;
  }

  clear(): void {
    this.saved.clear();
  }
}

/** A folder as it was in one moment; for reading only. Release it: it costs descriptors, and memory as others write. */
export class FrozenVfs implements Vfs {
  private readonly files: ReadonlyMap<string, FrozenFile>;
  private readonly onRelease: () => void;
  private readonly savedBytesMax: number;
  private savedBytes = 0;
  private state: 'live' | 'given up' | 'released' = 'live';

  constructor(files: ReadonlyMap<string, FrozenFile>, savedBytesMax: number, onRelease: () => void) {
    this.files = files;
    this.savedBytesMax = savedBytesMax;
    this.onRelease = onRelease;
  }

  /** Called before a change of the file; never throws for the sake of the view. */
  save(file: FrozenFile, position: number, end: number): void {
    if (this.state !== 'live') return;
    try {
      this.savedBytes += file.save(position, end);
    } catch {
      this.giveUp();
      return;
    }
    if (this.savedBytes > this.savedBytesMax) this.giveUp();
  }

  private giveUp(): void {
    this.state = 'given up';
    this.savedBytes = 0;
    for (const file of this.files.values()) file.clear();
  }

  open(path: string, mode: OpenMode): VfsFile {
    const file = this.files.get(path);
    if (file === undefined) throw errnoError('ENOENT', 'open', path);
    if (mode !== 'read') throw errnoError('EROFS', 'open', path);
    const refuse = (call: string) => (): never => {
      throw errnoError('EROFS', call, path);
    };
    return {
      read: (target, offset, length, position) => {
        this.checkLive();
        return file.read(target, offset, length, position);
      },
      size: () => file.sizeBytes,
      close: () => undefined,
      write: refuse('write'),
      sync: refuse('fsync'),
      syncAsync: refuse('fsync'),
      truncate: refuse('truncate'),
    };
  }

  private checkLive(): void {
    if (this.state === 'live') return;
    throw new LightningError(
      'LIGHTNING_LIMIT',
      this.state === 'released'
        ? 'the frozen view has been released'
        : `the view was given up: more than ${this.savedBytesMax} bytes of it were overwritten`,
      { limit: this.savedBytesMax },
    );
  }

  /** Chunk `n` of a file will not be asked for again, and need not be saved. */
  forget(path: string, n: number): void {
    this.savedBytes -= this.files.get(path)?.forget(n) ?? 0;
  }

  list(path: string): string[] {
    assert(path === '' || path === '.', 'a frozen view has one folder', path);
    return [...this.files.keys()].sort();
  }

  kind(path: string): 'file' | 'directory' | 'other' | undefined {
    if (path === '' || path === '.') return 'directory';
    return this.files.has(path) ? 'file' : undefined;
  }

  rename(from: string): void {
    throw errnoError('EROFS', 'rename', from);
  }

  unlink(path: string): void {
    throw errnoError('EROFS', 'unlink', path);
  }

  makeDirectory(path: string): void {
    throw errnoError('EROFS', 'mkdir', path);
  }

  syncDirectory(path: string): void {
    throw errnoError('EROFS', 'fsync', path);
  }

  lock(path: string): VfsLock {
    throw errnoError('EROFS', 'lock', path);
  }

  /** Closes everything. Calling it again does nothing. */
  release(): void {
    if (this.state === 'released') return;
    this.state = 'released';
    this.onRelease();
    for (const file of this.files.values()) {
      file.clear();
      file.handle.close();
    }
  }
}

class FreezableFile extends ForwardingFile {
  private readonly node: Node;

  constructor(inner: VfsFile, node: Node) {
    super(inner);
    this.node = node;
  }

  override write(source: Uint8Array, offset: number, length: number, position: number): void {
    this.beforeChange(position, position + length);
    this.inner.write(source, offset, length, position);
  }

  override truncate(sizeBytes: number): void {
    this.beforeChange(sizeBytes, Infinity);
    this.inner.truncate(sizeBytes);
  }

  private beforeChange(position: number, end: number): void {
    for (const [view, file] of this.node.frozen) view.save(file, position, end);
  }
}

/** See the head of the file. Everything that changes the folder has to go through it. */
export class FreezableVfs extends ForwardingVfs {
  private readonly nodes = new Map<string, Node>();

  /**
   * The folder as it is now, its lock left out. Cost: one descriptor a file.
   * @throws the operating system's error for a file that cannot be opened
   */
  freeze(savedBytesMax = SAVED_BYTES_MAX): FrozenVfs {
    const files = new Map<string, FrozenFile>();
    const view = new FrozenVfs(files, savedBytesMax, () => {
      for (const node of this.nodes.values()) node.frozen.delete(view);
    });
    try {
      for (const name of this.inner.list('')) {
        if (name === LOCK_FILE || this.inner.kind(name) !== 'file') continue;
        const file = new FrozenFile(this.inner.open(name, 'read'));
        files.set(name, file);
        this.node(name).frozen.set(view, file);
      }
    } catch (error) {
      view.release();
      throw error;
    }
    return view;
  }

  private node(path: string): Node {
    let node = this.nodes.get(path);
    if (node === undefined) {
      node = { frozen: new Map() };
      this.nodes.set(path, node);
    }
    return node;
  }

  override open(path: string, mode: OpenMode): VfsFile {
    const file = this.inner.open(path, mode);
    return new FreezableFile(file, this.node(path));
  }

  override rename(from: string, to: string): void {
    this.inner.rename(from, to);
    const node = this.node(from);
    this.nodes.delete(from);
    this.nodes.set(to, node);
  }

  override unlink(path: string): void {
    this.inner.unlink(path);
    this.nodes.delete(path);
  }
}
