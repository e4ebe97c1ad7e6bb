/**
 * The face that people use: promises and async iterators over the engine, with a synchronous twin for each call.
 *
 * It schedules what the engine leaves to others: fsyncs (group-commit.ts) and flush, merge and collection
 * (maintenance.ts). Reads answer from memory or block on the file system; they never wait for writers.
 *
 * Durability: in `commit` (the default) a resolved write survives a power cut; in `interval` and `none` it survives the
 * death of the process, and a power cut keeps some prefix of the order of commits. `sync` makes everything durable.
 *
 * Errors: usage errors and `LIGHTNING_DISK_FULL` mean that the write was definitely not made. `LIGHTNING_INDEFINITE` means
 * that it may show after the store is opened again. After `LIGHTNING_POISONED` only `close` works.
 */
import { isLightningError, LightningError } from '../base/errors.ts';
import type { Vfs } from '../vfs/vfs.ts';
import {
  Engine,
  type EngineStatistics,
  type RangeBounds,
  type ScanOptions,
  type WriteOperation,
} from '../engine/index.ts';
import { GroupCommit } from './group-commit.ts';
import { openLocation } from './location.ts';
import { Maintenance } from './maintenance.ts';
import { type DatabaseOptions, splitOptions } from './options.ts';
import { type Row, rowsOf, rowsOfAsync } from './rows.ts';
import { Snapshot } from './snapshot.ts';
import { DatabaseTransaction } from './transaction.ts';
import type { Finding } from './verify/finding.ts';
import { verifyOpenStore } from './verify/verify-store.ts';
import { clearOf } from './writes.ts';

/** Of a single write. */
export interface WriteOptions {
  /** Wait for the fsync, or do not, whatever the durability of the database. */
  readonly sync?: boolean;
}

/** Of a put. */
export interface PutOptions extends WriteOptions {
  /** Milliseconds since 1970 from which on the value is gone. */
  readonly deadline?: number;
}

/** Figures of an open database. */
export interface DatabaseStatistics extends EngineStatistics {
  readonly commits: number;
  readonly syncs: number;
}

export class Database implements AsyncDisposable {
  private readonly engine: Engine;
  private readonly vfs: Vfs;
  private readonly maintenance: Maintenance;
  private readonly group: GroupCommit;
  private readonly waitsForSync: boolean;
  private readonly timer: NodeJS.Timeout | undefined;

  private constructor(engine: Engine, vfs: Vfs, waitsForSync: boolean, syncIntervalMilliseconds: number | undefined) {
    this.engine = engine;
    this.vfs = vfs;
    this.waitsForSync = waitsForSync;
    this.maintenance = new Maintenance(engine);
    this.group = new GroupCommit(engine, this.maintenance);
    if (syncIntervalMilliseconds !== undefined) {
      this.timer = setInterval(() => this.syncOnTime(), syncIntervalMilliseconds);
      this.timer.unref();
    }
    this.maintenance.poke();
  }

  /**
   * Opens the store in the folder `path`, or makes one.
   * @throws (rejects) LightningError; see {@link Database.openSync}
   */
  static async open(path: string, options: Partial<DatabaseOptions> = {}): Promise<Database> {
    return Database.openSync(path, options);
  }

  /**
   * The same, at once.
   * @throws LightningError `LIGHTNING_NOT_FOUND`, `LIGHTNING_EXISTS`, `LIGHTNING_NOT_A_STORE`,
   *   `LIGHTNING_UNSUPPORTED_FORMAT`, `LIGHTNING_LOCKED`, `LIGHTNING_CORRUPTION`, usage and environment errors; nothing is
   *   created or changed by a refused call
   */
  static openSync(path: string, options: Partial<DatabaseOptions> = {}): Database {
    Engine.checkOptions(splitOptions(options).engine);
    return Database.openOn(openLocation(path, options.createIfMissing ?? true), options);
  }

  /** Opens on files that come from elsewhere: a simulated disk, say. */
  static openOn(vfs: Vfs, options: Partial<DatabaseOptions> = {}): Database {
    const { engine: engineOptions, syncIntervalMilliseconds, clock, observe } = splitOptions(options);
    const environment = {
      vfs,
      ...(clock === undefined ? {} : { clock }),
      ...(observe === undefined ? {} : { observe }),
    };
    const engine = Engine.open(environment, engineOptions);
    const durability = engineOptions.durability ?? 'commit';
    return new Database(
      engine,
      vfs,
      durability === 'commit',
      durability === 'interval' ? syncIntervalMilliseconds : undefined,
    );
  }

  // ---- reading

  /** The value of `key`; the caller owns the bytes. */
  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.engine.get(key);
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.engine.get(key);
  }

  /** Rows in key order, of one moment: that of the first row. Pins versions until its end or its `return`. */
  scan(options: ScanOptions = {}): AsyncIterableIterator<Row> {
    return rowsOfAsync(() => this.engine.scan(options));
  }

  scanSync(options: ScanOptions = {}): IterableIterator<Row> {
    return rowsOf(() => this.engine.scan(options));
  }

  /** A frozen view; release it, or let `using` do so. */
  snapshot(): Snapshot {
    return new Snapshot(this.engine);
  }

  // ---- writing

  async put(key: Uint8Array, value: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.write([putOf(key, value, options)], options);
  }

  async delete(key: Uint8Array, options: WriteOptions = {}): Promise<void> {
    return this.write([{ type: 'delete', key }], options);
  }

  /** All operations or none, in this order. */
  async batch(operations: readonly WriteOperation[], options: WriteOptions = {}): Promise<void> {
    return this.write(operations, options);
  }

  /** Deletes every key within the bounds, which all apply; none: everything. */
  async clear(bounds: RangeBounds = {}, options: WriteOptions = {}): Promise<void> {
    return this.write([clearOf(bounds)], options);
  }

  private async write(operations: readonly WriteOperation[], options: WriteOptions): Promise<void> {
    return this.group.submit(() => this.engine.commit(operations), this.isDurable(options));
  }

  private isDurable(options: WriteOptions): boolean {
    const { sync } = options;
    if (sync !== undefined && typeof sync !== 'boolean') {
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'sync is true or false', { sync });
    }
    return this.waitsForSync || sync === true;
  }

  putSync(key: Uint8Array, value: Uint8Array, options: PutOptions = {}): void {
    this.writeSync([putOf(key, value, options)], options);
  }

  deleteSync(key: Uint8Array, options: WriteOptions = {}): void {
    this.writeSync([{ type: 'delete', key }], options);
  }

  batchSync(operations: readonly WriteOperation[], options: WriteOptions = {}): void {
    this.writeSync(operations, options);
  }

  clearSync(bounds: RangeBounds = {}, options: WriteOptions = {}): void {
    this.writeSync([clearOf(bounds)], options);
  }

  private writeSync(operations: readonly WriteOperation[], options: WriteOptions): void {
    const durable = this.isDurable(options);
    this.commitSync(() => this.engine.commit(operations), durable);
  }

  /** Commits, making room first where there is none, and syncs if asked to. */
  private commitSync(commit: () => number, durable: boolean): void {
    for (;;) {
      try {
        commit();
        break;
      } catch (error) {
        if (!isLightningError(error, 'LIGHTNING_BACKPRESSURE')) throw error;
        this.maintenance.relieveNow();
      }
    }
    if (durable) this.syncCommitted();
    this.maintenance.poke();
  }

  private syncCommitted(): void {
    try {
      this.engine.sync();
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

  // ---- transactions

  /** Begins a transaction under snapshot isolation: first committer wins. Commit or abort it. */
  begin(): DatabaseTransaction {
    return new DatabaseTransaction(this.engine, {
      commit: async (append, options) => this.group.submit(append, this.isDurable(options)),
      commitSync: (append, options) => this.commitSync(append, this.isDurable(options)),
    });
  }

  // ---- durability and structure

  /** The last commit that a power cut cannot take; commits are numbered from 1 in their order. */
  get durableSequence(): number {
    return this.engine.durableSequence;
  }

  /** Resolves when every commit made before the call is durable. */
  async sync(): Promise<void> {
    return this.group.settle();
  }

  syncSync(): void {
    this.syncCommitted();
  }

  /** Writes what is in memory as sorted runs. Blocks while it does. */
  async flush(): Promise<void> {
    this.engine.flush();
    this.maintenance.poke();
  }

  /** Flushes, merges all runs into the tree and drops what nobody can read. Blocks while it does. */
  async compact(): Promise<void> {
    this.engine.compact();
  }

  /** Does what waits to be flushed, merged or collected, a slice at a time. */
  async idle(): Promise<void> {
    while (this.engine.pendingWork() !== undefined && this.maintenance.lastError === undefined) {
      await this.maintenance.nextTurn();
    }
  }

  /** Reads every byte on disk by a path of its own. An empty list: nothing is wrong. Blocks while it does. */
  async verifyIntegrity(): Promise<Finding[]> {
    return verifyOpenStore(this.engine, this.vfs);
  }

  statistics(): DatabaseStatistics {
    return { ...this.engine.statistics(), ...this.group.counts };
  }

  /** All invariants over memory; throws at the first that is broken. */
  checkInvariants(): void {
    this.engine.checkInvariants();
  }

  private syncOnTime(): void {
    if (this.engine.isClosed || this.engine.poison !== undefined) return;
    this.group.settle().catch(() => {
      // A failed fsync has poisoned the store: the next call says so, with its cause.
    });
  }

  /**
   * Waits for writes under way, makes everything durable and releases the store. Later calls fail with
   * `LIGHTNING_CLOSED`. Closing twice does nothing.
   * @throws (rejects) LightningError when the clean end could not be written; the store is released all the same
   */
  async close(): Promise<void> {
    await this.group.drained();
    this.closeSync();
  }

  /** The same at once; writes whose promise is pending are made durable too, and their promises settle. */
  closeSync(): void {
    if (this.timer !== undefined) clearInterval(this.timer);
    this.maintenance.stop();
    this.engine.close();
    this.group.settleAfterClose();
  }

  get isClosed(): boolean {
    return this.engine.isClosed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function putOf(key: Uint8Array, value: Uint8Array, { deadline }: PutOptions): WriteOperation {
  return deadline === undefined ? { type: 'put', key, value } : { type: 'put', key, value, deadline };
}
