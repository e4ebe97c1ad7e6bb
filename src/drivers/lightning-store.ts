/**
 * The reference engine under the operation language, one call at a time and without a promise: what the asynchronous
 * driver (lightning.ts) wraps, and what stages call directly because a hundred thousand operations a second matter there.
 *
 * 1. A write is acknowledged `synced` in durability `commit` or with `sync`, else `volatile`.
 * 2. `LIGHTNING_BACKPRESSURE` is relieved by `step()`, as the database face does for a synchronous writer.
 * 3. Time that passes (`advanceClock`, also by 0) lets one slice of waiting background work be done.
 */
import type { ManualClock } from '../base/clock.ts';
import { isLightningError, LightningError } from '../base/errors.ts';
import { type BytesText, decodeBytes } from '../contract/bytes-text.ts';
import type { BatchOperation, KeyRange, OpenOptions, Operation, ScanRange } from '../contract/operations.ts';
import { ABSENT, CONFLICT, errorOutcome, OK, type Outcome, type Row } from '../contract/outcomes.ts';
import type { Blobs } from '../database/blobs/blobs.ts';
import { openStore } from '../database/blobs/open-store.ts';
import type { WrittenBlobs } from '../database/blobs/written-blobs.ts';
import {
  type Engine,
  type EngineOptions,
  type Observer,
  type Scan,
  type ScanOptions,
  type SnapshotView,
  toRange,
  type Transaction,
  type WriteOperation,
} from '../engine/index.ts';
import type { Vfs } from '../vfs/vfs.ts';

/** What surrounds a store. */
export interface LightningEnvironment {
  /** Rooted in the store's folder, which exists. */
  readonly vfs: Vfs;
  readonly clock: ManualClock;
  readonly observe?: Observer;
  readonly newDatabaseId?: () => Uint8Array;
  /** Cuts the power, and gives the disk as it comes up again. Without it there is no `crash`. */
  readonly cutPower?: () => Vfs;
}

/** Options of the engine that a program may carry; any other name is not for this engine. */
const ENGINE_OPTIONS: ReadonlySet<string> = new Set<keyof EngineOptions>([
  'durability',
  'blockSizeBytes',
  'nodeTargetBytes',
  'runBlockBytes',
  'memtableBytes',
  'frozenCountMax',
  'runCountMax',
  'cacheBytes',
  'compression',
  'bloomBitsPerKey',
]);

/** Steps after which a writer that is still held back gets the error. */
const RELIEF_STEPS_MAX = 100_000;

/** The outcome of a write that survives a power cut. */
const SYNCED: Outcome = { kind: 'ok', durability: 'synced' };
const VOLATILE: Outcome = { kind: 'ok', durability: 'volatile' };

/** The engine's options out of a program's. */
export function engineOptions(options: OpenOptions): Partial<EngineOptions> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => ENGINE_OPTIONS.has(name)));
}

/** An open store. Errors of the engine are outcomes; anything without a code is thrown. */
export class LightningStore {
  private readonly environment: LightningEnvironment;
  private readonly options: Partial<EngineOptions>;
  private vfs: Vfs;
  private current: Engine;
  private blobs: Blobs;
  private readonly blobBytes: number | undefined;
  /** Open transactions that have put a large value. */
  private readonly large = new Set<number>();
  private readonly snapshots = new Map<number, SnapshotView>();
  private readonly transactions = new Map<number, Transaction>();
  private readonly decoded = new Map<string, Uint8Array>();

  /** Opens the store. @throws LightningError as `Engine.open` does */
  constructor(environment: LightningEnvironment, options: OpenOptions) {
    this.environment = environment;
    this.options = engineOptions(options);
    const { blobBytes } = options;
    this.blobBytes = typeof blobBytes === 'number' ? blobBytes : undefined;
    this.vfs = environment.vfs;
    ({ engine: this.current, blobs: this.blobs } = this.open());
  }

  /** The engine that is open now; another one after `reopen` and `crash`. */
  get engine(): Engine {
    return this.current;
  }

  /** Carries an operation out, within the capabilities of the driver. */
  execute(operation: Operation): Outcome {
    try {
      return this.carryOut(operation);
    } catch (error) {
      if (!isLightningError(error)) throw error;
      if (error.code === 'LIGHTNING_CONFLICT') return CONFLICT;
      return errorOutcome(error.code, error.message, error.code !== 'LIGHTNING_INDEFINITE');
    }
  }

  /** A clean close. @throws LightningError */
  close(): void {
    this.blobs.close();
    this.current.close();
  }

  private open(): { engine: Engine; blobs: Blobs } {
    const { clock, observe, newDatabaseId } = this.environment;
    const opened = openStore(
      {
        vfs: this.vfs,
        clock,
        ...(observe === undefined ? {} : { observe }),
        ...(newDatabaseId === undefined ? {} : { newDatabaseId }),
      },
      this.options,
      this.blobBytes,
    );
    while (opened.blobs.sweepSlice());
    return opened;
  }

  private carryOut(operation: Operation): Outcome {
    const engine = this.current;
    switch (operation.kind) {
      case 'put':
      case 'delete':
      case 'clear':
        return this.write([this.writeOf(operation)], operation.sync);
      case 'batch':
        return this.write(
          operation.operations.map((step) => this.writeOf(step)),
          operation.sync,
        );
      case 'get':
        return valueOutcome(engine.get(this.bytes(operation.key)));
      case 'scan':
        return rowsOutcome(engine.scan(this.scanOptions(operation.range)));
      case 'openSnapshot':
        this.snapshots.set(operation.snapshot, engine.openSnapshot());
        return OK;
      case 'snapshotGet':
        return valueOutcome(engine.get(this.bytes(operation.key), this.snapshot(operation.snapshot)));
      case 'snapshotScan':
        return rowsOutcome(engine.scan(this.scanOptions(operation.range), this.snapshot(operation.snapshot)));
      case 'releaseSnapshot':
        engine.releaseSnapshot(this.snapshot(operation.snapshot));
        this.snapshots.delete(operation.snapshot);
        return OK;
      case 'begin':
        this.transactions.set(operation.transaction, engine.begin());
        return OK;
      case 'txGet':
        return valueOutcome(this.transaction(operation.transaction).get(this.bytes(operation.key)));
      case 'txScan':
        return rowsOutcome(this.transaction(operation.transaction).scan(this.scanOptions(operation.range)));
      case 'txPut':
        this.transaction(operation.transaction).write(this.writeOf({ ...operation, kind: 'put' }));
        if (this.blobs.isLarge(this.bytes(operation.value))) this.large.add(operation.transaction);
        return OK;
      case 'txDelete':
        this.transaction(operation.transaction).write({ type: 'delete', key: this.bytes(operation.key) });
        return OK;
      case 'txClear':
        this.transaction(operation.transaction).write(this.clear(operation.range));
        return OK;
      case 'commit':
        return this.commit(operation.transaction, operation.sync);
      case 'abort':
        engine.abortTransaction(this.transaction(operation.transaction));
        this.transactions.delete(operation.transaction);
        return OK;
      case 'sync':
        engine.sync();
        return OK;
      case 'flush':
        engine.flush();
        return OK;
      case 'merge':
        engine.compact();
        return OK;
      case 'collect':
        engine.collect();
        return OK;
      case 'backup':
        return errorOutcome('LIGHTNING_MISSING_CAPABILITY', operation.kind);
      case 'reopen':
        this.close();
        return this.comeUp();
      case 'crash':
        return this.crash();
      case 'advanceClock':
        this.environment.clock.advance(operation.milliseconds);
        engine.step();
        return OK;
    }
  }

  private comeUp(): Outcome {
    this.snapshots.clear();
    this.transactions.clear();
    this.large.clear();
    ({ engine: this.current, blobs: this.blobs } = this.open());
    return OK;
  }

  private crash(): Outcome {
    const { cutPower } = this.environment;
    if (cutPower === undefined) return errorOutcome('LIGHTNING_MISSING_CAPABILITY', 'no simulated disk');
    this.vfs = cutPower();
    return this.comeUp();
  }

  private write(operations: readonly WriteOperation[], sync: boolean | undefined): Outcome {
    if (!this.blobs.concerns(operations)) this.relieved(() => this.current.commit(operations));
    else this.withBlobs(operations, (written) => this.current.commit(written.operations(operations)));
    return this.acknowledge(sync);
  }

  private commit(id: number, sync: boolean | undefined): Outcome {
    const transaction = this.transaction(id);
    try {
      if (!this.large.has(id)) this.relieved(() => this.current.commitTransaction(transaction));
      else {
        this.withBlobs(transaction.operations(), (written) => {
          for (const reference of written.references.values()) transaction.write(reference);
          this.current.commitTransaction(transaction);
        });
      }
    } finally {
      if (!transaction.isActive) {
        this.transactions.delete(id);
        this.large.delete(id);
      }
    }
    return this.acknowledge(sync);
  }

  /** A commit with large values: they are written first, and taken away again if it is not made. */
  private withBlobs(operations: readonly WriteOperation[], change: (written: WrittenBlobs) => unknown): void {
    const written = this.blobs.write(operations);
    try {
      this.relieved(() => change(written));
      this.blobs.made(written);
    } finally {
      this.blobs.settle(written);
    }
  }

  /** After the engine has taken a commit: what it survives, or that nobody knows. */
  private acknowledge(sync: boolean | undefined): Outcome {
    if ((this.options.durability ?? 'commit') !== 'commit' && sync !== true) return VOLATILE;
    try {
      this.current.sync();
      return SYNCED;
    } catch (error) {
      if (!isLightningError(error)) throw error;
      return errorOutcome(error.code, error.message, false);
    }
  }

  /** Does background work until the engine takes the commit. */
  private relieved(change: () => unknown): void {
    for (let steps = 0; ; steps++) {
      try {
        change();
        return;
      } catch (error) {
        if (!isLightningError(error, 'LIGHTNING_BACKPRESSURE') || steps === RELIEF_STEPS_MAX) throw error;
        this.current.step();
      }
    }
  }

  private snapshot(id: number): SnapshotView {
    const view = this.snapshots.get(id);
    if (view === undefined) throw new LightningError('LIGHTNING_SNAPSHOT_CLOSED', `snapshot ${id} is not open`);
    return view;
  }

  private transaction(id: number): Transaction {
    const transaction = this.transactions.get(id);
    if (transaction === undefined) {
      throw new LightningError('LIGHTNING_TRANSACTION_CLOSED', `transaction ${id} is not open`);
    }
    return transaction;
  }

  /** Short texts are decoded once; programs name the same keys again and again. */
  private bytes(text: BytesText): Uint8Array {
    if (typeof text !== 'string') return decodeBytes(text);
    let bytes = this.decoded.get(text);
    if (bytes === undefined) {
      bytes = decodeBytes(text);
      this.decoded.set(text, bytes);
    }
    return bytes;
  }

  private writeOf(operation: BatchOperation): WriteOperation {
    switch (operation.kind) {
      case 'put': {
        const key = this.bytes(operation.key);
        const value = this.bytes(operation.value);
        const { deadline } = operation;
        return deadline === undefined ? { type: 'put', key, value } : { type: 'put', key, value, deadline };
      }
      case 'delete':
        return { type: 'delete', key: this.bytes(operation.key) };
      case 'clear':
        return this.clear(operation.range);
    }
  }

  private clear(range: KeyRange): WriteOperation {
    return { type: 'clear', ...toRange(this.bounds(range)) };
  }

  private bounds(range: KeyRange): ScanOptions {
    const bounds: Record<string, Uint8Array> = {};
    for (const name of ['gte', 'gt', 'lte', 'lt', 'prefix'] as const) {
      const text = range[name];
      if (text !== undefined) bounds[name] = this.bytes(text);
    }
    return bounds;
  }

  private scanOptions(range: ScanRange): ScanOptions {
    const { reverse, limit } = range;
    return {
      ...this.bounds(range),
      ...(reverse === undefined ? {} : { reverse }),
      ...(limit === undefined ? {} : { limit }),
    };
  }
}

function valueOutcome(value: Uint8Array | undefined): Outcome {
  return value === undefined ? ABSENT : { kind: 'value', value };
}

function rowsOutcome(scan: Scan): Outcome {
  const rows: Row[] = [];
  try {
    while (scan.next()) rows.push([scan.current.key(), scan.current.value()]);
  } finally {
    scan.close();
  }
  return { kind: 'rows', rows };
}
