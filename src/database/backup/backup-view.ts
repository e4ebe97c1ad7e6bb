/** The store in a backup as a folder for reading: every chunk is checked each time that it is read. */
import { LightningError } from '../../base/errors.ts';
import { errnoError } from '../../vfs/errno.ts';
import type { OpenMode, Vfs, VfsFile, VfsLock } from '../../vfs/vfs.ts';
import type { BackupFile, BackupState } from './backup-format.ts';
import { isBlobFile } from '../blobs/blob-format.ts';
import { ChunkReader } from './backup-reader.ts';
import { CHUNK_BYTES } from './frozen-vfs.ts';

/** See the head of the file. Close it. */
export class BackupView implements Vfs {
  private readonly files: ReadonlyMap<string, BackupFile>;
  private readonly chunks: ChunkReader;
  private readonly blobsCheckThemselves: boolean;
  /** Chunks that were read, and so checked, by file. */
  private readonly seen = new Map<BackupFile, Set<number>>();
  /** Of files that check themselves: how far they were read without a gap. */
  private readonly readBytes = new Map<BackupFile, number>();
  private last: { readonly file: BackupFile; readonly index: number; readonly bytes: Uint8Array } | undefined;

  /** @param blobsCheckThemselves whether large values are held against their own checksums by whoever reads them, and not here too */
  constructor(folder: Vfs, state: BackupState, blobsCheckThemselves = false) {
    this.blobsCheckThemselves = blobsCheckThemselves;
    this.files = new Map(state.files.map((file) => [file.name, file]));
    this.chunks = new ChunkReader(folder);
  }

  open(path: string, mode: OpenMode): VfsFile {
    const file = this.files.get(path);
    if (file === undefined) throw errnoError('ENOENT', 'open', path);
    if (mode !== 'read') throw errnoError('EROFS', 'open', path);
    return {
      read: (target, offset, length, position) => this.readInto(file, target, offset, length, position),
      size: () => file.sizeBytes,
      close: () => undefined,
      write: () => refuse('write', path),
      sync: () => refuse('fsync', path),
      syncAsync: () => refuse('fsync', path),
      truncate: () => refuse('truncate', path),
    };
  }

  private readChunk(file: BackupFile, index: number): Uint8Array {
    this.last = undefined;
    const bytes = this.chunks.read(file, index);
    let seen = this.seen.get(file);
    if (seen === undefined) {
      seen = new Set();
      this.seen.set(file, seen);
    }
    seen.add(index);
    return bytes;
  }

  /** Reads those chunks of a file that nobody has read yet; yields their bytes. @throws LightningError `LIGHTNING_CORRUPTION` */
  *check(file: BackupFile): Generator<number, void> {
    const first = Math.floor((this.readBytes.get(file) ?? 0) / CHUNK_BYTES);
    for (let index = first; index < file.chunks.length; index++) {
      if (this.seen.get(file)?.has(index) !== true) yield this.readChunk(file, index).length;
    }
  }

  private readInto(file: BackupFile, target: Uint8Array, offset: number, length: number, position: number): number {
    const end = Math.min(position + length, file.sizeBytes);
    if (this.blobsCheckThemselves && isBlobFile(file.name)) {
      this.chunks.readUnchecked(file, target, offset, end - position, position);
      const before = this.readBytes.get(file) ?? 0;
      if (position <= before) this.readBytes.set(file, Math.max(before, end));
      return Math.max(0, end - position);
    }
    for (let at = position; at < end;) {
      const index = Math.floor(at / CHUNK_BYTES);
      if (this.last?.file !== file || this.last.index !== index)
        this.last = { file, index, bytes: this.readChunk(file, index) };
      const from = at - index * CHUNK_BYTES;
      const piece = this.last.bytes.subarray(from, Math.min(this.last.bytes.length, from + end - at));
      target.set(piece, offset + at - position);
      at += piece.length;
    }
    return Math.max(0, end - position);
  }

  list(): string[] {
    return [...this.files.keys()].sort();
  }

  kind(path: string): 'file' | 'directory' | 'other' | undefined {
    if (path === '' || path === '.') return 'directory';
    return this.files.has(path) ? 'file' : undefined;
  }

  rename(from: string): void {
    refuse('rename', from);
  }

  unlink(path: string): void {
    refuse('unlink', path);
  }

  makeDirectory(path: string): void {
    refuse('mkdir', path);
  }

  syncDirectory(path: string): void {
    refuse('fsync', path);
  }

  lock(path: string): VfsLock {
    throw new LightningError('LIGHTNING_READ_ONLY', 'a backup is not locked', { path });
  }

  close(): void {
    this.last = undefined;
    this.chunks.close();
  }
}

function refuse(call: string, path: string): never {
  throw errnoError('EROFS', call, path);
}
