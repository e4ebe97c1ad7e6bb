/** LMDB for Node. A put outside a transaction is a transaction of its own. */
import { join } from 'node:path';
import { loadEngine, versionOfPackage } from '../src/drivers/load-engine.ts';
import type { Rows } from './material.ts';
import type { BenchEngine, BenchStore, Slice, StoreSettings } from './store.ts';

const PACKAGE = 'lmdb';
const MAP_BYTES = 4 * 1024 * 1024 * 1024;

interface Lmdb {
  get(key: Buffer): Uint8Array | undefined;
  put(key: Buffer, value: Buffer): Promise<boolean>;
  putSync(key: Buffer, value: Buffer): boolean;
  removeSync(key: Buffer): boolean;
  transactionSync<T>(action: () => T): T;
  getRange(range: Record<string, never>): Iterable<{ key: Uint8Array; value: Uint8Array }>;
  readonly flushed: Promise<unknown>;
  close(): Promise<void>;
}

interface LmdbOptions {
  readonly path: string;
  readonly keyEncoding: 'binary';
  readonly encoding: 'binary';
  readonly mapSize: number;
  readonly noSync: boolean;
  readonly overlappingSync: boolean;
}

class LmdbBenchStore implements BenchStore {
  private readonly database: Lmdb;

  constructor(database: Lmdb) {
    this.database = database;
  }

  putEach({ rows, from, to }: Slice): void {
    for (let row = from; row < to; row++) this.database.putSync(rows.key(row), rows.value(row));
  }

  readonly putEachAwaited = async ({ rows, from, to }: Slice): Promise<void> => {
    for (let row = from; row < to; row++) await this.database.put(rows.key(row), rows.value(row));
  };

  putBatch({ rows, from, to }: Slice): void {
    this.database.transactionSync(() => {
      for (let row = from; row < to; row++) this.database.putSync(rows.key(row), rows.value(row));
    });
  }

  deleteBatch({ rows, from, to }: Slice): void {
    this.database.transactionSync(() => {
      for (let row = from; row < to; row += 2) this.database.removeSync(rows.key(row));
    });
  }

  getEach(rows: Rows, wanted: Uint32Array): number {
    let found = 0;
    for (const row of wanted) if (this.database.get(rows.key(row)) !== undefined) found++;
    return found;
  }

  scanAll(): number {
    let count = 0;
    for (const { key, value } of this.database.getRange({})) if (key.length + value.length > 0) count++;
    return count;
  }

  async settle(): Promise<void> {
    await this.database.flushed;
  }

  async compact(): Promise<void> {
    // Pages are in their final place when a transaction has ended.
  }

  counts(): Readonly<Record<string, number>> {
    return {};
  }

  close(): Promise<void> {
    return this.database.close();
  }
}

export const lmdbEngine: BenchEngine = {
  name: PACKAGE,
  putIsAsynchronous: false,
  async prepare() {
    await loadEngine(PACKAGE);
    return {
      version: versionOfPackage(PACKAGE) ?? 'unknown',
      calls: {
        put: 'putSync',
        get: 'get',
        scan: 'getRange',
        batch: 'transactionSync',
        durable: 'overlappingSync: false',
      },
    };
  },
  async open(folder: string, settings: StoreSettings): Promise<BenchStore> {
    const { open } = (await loadEngine(PACKAGE)) as { open: (options: LmdbOptions) => Lmdb };
    // With overlappingSync a synchronous put returns before its flush; without it the commit itself waits.
    const database = open({
      path: join(folder, 'store.mdb'),
      keyEncoding: 'binary',
      encoding: 'binary',
      mapSize: MAP_BYTES,
      noSync: !settings.durable,
      overlappingSync: false,
    });
    return new LmdbBenchStore(database);
  },
};
