/** Our own engine, through the face that people use. */
import { Database, type WriteOperation } from '../src/database/index.ts';
import type { Rows } from './material.ts';
import type { BenchEngine, BenchStore, Slice, StoreSettings } from './store.ts';

class LightningStore implements BenchStore {
  private readonly database: Database;
  private readonly steps: Map<string, number>;

  constructor(database: Database, steps: Map<string, number>) {
    this.database = database;
    this.steps = steps;
  }

  putEach({ rows, from, to }: Slice): void {
    for (let row = from; row < to; row++) this.database.putSync(rows.key(row), rows.value(row));
  }

  readonly putEachAwaited = async ({ rows, from, to }: Slice): Promise<void> => {
    for (let row = from; row < to; row++) await this.database.put(rows.key(row), rows.value(row));
  };

  putBatch({ rows, from, to }: Slice): void {
    const operations: WriteOperation[] = [];
    for (let row = from; row < to; row++) operations.push({ type: 'put', key: rows.key(row), value: rows.value(row) });
    this.database.batchSync(operations);
  }

  deleteBatch({ rows, from, to }: Slice): void {
    const operations: WriteOperation[] = [];
    for (let row = from; row < to; row += 2) operations.push({ type: 'delete', key: rows.key(row) });
    this.database.batchSync(operations);
  }

  getEach(rows: Rows, wanted: Uint32Array): number {
    let found = 0;
    for (const row of wanted) if (this.database.getSync(rows.key(row)) !== undefined) found++;
    return found;
  }

  scanAll(): number {
    let count = 0;
    for (const [key, value] of this.database.scanSync()) if (key.length + value.length > 0) count++;
    return count;
  }

  settle(): Promise<void> {
    return this.database.idle();
  }

  compact(): Promise<void> {
    return this.database.compact();
  }

  counts(): Readonly<Record<string, number>> {
    return { flushes: this.steps.get('flush') ?? 0, merges: this.steps.get('merge') ?? 0 };
  }

  close(): Promise<void> {
    return this.database.close();
  }
}

export const lightningEngine: BenchEngine = {
  name: 'lightning-db',
  putIsAsynchronous: false,
  async prepare() {
    return {
      version: 'this tree',
      calls: { put: 'putSync', get: 'getSync', scan: 'scanSync', batch: 'batchSync', durable: "durability 'commit'" },
    };
  },
  async open(folder: string, settings: StoreSettings): Promise<BenchStore> {
    const steps = new Map<string, number>();
    const database = await Database.open(folder, {
      durability: settings.durable ? 'commit' : 'none',
      cacheBytes: settings.cacheBytes,
      memtableBytes: settings.writeBufferBytes,
      observe: (step) => {
        steps.set(step, (steps.get(step) ?? 0) + 1);
      },
    });
    return new LightningStore(database, steps);
  },
};
