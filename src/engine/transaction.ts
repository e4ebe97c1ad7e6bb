/**
 * A transaction under snapshot isolation: reads at its snapshot and its own writes, first committer wins (rule 7).
 *
 * States: active → committed | aborted. The snapshot is released with either.
 */
import { LightningError } from '../base/errors.ts';
import type { Stored } from '../vfs/references.ts';
import { Version } from './cursor.ts';
import { keyChangedSince, rangeChangedSince } from './layers.ts';
import { checkScanOptions, type ScanOptions, toRange } from './range.ts';
import { Scan } from './scan.ts';
import type { SnapshotView } from './snapshots.ts';
import type { Store } from './store.ts';
import { KIND_DELETE } from './types.ts';
import { newestCover } from './memtable.ts';
import { checkKey, checkOperation, type WriteOperation } from './write-operation.ts';
import { ownSequence, WriteSet } from './write-set.ts';
import { findAt } from './read.ts';

export class Transaction {
  private readonly store: Store;
  readonly view: SnapshotView;
  private readonly writes: WriteSet;
  private readonly scratch = new Version();
  private state: 'active' | 'committed' | 'aborted' = 'active';

  /** Made by the engine, which owns the snapshot's release. */
  constructor(store: Store, view: SnapshotView) {
    this.store = store;
    this.view = view;
    this.writes = new WriteSet(view.sequence);
  }

  get isActive(): boolean {
    return this.state === 'active';
  }

  /** The value as this transaction sees it; the caller owns the bytes. */
  get(key: Uint8Array): Uint8Array | undefined {
    const stored = this.find(key);
    return stored && this.store.valueOf(stored);
  }

  /** The same, or where the value lies. */
  find(key: Uint8Array): Stored | undefined {
    this.use();
    checkKey(key);
    const own = ownSequence(this.view.sequence);
    const { memtable } = this.writes;
    if (memtable.get(key, own, this.scratch)) {
      const live = this.scratch.kind !== KIND_DELETE && this.scratch.deadline > this.view.now;
      return live ? this.scratch.stored() : undefined;
    }
    if (newestCover(memtable.rangeTombstones, key, own) > 0) return undefined;
    return findAt(this.store, key, this.view, this.scratch);
  }

  /** A scan of what this transaction sees; writes made later in it are seen too. */
  scan(options: ScanOptions = {}): Scan {
    this.use();
    checkScanOptions(options);
    return new Scan(this.store, toRange(options), {
      sequence: ownSequence(this.view.sequence),
      now: this.view.now,
      reverse: options.reverse ?? false,
      limit: options.limit ?? Infinity,
      ownWrites: this.writes.memtable,
      onEnd: undefined,
    });
  }

  /** Adds a put, delete or clear. Nothing is visible to others before the commit. */
  write(operation: WriteOperation): void {
    this.use();
    checkOperation(operation);
    this.writes.add(operation);
    // Scans of this transaction hold cursors over the write set.
    this.store.version++;
  }

  /** What the commit writes. */
  operations(): readonly WriteOperation[] {
    return [...this.writes.operations()];
  }

  /**
   * Rule 7 over the whole write set.
   * @throws LightningError `LIGHTNING_CONFLICT`
   */
  validate(): void {
    const since = this.view.sequence;
    for (const operation of this.writes.operations()) {
      const changed =
        operation.type === 'clear'
          ? rangeChangedSince(this.store, operation, since)
          : keyChangedSince(this.store, operation.key, since, this.scratch);
      if (changed) {
        this.store.observe('conflict', since);
        throw new LightningError('LIGHTNING_CONFLICT', 'another commit changed what it writes', { since });
      }
    }
  }

  /** Ends the transaction; called by the engine. */
  finish(state: 'committed' | 'aborted'): void {
    this.checkActive();
    this.state = state;
  }

  private use(): void {
    this.checkActive();
    this.store.checkHealthy();
  }

  /** @throws LightningError `LIGHTNING_TRANSACTION_CLOSED`, `LIGHTNING_INVALID_ARGUMENT` for a transaction of another store */
  checkActive(store = this.store): void {
    if (store !== this.store) throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a transaction of another store');
    if (this.state !== 'active') throw new LightningError('LIGHTNING_TRANSACTION_CLOSED', `it is ${this.state}`);
  }
}
