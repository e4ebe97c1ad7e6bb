/**
 * A Vfs that tells of each change and each sync once it has taken effect, and can stop the process that uses it: from the
 * chosen step on every call fails, as if the process were no more. What the engine says of its own writes and syncs is
 * not asked.
 */
import { PowerCut } from '../src/faults/power-cut.ts';
import type { OpenMode, Vfs, VfsFile, VfsLock } from '../src/vfs/vfs.ts';

/** One change or sync, after it has happened; `sync-begin` before. */
export interface FileStep {
  readonly operation: 'create' | 'write' | 'sync-begin' | 'sync' | 'rename' | 'unlink' | 'sync-directory';
  readonly path: string;
  /** Of a write: a copy of the bytes, and where they went. */
  readonly bytes?: Uint8Array;
  readonly position?: number;
}

/** Records one process's use of a disk. */
export class RecordingVfs implements Vfs {
  private readonly inner: Vfs;
  private readonly tell: (step: FileStep) => void;
  private readonly held: VfsLock[] = [];
  private steps = 0;
  private stopAt = Infinity;
  private stopped = false;

  constructor(inner: Vfs, tell: (step: FileStep) => void) {
    this.inner = inner;
    this.tell = tell;
  }

  /** Stops the process `count` changes from now, before that change. */
  stopAfter(count: number): void {
    this.stopAt = this.steps + count;
  }

  /** Ends the process now: its locks are gone, its calls fail. */
  stop(): void {
    this.stopped = true;
    for (const lock of this.held.splice(0)) lock.release();
  }

  /** Whether the process has been stopped. */
  get isStopped(): boolean {
    return this.stopped;
  }

  private require(): void {
    if (this.stopped) throw new PowerCut(this.steps, 'before');
  }

  /** @param joined whether a stop between the step before and this one is left out */
  private begin(joined = false): void {
    this.require();
    if (this.steps++ >= this.stopAt && !joined) this.stop();
    this.require();
  }

  open(path: string, mode: OpenMode): VfsFile {
    if (mode === 'create') this.begin();
    else this.require();
    const file = this.inner.open(path, mode);
    if (mode === 'create') this.tell({ operation: 'create', path });
    return this.recorded(file, path, mode === 'create');
  }

  private recorded(file: VfsFile, path: string, isNew: boolean): VfsFile {
    // A file and its first bytes appear together: the models know no file that is there and holds nothing.
    let fresh = isNew;
    return {
      read: (target, offset, length, position) => {
        this.require();
        return file.read(target, offset, length, position);
      },
      write: (source, offset, length, position) => {
        this.begin(fresh);
        fresh = false;
        file.write(source, offset, length, position);
        this.tell({ operation: 'write', path, position, bytes: source.slice(offset, offset + length) });
      },
      sync: () => {
        this.begin();
        this.tell({ operation: 'sync-begin', path });
        file.sync();
        this.tell({ operation: 'sync', path });
      },
      syncAsync: (done) => {
        this.begin();
        this.tell({ operation: 'sync-begin', path });
        file.syncAsync((error) => {
          if (this.stopped) return;
          if (error === undefined) this.tell({ operation: 'sync', path });
          done(error);
        });
      },
      truncate: (sizeBytes) => {
        this.begin();
        file.truncate(sizeBytes);
      },
      size: () => {
        this.require();
        return file.size();
      },
      close: () => file.close(),
    };
  }

  rename(from: string, to: string): void {
    this.begin();
    this.inner.rename(from, to);
    this.tell({ operation: 'rename', path: to });
  }

  unlink(path: string): void {
    this.begin();
    this.inner.unlink(path);
    this.tell({ operation: 'unlink', path });
  }

  list(path: string): string[] {
    this.require();
    return this.inner.list(path);
  }

  kind(path: string): 'file' | 'directory' | 'other' | undefined {
    this.require();
    return this.inner.kind(path);
  }

  makeDirectory(path: string): void {
    this.begin();
    this.inner.makeDirectory(path);
  }

  syncDirectory(path: string): void {
    this.begin();
    this.inner.syncDirectory(path);
    this.tell({ operation: 'sync-directory', path });
  }

  lock(path: string): VfsLock {
    this.require();
    const lock = this.inner.lock(path);
    this.held.push(lock);
    return {
      release: () => {
        if (this.stopped) return;
        this.held.splice(this.held.indexOf(lock), 1);
        lock.release();
      },
    };
  }
}
