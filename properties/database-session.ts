/** The database's synchronous face under the operation language: what the stage `database` judges. */
import type { ManualClock } from '../src/base/clock.ts';
import { isLightningError, LightningError } from '../src/base/errors.ts';
import { type BytesText, decodeBytes } from '../src/contract/bytes-text.ts';
import type { Capabilities } from '../src/contract/driver.ts';
import type { BatchOperation, KeyRange, Operation, ScanRange } from '../src/contract/operations.ts';
import { ABSENT, CONFLICT, errorOutcome, OK, type Outcome } from '../src/contract/outcomes.ts';
import {
  Database,
  type DatabaseOptions,
  type DatabaseTransaction,
  type RangeBounds,
  type Row,
  type ScanOptions,
  type Snapshot,
} from '../src/database/index.ts';
import { clearOf } from '../src/database/writes.ts';
import { LIGHTNING_CAPABILITIES } from '../src/drivers/lightning.ts';
import type { WriteOperation } from '../src/engine/index.ts';
import type { Vfs } from '../src/vfs/vfs.ts';

/** What the database offers beyond the engine: every level, and snapshots of transactions taken by the first read. */
export const DATABASE_CAPABILITIES: Capabilities = {
  ...LIGHTNING_CAPABILITIES,
  transactions: ['snapshot', 'serializable', 'read-committed'],
  transactionSnapshotAt: 'first-read',
  collect: false,
  crash: true,
};

/** What surrounds a session. */
export interface SessionSurroundings {
  readonly vfs: Vfs;
  readonly clock: ManualClock;
  readonly options: Partial<DatabaseOptions>;
  /** Cuts the power, and gives the disk as it comes up again. */
  readonly cutPower: () => Vfs;
}

export class DatabaseSession {
  private readonly around: SessionSurroundings;
  private vfs: Vfs;
  private readonly snapshots = new Map<number, Snapshot>();
  private readonly transactions = new Map<number, DatabaseTransaction>();
  /** The database that is open now. */
  database: Database;

  constructor(around: SessionSurroundings) {
    this.around = around;
    this.vfs = around.vfs;
    this.database = this.open();
  }

  private open(): Database {
    return Database.openOn(this.vfs, { ...this.around.options, clock: this.around.clock, random: () => 0 });
  }

  /** Snapshots that the program has open, those of transactions not counted. */
  get openSnapshots(): number {
    return this.snapshots.size;
  }

  /** Transactions that the program has not ended. */
  get openTransactions(): number {
    return [...this.transactions.values()].filter((one) => one.isActive).length;
  }

  /** What the program has open, by its numbers. */
  *views(): Generator<{
    readonly snapshot?: number;
    readonly transaction?: number;
    at: Snapshot | DatabaseTransaction;
  }> {
    for (const [snapshot, at] of this.snapshots) yield { snapshot, at };
    for (const [transaction, at] of this.transactions) if (at.isActive) yield { transaction, at };
  }

  /** Carries an operation out. Errors with a code are outcomes; others are thrown. */
  execute(operation: Operation): Outcome {
    try {
      return this.carryOut(operation);
    } catch (error) {
      if (!isLightningError(error)) throw error;
      if (error.code === 'LIGHTNING_CONFLICT') return CONFLICT;
      return errorOutcome(error.code, error.message, error.code !== 'LIGHTNING_INDEFINITE');
    }
  }

  private carryOut(operation: Operation): Outcome {
    const { database } = this;
    switch (operation.kind) {
      case 'put':
      case 'delete':
      case 'clear':
        database.batchSync([writeOf(operation)], syncOf(operation));
        return this.acknowledged(operation.sync);
      case 'batch':
        database.batchSync(operation.operations.map(writeOf), syncOf(operation));
        return this.acknowledged(operation.sync);
      case 'get':
        return valueOutcome(database.getSync(decodeBytes(operation.key)));
      case 'scan':
        return rowsOutcome(database.scanSync(scanOf(operation.range)));
      case 'openSnapshot':
        this.snapshots.set(operation.snapshot, database.snapshot());
        return OK;
      case 'snapshotGet':
        return valueOutcome(this.snapshot(operation.snapshot).getSync(decodeBytes(operation.key)));
      case 'snapshotScan':
        return rowsOutcome(this.snapshot(operation.snapshot).scanSync(scanOf(operation.range)));
      case 'releaseSnapshot':
        this.snapshot(operation.snapshot).release();
        this.snapshots.delete(operation.snapshot);
        return OK;
      case 'sync':
        database.syncSync();
        return OK;
      case 'flush':
        database.flushSync();
        return OK;
      case 'merge':
        database.compactSync();
        return OK;
      case 'collect':
      case 'backup':
        return errorOutcome('LIGHTNING_MISSING_CAPABILITY');
      case 'reopen':
        database.closeSync();
        return this.comeUp();
      case 'crash':
        this.vfs = this.around.cutPower();
        // What this writes goes to the disk of before, which nobody reads any more.
        database.closeSync();
        return this.comeUp();
      case 'advanceClock':
        this.around.clock.advance(operation.milliseconds);
        return OK;
      case 'begin':
      case 'txGet':
      case 'txScan':
      case 'txPut':
      case 'txDelete':
      case 'txClear':
      case 'commit':
      case 'abort':
        return this.inTransaction(operation);
    }
  }

  private inTransaction(operation: Extract<Operation, { transaction: number }>): Outcome {
    if (operation.kind === 'begin') {
      this.transactions.set(
        operation.transaction,
        this.database.begin({ isolation: operation.isolation ?? 'snapshot' }),
      );
      return OK;
    }
    const transaction = this.transactions.get(operation.transaction);
    if (transaction === undefined) throw new LightningError('LIGHTNING_TRANSACTION_CLOSED', 'it is not open');
    switch (operation.kind) {
      case 'txGet':
        return valueOutcome(transaction.getSync(decodeBytes(operation.key)));
      case 'txScan':
        return rowsOutcome(transaction.scanSync(scanOf(operation.range)));
      case 'txPut': {
        const { deadline } = operation;
        const key = decodeBytes(operation.key);
        transaction.put(key, decodeBytes(operation.value), deadline === undefined ? {} : { deadline });
        return OK;
      }
      case 'txDelete':
        transaction.delete(decodeBytes(operation.key));
        return OK;
      case 'txClear':
        transaction.clear(boundsOf(operation.range));
        return OK;
      case 'commit':
        transaction.commitSync(syncOf(operation));
        return this.acknowledged(operation.sync);
      case 'abort':
        transaction.abort();
        return OK;
    }
  }

  private comeUp(): Outcome {
    this.snapshots.clear();
    this.transactions.clear();
    this.database = this.open();
    return OK;
  }

  private acknowledged(sync: boolean | undefined): Outcome {
    const durable = (this.around.options.durability ?? 'commit') === 'commit' || sync === true;
    return { kind: 'ok', durability: durable ? 'synced' : 'volatile' };
  }

  private snapshot(id: number): Snapshot {
    const snapshot = this.snapshots.get(id);
    if (snapshot === undefined) throw new LightningError('LIGHTNING_SNAPSHOT_CLOSED', `snapshot ${id} is not open`);
    return snapshot;
  }
}

function writeOf(operation: BatchOperation): WriteOperation {
  if (operation.kind === 'clear') return clearOf(boundsOf(operation.range));
  const key = decodeBytes(operation.key);
  if (operation.kind === 'delete') return { type: 'delete', key };
  const { deadline } = operation;
  const value = decodeBytes(operation.value);
  return deadline === undefined ? { type: 'put', key, value } : { type: 'put', key, value, deadline };
}

function syncOf({ sync }: { readonly sync?: boolean }): { readonly sync?: boolean } {
  return sync === undefined ? {} : { sync };
}

function boundsOf(range: KeyRange): RangeBounds {
  const bounds: Record<string, Uint8Array> = {};
  for (const name of ['gte', 'gt', 'lte', 'lt', 'prefix'] as const) {
    const text: BytesText | undefined = range[name];
    if (text !== undefined) bounds[name] = decodeBytes(text);
  }
  return bounds;
}

function scanOf(range: ScanRange): ScanOptions {
  const { reverse, limit } = range;
  return {
    ...boundsOf(range),
    ...(reverse === undefined ? {} : { reverse }),
    ...(limit === undefined ? {} : { limit }),
  };
}

function valueOutcome(value: Uint8Array | undefined): Outcome {
  return value === undefined ? ABSENT : { kind: 'value', value };
}

/** Asked once more at the end, an iterator gives what it should not: that shows as a row too many. */
function rowsOutcome(iterator: IterableIterator<Row>): Outcome {
  const rows = [...iterator];
  const more = iterator.next();
  return { kind: 'rows', rows: more.done === true ? rows : [...rows, more.value] };
}
