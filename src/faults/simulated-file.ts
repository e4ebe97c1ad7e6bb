/** An open file of the simulated disk. What it changes is pending until a sync of it succeeds. */
import { assert } from '../base/assert.ts';
import { errnoError } from '../vfs/errno.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { injectedError, type ErrorEffect, type SilentEffect } from './fault-plan.ts';
import type { IoSteps } from './io-steps.ts';
import { type FileNode, SECTOR_BYTES, type SyncSurvivors } from './persistence.ts';
import type { SyncQueue } from './sync-queue.ts';

/** What an open file needs of its disk. */
export interface FileHost {
  readonly io: IoSteps;
  readonly syncs: SyncQueue;
  commitData(file: FileNode, through: number): void;
  dropPages(file: FileNode, through: number, survivors: SyncSurvivors): void;
  changed(): void;
  closed(): void;
}

export class SimulatedFile implements VfsFile {
  private readonly host: FileHost;
  private readonly file: FileNode;
  private readonly path: string;
  private readonly isWritable: boolean;
  private isOpen = true;

  /** @param path the path it was opened under, for faults and messages */
  constructor(host: FileHost, file: FileNode, path: string, isWritable: boolean) {
    this.host = host;
    this.file = file;
    this.path = path;
    this.isWritable = isWritable;
  }

  read(target: Uint8Array, offset: number, length: number, position: number): number {
    this.assertSlice(target, offset, length, position);
    const there = Math.max(0, Math.min(length, this.file.cached.size - position));
    const fault = this.host.io.call('read', this.path, there);
    if (fault === undefined) return this.file.cached.read(target, offset, length, position);
    assert(fault.operation === 'read', 'a fault strikes what it was planned for', fault.operation);
    if (fault.silent === 'short') {
      return this.file.cached.read(target, offset, Math.min(fault.bytes, there - 1), position);
    }
    if (fault.silent === 'rot') {
      this.file.rot(position + (fault.at % there), fault.mask);
      this.host.changed();
    }
    const count = this.file.cached.read(target, offset, length, position);
    if (fault.silent === 'stale') this.file.readOlder(target, offset, there, position);
    return count;
  }

  write(source: Uint8Array, offset: number, length: number, position: number): void {
    this.assertSlice(source, offset, length, position);
    const fault = this.host.io.begin('write', this.path, position, length);
    if (!this.isWritable) throw errnoError('EBADF', 'write', this.path);
    if (fault !== undefined && 'silent' in fault) {
      this.writeSilently(fault, source, offset, length, position);
      return;
    }
    const written = fault === undefined ? length : shortened(fault, length);
    this.file.write(source, offset, offset + written, position);
    this.host.changed();
    this.host.io.middle();
    if (fault !== undefined) throw injectedError(fault.error, 'write', this.path);
  }

  private writeSilently(
    fault: SilentEffect,
    source: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): void {
    assert(fault.operation === 'write', 'a fault strikes what it was planned for', fault.operation);
    const taken = fault.silent === 'short' ? Math.min(fault.bytes, length - 1) : length;
    if (fault.silent === 'short') this.file.write(source, offset, offset + taken, position);
    else this.file.lose(position, length);
    if (fault.silent === 'misdirected') {
      const at = Math.max(0, position + fault.sectors * SECTOR_BYTES);
      const landing = Math.max(0, Math.min(length, this.file.cached.size - at));
      this.file.write(source, offset, offset + landing, at);
    }
    this.host.changed();
    this.host.io.middle();
    // Who calls write goes on until all of it is taken; the rest is a step of its own.
    if (taken < length) this.write(source, offset + taken, length - taken, position + taken);
  }

  truncate(sizeBytes: number): void {
    this.assertOpen();
    assert(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, 'a size is a whole number of bytes', sizeBytes);
    this.host.io.beginWhole('truncate', this.path, sizeBytes);
    if (!this.isWritable) throw errnoError('EINVAL', 'ftruncate', this.path);
    this.file.truncate(sizeBytes);
    this.host.changed();
    this.host.io.middle();
  }

  sync(): void {
    this.assertOpen();
    const error = this.beginSync()();
    if (error !== undefined) throw error;
  }

  syncAsync(done: (error: unknown) => void): void {
    this.assertOpen();
    this.host.syncs.add(this.beginSync(), done);
  }

  size(): number {
    this.assertOpen();
    this.host.io.requirePower();
    return this.file.cached.size;
  }

  close(): void {
    this.assertOpen();
    this.host.io.requirePower();
    this.isOpen = false;
    this.host.closed();
  }

  /** The step of a sync. What it covers is fixed here; the rest is done when it ends, and returns its error. */
  private beginSync(): () => Error | undefined {
    const fault = this.host.io.begin('sync', this.path);
    this.host.io.middle();
    const through = this.file.newestOrder;
    return () => {
      if (fault === undefined) {
        this.host.commitData(this.file, through);
        return undefined;
      }
      assert(fault.operation === 'sync', 'a fault strikes what it was planned for', fault.operation);
      this.host.dropPages(this.file, through, fault.survivors);
      return injectedError(fault.error, 'sync', this.path);
    };
  }

  private assertOpen(): void {
    assert(this.isOpen, 'a closed file is not used', this.path);
  }

  private assertSlice(bytes: Uint8Array, offset: number, length: number, position: number): void {
    this.assertOpen();
    assert(
      offset >= 0 && length >= 0 && offset + length <= bytes.length,
      'I/O stays inside its buffer',
      offset,
      length,
    );
    assert(Number.isSafeInteger(position) && position >= 0, 'a position is a whole number of bytes', position);
  }
}

/** How many bytes of a failing write land: fewer than all. */
function shortened(fault: ErrorEffect, length: number): number {
  assert(fault.operation === 'write', 'a fault strikes what it was planned for', fault.operation);
  return Math.max(0, Math.min(fault.writtenBytes, length - 1));
}
