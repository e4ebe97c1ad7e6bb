/**
 * Every write of a history as a numbered version. The first version of a cell (a key with a value) has the cell's number;
 * further writes of the same value, deletions above all, have numbers behind those. The initial state of a key is the
 * version "absent". Which versions commit is decided in reads.ts.
 *
 * Source: Adya, "Weak Consistency" (MIT, 1999), section 4.1: versions, initial (unborn) and dead ones, intermediate ones.
 */
import { LightningError } from '../../base/errors.ts';
import { ACCESS, type HistoryColumns } from '../../history/columns.ts';
import { listKeys } from '../../history/shape.ts';

/** Writers that are no transaction: the initial state of a key, and nobody. */
export const [INITIAL, NOBODY] = [-1, -2];

/** Numbered versions, parallel arrays by version. */
export interface Versions {
  readonly count: number;
  /** Place of the writer in the history, {@link INITIAL} or {@link NOBODY}. */
  readonly writer: Int32Array;
  readonly cell: Int32Array;
  /** The next version of the same cell, or −1. */
  readonly twin: Int32Array;
  /** 1: overwritten by its own transaction. */
  readonly intermediate: Uint8Array;
  /** From an element of a list to the one that the same transaction appended before it. */
  readonly ownBefore: ReadonlyMap<number, number>;
  /** By key: 1 when it is a list. */
  readonly isList: Uint8Array;
}

const isWrite = (what: number): boolean => what === ACCESS.write || what === ACCESS.append;

/** Numbers all writes. @throws LightningError `LIGHTNING_INVALID_ARGUMENT`: an element appended twice, a key of two kinds */
export function numberVersions(columns: HistoryColumns): Versions {
  const { first, what, key, cell, keys, cellCount } = columns;
  const isList = listKeys(columns);
  const taken = new Uint8Array(cellCount);
  for (const absent of columns.absent) taken[absent] = 1;
  let count = cellCount;
  for (let a = 0; a < what.length; a++) {
    if (!isWrite(what[a])) continue;
    count += taken[cell[a]];
    taken[cell[a]] = 1;
  }
  const writer = new Int32Array(count).fill(NOBODY);
  for (const absent of columns.absent) writer[absent] = INITIAL;
  const cellOf = Int32Array.from({ length: count }, (_, v) => v);
  const twin = new Int32Array(count).fill(-1);
  const intermediate = new Uint8Array(count);
  const ownBefore = new Map<number, number>();
  const stamp = new Int32Array(keys.count).fill(-1);
  const own = new Int32Array(keys.count);
  let next = cellCount;
  for (let t = 0; t < columns.count; t++) {
    for (let a = first[t]; a < first[t + 1]; a++) {
      if (!isWrite(what[a])) continue;
      let version = cell[a];
      if (writer[version] !== NOBODY) {
        if (what[a] === ACCESS.append) {
          const element = columns.values.at(version);
          const problem = `element ${element} is appended twice to key ${keys.at(key[a])}`;
          throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `history of transactions: ${problem}`, { element });
        }
        twin[next] = twin[version];
        twin[version] = next;
        cellOf[next] = version;
        version = next++;
      }
      writer[version] = t;
      if (stamp[key[a]] === t) {
        intermediate[own[key[a]]] = 1;
        if (what[a] === ACCESS.append) ownBefore.set(version, own[key[a]]);
      }
      stamp[key[a]] = t;
      own[key[a]] = version;
    }
  }
  return { count, writer, cell: cellOf, twin, intermediate, ownBefore, isList };
}

/** Calls for each version of a cell. */
export function forEachVersion({ twin }: Versions, cell: number, take: (version: number) => void): void {
  for (let version = cell; version !== -1; version = twin[version]) take(version);
}
