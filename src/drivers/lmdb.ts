/**
 * lmdb-js: LMDB for Node, a copy-on-write B+tree in a mapped file. Synchronous transactions; by default lmdb-js flushes
 * to disk after a commit is visible, so an acknowledged write is volatile until `flushed`.
 */
import { join } from 'node:path';
import type { Capabilities, EngineDriver, EngineSession } from '../contract/driver.ts';
import type { OpenOptions } from '../contract/operations.ts';
import type { Row } from '../contract/outcomes.ts';
import type { Interval } from './interval.ts';
import { loadEngine, versionOfPackage } from './load-engine.ts';
import { type PlainScan, PlainSession, type PlainStep, type PlainStore } from './plain-session.ts';

const PACKAGE = 'lmdb';

const CAPABILITIES: Capabilities = {
  orderedScan: true,
  reverseScan: true,
  batch: true,
  deleteRange: true,
  batchDeleteRange: true,
  snapshots: true,
  // One writer at a time, inside a callback: several open transactions cannot be interleaved.
  transactions: [],
  transactionSnapshotAt: 'begin',
  deadlines: false,
  sync: true,
  syncWrites: true,
  reopen: true,
  crash: false,
  flush: false,
  merge: false,
  collect: false,
  acknowledges: 'volatile',
  emptyKey: false,
  keyBytesMax: 1978,
  valueBytesMax: 64 * 1024 * 1024,
};

interface LmdbSnapshot {
  done(): void;
}

interface LmdbRange {
  start?: Buffer;
  end?: Buffer | undefined;
  reverse?: boolean;
  limit?: number;
  exclusiveStart?: boolean;
  inclusiveEnd?: boolean;
  transaction?: LmdbSnapshot;
}

interface LmdbDatabase {
  get(key: Buffer, options?: { transaction: LmdbSnapshot }): Buffer | undefined;
  putSync(key: Buffer, value: Buffer): boolean;
  removeSync(key: Buffer): boolean;
  transactionSync<T>(action: () => T): T;
  getRange(range: LmdbRange): Iterable<{ key: Buffer; value: Buffer }>;
  getKeys(range: LmdbRange): Iterable<Buffer>;
  useReadTransaction(): LmdbSnapshot;
  readonly flushed: Promise<unknown>;
  /** Flushes what was not (`mdb_env_sync`). */
  sync(done: (error: unknown) => void): void;
  close(): Promise<void>;
}

interface LmdbOptions {
  readonly path: string;
  readonly keyEncoding: 'binary';
  readonly encoding: 'binary';
  /** No fsync at commits. */
  readonly noSync: boolean;
}

type OpenLmdb = (options: LmdbOptions) => LmdbDatabase;

/**
 * A bound as LMDB takes it. It refuses bounds longer than a key may be, so those are cut: a key of legal length is below
 * a longer bound exactly when it is not above the cut one.
 */
function cut(bound: Uint8Array): { bytes: Buffer; wasCut: boolean } {
  const { keyBytesMax } = CAPABILITIES;
  return { bytes: Buffer.from(bound.subarray(0, keyBytesMax)), wasCut: bound.length > keyBytesMax };
}

/** The empty key is no key here, so a range from it is a range from the start. */
function forward({ low, high }: Interval): LmdbRange {
  const range: LmdbRange = {};
  if (low.length > 0) {
    const { bytes, wasCut } = cut(low);
    range.start = bytes;
    range.exclusiveStart = wasCut;
  }
  if (high !== undefined) {
    const { bytes, wasCut } = cut(high);
    range.end = bytes;
    range.inclusiveEnd = wasCut;
  }
  return range;
}

/**
 * The end is always given, if only as `undefined`: without it lmdb-js 3.5.6 ends a reverse range before the key of one
 * zero byte and leaves that key out (found by the peers stage).
 */
function backward({ low, high }: Interval): LmdbRange {
  const range: LmdbRange = { reverse: true, end: undefined };
  if (high !== undefined) {
    const { bytes, wasCut } = cut(high);
    range.start = bytes;
    range.exclusiveStart = !wasCut;
  }
  if (low.length > 0) {
    const { bytes, wasCut } = cut(low);
    range.end = bytes;
    range.inclusiveEnd = !wasCut;
  }
  return range;
}

class LmdbStore implements PlainStore<LmdbSnapshot> {
  private readonly database: LmdbDatabase;
  private readonly noSync: boolean;

  /** @param noSync nothing is flushed by itself, so a sync has to ask for it */
  constructor(database: LmdbDatabase, noSync: boolean) {
    this.database = database;
    this.noSync = noSync;
  }

  get(key: Uint8Array, transaction: LmdbSnapshot | undefined): Uint8Array | undefined {
    const found = this.database.get(Buffer.from(key), transaction === undefined ? undefined : { transaction });
    return found === undefined ? undefined : new Uint8Array(found);
  }

  scan(scan: PlainScan, transaction: LmdbSnapshot | undefined): readonly Row[] {
    const range = scan.reverse ? backward(scan.interval) : forward(scan.interval);
    if (scan.limit >= 0) range.limit = scan.limit;
    if (transaction !== undefined) range.transaction = transaction;
    const rows: Row[] = [];
    for (const { key, value } of this.database.getRange(range)) rows.push([new Uint8Array(key), new Uint8Array(value)]);
    return rows;
  }

  async write(steps: readonly PlainStep[], sync: boolean): Promise<void> {
    this.database.transactionSync(() => {
      for (const step of steps) {
        if (step.kind === 'put') this.database.putSync(Buffer.from(step.key), Buffer.from(step.value));
        else if (step.kind === 'delete') this.database.removeSync(Buffer.from(step.key));
        else {
          for (const key of [...this.database.getKeys(forward(step.interval))].map((found) => Buffer.from(found))) {
            this.database.removeSync(key);
          }
        }
      }
    });
    if (sync) await this.sync();
  }

  openSnapshot(): LmdbSnapshot {
    return this.database.useReadTransaction();
  }

  releaseSnapshot(snapshot: LmdbSnapshot): void {
    snapshot.done();
  }

  async sync(): Promise<void> {
    if (!this.noSync) {
      await this.database.flushed;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      this.database.sync((error) => (error instanceof Error ? reject(error) : resolve()));
    });
  }

  close(): Promise<void> {
    return this.database.close();
  }
}

/** The driver; the package is loaded when a store is opened. */
export const lmdbDriver: EngineDriver = {
  name: PACKAGE,
  get version(): string | undefined {
    return versionOfPackage(PACKAGE);
  },
  capabilities: CAPABILITIES,
  async open(directory: string, options: OpenOptions): Promise<EngineSession> {
    const { open } = (await loadEngine(PACKAGE)) as { open: OpenLmdb };
    const path = join(directory, 'store.mdb');
    const noSync = options['durability'] === 'none';
    const openStore = (): LmdbStore =>
      new LmdbStore(open({ path, keyEncoding: 'binary', encoding: 'binary', noSync }), noSync);
    return PlainSession.open(CAPABILITIES, openStore);
  },
};
