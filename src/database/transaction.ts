/**
 * A transaction as people use it (spec/semantics.md, S17 to S22).
 *
 * Its snapshot is taken by its first read or granted lock; what it writes before that waits in `early`. Under
 * `read-committed` there is no snapshot: each statement reads the present, with the own writes laid over it.
 *
 * States: active → committing → over; active → over (abort, conflict, deadlock, age). Whatever the end, locks and snapshot
 * are released by it.
 */
import { copyBytes } from '../base/bytes.ts';
import { isLightningError, LightningError } from '../base/errors.ts';
import {
  checkOperation,
  type Engine,
  type KeyRange,
  type RangeBounds,
  type Scan,
  type ScanOptions,
  toRange,
  type Transaction,
  type WriteOperation,
} from '../engine/index.ts';
import type { Stored } from '../vfs/references.ts';
import type { Blobs } from './blobs/blobs.ts';
import type { WrittenBlobs } from './blobs/written-blobs.ts';
import { isReserved } from './index-codec.ts';
import type { Indexes } from './indexes.ts';
import { type LockManager, type LockOwner, nameOf } from './locks.ts';
import { type AsyncScanOptions, type Row, rowsOf, rowsOfAsync } from './rows.ts';
import { clearOf } from './writes.ts';

/** What a transaction may observe of others. `repeatable-read` is another name of `snapshot`. */
export type Isolation = 'read-committed' | 'repeatable-read' | 'snapshot' | 'serializable';

/** What a transaction is made in. */
export interface TransactionHost {
  readonly engine: Engine;
  readonly locks: LockManager;
  readonly indexes: Indexes;
  readonly blobs: Blobs;
  /** Bytes of keys and values, read and written, that a transaction may hold. */
  readonly transactionBytesMax: number;
  commit(append: () => number, options: CommitOptions): Promise<void>;
  commitSync(append: () => number, options: CommitOptions): void;
  /** Resolves when all that is written is published. */
  settle(): Promise<void>;
  /** So many bytes more are held, or fewer. */
  weighed(bytes: number): void;
  ended(transaction: DatabaseTransaction): void;
}

/** How a commit waits. */
export interface CommitOptions {
  readonly sync?: boolean;
}

/** Fixed bytes counted for each entry of a read or write set. */
const ENTRY_BYTES = 64;

export class DatabaseTransaction implements Disposable, LockOwner {
  readonly isolation: Isolation;
  readonly age: number;
  /** When it began, on a clock for durations. Milliseconds. */
  readonly since: number;
  private readonly host: TransactionHost;
  private inner: Transaction | undefined;
  private early: WriteOperation[] = [];
  private readonly keysRead = new Map<string, Uint8Array>();
  private readonly rangesRead: KeyRange[] = [];
  private bytes = 0;
  private hasLarge = false;
  private state: 'active' | 'committing' | 'over' = 'active';
  private why: LightningError | undefined;

  constructor(host: TransactionHost, isolation: Isolation, age: number, since: number) {
    this.host = host;
    this.isolation = isolation;
    this.age = age;
    this.since = since;
  }

  /** The value as this transaction sees it; the caller owns the bytes. */
  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    const stored = this.find(key);
    return stored && this.host.blobs.files.valueOf(stored);
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    const stored = this.find(key);
    return stored?.isReference === true ? this.host.blobs.files.read(stored.bytes) : stored?.bytes;
  }

  private find(key: Uint8Array): Stored | undefined {
    this.use();
    // A refused call takes no snapshot.
    checkOperation({ type: 'delete', key });
    const { reader, done } = this.reader();
    try {
      const stored = reader.find(key);
      this.noteRead(key);
      return stored;
    } finally {
      done();
    }
  }

  /**
   * Locks `key` until the transaction ends, then reads it. Others that lock it wait, and so do plain writes of it; a
   * commit that writes it is refused.
   * @throws (rejects) LightningError `LIGHTNING_CONFLICT` when the key has changed since the snapshot,
   *   `LIGHTNING_DEADLOCK`, `LIGHTNING_ABORTED` by the signal; the transaction is over then
   */
  async getForUpdate(
    key: Uint8Array,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Uint8Array | undefined> {
    this.use();
    checkOperation({ type: 'delete', key });
    const { signal } = options;
    const onAbort = (): void => this.endBy(abortedBy(signal));
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      this.use();
      await this.host.locks.acquire(this, key);
      // What the last holder wrote may still be on its way to the disk; a snapshot taken now would miss it.
      const { engine } = this.host;
      if (this.inner === undefined && engine.written > engine.published) await this.host.settle();
      this.use();
      if (this.inner !== undefined && engine.changedSince(this.inner.view, key)) this.endBy(conflict('what it locks'));
      return await this.get(key);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  scan({ signal, ...options }: AsyncScanOptions = {}): AsyncIterableIterator<Row> {
    return rowsOfAsync(() => this.openScan(this.host.indexes.rowScan(options)), this.host.blobs.files, signal);
  }

  scanSync(options: ScanOptions = {}): IterableIterator<Row> {
    return rowsOf(() => this.openScan(this.host.indexes.rowScan(options)));
  }

  /** Index entries included. */
  scanAll(options: ScanOptions): IterableIterator<Row> {
    return rowsOf(() => this.openScan(options));
  }

  /** Whether it is one of the store that `engine` has open. */
  isOf(engine: Engine): boolean {
    return engine === this.host.engine;
  }

  get hasOwnWrites(): boolean {
    return true;
  }

  private openScan(options: ScanOptions): Pick<Scan, 'next' | 'current' | 'close'> {
    this.use();
    const range = toRange(options);
    const { reader, done } = this.reader();
    try {
      const scan = reader.scan(options);
      if (this.isolation === 'serializable') this.noteRange(range);
      return {
        next: () => scan.next(),
        current: scan.current,
        close: () => {
          scan.close();
          done();
        },
      };
    } catch (error) {
      done();
      throw error;
    }
  }

  put(key: Uint8Array, value: Uint8Array, options: { readonly deadline?: number } = {}): void {
    const { deadline } = options;
    this.write(deadline === undefined ? { type: 'put', key, value } : { type: 'put', key, value, deadline });
  }

  delete(key: Uint8Array): void {
    this.write({ type: 'delete', key });
  }

  clear(bounds: RangeBounds = {}): void {
    this.write(clearOf(bounds));
  }

  private write(given: WriteOperation): void {
    this.use();
    this.host.engine.commit([]);
    checkOperation(given);
    const operation = this.host.indexes.rowOperation(given);
    if (operation.type === 'put' && this.host.blobs.isLarge(operation.value)) this.hasLarge = true;
    this.weigh(
      operation.type === 'clear' ? 0 : operation.key.length + (operation.type === 'put' ? operation.value.length : 0),
    );
    if (this.inner === undefined) this.early.push(ownedCopy(operation));
    else this.inner.write(operation);
  }

  /**
   * Commits all writes as one. The transaction is over, whatever comes of it.
   * @throws (rejects) LightningError `LIGHTNING_CONFLICT` (definitely not made; begin anew), otherwise as a put does
   */
  async commit(options: CommitOptions = {}): Promise<void> {
    this.use();
    this.state = 'committing';
    try {
      const { blobs } = this.host;
      const written = this.hasLarge ? await blobs.writeInTurns(this.writes()) : undefined;
      try {
        await this.host.commit(() => this.append(written), options);
      } finally {
        if (written !== undefined) blobs.settle(written);
      }
    } finally {
      this.end();
    }
  }

  commitSync(options: CommitOptions = {}): void {
    this.use();
    this.state = 'committing';
    try {
      const { blobs } = this.host;
      const written = this.hasLarge ? blobs.write(this.writes()) : undefined;
      try {
        this.host.commitSync(() => this.append(written), options);
      } finally {
        if (written !== undefined) blobs.settle(written);
      }
    } finally {
      this.end();
    }
  }

  private writes(): readonly WriteOperation[] {
    return this.inner?.operations() ?? this.early;
  }

  /** Validation and installation in one step that nothing can come between. */
  private append(written: WrittenBlobs | undefined): number {
    const sequence = this.appendReferring(written);
    if (written !== undefined) this.host.blobs.made(written);
    return sequence;
  }

  private appendReferring(written: WrittenBlobs | undefined): number {
    const { engine, locks, indexes } = this.host;
    const { inner } = this;
    const operations = locks.size > 0 ? this.writes() : [];
    if (locks.foreign(operations, this) !== undefined)
      throw conflict('a key that another one has locked is among what it writes', '');
    if (inner === undefined) {
      const expanded = indexes.expand(this.early);
      return engine.commit(written?.operations(expanded) ?? expanded);
    }
    if (this.isolation === 'serializable' && inner.operations().length > 0) this.validateReads(inner);
    this.addEntries(inner);
    for (const reference of written?.references.values() ?? []) inner.write(reference);
    return engine.commitTransaction(inner);
  }

  /** Puts the writes of index entries beside those of the rows; a race for a unique value is a conflict. */
  private addEntries(inner: Transaction): void {
    const { engine, indexes } = this.host;
    const rows = inner.operations().filter((operation) => operation.type === 'clear' || !isReserved(operation.key));
    if (rows.length === 0) return;
    try {
      for (const entry of indexes.entryWrites(rows)) inner.write(entry);
    } catch (error) {
      const entry = isLightningError(error, 'LIGHTNING_NOT_UNIQUE') ? error.details['entry'] : undefined;
      if (entry instanceof Uint8Array && engine.changedSince(inner.view, entry)) throw conflict('a unique value');
      throw error;
    }
  }

  private validateReads(inner: Transaction): void {
    const { engine } = this.host;
    for (const key of this.keysRead.values()) if (engine.changedSince(inner.view, key)) throw conflict('what it read');
    for (const range of this.rangesRead)
      if (engine.changedSince(inner.view, range)) throw conflict('a range that it read');
  }

  /** Ends it without a trace. Does nothing when it has ended, or when its commit is on its way. */
  abort(): void {
    if (this.state === 'active') this.end();
  }

  /** Ends it for a reason, which later uses give. */
  endBy(error: LightningError): void {
    if (this.state !== 'active') return;
    this.why = error;
    this.end();
  }

  get isActive(): boolean {
    return this.state === 'active';
  }

  [Symbol.dispose](): void {
    this.abort();
  }

  private end(): void {
    this.state = 'over';
    if (this.inner?.isActive === true) this.host.engine.abortTransaction(this.inner);
    this.inner = undefined;
    this.early = [];
    this.host.weighed(-this.bytes);
    this.bytes = 0;
    this.keysRead.clear();
    this.rangesRead.length = 0;
    this.host.locks.releaseAll(this, this.why ?? closed());
    this.host.ended(this);
  }

  /** What reads go through: the one snapshot, or under `read-committed` a new one for each statement. */
  private reader(): { readonly reader: Transaction; readonly done: () => void } {
    const { engine } = this.host;
    if (this.isolation !== 'read-committed') {
      this.inner ??= this.replayed();
      return { reader: this.inner, done: () => undefined };
    }
    const reader = this.replayed();
    const done = (): void => {
      if (reader.isActive) engine.abortTransaction(reader);
    };
    return { reader, done };
  }

  private replayed(): Transaction {
    const inner = this.host.engine.begin();
    for (const operation of this.early) inner.write(operation);
    if (this.isolation !== 'read-committed') this.early = [];
    return inner;
  }

  private noteRead(key: Uint8Array): void {
    if (this.isolation !== 'serializable') return;
    const name = nameOf(key);
    if (this.keysRead.has(name)) return;
    this.weigh(key.length);
    this.keysRead.set(name, copyBytes(key));
  }

  private noteRange(range: KeyRange): void {
    this.weigh(range.start.length + (range.end?.length ?? 0));
    this.rangesRead.push({
      start: copyBytes(range.start),
      end: range.end === undefined ? undefined : copyBytes(range.end),
    });
  }

  private weigh(bytes: number): void {
    this.bytes += bytes + ENTRY_BYTES;
    this.host.weighed(bytes + ENTRY_BYTES);
    const limit = this.host.transactionBytesMax;
    if (this.bytes <= limit) return;
    const error = new LightningError('LIGHTNING_LIMIT', `a transaction holds at most ${limit} bytes`, { limit });
    this.endBy(error);
    throw error;
  }

  /** @throws LightningError `LIGHTNING_TRANSACTION_CLOSED`, or once more why it ended by itself */
  private use(): void {
    if (this.state === 'active') return;
    throw this.why ?? closed();
  }
}

function ownedCopy(operation: WriteOperation): WriteOperation {
  if (operation.type === 'clear') {
    return {
      ...operation,
      start: copyBytes(operation.start),
      end: operation.end === undefined ? undefined : copyBytes(operation.end),
    };
  }
  const key = copyBytes(operation.key);
  return operation.type === 'put' ? { ...operation, key, value: copyBytes(operation.value) } : { type: 'delete', key };
}

function conflict(what: string, prefix = 'another commit changed '): LightningError {
  return new LightningError('LIGHTNING_CONFLICT', `${prefix}${what}`);
}

function closed(): LightningError {
  return new LightningError('LIGHTNING_TRANSACTION_CLOSED', 'the transaction is over');
}

function abortedBy(signal: AbortSignal | undefined): LightningError {
  return new LightningError('LIGHTNING_ABORTED', 'the signal ended the wait', {}, signal?.reason);
}

/** Whether beginning anew may help. */
export function isRetriable(error: unknown): boolean {
  return isLightningError(error, 'LIGHTNING_CONFLICT') || isLightningError(error, 'LIGHTNING_DEADLOCK');
}
