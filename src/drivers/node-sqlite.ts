/**
 * SQLite as Node brings it: one table of byte strings in WAL mode. A snapshot is a read transaction on a connection of
 * its own. Durability `commit` fsyncs every commit (`synchronous = FULL`), `interval` checkpoints alone (`NORMAL`), `none`
 * nothing (`OFF`).
 */
import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Capabilities, EngineDriver, EngineSession } from '../contract/driver.ts';
import type { OpenOptions } from '../contract/operations.ts';
import type { Row } from '../contract/outcomes.ts';
import type { Interval } from './interval.ts';
import { loadEngine } from './load-engine.ts';
import { type PlainScan, PlainSession, type PlainStep, type PlainStore } from './plain-session.ts';

const MODULE = 'node:sqlite';

const CAPABILITIES: Capabilities = {
  orderedScan: true,
  reverseScan: true,
  batch: true,
  deleteRange: true,
  batchDeleteRange: true,
  snapshots: true,
  // One writer at a time: a second open write transaction is refused, not validated at commit.
  transactions: [],
  transactionSnapshotAt: 'first-read',
  deadlines: false,
  sync: false,
  syncWrites: false,
  reopen: true,
  crash: false,
  flush: true,
  merge: false,
  collect: false,
  acknowledges: 'synced',
  emptyKey: true,
  keyBytesMax: 65_536,
  valueBytesMax: 64 * 1024 * 1024,
};

type DatabaseClass = new (path: string, options?: { readOnly?: boolean }) => DatabaseSync;

function bytesIn(row: Record<string, unknown> | undefined, column: string): Uint8Array | undefined {
  const found = row?.[column];
  return found instanceof Uint8Array ? found : undefined;
}

/** Statements of one connection. */
class Connection {
  readonly database: DatabaseSync;
  private readonly getStatement: StatementSync;
  private readonly scans = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.database = database;
    this.getStatement = database.prepare('SELECT value FROM entries WHERE key = ?');
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return bytesIn(this.getStatement.get(key), 'value');
  }

  scan({ interval, reverse, limit }: PlainScan): readonly Row[] {
    const bound = interval.high === undefined ? '' : ' AND key < ?';
    const order = reverse ? 'DESC' : 'ASC';
    const text = `SELECT key, value FROM entries WHERE key >= ?${bound} ORDER BY key ${order} LIMIT ?`;
    let statement = this.scans.get(text);
    if (statement === undefined) {
      statement = this.database.prepare(text);
      this.scans.set(text, statement);
    }
    const found =
      interval.high === undefined
        ? statement.all(interval.low, limit)
        : statement.all(interval.low, interval.high, limit);
    const nothing = new Uint8Array(0);
    return found.map((row) => [bytesIn(row, 'key') ?? nothing, bytesIn(row, 'value') ?? nothing] as const);
  }
}

class SqliteStore implements PlainStore<Connection> {
  private readonly connection: Connection;
  private readonly openReader: () => DatabaseSync;
  private readonly putStatement: StatementSync;
  private readonly deleteStatement: StatementSync;

  constructor(database: DatabaseSync, openReader: () => DatabaseSync) {
    this.connection = new Connection(database);
    this.openReader = openReader;
    this.putStatement = database.prepare('INSERT OR REPLACE INTO entries (key, value) VALUES (?, ?)');
    this.deleteStatement = database.prepare('DELETE FROM entries WHERE key = ?');
  }

  get(key: Uint8Array, snapshot: Connection | undefined): Uint8Array | undefined {
    return (snapshot ?? this.connection).get(key);
  }

  scan(scan: PlainScan, snapshot: Connection | undefined): readonly Row[] {
    return (snapshot ?? this.connection).scan(scan);
  }

  write(steps: readonly PlainStep[]): void {
    const { database } = this.connection;
    database.exec('BEGIN IMMEDIATE');
    try {
      for (const step of steps) {
        if (step.kind === 'put') this.putStatement.run(step.key, step.value);
        else if (step.kind === 'delete') this.deleteStatement.run(step.key);
        else this.clear(step.interval);
      }
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }

  openSnapshot(): Connection {
    const reader = new Connection(this.openReader());
    reader.database.exec('BEGIN');
    // The snapshot of a read transaction is taken by its first read.
    reader.get(new Uint8Array(0));
    return reader;
  }

  releaseSnapshot(snapshot: Connection): void {
    snapshot.database.close();
  }

  flush(): void {
    this.connection.database.exec('PRAGMA wal_checkpoint(PASSIVE)');
  }

  close(): void {
    this.connection.database.close();
  }

  private clear({ low, high }: Interval): void {
    const { database } = this.connection;
    if (high === undefined) database.prepare('DELETE FROM entries WHERE key >= ?').run(low);
    else database.prepare('DELETE FROM entries WHERE key >= ? AND key < ?').run(low, high);
  }
}

/** The driver. The module is part of Node. */
export const nodeSqliteDriver: EngineDriver = {
  name: MODULE,
  get version(): string | undefined {
    return process.versions['sqlite'];
  },
  capabilities: CAPABILITIES,
  async open(directory: string, options: OpenOptions): Promise<EngineSession> {
    const { DatabaseSync: Database } = (await loadEngine(MODULE)) as { DatabaseSync: DatabaseClass };
    const path = join(directory, 'store.sqlite');
    const durability = options['durability'] ?? 'commit';
    const synchronous = durability === 'commit' ? 'FULL' : durability === 'interval' ? 'NORMAL' : 'OFF';
    const openStore = (): SqliteStore => {
      const database = new Database(path);
      database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${synchronous}`);
      database.exec('CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID');
      return new SqliteStore(database, () => new Database(path, { readOnly: true }));
    };
    return PlainSession.open(CAPABILITIES, openStore, durability === 'commit' ? 'synced' : 'volatile');
  },
};
