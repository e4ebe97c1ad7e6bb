/**
 * All transactions of a database: their beginning, their limits, and trying again.
 *
 * Invariants
 *   1. `open` holds every active or committing transaction, oldest first, and no other.
 *   2. A transaction that is over holds no lock and no snapshot.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { monotonicMilliseconds } from '../base/clock.ts';
import { LightningError } from '../base/errors.ts';
import type { Engine } from '../engine/index.ts';
import type { Blobs } from './blobs/blobs.ts';
import type { Indexes } from './indexes.ts';
import { type LockCounts, LockManager } from './locks.ts';
import {
  type CommitOptions,
  DatabaseTransaction,
  type Isolation,
  isRetriable,
  type TransactionHost,
} from './transaction.ts';

/** Bounds of transactions. */
export interface TransactionLimits {
  /** Open at once; more are refused with `LIGHTNING_LIMIT`. Default 100,000. */
  readonly transactionCountMax: number;
  /** Bytes of keys and values that one reads (`serializable`) and writes. Default 128 MiB. */
  readonly transactionBytesMax: number;
  /** An older one ends by itself, with `LIGHTNING_LIMIT`. Milliseconds; default ten minutes. */
  readonly transactionAgeMillisecondsMax: number;
}

/** How a transaction begins. */
export interface BeginOptions {
  /** Default `snapshot`. */
  readonly isolation?: Isolation;
}

/** How a function is carried out as a transaction. */
export interface TransactionOptions extends BeginOptions, CommitOptions {
  /** Further tries after a conflict or a deadlock, 0 to 1,000,000. Default 10. */
  readonly retries?: number;
  /** Ends waiting and trying; a commit that is on its way is not called back. */
  readonly signal?: AbortSignal;
}

/** Figures of transactions and locks. */
export interface TransactionStatistics extends LockCounts {
  readonly transactionCount: number;
  readonly lockCount: number;
  readonly lockWaiters: number;
  readonly conflicts: number;
}

const LEVELS: readonly Isolation[] = ['read-committed', 'repeatable-read', 'snapshot', 'serializable'];
const RETRIES_MAX = 1_000_000;
/** The longest pause between two tries. */
const PAUSE_MILLISECONDS_MAX = 32;

/** How commits are made, and whence chance comes. */
export interface TransactionsEnvironment extends Pick<
  TransactionHost,
  'engine' | 'indexes' | 'blobs' | 'commit' | 'commitSync' | 'settle'
> {
  /** From 0 to 1, for the pauses between tries. */
  readonly random: () => number;
  /** Called when versions may have become free. */
  readonly onEnd: () => void;
}

export class Transactions implements TransactionHost {
  readonly engine: Engine;
  readonly indexes: Indexes;
  readonly blobs: Blobs;
  readonly locks = new LockManager(monotonicMilliseconds);
  readonly transactionBytesMax: number;
  private readonly environment: TransactionsEnvironment;
  private readonly limits: TransactionLimits;
  private readonly open = new Set<DatabaseTransaction>();
  /** What `run` carries out in this asynchronous context. */
  private readonly inside = new AsyncLocalStorage<{ transaction: DatabaseTransaction | undefined }>();
  private begun = 0;
  private conflicts = 0;
  /** What all open ones hold. */
  bytes = 0;

  constructor(environment: TransactionsEnvironment, limits: TransactionLimits) {
    this.engine = environment.engine;
    this.indexes = environment.indexes;
    this.blobs = environment.blobs;
    this.environment = environment;
    this.limits = limits;
    this.transactionBytesMax = limits.transactionBytesMax;
  }

  /** @throws LightningError `LIGHTNING_LIMIT`, `LIGHTNING_INVALID_ARGUMENT`, `LIGHTNING_CLOSED` */
  begin({ isolation = 'snapshot' }: BeginOptions = {}): DatabaseTransaction {
    if (!LEVELS.includes(isolation)) {
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `isolation is one of ${LEVELS.join(', ')}`, { isolation });
    }
    this.engine.commit([]);
    this.endOld(monotonicMilliseconds());
    const limit = this.limits.transactionCountMax;
    if (this.open.size >= limit) {
      throw new LightningError('LIGHTNING_LIMIT', `${limit} transactions are open`, { limit });
    }
    const transaction = new DatabaseTransaction(this, isolation, ++this.begun, monotonicMilliseconds());
    this.open.add(transaction);
    return transaction;
  }

  /**
   * Carries out `work` as a transaction and commits it; after a conflict or a deadlock, again after a pause of random length.
   * @throws (rejects) what `work` throws (nothing was committed then), the last conflict once tries are used up,
   *   `LIGHTNING_INVALID_ARGUMENT` inside another such call, `LIGHTNING_ABORTED`, otherwise as a put does
   */
  async run<T>(work: (transaction: DatabaseTransaction) => Promise<T> | T, options: TransactionOptions): Promise<T> {
    const { retries = 10, signal } = options;
    if (!Number.isInteger(retries) || retries < 0 || retries > RETRIES_MAX) {
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `retries is from 0 to ${RETRIES_MAX}`, { retries });
    }
    if (this.inside.getStore() !== undefined) {
      throw new LightningError(
        'LIGHTNING_INVALID_ARGUMENT',
        'a transaction cannot be begun inside one of this database',
      );
    }
    const box: { transaction: DatabaseTransaction | undefined } = { transaction: undefined };
    return this.inside.run(box, async () => {
      for (let attempt = 0; ; attempt++) {
        throwIfAborted(signal);
        const transaction = this.begin(options);
        box.transaction = transaction;
        try {
          const result = await work(transaction);
          throwIfAborted(signal);
          if (transaction.isActive) await transaction.commit(options);
          return result;
        } catch (error) {
          if (!isRetriable(error) || attempt >= retries) throw error;
        } finally {
          transaction.abort();
        }
        await this.pause(attempt);
      }
    });
  }

  /** The transaction that `run` carries out in the asynchronous context of the caller, if there is one. */
  get current(): DatabaseTransaction | undefined {
    return this.inside.getStore()?.transaction;
  }

  /** Full jitter: anything between nothing and a bound that doubles. The first tries only let others go first. */
  private async pause(attempt: number): Promise<void> {
    const bound = attempt < 4 ? 0 : Math.min(2 ** (attempt - 4), PAUSE_MILLISECONDS_MAX);
    const milliseconds = this.environment.random() * bound;
    await new Promise<void>((resolve) => {
      if (milliseconds < 1) setImmediate(resolve);
      else setTimeout(resolve, milliseconds);
    });
  }

  async commit(append: () => number, options: CommitOptions): Promise<void> {
    return this.environment.commit(this.counted(append), options);
  }

  commitSync(append: () => number, options: CommitOptions): void {
    this.environment.commitSync(this.counted(append), options);
  }

  private counted(append: () => number): () => number {
    return () => {
      try {
        return append();
      } catch (error) {
        if (isRetriable(error)) this.conflicts++;
        throw error;
      }
    };
  }

  async settle(): Promise<void> {
    return this.environment.settle();
  }

  /** A transaction holds so many bytes more, or fewer. */
  weighed(bytes: number): void {
    this.bytes += bytes;
  }

  ended(transaction: DatabaseTransaction): void {
    this.open.delete(transaction);
    this.environment.onEnd();
  }

  /** Ends those that are too old, as of `now`. O(1) when none is. */
  endOld(now: number): void {
    const limit = this.limits.transactionAgeMillisecondsMax;
    for (const transaction of this.open) {
      if (now - transaction.since <= limit) return;
      transaction.endBy(new LightningError('LIGHTNING_LIMIT', `a transaction lasts at most ${limit} ms`, { limit }));
    }
  }

  /** Ends all that are active, when the database closes. */
  endAll(): void {
    const reason = new LightningError('LIGHTNING_CLOSED', 'the store was closed; the transaction was not committed');
    for (const transaction of this.open) transaction.endBy(reason);
  }

  get count(): number {
    return this.open.size;
  }

  statistics(): TransactionStatistics {
    return {
      transactionCount: this.open.size,
      lockCount: this.locks.size,
      lockWaiters: this.locks.waiting,
      conflicts: this.conflicts,
      ...this.locks.counts,
    };
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new LightningError('LIGHTNING_ABORTED', 'the signal ended the transaction', {}, signal.reason);
  }
}
