/**
 * The secondary indexes of a database: kept with every commit, built when they are declared for the first time, scanned,
 * verified and rebuilt on request.
 *
 * Invariants
 *   1. While the marker of an index is there, its entries are those that its extractor gives for the rows: a commit that
 *      is made without the declaration takes the marker away in the same record.
 *   2. An entry has the deadline of its row.
 */
import { copyBytes } from '../base/bytes.ts';
import { LightningError } from '../base/errors.ts';
import { type Engine, type RangeBounds, type ScanOptions, toRange, type WriteOperation } from '../engine/index.ts';
import {
  entriesPrefix,
  entryBounds,
  isReserved,
  markerKey,
  MARKERS,
  RESERVED,
  rowsOnly,
  splitEntry,
} from './index-codec.ts';
import {
  entriesOf,
  type IndexDeclaration,
  type IndexedRow,
  indexWrites,
  newestView,
  presentView,
} from './index-writes.ts';
import { nameOf } from './locks.ts';

/** The indexed value, the row's key, the row's value; the caller owns all three. */
export type IndexRow = [indexed: Uint8Array, key: Uint8Array, value: Uint8Array];

/** What an index is read through: rows and entries of one state. */
export interface IndexReader {
  getSync(key: Uint8Array): Uint8Array | undefined;
  /** Entries included. */
  scanAll(options: ScanOptions): IterableIterator<[Uint8Array, Uint8Array]>;
  /** Own writes may stand over the rows, whose entries come with the commit. */
  readonly hasOwnWrites: boolean;
}

/** Rows of one commit of a rebuilding. */
const ROWS_A_CHUNK = 1000;
const NAME = /^[\w.-]{1,64}$/;

export class Indexes {
  private readonly engine: Engine;
  private readonly readReference: (reference: Uint8Array) => Uint8Array;
  private readonly declared = new Map<string, IndexDeclaration>();
  /** Markers of indexes that are not declared now. */
  private readonly undeclared = new Set<string>();

  /**
   * @param readReference reads a large value
   * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for a bad declaration
   */
  constructor(
    engine: Engine,
    declarations: readonly IndexDeclaration[],
    readReference: (reference: Uint8Array) => Uint8Array,
  ) {
    this.engine = engine;
    this.readReference = readReference;
    for (const index of declarations) {
      if (
        typeof index.name !== 'string' ||
        !NAME.test(index.name) ||
        this.declared.has(index.name) ||
        typeof index.extract !== 'function'
      ) {
        throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'an index has a name of its own and an extractor', {
          name: index.name,
        });
      }
      this.declared.set(index.name, { ...index, ...(index.of === undefined ? {} : { of: copyBytes(index.of) }) });
    }
    for (const name of this.marked()) if (!this.declared.has(name)) this.undeclared.add(name);
  }

  private marked(): string[] {
    const names: string[] = [];
    const scan = this.engine.scan({ prefix: MARKERS }, newestView(this.engine));
    while (scan.next()) names.push(new TextDecoder().decode(scan.current.key().subarray(MARKERS.length)));
    return names;
  }

  /** The operations with all that they mean for indexes; the same list when there is nothing. */
  expand(operations: readonly WriteOperation[]): readonly WriteOperation[] {
    if (operations.length === 0 || (this.declared.size === 0 && this.undeclared.size === 0)) return operations;
    const rows = this.declared.size === 0 ? operations : operations.map((operation) => this.rowOperation(operation));
    return [...rows, ...this.entryWrites(rows)];
  }

  /** What the writes of rows mean for entries and markers. */
  entryWrites(rows: readonly WriteOperation[]): WriteOperation[] {
    const whole = this.declared.size === 0 ? [] : rows.map((row) => this.withValue(row));
    const writes = indexWrites(this.engine, [...this.declared.values()], whole);
    for (const name of this.undeclared) {
      const key = markerKey(name);
      if (this.engine.get(key, newestView(this.engine)) === undefined) this.undeclared.delete(name);
      else writes.push({ type: 'delete', key });
    }
    return writes;
  }

  /** Extractors see values, wherever they lie. */
  private withValue(row: WriteOperation): WriteOperation {
    if (row.type !== 'put' || row.isReference !== true) return row;
    return { ...row, value: this.readReference(row.value), isReference: false };
  }

  /** An operation kept off the entries. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for one of their keys */
  rowOperation(operation: WriteOperation): WriteOperation {
    if (this.declared.size === 0) return operation;
    if (operation.type === 'clear') return { type: 'clear', ...rowsOnly(operation) };
    if (isReserved(operation.key)) {
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'the last keys of a store with indexes belong to them');
    }
    return operation;
  }

  /** A scan kept off the entries. */
  rowScan(options: ScanOptions): ScanOptions {
    if (this.declared.size === 0) return options;
    const { end } = rowsOnly(toRange(options));
    return end === undefined ? options : { ...options, lt: end };
  }

  /** Builds those that are declared and not complete. */
  buildMissing(commit: (operations: readonly WriteOperation[]) => void): void {
    const complete = new Set(this.marked());
    for (const name of this.declared.keys()) {
      if (complete.has(name)) continue;
      for (const chunk of this.rebuilding(name)) commit(chunk());
    }
  }

  /**
   * The commits of a rebuilding, one after the other. Each is to be computed and made without anything in between; others
   * may commit before the next.
   */
  *rebuilding(name: string): Generator<() => readonly WriteOperation[]> {
    const index = this.declaration(name);
    const { start, end } = toRange({ prefix: entriesPrefix(name) });
    yield () => [
      { type: 'delete', key: markerKey(name) },
      { type: 'clear', start, end },
    ];
    let from: Uint8Array | undefined = index.of ?? new Uint8Array(0);
    while (from !== undefined) {
      const first: Uint8Array = from;
      yield () => {
        const rows = this.rowsFrom(index, first);
        const last = rows.at(-1);
        from = rows.length < ROWS_A_CHUNK || last === undefined ? undefined : toRange({ gt: last.key }).start;
        const taken = new Map<string, WriteOperation>();
        return rows.flatMap((row) => {
          const entries = entriesOf(index, row);
          for (const entry of entries) this.refuseTwin(index, entry, taken);
          return entries;
        });
      };
    }
    yield () => [{ type: 'put', key: markerKey(name), value: new Uint8Array(0) }];
  }

  private refuseTwin(
    index: IndexDeclaration,
    entry: Extract<WriteOperation, { type: 'put' }>,
    taken: Map<string, WriteOperation>,
  ): void {
    if (index.unique !== true) return;
    const name = nameOf(entry.key);
    const other = this.engine.get(entry.key, presentView(this.engine));
    if (taken.has(name) || (other !== undefined && nameOf(other) !== nameOf(entry.value))) {
      throw new LightningError('LIGHTNING_NOT_UNIQUE', `two rows have one value in index ${index.name}`, {
        index: index.name,
        key: entry.value,
      });
    }
    taken.set(name, entry);
  }

  private rowsFrom(index: IndexDeclaration, from: Uint8Array): IndexedRow[] {
    const rows: IndexedRow[] = [];
    const bounds = index.of === undefined ? {} : { prefix: index.of };
    const view = presentView(this.engine);
    const scan = this.engine.scan({ ...bounds, gte: from, lt: RESERVED, limit: ROWS_A_CHUNK }, view);
    while (scan.next()) {
      const { deadline } = scan.current;
      rows.push({
        key: scan.current.key(),
        value: scan.current.value(),
        deadline: deadline === Infinity ? undefined : deadline,
      });
    }
    return rows;
  }

  /** Rows in the order of their indexed values, then of their keys. The options bound the indexed values. */
  *scan(name: string, options: ScanOptions, reader: IndexReader): Generator<IndexRow, undefined> {
    const index = this.declaration(name);
    const prefix = entriesPrefix(name);
    const { limit = Infinity, reverse = false } = options;
    const bounds: RangeBounds = entryBounds(prefix, options);
    let left = limit;
    if (left === 0) return undefined;
    for (const [entry, stored] of reader.scanAll({ ...bounds, reverse })) {
      const split = splitEntry(prefix, entry);
      if (split === undefined) throw damaged(name, 'an entry that is none');
      const key = index.unique === true ? stored : split.rest;
      const value = reader.getSync(key);
      if (reader.hasOwnWrites && !stillUnder(index, entry, key, value)) continue;
      if (value === undefined) throw damaged(name, 'an entry without its row');
      yield [split.value, key, value];
      if (--left === 0) return undefined;
    }
    return undefined;
  }

  /** What is wrong with an index, in words; empty: nothing. Linear in rows and entries, memory too. */
  verify(name: string, reader: IndexReader): string[] {
    const index = this.declaration(name);
    const expected = new Map<string, string>();
    const prefix = entriesPrefix(name);
    const rows = reader.scanAll({ ...(index.of === undefined ? {} : { prefix: index.of }), lt: RESERVED });
    for (const [key, value] of rows) {
      for (const entry of entriesOf(index, { key, value, deadline: undefined }))
        expected.set(nameOf(entry.key), nameOf(entry.value));
    }
    const problems: string[] = [];
    for (const [key, value] of reader.scanAll({ prefix })) {
      const hex = Buffer.from(key.subarray(prefix.length)).toString('hex');
      const should = expected.get(nameOf(key));
      if (should === undefined) problems.push(`entry ${hex} belongs to no row`);
      else if (should !== nameOf(value)) problems.push(`entry ${hex} names another row`);
      expected.delete(nameOf(key));
    }
    for (const key of expected.keys()) {
      problems.push(`entry ${Buffer.from(key.slice(prefix.length), 'latin1').toString('hex')} is missing`);
    }
    return problems;
  }

  private declaration(name: string): IndexDeclaration {
    const index = this.declared.get(name);
    if (index === undefined) throw new LightningError('LIGHTNING_NOT_FOUND', `no index ${name} is declared`, { name });
    return index;
  }
}

function stillUnder(
  index: IndexDeclaration,
  entry: Uint8Array,
  key: Uint8Array,
  value: Uint8Array | undefined,
): boolean {
  if (value === undefined) return false;
  return entriesOf(index, { key, value, deadline: undefined }).some((one) => nameOf(one.key) === nameOf(entry));
}

function damaged(name: string, what: string): LightningError {
  return new LightningError('LIGHTNING_CORRUPTION', `index ${name} holds ${what}; rebuild it`, { name });
}
