/**
 * The order of each key's versions, as far as it is known: told by the history, shown by lists, or inferred. A
 * transaction that read a version and then wrote the key put its own above it: the other way round, with the read, would
 * be circular information flow (G1c). The initial version is below all others.
 *
 * Sources: Adya 1999, section 4.2 (version order); Kingsbury and Alvaro 2020, section 4.3 (traceable objects, and what
 * read-modify-write shows of registers).
 */
import type { HistoryColumns } from '../../history/columns.ts';
import { wrongOrder } from '../../history/transactions.ts';
import type { Reads } from './reads.ts';
import { INITIAL, type Versions } from './versions.ts';

/** What is known to lie directly or indirectly above each version. */
export interface VersionOrder {
  /** A successor, or −1. Where the order of a key is whole, it is the next version. */
  readonly next: Int32Array;
  /** Further successors, where the order is not whole. */
  readonly more: ReadonlyMap<number, readonly number[]>;
  /** Keys whose order is not whole. */
  readonly open: readonly number[];
  /** Versions read by two transactions that both overwrote them: from, first, second. */
  readonly forks: readonly (readonly [from: number, first: number, second: number])[];
  /** By version: 1 when it is one that other transactions can find. */
  readonly installed: Uint8Array;
}

/**
 * Puts together what is known.
 * @param told of some keys, all cells that committed, oldest first
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for a told order that is not whole
 */
export function orderVersions(
  { keys, cellKey, absent, elements, values }: HistoryColumns,
  { count, writer, intermediate, cell, twin, isList, ownBefore }: Versions,
  { included, overwritten, longestFrom, longestEnd }: Reads,
  told: ReadonlyMap<number, readonly number[]>,
): VersionOrder {
  const next = new Int32Array(count).fill(-1);
  const more = new Map<number, number[]>();
  const hasBefore = new Uint8Array(count);
  const forks: [number, number, number][] = [];
  const installed = new Uint8Array(count);
  for (let version = 0; version < count; version++) {
    const by = writer[version];
    const found = by < 0 ? by === INITIAL : included[by] === 1;
    // A list shows what its transaction appended on the way, too.
    installed[version] = Number(found && (intermediate[version] === 0 || isList[cellKey[cell[version]]] === 1));
  }

  function add(from: number, to: number): void {
    if (next[from] === -1) next[from] = to;
    else if (next[from] !== to) {
      const further = more.get(from);
      if (further === undefined) more.set(from, [to]);
      else further.push(to);
    }
    hasBefore[to] = 1;
  }

  // Who read a version and wrote the key is above it.
  for (let i = 0; i < overwritten.length; i += 2) {
    const [from, to] = [overwritten[i], overwritten[i + 1]];
    if (installed[to] === 0 || (told.size > 0 && told.has(cellKey[cell[to]]))) continue;
    if (next[from] !== -1 && next[from] !== to) forks.push([from, next[from], to]);
    add(from, to);
  }
  for (const [key, cells] of told) {
    let last = absent[key];
    for (const one of cells) {
      if (installed[one] === 0 || twin[one] !== -1 || hasBefore[one] === 1) {
        throw wrongOrder(keys.at(key), `${values.at(one)} is not one version that committed`);
      }
      add(last, one);
      last = one;
    }
  }
  // By key: the last element of the longest list that was read; of a register the initial version.
  const lastListed = absent.slice();
  const listed = new Set<number>();
  isList.forEach((isOne, key) => {
    for (let at = longestFrom[key]; isOne === 1 && at < longestEnd[key]; at++) {
      const version = elements[at];
      listed.add(version);
      if (writer[version] < 0 || hasBefore[version] === 1) continue;
      add(lastListed[key], version);
      lastListed[key] = version;
    }
  });
  const counted = new Float64Array(absent.length);
  for (let version = 0; version < count; version++) {
    if (writer[version] < 0 || installed[version] === 0) continue;
    const key = cellKey[cell[version]];
    counted[key]++;
    if (hasBefore[version] === 1) continue;
    if (told.has(key)) throw wrongOrder(keys.at(key), 'not whole');
    // What no list shows came after all that was: lists only grow.
    const own = ownBefore.get(version);
    add(own === undefined || listed.has(own) ? lastListed[key] : own, version);
  }

  // Whole is an order of one step to each version, none of them a choice. (Of steps in a circle the graph knows.)
  for (let from = 0; from < count; from++) {
    if (installed[from] === 1 && next[from] !== -1) counted[cellKey[cell[from]]]--;
  }
  for (const from of more.keys()) counted[cellKey[cell[from]]] = NaN;
  const open = Array.from(counted.keys()).filter((key) => counted[key] !== 0);
  return { next, more, open, forks, installed };
}
