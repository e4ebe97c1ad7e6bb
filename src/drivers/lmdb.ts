/**
 * lmdb-js: LMDB for Node, a copy-on-write B+tree in a mapped file. Synchronous transactions; by default lmdb-js flushes
 * to disk after a commit is visible, so an acknowledged write is volatile until `flushed`.
 */
import { join } from 'node:path';
import type { Capabilities, EngineDriver, EngineSession } from '../contract/driver.ts';
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
  close(): Promise<void>;
}

type OpenLmdb = (options: { path: string; keyEncoding: 'binary'; encoding: 'binary' }) => LmdbDatabase;

/** The empty key is no key here, so a range from it is a range from the start. */
function forward({ low, high }: Interval): LmdbRange {
  return {
    ...(low.length === 0 ? {} : { start: Buffer.from(low) }),
    ...(high === undefined ? {} : { end: Buffer.from(high) }),
  };
}

/**
 * The end is always given, if only as `undefined`: without it lmdb-js 3.5.6 ends a reverse range before the key of one
 * zero byte and leaves that key out (found by the peers stage).
 */
function backward({ low, high }: Interval): LmdbRange {
  return {
    reverse: true,
    ...(high === undefined ? {} : { start: Buffer.from(high), exclusiveStart: true }),
    end: low.length === 0 ? undefined : Buffer.from(low),
    inclusiveEnd: low.length > 0,
  };
}

class LmdbStore implements PlainStore<LmdbSnapshot> {
  private readonly database: LmdbDatabase;

  constructor(database: LmdbDatabase) {
    this.database = database;
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
    if (sync) await this.database.flushed;
  }

  openSnapshot(): LmdbSnapshot {
    return this.database.useReadTransaction();
  }

  releaseSnapshot(snapshot: LmdbSnapshot): void {
    snapshot.done();
  }

  async sync(): Promise<void> {
    await this.database.flushed;
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
  async open(directory: string): Promise<EngineSession> {
    const { open } = (await loadEngine(PACKAGE)) as { open: OpenLmdb };
    const path = join(directory, 'store.mdb');
    return PlainSession.open(
      CAPABILITIES,
      () => new LmdbStore(open({ path, keyEncoding: 'binary', encoding: 'binary' })),
    );
  },
};
