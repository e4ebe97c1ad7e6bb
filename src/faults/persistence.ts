/**
 * What of a file is durable and what is pending: the model of data, sizes and syncs (spec/disk.md). Names are in
 * names.ts; which pending things survive is chosen in crash-states.ts.
 *
 * A file has a cached content (what the running process reads), a durable content (what a power cut cannot take back) and
 * the changes between them, in order. Invariants:
 *   1. Orders of pending changes ascend.
 *   2. Applying every pending change to the durable content gives the cached content, unless a failed sync dropped some.
 *   3. The sizes of pending changes form a chain from the durable size to the cached size.
 *   4. A file is in the disk's set of dirty files exactly when it has pending changes (DirtyFiles).
 */
import { assert } from '../base/assert.ts';
import { equalBytes } from '../base/bytes.ts';
import { FileBytes } from './file-bytes.ts';

/** One change of a file that no sync has covered. */
export interface PendingChange {
  readonly kind: 'write' | 'truncate';
  /** Position in the order of this file's changes, from 1. */
  readonly order: number;
  /** What a write wrote, copied; `undefined` for a truncate, and for a write whose pages a failed sync dropped. */
  readonly data: Uint8Array | undefined;
  readonly position: number;
  readonly sizeBefore: number;
  readonly sizeAfter: number;
}

/** What of the covered pages had reached the disk when a sync failed; the rest is dropped. */
export type SyncSurvivors = 'none' | 'every other sector' | 'all';

/** Files with pending changes. */
export type DirtyFiles = Set<FileNode>;

/** The unit that a disk writes whole. */
export const SECTOR_BYTES = 512;

/** A file, whatever names it has. */
export class FileNode {
  readonly type = 'file';
  readonly cached: FileBytes;
  readonly durable: FileBytes;
  private changes: PendingChange[] = [];
  private lastOrder = 0;
  private dropped = false;
  private readonly dirty: DirtyFiles;
  /** What writes replaced, newest last; `undefined` where nobody will ask. */
  private readonly replaced: { readonly position: number; readonly bytes: Uint8Array }[] | undefined;

  /**
   * @param content what is durable from the start
   * @param keepsHistory whether `readOlder` may be called
   */
  constructor(content: Uint8Array, dirty: DirtyFiles, keepsHistory = false) {
    this.cached = new FileBytes(content);
    this.durable = new FileBytes(content);
    this.dirty = dirty;
    this.replaced = keepsHistory ? [] : undefined;
  }

  /** Pending changes, oldest first. */
  get pending(): readonly PendingChange[] {
    return this.changes;
  }

  /** The order of the newest change: what a sync that begins now covers. */
  get newestOrder(): number {
    return this.lastOrder;
  }

  write(source: Uint8Array, start: number, end: number, position: number): void {
    if (start === end) return;
    const sizeBefore = this.cached.size;
    // Not `slice`, which in a Buffer is a view of what the caller may change.
    const data = new Uint8Array(source.subarray(start, end));
    this.remember(position, end - start);
    this.cached.writeKept(data, position);
    this.defer('write', data, position, sizeBefore);
  }

  /** A write whose bytes never arrive; the size that it needs does. */
  lose(position: number, length: number): void {
    const sizeBefore = this.cached.size;
    this.dropped = true;
    if (position + length <= sizeBefore) return;
    this.cached.resize(position + length);
    this.defer('write', undefined, position, sizeBefore);
  }

  /** Inverts bits of one byte, for everybody who reads it from now on. */
  rot(position: number, mask: number): void {
    this.dropped = true;
    for (const content of [this.cached, this.durable]) {
      const byte = new Uint8Array(1);
      if (content.read(byte, 0, 1, position) === 0) continue;
      byte[0] ^= mask;
      content.write(byte, 0, 1, position);
    }
  }

  /** Lays what the newest write in a range replaced over what was read of it; nothing where nothing was written. */
  readOlder(target: Uint8Array, offset: number, length: number, position: number): void {
    assert(this.replaced !== undefined, 'older bytes are asked for only where they are kept');
    const older = this.replaced.findLast((one) => one.position < position + length && position < endOf(one));
    if (older === undefined) return;
    const from = Math.max(position, older.position);
    const to = Math.min(position + length, endOf(older));
    target.set(older.bytes.subarray(from - older.position, to - older.position), offset + from - position);
  }

  private remember(position: number, length: number): void {
    if (this.replaced === undefined) return;
    const bytes = new Uint8Array(length);
    this.cached.read(bytes, 0, length, position);
    this.replaced.push({ position, bytes });
  }

  truncate(sizeBytes: number): void {
    const sizeBefore = this.cached.size;
    if (sizeBytes === sizeBefore) return;
    this.cached.resize(sizeBytes);
    this.defer('truncate', undefined, sizeBytes, sizeBefore);
  }

  private defer(kind: PendingChange['kind'], data: Uint8Array | undefined, position: number, sizeBefore: number): void {
    const order = ++this.lastOrder;
    this.changes.push({ kind, order, data, position, sizeBefore, sizeAfter: this.cached.size });
    this.dirty.add(this);
  }

  /** A sync that began at order `through` has succeeded: those changes are durable. */
  commit(through: number): void {
    this.cover(through, (change) => {
      if (change.data !== undefined) this.durable.writeKept(change.data, change.position);
    });
  }

  /**
   * A sync that began at order `through` has failed. Its pages are marked clean all the same: the running process goes on
   * reading them, no later sync writes them. Sizes are no pages; they stay pending, so a later sync makes a grown size
   * durable around the hole.
   */
  dropPages(through: number, survivors: SyncSurvivors): void {
    if (survivors === 'all') {
      this.commit(through);
    } else if (survivors === 'none') {
      this.changes = this.changes
        .map((change) => (change.order <= through ? this.withoutData(change) : change))
        .filter((change) => change.data !== undefined || change.sizeBefore !== change.sizeAfter);
      if (this.changes.length === 0) this.dirty.delete(this);
    } else {
      let sector = 0;
      this.cover(through, (change) => {
        if (change.data === undefined) return;
        forEachSector(change.position, change.data.length, SECTOR_BYTES, (start, end) => {
          if (sector++ % 2 === 0) this.writeDurable(change, start, end);
          else this.dropped = true;
        });
      });
    }
  }

  private withoutData(change: PendingChange): PendingChange {
    if (change.data === undefined) return change;
    this.dropped = true;
    return { ...change, data: undefined };
  }

  private writeDurable(change: PendingChange, start: number, end: number): void {
    assert(change.data !== undefined, 'only a write has bytes to make durable');
    this.durable.write(change.data, start - change.position, end - change.position, start);
  }

  /** Takes the changes up to `through` out of the pending ones, their sizes into the durable content. */
  private cover(through: number, applyData: (change: PendingChange) => void): void {
    let count = 0;
    for (const change of this.changes) {
      if (change.order > through) break;
      if (change.kind === 'write') applyData(change);
      this.durable.resize(change.sizeAfter);
      count++;
    }
    this.changes.splice(0, count);
    if (this.changes.length === 0) this.dirty.delete(this);
  }

  checkInvariants(): void {
    this.cached.checkInvariants();
    this.durable.checkInvariants();
    let size = this.durable.size;
    let order = 0;
    const replayed = new FileBytes(this.durable.share());
    for (const change of this.changes) {
      assert(change.order > order, 'orders of pending changes ascend', change.order, order);
      assert(change.sizeBefore === size, 'sizes of pending changes form a chain', change.sizeBefore, size);
      order = change.order;
      size = change.sizeAfter;
      if (change.data !== undefined) replayed.write(change.data, 0, change.data.length, change.position);
      replayed.resize(size);
    }
    assert(size === this.cached.size, 'the chain of sizes ends at the cached size', size, this.cached.size);
    assert(this.dirty.has(this) === this.changes.length > 0, 'a file is dirty exactly with pending changes');
    if (!this.dropped) {
      assert(equalBytes(replayed.share(), this.cached.share()), 'durable and pending bytes make the cached ones');
    }
  }
}

/** Calls `visit` with each piece of `[position, position + length)` between multiples of `unitBytes`. */
export function forEachSector(
  position: number,
  length: number,
  unitBytes: number,
  visit: (start: number, end: number) => void,
): void {
  const end = position + length;
  for (let start = position; start < end;) {
    const pieceEnd = Math.min(end, (Math.floor(start / unitBytes) + 1) * unitBytes);
    visit(start, pieceEnd);
    start = pieceEnd;
  }
}

function endOf({ position, bytes }: { readonly position: number; readonly bytes: Uint8Array }): number {
  return position + bytes.length;
}
