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
import { type Clock, monotonicMilliseconds, systemClock } from '../base/clock.ts';
import { LightningError } from '../base/errors.ts';
import type { Vfs } from '../vfs/vfs.ts';
import {
  type Durability,
  Engine,
  type EngineStatistics,
  type RangeBounds,
  type ScanOptions,
  type WriteOperation,
} from '../engine/index.ts';
import { openFiles } from './backup/archived-files.ts';
import type { BackupReport } from './backup/backup.ts';
import { FreezableVfs } from './backup/frozen-vfs.ts';
import { backupOpenStore } from './backup/online-backup.ts';
import { finishInSlices } from './read-only/read-store.ts';
import { streamOf, type ValueSource, type ValueStream } from './blobs/blob-stream.ts';
import type { Stored } from '../vfs/references.ts';
import type { BlobStatistics } from './blobs/blob-files.ts';
import type { Blobs } from './blobs/blobs.ts';
import { openStore } from './blobs/open-store.ts';
import { GroupCommit } from './group-commit.ts';
import { Handles, type HandleStatistics } from './handles.ts';
import { IndexView } from './index-view.ts';
import { Indexes } from './indexes.ts';
import { limitedFiles } from './limits/limited-files.ts';
import { engineMemoryBytes, MemoryBreaker } from './limits/memory-breaker.ts';
import { openLocation } from './location.ts';
import { Maintenance } from './maintenance.ts';
import { type DatabaseOptions, type FaceOptions, splitOptions } from './options.ts';
import { type AsyncScanOptions, type Row, rowsOf, rowsOfAsync } from './rows.ts';
import { Scrubber, type ScrubReport, type ScrubStatistics } from './scrub.ts';
import { Snapshot } from './snapshot.ts';
import type { DatabaseTransaction } from './transaction.ts';
import {
  type BeginOptions,
  type TransactionOptions,
  Transactions,
  type TransactionStatistics,
} from './transactions.ts';
import type { Finding } from './verify/finding.ts';
import { verifyOpenStore } from './verify/verify-store.ts';
import { type PutOptions, type PutStreamOptions, Writer, type WriteOptions } from './writer.ts';
import { clearOf } from './writes.ts';

const UPKEEP_MILLISECONDS = 1000;

/** Figures of an open database. */
export interface DatabaseStatistics
  extends EngineStatistics, TransactionStatistics, HandleStatistics, ScrubStatistics, BlobStatistics {
  readonly commits: number;
  readonly syncs: number;
}

export class Database implements AsyncDisposable {
  private readonly engine: Engine;
  private readonly blobs: Blobs;
  private readonly vfs: FreezableVfs;
  private readonly clock: Clock;
  private readonly maintenance: Maintenance;
  private readonly group: GroupCommit;
  private readonly indexes: Indexes;
  private readonly writer: Writer;
  private readonly transactions: Transactions;
  private readonly handles: Handles;
  private readonly scrubber: Scrubber;
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly upkeep: NodeJS.Timeout;

  private constructor(
    { engine, blobs }: { readonly engine: Engine; readonly blobs: Blobs },
    vfs: FreezableVfs,
    clock: Clock,
    durability: Durability,
    face: FaceOptions,
  ) {
    this.engine = engine;
    this.blobs = blobs;
    this.vfs = vfs;
    this.clock = clock;
    this.maintenance = new Maintenance(engine, blobs);
    this.group = new GroupCommit(engine, this.maintenance);
    this.indexes = new Indexes(engine, face.indexes, (reference) => blobs.files.read(reference));
    const writer = new Writer(engine, blobs, this.indexes, this.group, this.maintenance, durability === 'commit');
    this.writer = writer;
    this.scrubber = new Scrubber(engine, vfs);
    this.handles = new Handles(monotonicMilliseconds, face.onAbandoned);
    this.transactions = new Transactions(
      {
        engine,
        indexes: this.indexes,
        blobs,
        commit: async (append, options) => writer.commit(append, options),
        commitSync: (append, options) => {
          writer.breaker?.checkWrite(0);
          writer.commitSync(append, options);
        },
        settle: async () => this.group.settle(),
        random: face.random,
        onEnd: () => this.maintenance.poke(),
      },
      face,
    );
    if (durability === 'interval') {
      this.timer = setInterval(() => this.syncOnTime(), face.syncIntervalMilliseconds);
      this.timer.unref();
    }
    this.upkeep = setInterval(() => this.lookAfter(monotonicMilliseconds()), UPKEEP_MILLISECONDS);
    this.upkeep.unref();
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
  static openOn(files: Vfs, options: Partial<DatabaseOptions> = {}): Database {
    const {
      engine: engineOptions,
      face,
      clock,
      observe,
      archive,
      limits,
      memoryBytesMax,
      blobBytes,
    } = splitOptions(options);
    const vfs = new FreezableVfs(limitedFiles(openFiles(files, archive), files, limits));
    const environment = {
      vfs,
      ...(clock === undefined ? {} : { clock }),
      ...(observe === undefined ? {} : { observe }),
    };
    const store = openStore(environment, engineOptions, blobBytes);
    const { engine } = store;
    try {
      const database = new Database(store, vfs, clock ?? systemClock, engineOptions.durability ?? 'commit', face);
      if (memoryBytesMax !== undefined) database.limitMemory(memoryBytesMax);
      database.indexes.buildMissing((operations) => database.writer.commitSync(() => engine.commit(operations), {}));
      return database;
    } catch (error) {
      engine.close();
      throw error;
    }
  }

  private limitMemory(limitBytes: number): void {
    this.writer.breaker = new MemoryBreaker(
      limitBytes,
      () => engineMemoryBytes(this.engine.statistics()) + this.transactions.bytes,
      () => this.maintenance.flushSoon(),
    );
  }

  // ---- reading

  /** The value of `key`; the caller owns the bytes. */
  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const stored = this.engine.find(key);
    return stored && this.blobs.files.valueOf(stored);
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.engine.get(key);
  }

  /**
   * The value of `key` piece by piece, or `undefined`: a large one is never in memory whole. It is the value of this
   * moment; read it to its end, or close it.
   */
  async getStream(key: Uint8Array): Promise<ValueStream | undefined> {
    const stored = this.engine.find(key);
    return stored && this.streamOf(stored);
  }

  private streamOf(stored: Stored): ValueStream {
    return streamOf(stored, this.blobs.files, (stream, release) => this.handles.watch(stream, 'stream', release));
  }

  /** Rows in key order, of one moment: that of the first row. Pins versions until its end or its `return`. */
  scan({ signal, ...options }: AsyncScanOptions = {}): AsyncIterableIterator<Row> {
    return rowsOfAsync(() => this.engine.scan(this.indexes.rowScan(options)), this.blobs.files, signal, this.handles);
  }

  scanSync(options: ScanOptions = {}): IterableIterator<Row> {
    return rowsOf(() => this.engine.scan(this.indexes.rowScan(options)), this.handles);
  }

  /** A frozen view; release it, or let `using` do so. */
  snapshot(): Snapshot {
    return new Snapshot(this.engine, this.blobs.files, this.indexes, this.handles, () => this.maintenance.poke());
  }

  /** A declared index; its scans read the present, or what `at` sees. */
  index(name: string, at?: Snapshot | DatabaseTransaction): IndexView {
    if (at?.isOf(this.engine) === false) {
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'the snapshot or transaction is of another database');
    }
    return new IndexView(name, this.indexes, { at, present: () => this.snapshot(), writer: this.writer });
  }

  // ---- writing

  async put(key: Uint8Array, value: Uint8Array, options: PutOptions = {}): Promise<void> {
    return this.write([putOf(key, value, options)], options);
  }

  /**
   * Puts a value that comes in pieces, of up to 256 MiB; it is never in memory whole. The pieces are read while they are
   * written: leave them alone.
   * @throws (rejects) LightningError as a put, and for a source that gives another `length` than was announced; what the
   *   source throws. Nothing is written then
   */
  async putStream(key: Uint8Array, source: ValueSource, options: PutStreamOptions = {}): Promise<void> {
    return this.writer.putStream(key, source, options, this.transactions.locks);
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
    return this.writer.write(operations, this.within(options), this.transactions.locks);
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
    this.writer.writeSync(operations, this.within(options), this.transactions.locks);
  }

  /** A write inside of `transaction` must not wait for that transaction. */
  private within(options: WriteOptions): WriteOptions {
    const { locks, current } = this.transactions;
    if (locks.size === 0 || current === undefined) return options;
    return { ...options, within: [...(options.within ?? []), current] };
  }

  // ---- transactions

  /** Begins a transaction, by default under snapshot isolation: first committer wins. Commit or abort it. */
  begin(options: BeginOptions = {}): DatabaseTransaction {
    return this.transactions.begin(options);
  }

  /**
   * Carries out `work` as a transaction and commits it, again after a conflict or a deadlock (`retries` times at most).
   * @throws (rejects) LightningError; what `work` throws, with nothing committed; the last conflict
   */
  async transaction<T>(
    work: (transaction: DatabaseTransaction) => Promise<T> | T,
    options: TransactionOptions = {},
  ): Promise<T> {
    return this.transactions.run(work, options);
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
    this.writer.syncCommitted();
  }

  /** Writes what is in memory as sorted runs. Blocks while it does. */
  async flush(): Promise<void> {
    this.flushSync();
  }

  flushSync(): void {
    this.engine.flush();
    this.maintenance.poke();
  }

  /** Flushes, merges all runs into the tree and drops what nobody can read. Blocks while it does. */
  async compact(): Promise<void> {
    this.compactSync();
  }

  compactSync(): void {
    this.engine.compact();
  }

  /** Does what waits to be flushed, merged or collected, a slice at a time. */
  async idle(): Promise<void> {
    while (
      (this.blobs.sweep !== undefined || this.engine.pendingWork() !== undefined) &&
      this.maintenance.lastError === undefined
    ) {
      await this.maintenance.nextTurn();
    }
  }

  /** Reads every byte on disk by a path of its own. An empty list: nothing is wrong. Blocks while it does. */
  async verifyIntegrity(): Promise<Finding[]> {
    return verifyOpenStore(this.engine, this.vfs);
  }

  /**
   * Reads every byte on disk again, in slices, while reads and writes go on; a memory of 256 MiB bounds what may be
   * overwritten meanwhile. Its progress is in the statistics.
   * @throws (rejects) LightningError; see {@link Scrubber.run}
   */
  async scrub(options: { readonly signal?: AbortSignal } = {}): Promise<ScrubReport> {
    return this.scrubber.run(options.signal);
  }

  /**
   * Makes a backup in the folder `path`, which is made if it is missing, of every commit that is durable when it begins;
   * writers go on meanwhile. It resolves once the backup is durable, and has been read back and recovered.
   * @param options with `incremental`, only what the newest backup there does not have
   * @throws (rejects) LightningError; there is no backup then
   */
  async backup(path: string, options: { readonly incremental?: boolean } = {}): Promise<BackupReport> {
    const folder = openLocation(path, true);
    return finishInSlices(
      backupOpenStore(this.engine, this.vfs, folder, { ...options, overlapped: true, time: this.clock.now() }),
    );
  }

  statistics(): DatabaseStatistics {
    return {
      ...this.engine.statistics(),
      ...this.group.counts,
      ...this.transactions.statistics(),
      ...this.handles.statistics(),
      ...this.scrubber.statistics(),
      ...this.blobs.files.statistics(),
    };
  }

  /** Forgets every cached block: the next reads go to the files. */
  clearCache(): void {
    this.engine.clearCache();
  }

  /** All invariants over memory; throws at the first that is broken. */
  checkInvariants(): void {
    this.engine.checkInvariants();
  }

  /** Ends transactions that are too old, and starts the collection of what time has made collectable. */
  private lookAfter(now: number): void {
    this.transactions.endOld(now);
    this.maintenance.poke();
  }

  private syncOnTime(): void {
    if (this.engine.isClosed || this.engine.poison !== undefined) return;
    this.group.settle().catch(() => {
      // A failed fsync has poisoned the store: the next call says so, with its cause.
    });
  }

  /**
   * Ends open transactions, waits for writes under way, makes everything durable and releases the store. Later calls fail with
   * `LIGHTNING_CLOSED`. Closing twice does nothing.
   * @throws (rejects) LightningError when the clean end could not be written; the store is released all the same
   */
  async close(): Promise<void> {
    this.transactions.endAll();
    await this.blobs.drained();
    await this.group.drained();
    this.closeSync();
  }

  /** The same at once; writes whose promise is pending are made durable too, and their promises settle. */
  closeSync(): void {
    if (this.timer !== undefined) clearInterval(this.timer);
    clearInterval(this.upkeep);
    this.transactions.endAll();
    this.maintenance.stop();
    this.blobs.close();
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
