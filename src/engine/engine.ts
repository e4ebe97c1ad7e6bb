/**
 * The store: synchronous, single-threaded, deterministic. Everything comes in by constructor argument (files, time, the
 * id of a new store, an observer), and nothing happens in the background: flush, merge and collection are steps that
 * somebody calls (`step`, or `flush` and `compact`, which run them to their end).
 *
 * States: open → poisoned (a failed fsync, a failed write, a broken invariant) → closed; open → closed.
 *
 * Errors (spec/errors.md): usage errors change nothing; `LIGHTNING_DISK_FULL` from a commit means that it was definitely
 * not made; after `LIGHTNING_POISONED` only `close` works, and commits that were not acknowledged are indefinite.
 */
import { freshDatabaseId } from '../base/prng.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { isLightningError, LightningError } from '../base/errors.ts';
import { noReferences, type OpenReferences, type Stored } from '../vfs/references.ts';
import type { Vfs, VfsLock } from '../vfs/vfs.ts';
import { ArcCache } from '../base/arc-cache.ts';
import { type Cursor, Version } from './cursor.ts';
import { LOCK_FILE } from './file-names.ts';
import { flushOldest } from './flush.ts';
import { append, freeze, memtableIsFull, sealedSegments, syncBegin, syncEnd, syncNow, type SyncTicket } from './log.ts';
import { collectionIsDue, mergeRuns } from './merge.ts';
import { type Observer, silentObserver } from './observer.ts';
import { checkOptions, type EngineOptions } from './options.ts';
import { cursorOver, keyChangedSince, rangeChangedSince } from './layers.ts';
import { checkScanOptions, type KeyRange, type ScanOptions, toRange } from './range.ts';
import { findAt } from './read.ts';
import {
  emptyManifest,
  readManifest,
  recoverStore,
  type RecoveryReport,
  storeExists,
  undoCreation,
} from './recovery.ts';
import type { RunReader } from './run-reader.ts';
import { Scan } from './scan.ts';
import type { SnapshotView } from './snapshots.ts';
import { Store } from './store.ts';
import { Transaction } from './transaction.ts';
import type { FileNumber, Sequence } from './types.ts';
import { WatchedVfs } from '../vfs/watched-vfs.ts';
import { checkKey, checkOperations, type WriteOperation } from './write-operation.ts';
import { withoutShadowedWrites } from './write-set.ts';

/** What an engine is opened with. Only the files are obligatory. */
export interface EngineEnvironment {
  /** Rooted in the store's folder, which exists. */
  readonly vfs: Vfs;
  readonly clock?: Clock;
  readonly observe?: Observer;
  /** Whoever keeps values outside. */
  readonly references?: OpenReferences;
  /** Sixteen bytes that name a new store. */
  readonly newDatabaseId?: () => Uint8Array;
}

/** Work that waits: `flush` a frozen memtable, `merge` runs into the tree, `collect` versions nobody reads. */
export type PendingWork = 'flush' | 'merge' | 'collect';

type TaskKind = 'flush' | 'merge';
type Task = Generator<number, void>;

/** Figures of an open store. Counts, bytes, sequences. */
export type EngineStatistics = Readonly<ReturnType<Engine['statistics']>>;

export class Engine {
  private readonly store: Store;
  private readonly lock: VfsLock;
  private readonly scratch = new Version();
  /** Flush and merge under way. A flush may begin and end while a merge is. */
  private readonly tasks: { [Kind in TaskKind]?: Task | undefined } = {};
  /** Have `step` merge what runs there are, however few. */
  isMergeWanted = false;
  /** What opening found. */
  readonly recovery: RecoveryReport;

  private constructor(store: Store, lock: VfsLock, recovery: RecoveryReport) {
    this.store = store;
    this.lock = lock;
    this.recovery = recovery;
  }

  /**
   * Opens the store in the folder of `environment.vfs`, or makes an empty one there. When it returns, everything that it
   * shows is durable.
   * @throws LightningError: `LIGHTNING_NOT_FOUND`, `LIGHTNING_EXISTS`, `LIGHTNING_NOT_A_STORE`,
   *   `LIGHTNING_UNSUPPORTED_FORMAT`, `LIGHTNING_LOCKED`, `LIGHTNING_CORRUPTION`, an environment error; no file is left
   *   open, no lock held, nothing replaced
   */
  static open(environment: EngineEnvironment, given: Partial<EngineOptions> = {}): Engine {
    const options = checkOptions(given);
    let store: Store | undefined;
    const vfs = new WatchedVfs(environment.vfs, (error) => store?.poisonWith(error));
    const exists = storeExists(vfs);
    if (exists && options.errorIfExists) throw new LightningError('LIGHTNING_EXISTS', 'the store exists already');
    if (!exists && !options.createIfMissing)
      throw new LightningError('LIGHTNING_NOT_FOUND', 'there is no store at this path');
    if (exists) readManifest(vfs);
    const lock = vfs.lock(LOCK_FILE);
    try {
      const observe = environment.observe ?? silentObserver;
      const isNew = !storeExists(vfs);
      const newDatabaseId = environment.newDatabaseId ?? freshDatabaseId;
      const manifest = isNew ? emptyManifest(newDatabaseId(), options) : readManifest(vfs);
      const cache = new ArcCache(options.cacheBytes);
      const { parts, report } = recoverStore(vfs, cache, manifest);
      if (isNew) observe('create', 1);
      const { clock = systemClock, references = noReferences } = environment;
      store = new Store({ vfs, clock, observe, references }, options, cache, parts);
      observe('recover', report.recordsReplayed);
      return new Engine(store, lock, report);
    } catch (error) {
      // Under the lock still: who opens the file after this makes one of their own.
      if (!exists && isLightningError(error)) undoCreation(vfs);
      lock.release();
      throw error;
    }
  }

  /** Checks options without opening anything, as `open` does. */
  static readonly checkOptions = checkOptions;

  // ---- reading

  /**
   * The value of `key`, or `undefined`; the caller owns the bytes.
   * @param view a snapshot; by default what is published now
   */
  get(key: Uint8Array, view?: SnapshotView): Uint8Array | undefined {
    const stored = this.find(key, view);
    return stored && this.store.valueOf(stored);
  }

  /** The same, or where the value lies. */
  find(key: Uint8Array, view?: SnapshotView): Stored | undefined {
    this.checkOpen();
    checkKey(key);
    try {
      return findAt(this.store, key, view ?? this.latest(), this.scratch);
    } catch (error) {
      throw this.judged(error);
    }
  }

  /** All versions, kept for whoever; stale with the next call that changes anything. */
  versions(): Cursor {
    this.checkOpen();
    return cursorOver(this.store, undefined);
  }

  /**
   * A scan of `view`, by default of what is published now. It keeps its versions alive until its end or its `close`.
   * Its rows may throw as `get` does.
   */
  scan(options: ScanOptions = {}, view?: SnapshotView): Scan {
    this.checkOpen();
    checkScanOptions(options);
    const range = toRange(options);
    const own = view ?? this.openSnapshot();
    return new Scan(this.store, range, {
      sequence: own.sequence,
      now: own.now,
      reverse: options.reverse ?? false,
      limit: options.limit ?? Infinity,
      ownWrites: undefined,
      onEnd: view === undefined ? () => this.releaseSnapshot(own) : undefined,
    });
  }

  /** A frozen view of what is published now. It keeps versions alive until it is released. */
  openSnapshot(): SnapshotView {
    this.checkOpen();
    const { sequence, now } = this.latest();
    this.store.observe('snapshot', sequence);
    return this.store.snapshots.open(sequence, now);
  }

  releaseSnapshot(view: SnapshotView): void {
    if (this.store.isClosed) return;
    this.store.snapshots.release(view);
    this.store.trimClearEvidence();
  }

  private latest(): SnapshotView {
    return { sequence: this.store.published, now: this.store.now() };
  }

  // ---- writing

  /**
   * Appends one atomic commit: all operations or none, in this order. In durability `commit` it is neither readable nor
   * durable before a sync; in the other modes it is readable at once.
   * @returns its sequence; without operations, the last published one
   * @throws LightningError `LIGHTNING_BACKPRESSURE` when `step` has to be called first, `LIGHTNING_DISK_FULL` (both:
   *   definitely not made), usage errors, `LIGHTNING_POISONED`
   */
  commit(operations: readonly WriteOperation[]): Sequence {
    return this.guarded(() => {
      checkOperations(operations);
      return this.appendCommit(operations);
    });
  }

  private appendCommit(operations: readonly WriteOperation[]): Sequence {
    const effective = withoutShadowedWrites(operations);
    if (effective.length === 0) return this.store.published;
    this.makeRoom();
    try {
      return append(this.store, effective);
    } catch (error) {
      if (this.store.poison === undefined) throw error;
      const problem = 'the write failed; the commit may be there after reopening';
      throw new LightningError('LIGHTNING_INDEFINITE', problem, {}, error);
    }
  }

  private makeRoom(): void {
    const { store } = this;
    if (!memtableIsFull(store)) return;
    if (store.frozen.length >= store.options.frozenCountMax) {
      const frozen = store.frozen.length;
      throw new LightningError('LIGHTNING_BACKPRESSURE', 'memtables wait to be flushed', { frozen });
    }
    freeze(store);
  }

  /** Rule 7 for a key or a range: whether a commit after `view`, published or not, concerns it. */
  changedSince(view: SnapshotView, target: Uint8Array | KeyRange): boolean {
    this.checkOpen();
    if (target instanceof Uint8Array) return keyChangedSince(this.store, target, view.sequence, this.scratch);
    return rangeChangedSince(this.store, target, view.sequence);
  }

  /** Begins a transaction at what is published now. */
  begin(): Transaction {
    return new Transaction(this.store, this.openSnapshot());
  }

  /**
   * Appends the transaction's writes as one commit, as `commit` does, if no other commit has changed what it writes.
   * @throws LightningError `LIGHTNING_CONFLICT` (aborted, definitely not made); after `LIGHTNING_BACKPRESSURE` the
   *   transaction is still active
   */
  commitTransaction(transaction: Transaction): Sequence {
    return this.guarded(() => {
      transaction.checkActive(this.store);
      try {
        transaction.validate();
        const sequence = this.appendCommit(transaction.operations());
        this.endTransaction(transaction, 'committed');
        return sequence;
      } catch (error) {
        if (!isLightningError(error, 'LIGHTNING_BACKPRESSURE')) this.endTransaction(transaction, 'aborted');
        throw error;
      }
    });
  }

  /** Ends a transaction without a trace. */
  abortTransaction(transaction: Transaction): void {
    this.endTransaction(transaction, 'aborted');
  }

  private endTransaction(transaction: Transaction, state: 'committed' | 'aborted'): void {
    transaction.finish(state);
    this.releaseSnapshot(transaction.view);
  }

  /** The last commit that the operating system has. */
  get written(): Sequence {
    return this.store.written;
  }

  /** The last commit that readers see. */
  get published(): Sequence {
    return this.store.published;
  }

  /** The last commit that a power cut cannot take. */
  get durableSequence(): Sequence {
    return this.store.durable;
  }

  /** Makes all commits so far durable and readable; blocks for an fdatasync when something is pending. */
  sync(): void {
    this.guarded(() => syncNow(this.store));
  }

  /** Begins an fsync that overlaps other work; whoever gets a ticket starts the file's `syncAsync` and calls `syncEnd`. */
  syncBegin(): SyncTicket | undefined {
    this.checkOpen();
    return syncBegin(this.store);
  }

  /** Ends it with its outcome (`undefined`: success). The store is poisoned by a failure. Allowed after `close`. */
  syncEnd(ticket: SyncTicket, error: unknown): void {
    syncEnd(this.store, ticket, error);
  }

  /** A number that no file of this store has had, for a file that somebody else keeps. */
  newFileNumber(): FileNumber {
    this.checkOpen();
    return this.store.newFileNumber();
  }

  // ---- structure

  /** What a call of `step` would work on; `undefined` when nothing waits. */
  pendingWork(): PendingWork | undefined {
    const { store, tasks } = this;
    if (store.isClosed || store.poison !== undefined) return undefined;
    const runsLeft = 2 * store.options.runCountMax - store.runs.length;
    if (tasks.flush !== undefined || (store.frozen.length > 0 && runsLeft > 0)) return 'flush';
    const runsWanted = this.isMergeWanted ? 1 : store.options.runCountMax;
    if (tasks.merge !== undefined || store.runs.length >= runsWanted) return 'merge';
    return collectionIsDue(store) ? 'collect' : undefined;
  }

  /**
   * Does a bounded slice (about 64 KiB) of the work that waits.
   * @returns whether more waits
   * @throws LightningError; the output of the failed work is dropped, and it waits to be tried again
   */
  step(): boolean {
    this.guarded(() => {
      const work = this.pendingWork();
      if (work === 'flush') this.flushSlice();
      else if (work !== undefined) this.mergeSlice(work === 'merge' ? this.store.runs : []);
    });
    return this.pendingWork() !== undefined;
  }

  /** Returns whether more of the flush is left. */
  private flushSlice(): boolean {
    return this.slice('flush', () => flushOldest(this.store));
  }

  /** Goes on with the merge under way, or begins one of `runs`. Returns whether more of it is left. */
  private mergeSlice(runs: readonly RunReader[]): boolean {
    const isLeft = this.slice('merge', () => mergeRuns(this.store, runs));
    if (!isLeft) this.isMergeWanted = false;
    return isLeft;
  }

  /** A task that throws is over. */
  private slice(kind: TaskKind, begin: () => Task): boolean {
    const task = this.tasks[kind] ?? begin();
    this.tasks[kind] = undefined;
    const isOver = task.next().done === true;
    if (!isOver) this.tasks[kind] = task;
    return !isOver;
  }

  /** Writes everything in memory as sorted runs; the log is empty afterwards. */
  flush(): void {
    this.guarded(() => {
      const { store } = this;
      for (let round = 0; round < 2; round++) {
        while (store.frozen.length > 0) {
          if (store.runs.length >= 2 * store.options.runCountMax) this.mergeAll();
          while (this.flushSlice());
        }
        freeze(store);
      }
    });
  }

  private finishMerge(): void {
    while (this.tasks.merge !== undefined) this.mergeSlice([]);
  }

  /** Ends the merge under way, then merges all runs, or collects where there are none and something can go. */
  private mergeAll(): void {
    this.finishMerge();
    if (this.store.runs.length > 0 || collectionIsDue(this.store)) while (this.mergeSlice(this.store.runs));
  }

  /** Flushes, then moves all runs into the tree and drops every version that nobody can read. */
  compact(): void {
    this.flush();
    this.guarded(() => this.mergeAll());
  }

  /** Drops versions that nobody can read from the tree, if there are any. */
  collect(): void {
    this.guarded(() => {
      this.finishMerge();
      if (collectionIsDue(this.store)) while (this.mergeSlice([]));
    });
  }

  // ---- health

  /** All invariants over memory; throws at the first that is broken. */
  checkInvariants(): void {
    this.store.checkInvariants();
    this.store.cache.checkInvariants();
  }

  /** Forgets every cached block; the next reads go to the files. */
  clearCache(): void {
    this.checkOpen();
    this.store.cache.clear();
  }

  /** {@link EngineStatistics}. */
  statistics() {
    this.checkOpen();
    const { store } = this;
    return {
      published: store.published,
      durable: store.durable,
      generation: store.manifest.generation,
      memtableBytes: store.active.sizeBytes,
      memtableEntries: store.active.count,
      frozenCount: store.frozen.length,
      frozenBytes: store.frozen.reduce((sum, memtable) => sum + memtable.sizeBytes, 0),
      runCount: store.runs.length,
      runBytes: store.runs.reduce((sum, run) => sum + run.meta.sizeBytes, 0),
      treeHeight: store.manifest.tree.root?.height ?? 0,
      treeBlocks: store.manifest.tree.blockCount,
      treeBlocksFree: store.tree?.freeMap.freeCount ?? 0,
      blockSizeBytes: store.manifest.blockSizeBytes,
      snapshotCount: store.snapshots.count,
      walBytes: store.wal.position,
      cacheBytes: store.cache.statistics.sizeBytes,
      cacheHits: store.cache.statistics.hits,
      cacheMisses: store.cache.statistics.misses,
    };
  }

  get isClosed(): boolean {
    return this.store.isClosed;
  }

  /** Why the store is poisoned; `undefined` while it is not. */
  get poison(): unknown {
    return this.store.poison;
  }

  /**
   * Makes everything durable, seals the log, marks the store cleanly closed and releases it. A poisoned store is only
   * released. Calling it again does nothing.
   * @throws LightningError when the clean end could not be written; the store is released all the same, and the next
   *   opening recovers it
   */
  close(): void {
    if (this.store.isClosed) return;
    this.store.markClosed();
    try {
      for (const task of Object.values(this.tasks)) task?.return();
      if (this.store.poison === undefined) this.closeCleanly();
    } finally {
      this.release();
    }
    this.store.observe('close', this.store.published);
  }

  private closeCleanly(): void {
    const { store } = this;
    syncNow(store);
    store.tree?.zeroFreeBlocks();
    store.swap({ segments: sealedSegments(store), cleanlyClosed: true });
  }

  private release(): void {
    try {
      this.store.wal.release();
      for (const run of this.store.runs) run.close();
      this.store.tree?.close();
    } finally {
      this.lock.release();
    }
  }

  // ---- guards

  private checkOpen(): void {
    this.store.checkHealthy();
  }

  /** Works on an open store; a broken invariant poisons it. */
  private guarded<T>(work: () => T): T {
    this.checkOpen();
    try {
      return work();
    } catch (error) {
      throw this.judged(error);
    }
  }

  private judged(error: unknown): unknown {
    if (isLightningError(error, 'LIGHTNING_ASSERTION')) this.store.poisonWith(error);
    return error;
  }
}
