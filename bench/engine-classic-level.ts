/** LevelDB for Node. Its writes are asynchronous only; reads have a synchronous call, which is the cheaper one. */
import { loadEngine, versionOfPackage } from '../src/drivers/load-engine.ts';
import type { Rows } from './material.ts';
import type { BenchEngine, BenchStore, Slice, StoreSettings } from './store.ts';

const PACKAGE = 'classic-level';
/** Rows taken from an iterator by one call. */
const ROWS_A_CALL = 1000;

type LevelOperation = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer };

interface LevelIterator {
  nextv(size: number): Promise<[Uint8Array, Uint8Array][]>;
  close(): Promise<void>;
}

interface Level {
  open(): Promise<void>;
  put(key: Buffer, value: Buffer, options: { sync: boolean }): Promise<void>;
  batch(operations: LevelOperation[], options: { sync: boolean }): Promise<void>;
  getSync(key: Buffer): Uint8Array | undefined;
  iterator(options: { highWaterMarkBytes: number }): LevelIterator;
  compactRange(start: Buffer, end: Buffer): Promise<void>;
  close(): Promise<void>;
}

interface LevelOptions {
  readonly keyEncoding: 'buffer';
  readonly valueEncoding: 'buffer';
  readonly compression: boolean;
  readonly cacheSize: number;
  readonly writeBufferSize: number;
}

class LevelBenchStore implements BenchStore {
  private readonly database: Level;
  private readonly options: { readonly sync: boolean };

  constructor(database: Level, sync: boolean) {
    this.database = database;
    this.options = { sync };
  }

  putEach(slice: Slice): Promise<void> {
    return this.putEachAwaited(slice);
  }

  readonly putEachAwaited = async ({ rows, from, to }: Slice): Promise<void> => {
    for (let row = from; row < to; row++) await this.database.put(rows.key(row), rows.value(row), this.options);
  };

  putBatch({ rows, from, to }: Slice): Promise<void> {
    const operations: LevelOperation[] = [];
    for (let row = from; row < to; row++) operations.push({ type: 'put', key: rows.key(row), value: rows.value(row) });
    return this.database.batch(operations, this.options);
  }

  deleteBatch({ rows, from, to }: Slice): Promise<void> {
    const operations: LevelOperation[] = [];
    for (let row = from; row < to; row += 2) operations.push({ type: 'del', key: rows.key(row) });
    return this.database.batch(operations, this.options);
  }

  getEach(rows: Rows, wanted: Uint32Array): number {
    let found = 0;
    for (const row of wanted) if (this.database.getSync(rows.key(row)) !== undefined) found++;
    return found;
  }

  async scanAll(): Promise<number> {
    const iterator = this.database.iterator({ highWaterMarkBytes: 1 << 20 });
    let count = 0;
    try {
      for (;;) {
        const rows = await iterator.nextv(ROWS_A_CALL);
        if (rows.length === 0) return count;
        for (const [key, value] of rows) if (key.length + value.length > 0) count++;
      }
    } finally {
      await iterator.close();
    }
  }

  async settle(): Promise<void> {
    // Its compactions run on a thread of their own, and no call waits for them: quiet CPU time tells.
  }

  compact(): Promise<void> {
    return this.database.compactRange(Buffer.alloc(1, 0), Buffer.alloc(17, 0xff));
  }

  counts(): Readonly<Record<string, number>> {
    return {};
  }

  close(): Promise<void> {
    return this.database.close();
  }
}

export const classicLevelEngine: BenchEngine = {
  name: PACKAGE,
  putIsAsynchronous: true,
  async prepare() {
    await loadEngine(PACKAGE);
    return {
      version: versionOfPackage(PACKAGE) ?? 'unknown',
      calls: {
        put: 'await put',
        get: 'getSync',
        scan: 'iterator.nextv(1000)',
        batch: 'await batch',
        durable: 'sync: true',
      },
    };
  },
  async open(folder: string, settings: StoreSettings): Promise<BenchStore> {
    const { ClassicLevel } = (await loadEngine(PACKAGE)) as {
      ClassicLevel: new (location: string, options: LevelOptions) => Level;
    };
    const database = new ClassicLevel(folder, {
      keyEncoding: 'buffer',
      valueEncoding: 'buffer',
      compression: false,
      cacheSize: settings.cacheBytes,
      writeBufferSize: settings.writeBufferBytes,
    });
    await database.open();
    return new LevelBenchStore(database, settings.durable);
  },
};
