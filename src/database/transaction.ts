/** A transaction as people use it: reads and writes at once, a commit that waits for its fsync. */
import type { Engine, RangeBounds, ScanOptions, Transaction } from '../engine/index.ts';
import { type Row, rowsOf, rowsOfAsync } from './rows.ts';
import { clearOf } from './writes.ts';

/** How the database commits. */
export interface CommitPath {
  commit(append: () => number, options: { readonly sync?: boolean }): Promise<void>;
  commitSync(append: () => number, options: { readonly sync?: boolean }): void;
}

/**
 * Snapshot isolation: it reads the state at its beginning and its own writes; of two that write the same key the first
 * to commit wins, the other gets `LIGHTNING_CONFLICT`. Nothing is visible to others before the commit, and nothing is left
 * by an abort.
 */
export class DatabaseTransaction implements Disposable {
  private readonly engine: Engine;
  private readonly path: CommitPath;
  private readonly transaction: Transaction;

  constructor(engine: Engine, path: CommitPath) {
    this.engine = engine;
    this.path = path;
    this.transaction = engine.begin();
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.transaction.get(key);
  }

  getSync(key: Uint8Array): Uint8Array | undefined {
    return this.transaction.get(key);
  }

  scan(options: ScanOptions = {}): AsyncIterableIterator<Row> {
    return rowsOfAsync(() => this.transaction.scan(options));
  }

  scanSync(options: ScanOptions = {}): IterableIterator<Row> {
    return rowsOf(() => this.transaction.scan(options));
  }

  put(key: Uint8Array, value: Uint8Array, options: { readonly deadline?: number } = {}): void {
    this.transaction.write(
      options.deadline === undefined
        ? { type: 'put', key, value }
        : { type: 'put', key, value, deadline: options.deadline },
    );
  }

  delete(key: Uint8Array): void {
    this.transaction.write({ type: 'delete', key });
  }

  clear(bounds: RangeBounds = {}): void {
    this.transaction.write(clearOf(bounds));
  }

  /**
   * Commits all writes as one.
   * @throws (rejects) LightningError `LIGHTNING_CONFLICT` (definitely not made; begin anew), otherwise as a put does
   */
  async commit(options: { readonly sync?: boolean } = {}): Promise<void> {
    return this.path.commit(() => this.engine.commitTransaction(this.transaction), options);
  }

  commitSync(options: { readonly sync?: boolean } = {}): void {
    this.path.commitSync(() => this.engine.commitTransaction(this.transaction), options);
  }

  /** Ends it without a trace. Does nothing when it has ended. */
  abort(): void {
    if (this.transaction.isActive) this.engine.abortTransaction(this.transaction);
  }

  get isActive(): boolean {
    return this.transaction.isActive;
  }

  [Symbol.dispose](): void {
    this.abort();
  }
}
