/**
 * From the writes of a commit to those of its index entries. Computed at the commit, against the newest state, unpublished
 * commits included, and written in the same record.
 */
import { LightningError } from '../base/errors.ts';
import { compareBytes, equalBytes } from '../base/bytes.ts';
import type { Engine, SnapshotView, WriteOperation } from '../engine/index.ts';
import { entriesPrefix, entryKey, isReserved, rowsOnly } from './index-codec.ts';
import { nameOf } from './locks.ts';

/** An index as its user declares it. */
export interface IndexDeclaration {
  /** Letters, digits, `-`, `_` and `.`; at most 64. */
  readonly name: string;
  /** Rows with keys of this prefix are indexed; default: all. */
  readonly of?: Uint8Array;
  /** At most one row a value. */
  readonly unique?: boolean;
  /** What the row stands under: nothing, a byte string, or several. A function of its arguments alone. */
  readonly extract: (key: Uint8Array, value: Uint8Array) => Uint8Array | readonly Uint8Array[] | undefined;
}

/** What a commit leaves of a row. */
interface Change {
  readonly key: Uint8Array;
  readonly put: { readonly value: Uint8Array; readonly deadline: number | undefined } | undefined;
}

/** A row of some state. */
export interface IndexedRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly deadline: number | undefined;
}

/** What the newest commit left, published or not; deadlines are looked at by the caller. */
export function newestView(engine: Engine): SnapshotView {
  return { sequence: engine.written, now: -Infinity };
}

/** The same, without what has expired. */
export function presentView(engine: Engine): SnapshotView {
  const present = engine.openSnapshot();
  engine.releaseSnapshot(present);
  return { sequence: engine.written, now: present.now };
}

/**
 * The writes of index entries that belong to `operations`, whose keys are rows'.
 * @throws LightningError `LIGHTNING_EXTRACTOR`, `LIGHTNING_NOT_UNIQUE`, `LIGHTNING_INVALID_ARGUMENT` for a reserved key
 */
export function indexWrites(
  engine: Engine,
  indexes: readonly IndexDeclaration[],
  operations: readonly WriteOperation[],
): WriteOperation[] {
  if (indexes.length === 0) return [];
  const changes = [...netChanges(engine, operations).values()];
  const view = newestView(engine);
  const before = changes.map(({ key }) => engine.get(key, view));
  return indexes.flatMap((index) => {
    const writes = new Map<string, WriteOperation>();
    const leaving = new Set<string>();
    for (const [i, { key }] of changes.entries()) {
      const value = before[i];
      if (value === undefined) continue;
      for (const { key: entry } of entriesOf(index, { key, value, deadline: undefined })) {
        if (index.unique === true && !belongsTo(engine, entry, key, view)) continue;
        writes.set(nameOf(entry), { type: 'delete', key: entry });
        leaving.add(`${nameOf(entry)}:${nameOf(key)}`);
      }
    }
    for (const { key, put } of changes) {
      if (put === undefined) continue;
      for (const entry of entriesOf(index, { key, ...put })) {
        if (index.unique === true) refuseTwins(engine, index, entry, writes, leaving);
        writes.set(nameOf(entry.key), entry);
      }
    }
    return [...writes.values()];
  });
}

/** The last word of a commit on each row that it concerns. Linear in the rows that it clears. */
function netChanges(engine: Engine, operations: readonly WriteOperation[]): Map<string, Change> {
  const changes = new Map<string, Change>();
  for (const operation of operations) {
    if (operation.type !== 'clear') {
      if (isReserved(operation.key)) throw reserved();
      const put = operation.type === 'put' ? { value: operation.value, deadline: operation.deadline } : undefined;
      changes.set(nameOf(operation.key), { key: operation.key, put });
      continue;
    }
    const { start, end } = rowsOnly(operation);
    for (const { key } of changes.values()) {
      const inside = compareBytes(key, start) >= 0 && (end === undefined || compareBytes(key, end) < 0);
      if (inside) changes.set(nameOf(key), { key, put: undefined });
    }
    const scan = engine.scan(end === undefined ? { gte: start } : { gte: start, lt: end }, newestView(engine));
    while (scan.next()) {
      const key = scan.current.key();
      changes.set(nameOf(key), { key, put: undefined });
    }
  }
  return changes;
}

/** The entries of a row. */
export function entriesOf(index: IndexDeclaration, row: IndexedRow): Extract<WriteOperation, { type: 'put' }>[] {
  const { of } = index;
  if (of !== undefined && compareBytes(row.key.subarray(0, of.length), of) !== 0) return [];
  const prefix = entriesPrefix(index.name);
  const unique = index.unique === true;
  return extracted(index, row).map((value) => ({
    type: 'put',
    key: entryKey(prefix, value, unique ? undefined : row.key),
    value: unique ? row.key : new Uint8Array(0),
    ...(row.deadline === undefined ? {} : { deadline: row.deadline }),
  }));
}

function extracted(index: IndexDeclaration, row: IndexedRow): readonly Uint8Array[] {
  let given: unknown;
  try {
    given = index.extract(row.key.slice(), row.value.slice());
  } catch (error) {
    throw badExtractor(index, 'threw', error);
  }
  if (given === undefined) return [];
  const values: readonly unknown[] = Array.isArray(given) ? given : [given];
  return values.map((value) => {
    if (!(value instanceof Uint8Array))
      throw badExtractor(index, 'gave something that is not a byte string', undefined);
    return value;
  });
}

/** Whether a unique entry names the row: once a row has expired, another one may have taken its value. */
function belongsTo(engine: Engine, entry: Uint8Array, key: Uint8Array, view: SnapshotView): boolean {
  const holder = engine.get(entry, view);
  return holder !== undefined && equalBytes(holder, key);
}

/** A unique value may be taken when nobody has it now, or who has it leaves it in the same commit. */
function refuseTwins(
  engine: Engine,
  index: IndexDeclaration,
  entry: Extract<WriteOperation, { type: 'put' }>,
  writes: ReadonlyMap<string, WriteOperation>,
  leaving: ReadonlySet<string>,
): void {
  const own = writes.get(nameOf(entry.key));
  const before = engine.get(entry.key, presentView(engine));
  const other = own?.type === 'put' ? own.value : before;
  if (other === undefined || compareBytes(other, entry.value) === 0) return;
  if (own?.type !== 'put' && leaving.has(`${nameOf(entry.key)}:${nameOf(other)}`)) return;
  throw new LightningError('LIGHTNING_NOT_UNIQUE', `index ${index.name} has another row under this value`, {
    index: index.name,
    key: other,
    entry: entry.key,
  });
}

function badExtractor(index: IndexDeclaration, what: string, cause: unknown): LightningError {
  return new LightningError(
    'LIGHTNING_EXTRACTOR',
    `the extractor of index ${index.name} ${what}`,
    { index: index.name },
    cause,
  );
}

function reserved(): LightningError {
  return new LightningError(
    'LIGHTNING_INVALID_ARGUMENT',
    'keys from FF FF FF FF FF FF FF FF "index" on belong to the indexes',
  );
}
