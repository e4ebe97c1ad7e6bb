/**
 * The database as an abstract-level store: `lightning-db/level`. What the package abstract-level 3 says of a store holds; its
 * conformance suite passes in every encoding (level-suite.test.ts). A batch is one commit: all or nothing.
 *
 * Durability: as the database's. By default every write survives a power cut once it resolves; with `durability: 'none'`
 * it does so with `{ sync: true }` on the write.
 */
import { AbstractIterator, AbstractLevel, AbstractSnapshot } from 'abstract-level';
import { compareBytes } from '../../base/bytes.ts';
import type { RangeBounds, ScanOptions, WriteOperation } from '../../engine/index.ts';
import { Database } from '../database.ts';
import type { DatabaseOptions } from '../options.ts';
import type { Row } from '../rows.ts';
import type { Snapshot } from '../snapshot.ts';
import { levelError } from './level-error.ts';

/** How keys or values are handed over: both are bytes. */
interface Formats {
  readonly keyEncoding?: unknown;
  readonly valueEncoding?: unknown;
  readonly snapshot?: unknown;
}

/** Bounds as abstract-level hands them over, encoded. `limit` is -1 for none. */
interface Range extends Formats {
  readonly gt?: Uint8Array;
  readonly gte?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly lte?: Uint8Array;
  readonly reverse?: boolean;
  readonly limit?: number;
}

interface Write {
  readonly type: 'put' | 'del';
  readonly key: Uint8Array;
  readonly value?: Uint8Array;
}

/** What `open` takes: the options of the database, and those of every Level. */
export type LevelOptions = Partial<DatabaseOptions> & {
  readonly keyEncoding?: string;
  readonly valueEncoding?: string;
  readonly passive?: boolean;
  /** How bytes are handed to and from the store; default: either, as the encoding in use prefers. */
  readonly storeEncoding?: 'buffer' | 'view';
};

/** Known to abstract-level's code, not yet to its types. */
const GET_SYNC: object = { getSync: true };
/** Options of the database. Others are handed to hooks, as every Level does. */
const DATABASE_NAMES: ReadonlySet<string> = new Set<keyof DatabaseOptions>([
  'durability',
  'syncIntervalMilliseconds',
  'memtableBytes',
  'cacheBytes',
  'compression',
  'blockSizeBytes',
  'nodeTargetBytes',
  'runBlockBytes',
  'frozenCountMax',
  'runCountMax',
  'sliceBytes',
  'bloomBitsPerKey',
  'clock',
  'observe',
]);
/** Keys deleted by one commit of a bounded clear. */
const CLEAR_KEYS = 1000;

/** Keys and values of any encoding; bytes underneath, ordered bytewise. */
export default class LightningLevel<K = string, V = string> extends AbstractLevel<Uint8Array, K, V> {
  readonly location: string;
  private readonly databaseOptions: Partial<DatabaseOptions>;
  private database: Database | undefined;

  /** Opens by itself, a moment later, like every Level. @param location the folder of the store */
  constructor(location: string, options: LevelOptions = {}) {
    const optionsFor = (wanted: (name: string) => boolean): object =>
      Object.fromEntries(Object.entries(options).filter(([name]) => wanted(name)));
    const { storeEncoding } = options;
    const encodings = storeEncoding === undefined ? { buffer: true, view: true } : { [storeEncoding]: true };
    super(
      {
        encodings,
        seek: true,
        has: true,
        ...GET_SYNC,
        implicitSnapshots: true,
        explicitSnapshots: true,
        permanence: true,
        createIfMissing: true,
        errorIfExists: true,
      },
      optionsFor((name) => !DATABASE_NAMES.has(name) && name !== 'storeEncoding'),
    );
    this.location = location;
    this.databaseOptions = optionsFor((name) => DATABASE_NAMES.has(name));
  }

  async _open(options: { readonly createIfMissing?: boolean; readonly errorIfExists?: boolean }): Promise<void> {
    const { createIfMissing = true, errorIfExists = false } = options;
    this.database = await coded(() =>
      Database.open(this.location, { ...this.databaseOptions, createIfMissing, errorIfExists }),
    );
  }

  async _close(): Promise<void> {
    await coded(async () => this.database?.close());
  }

  async _get(key: Uint8Array, options: Formats): Promise<Uint8Array | undefined> {
    return this._getSync(key, options);
  }

  _getSync(key: Uint8Array, options: Formats): Uint8Array | undefined {
    return codedSync(() => shaped(this.reader(options).getSync(key), options.valueEncoding));
  }

  async _getMany(keys: readonly Uint8Array[], options: Formats): Promise<(Uint8Array | undefined)[]> {
    return keys.map((key) => this._getSync(key, options));
  }

  async _has(key: Uint8Array, options: Formats): Promise<boolean> {
    return codedSync(() => this.reader(options).getSync(key) !== undefined);
  }

  async _hasMany(keys: readonly Uint8Array[], options: Formats): Promise<boolean[]> {
    return codedSync(() => keys.map((key) => this.reader(options).getSync(key) !== undefined));
  }

  async _put(key: Uint8Array, value: Uint8Array, options: { readonly sync?: boolean }): Promise<void> {
    return coded(() => this.opened().put(key, value, written(options)));
  }

  async _del(key: Uint8Array, options: { readonly sync?: boolean }): Promise<void> {
    return coded(() => this.opened().delete(key, written(options)));
  }

  async _batch(writes: readonly Write[], options: { readonly sync?: boolean }): Promise<void> {
    const operations = writes.map(({ type, key, value }): WriteOperation =>
      type === 'put' && value !== undefined ? { type: 'put', key, value } : { type: 'delete', key },
    );
    return coded(() => this.opened().batch(operations, written(options)));
  }

  async _clear(options: Range): Promise<void> {
    const { limit = -1 } = options;
    if (limit === -1 && options.snapshot === undefined) {
      return coded(() => this.opened().clear(boundsOf(options)));
    }
    const doomed: WriteOperation[] = [];
    const rows = this.reader(options).scanSync({ ...scanOf(options), ...(limit === -1 ? {} : { limit }) });
    for (const [key] of rows) doomed.push({ type: 'delete', key });
    for (let i = 0; i < doomed.length; i += CLEAR_KEYS) {
      await coded(() => this.opened().batch(doomed.slice(i, i + CLEAR_KEYS)));
    }
  }

  _iterator(options: Range): LevelIterator<K, V> {
    return new LevelIterator(this, this.opened().snapshot(), options);
  }

  _snapshot(options: object): LevelSnapshot {
    return new LevelSnapshot(this.opened().snapshot(), options);
  }

  private opened(): Database {
    if (this.database === undefined) throw levelError(undefined);
    return this.database;
  }

  private reader({ snapshot }: Formats): Snapshot | Database {
    return snapshot instanceof LevelSnapshot ? snapshot.view : this.opened();
  }
}

/** A frozen view. */
class LevelSnapshot extends AbstractSnapshot {
  readonly view: Snapshot;

  constructor(view: Snapshot, options: object) {
    // Its types leave out the argument that it takes.
    super(...([options] as unknown as []));
    this.view = view;
  }

  async _close(): Promise<void> {
    this.view.release();
  }
}

/** Entries of the moment in which the iterator was made, or of its explicit snapshot. */
class LevelIterator<K, V> extends AbstractIterator<LightningLevel<K, V>, K, V> {
  private readonly own: Snapshot;
  private readonly view: Snapshot;
  private readonly range: Range;
  private rows: IterableIterator<Row>;

  constructor(level: LightningLevel<K, V>, own: Snapshot, range: Range) {
    super(level, range as object);
    this.own = own;
    this.view = range.snapshot instanceof LevelSnapshot ? range.snapshot.view : own;
    this.range = range;
    this.rows = this.view.scanSync(scanOf(range));
  }

  async _next(): Promise<[Uint8Array, Uint8Array] | undefined> {
    return codedSync(() => {
      const { done, value } = this.rows.next();
      return done === true ? undefined : this.entry(value);
    });
  }

  async _nextv(size: number): Promise<[Uint8Array, Uint8Array][]> {
    return codedSync(() => {
      const entries: [Uint8Array, Uint8Array][] = [];
      while (entries.length < size) {
        const { done, value } = this.rows.next();
        if (done === true) break;
        entries.push(this.entry(value));
      }
      return entries;
    });
  }

  /** Goes to `target`; one outside the range ends the iterator until the next seek. */
  _seek(target: Uint8Array): void {
    this.rows.return?.();
    const scan = scanOf(this.range);
    const isOutside =
      (scan.gte !== undefined && compareBytes(target, scan.gte) < 0) ||
      (scan.gt !== undefined && compareBytes(target, scan.gt) <= 0) ||
      (scan.lte !== undefined && compareBytes(target, scan.lte) > 0) ||
      (scan.lt !== undefined && compareBytes(target, scan.lt) >= 0);
    const from = scan.reverse === true ? { lte: target } : { gte: target };
    this.rows = isOutside ? [].values() : this.view.scanSync({ ...scan, ...from });
  }

  async _close(): Promise<void> {
    this.rows.return?.();
    this.own.release();
  }

  private entry([key, value]: Row): [Uint8Array, Uint8Array] {
    return [shaped(key, this.range.keyEncoding), shaped(value, this.range.valueEncoding)];
  }
}

/** The inclusive bound is the one that counts where both are given. */
function boundsOf({ gt, gte, lt, lte }: Range): RangeBounds {
  return {
    ...(gte !== undefined ? { gte } : gt !== undefined ? { gt } : {}),
    ...(lte !== undefined ? { lte } : lt !== undefined ? { lt } : {}),
  };
}

function scanOf(range: Range): ScanOptions {
  return { ...boundsOf(range), reverse: range.reverse === true };
}

function written({ sync }: { readonly sync?: boolean }): { readonly sync?: boolean } {
  return sync === undefined ? {} : { sync };
}

function shaped<T extends Uint8Array | undefined>(bytes: T, encoding: unknown): T | Buffer {
  if (bytes === undefined || encoding !== 'buffer') return bytes;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function codedSync<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw levelError(error);
  }
}

async function coded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw levelError(error);
  }
}
