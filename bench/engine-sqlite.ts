/** SQLite as Node brings it: one table of byte strings without row ids, WAL mode, prepared statements. */
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { loadEngine } from '../src/drivers/load-engine.ts';
import type { Rows } from './material.ts';
import type { BenchEngine, BenchStore, Slice, StoreSettings } from './store.ts';

const MODULE = 'node:sqlite';

class SqliteBenchStore implements BenchStore {
  private readonly database: DatabaseSync;
  private readonly putStatement: StatementSync;
  private readonly deleteStatement: StatementSync;
  private readonly getStatement: StatementSync;
  private readonly scanStatement: StatementSync;

  constructor(database: DatabaseSync) {
    this.database = database;
    this.putStatement = database.prepare('INSERT OR REPLACE INTO entries (key, value) VALUES (?, ?)');
    this.deleteStatement = database.prepare('DELETE FROM entries WHERE key = ?');
    this.getStatement = database.prepare('SELECT value FROM entries WHERE key = ?');
    this.scanStatement = database.prepare('SELECT key, value FROM entries ORDER BY key');
  }

  putEach({ rows, from, to }: Slice): void {
    for (let row = from; row < to; row++) this.putStatement.run(rows.key(row), rows.value(row));
  }

  putBatch(slice: Slice): void {
    this.database.exec('BEGIN');
    this.putEach(slice);
    this.database.exec('COMMIT');
  }

  deleteBatch({ rows, from, to }: Slice): void {
    this.database.exec('BEGIN');
    for (let row = from; row < to; row += 2) this.deleteStatement.run(rows.key(row));
    this.database.exec('COMMIT');
  }

  getEach(rows: Rows, wanted: Uint32Array): number {
    let found = 0;
    for (const row of wanted) if (this.getStatement.get(rows.key(row)) !== undefined) found++;
    return found;
  }

  scanAll(): number {
    let count = 0;
    for (const row of this.scanStatement.iterate()) if (row['key'] !== null && row['value'] !== null) count++;
    return count;
  }

  async settle(): Promise<void> {
    // Nothing of it runs in the background: checkpoints are part of the commit that fills the log.
  }

  async compact(): Promise<void> {
    this.database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  counts(): Readonly<Record<string, number>> {
    return {};
  }

  async close(): Promise<void> {
    this.database.close();
  }
}

export const sqliteEngine: BenchEngine = {
  name: MODULE,
  putIsAsynchronous: false,
  async prepare() {
    await loadEngine(MODULE);
    return {
      version: process.versions['sqlite'] ?? 'unknown',
      calls: { put: 'run', get: 'get', scan: 'iterate', batch: 'BEGIN … COMMIT', durable: 'synchronous = FULL' },
    };
  },
  async open(folder: string, settings: StoreSettings): Promise<BenchStore> {
    const sqlite = (await loadEngine(MODULE)) as { DatabaseSync: new (path: string) => DatabaseSync };
    const database = new sqlite.DatabaseSync(join(folder, 'store.sqlite'));
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(`PRAGMA synchronous = ${settings.durable ? 'FULL' : 'OFF'}`);
    database.exec(`PRAGMA cache_size = -${Math.floor(settings.cacheBytes / 1024)}`);
    database.exec('CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID');
    return new SqliteBenchStore(database);
  },
};
