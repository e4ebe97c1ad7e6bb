/** The way of every commit of a database: waiting for locks, group commit, making room, syncing. */
import { isLightningError, LightningError } from '../base/errors.ts';
import { checkOperation, type Engine, type WriteOperation } from '../engine/index.ts';
import { copyBytes } from '../base/bytes.ts';
import type { StreamOptions, ValueSource } from './blobs/blob-stream.ts';
import type { Blobs } from './blobs/blobs.ts';
import type { WrittenBlobs } from './blobs/written-blobs.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Indexes } from './indexes.ts';
import { type MemoryBreaker, weightOf } from './limits/memory-breaker.ts';
import type { LockManager, LockOwner } from './locks.ts';
import type { Maintenance } from './maintenance.ts';
import { aborted, QueuedWrite } from './queued-write.ts';

/** Of a single write. */
export interface WriteOptions {
  /** Wait for the fsync, or do not, whatever the durability of the database. */
  readonly sync?: boolean;
  /** Ends waiting for a lock: nothing was written then. */
  readonly signal?: AbortSignal;
  /**
   * Transactions that the caller has open: where one of them has locked a key that is written, the write is refused at
   * once with `LIGHTNING_INVALID_ARGUMENT` instead of waiting for ever. That of `transaction` is known without.
   */
  readonly within?: Iterable<LockOwner>;
}

/** Of a put. */
export interface PutOptions extends WriteOptions {
  /** Milliseconds since 1970 from which on the value is gone. */
  readonly deadline?: number;
}

/** Of a put of a value that comes in pieces. */
export interface PutStreamOptions extends PutOptions, StreamOptions {}

export class Writer {
  private readonly engine: Engine;
  private readonly blobs: Blobs;
  private readonly indexes: Indexes;
  private readonly group: GroupCommit;
  private readonly maintenance: Maintenance;
  private readonly waitsForSync: boolean;
  /** Refuses writes near a limit on memory. `undefined`: there is none. */
  breaker: MemoryBreaker | undefined;

  constructor(
    engine: Engine,
    blobs: Blobs,
    indexes: Indexes,
    group: GroupCommit,
    maintenance: Maintenance,
    waitsForSync: boolean,
  ) {
    this.engine = engine;
    this.blobs = blobs;
    this.indexes = indexes;
    this.group = group;
    this.maintenance = maintenance;
    this.waitsForSync = waitsForSync;
  }

  /** A plain write: it waits while a transaction has locked one of its keys. */
  async write(operations: readonly WriteOperation[], options: WriteOptions, locks: LockManager): Promise<void> {
    if (this.blobs.concerns(operations)) return this.writeLarge(operations, options, locks);
    if (this.breaker === undefined) return this.writeUnlocked(operations, options, locks);
    return this.breaker.counting(weightOf(operations), async () => this.writeUnlocked(operations, options, locks));
  }

  /** A put of a value that comes in pieces; it takes its place in the order of commits once it is durable. */
  async putStream(key: Uint8Array, source: ValueSource, options: PutStreamOptions, locks: LockManager): Promise<void> {
    checkOperation({ type: 'delete', key });
    this.breaker?.checkWrite(0);
    const written = this.blobs.begin();
    try {
      const put = await this.blobs.writeStream(written, copyBytes(key), source, options);
      await this.writeUnlocked([put], options, locks, written);
    } finally {
      this.blobs.settle(written);
    }
  }

  /** A write with large values takes its place in the order of commits once they are durable. */
  private async writeLarge(
    operations: readonly WriteOperation[],
    options: WriteOptions,
    locks: LockManager,
  ): Promise<void> {
    this.breaker?.checkWrite(0);
    const written = await this.blobs.writeInTurns(operations);
    try {
      await this.writeUnlocked(operations, options, locks, written);
    } finally {
      this.blobs.settle(written);
    }
  }

  private async writeUnlocked(
    operations: readonly WriteOperation[],
    options: WriteOptions,
    locks: LockManager,
    written?: WrittenBlobs,
  ): Promise<void> {
    const durable = this.isDurable(options);
    let queued: QueuedWrite | undefined;
    const append = (): number => {
      if (locks.foreign(operations, queued) !== undefined) throw locked();
      const sequence = this.append(operations, written);
      queued?.done();
      return sequence;
    };
    try {
      for (;;) {
        if (options.signal?.aborted === true) throw aborted(options.signal);
        try {
          await this.group.submit(append, durable);
          return;
        } catch (error) {
          if (!isLightningError(error, 'LIGHTNING_CONFLICT')) throw error;
        }
        refuseOwnLock(operations, options, locks);
        queued ??= new QueuedWrite(locks);
        await queued.clearWay(operations, options.signal);
      }
    } finally {
      queued?.done();
    }
  }

  /** The same at once: nothing can wait, so a locked key is a conflict. */
  writeSync(operations: readonly WriteOperation[], options: WriteOptions, locks: LockManager): void {
    if (locks.foreign(operations) !== undefined) {
      refuseOwnLock(operations, options, locks);
      throw locked();
    }
    const isLarge = this.blobs.concerns(operations);
    this.breaker?.checkWrite(isLarge ? 0 : weightOf(operations));
    const written = isLarge ? this.blobs.write(operations) : undefined;
    try {
      this.commitSync(() => this.append(operations, written), options);
    } finally {
      if (written !== undefined) this.blobs.settle(written);
    }
  }

  /** Makes the commit, with what it means for indexes, and with references in the place of large values. */
  private append(operations: readonly WriteOperation[], written: WrittenBlobs | undefined): number {
    const expanded = this.indexes.expand(operations);
    if (written === undefined) return this.engine.commit(expanded);
    const sequence = this.engine.commit(written.operations(expanded));
    this.blobs.made(written);
    return sequence;
  }

  /** Commits what `compute` gives, computed when there is room. */
  async commitComputed(compute: () => readonly WriteOperation[]): Promise<void> {
    this.breaker?.checkWrite(0);
    return this.group.submit(() => this.engine.commit(compute()), this.isDurable({}));
  }

  async commit(append: () => number, options: WriteOptions): Promise<void> {
    this.breaker?.checkWrite(0);
    return this.group.submit(append, this.isDurable(options));
  }

  /** Commits, making room first where there is none, and syncs if asked to. */
  commitSync(append: () => number, options: WriteOptions): void {
    const durable = this.isDurable(options);
    for (;;) {
      try {
        append();
        this.group.counts.commits++;
        break;
      } catch (error) {
        if (!isLightningError(error, 'LIGHTNING_BACKPRESSURE')) throw error;
        this.maintenance.relieveNow();
      }
    }
    if (durable) this.syncCommitted();
    this.maintenance.poke();
  }

  syncCommitted(): void {
    try {
      this.engine.sync();
      this.group.counts.syncs++;
    } catch (error) {
      // A store that was closed or poisoned before refuses the call; only an fsync that was tried leaves a doubt.
      if (isLightningError(error, 'LIGHTNING_CLOSED') || isLightningError(error, 'LIGHTNING_POISONED')) throw error;
      throw new LightningError(
        'LIGHTNING_INDEFINITE',
        'the fsync failed; the commit may be there after reopening',
        {},
        error,
      );
    }
  }

  private isDurable(options: WriteOptions): boolean {
    const { sync } = options;
    if (sync !== undefined && typeof sync !== 'boolean') {
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'sync is true or false', { sync });
    }
    return this.waitsForSync || sync === true;
  }
}

/** A write that waits for a lock of its own caller would wait for ever. */
function refuseOwnLock(operations: readonly WriteOperation[], { within }: WriteOptions, locks: LockManager): void {
  for (const owner of within ?? []) {
    if (!locks.holds(owner, operations)) continue;
    throw new LightningError(
      'LIGHTNING_INVALID_ARGUMENT',
      'a transaction of the caller has locked what is to be written; write through that transaction',
    );
  }
}

function locked(): LightningError {
  return new LightningError('LIGHTNING_CONFLICT', 'a transaction has locked a key that is to be written');
}
