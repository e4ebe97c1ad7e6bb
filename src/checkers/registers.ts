/**
 * Linearizability of single-key registers whose written values are unique and never deleted, in O(n log n).
 *
 * Source: Gibbons and Korach, "Testing Shared Memories" (SIAM J. Comput. 26(4), 1997), section 4: gather for each value
 * its write and the reads that returned it. With f the earliest return and s the latest call among them, the value must
 * hold the register during all of [f, s] if f < s (a forward zone), and may be placed at any moment of [s, f] otherwise
 * (a backward zone). A history is linearizable exactly when no read returns before its write is called, no two forward
 * zones overlap, and no backward zone lies inside a forward one.
 *
 * A write of unknown outcome never returns. Unread it is dropped; read, it is there, and the reads bound its zone.
 */
import { ACCESS, type HistoryColumns, OUTCOME, valueOf } from '../history/columns.ts';
import { type HistoryVerdict, invalid } from './verdict.ts';

/** Why a key is outside this checker, by key; `undefined` for one inside. */
export function outsideRegisters({
  first,
  what,
  key,
  cell,
  count,
  keys,
  absent,
  cellCount,
}: HistoryColumns): readonly (string | undefined)[] {
  const outside = Array.from<string | undefined>({ length: keys.count });
  const written = new Uint8Array(cellCount);
  for (let i = 0; i < count; i++) {
    for (let a = first[i]; a < first[i + 1]; a++) {
      if (what[a] === ACCESS.range) return outside.fill('a range');
      const k = key[a];
      if (what[a] !== ACCESS.read && what[a] !== ACCESS.write) outside[k] = 'neither a read nor a write';
      else if (first[i + 1] - first[i] > 1) outside[k] = 'an operation of several accesses';
      if (what[a] !== ACCESS.write) continue;
      if (cell[a] === absent[k]) outside[k] = 'a deletion';
      if (written[cell[a]] === 1) outside[k] = 'two writes of one value';
      written[cell[a]] = 1;
    }
  }
  return outside;
}

/** Zones by cell. A cell without an operation that counts has `finish` Infinity and `start` −Infinity. */
interface Zones {
  readonly columns: HistoryColumns;
  /** Earliest return and latest call among the write and the reads of a value. */
  readonly finish: Float64Array;
  readonly start: Float64Array;
}

/**
 * Checks each of the wanted keys, which must not be outside, by itself; what was read was written by somebody.
 * @returns the violation, if there is one
 */
export function checkZones(columns: HistoryColumns, wanted: (key: number) => boolean): HistoryVerdict | undefined {
  const { count, first, what, key, cell, cellCount, cellKey, absent, outcome, call, return: ends, keys } = columns;
  const finish = new Float64Array(cellCount).fill(Infinity);
  const start = new Float64Array(cellCount).fill(-Infinity);
  const written = new Float64Array(cellCount).fill(Infinity);
  const read = new Uint8Array(cellCount);
  // The initial value was written before everything.
  for (const initial of absent) [finish[initial], start[initial], written[initial]] = [-1, -1, -1];
  for (let i = 0; i < count; i++) {
    const a = first[i];
    if (a === first[i + 1] || !wanted(key[a]) || outcome[i] === OUTCOME.failed) continue;
    const one = cell[a];
    if (what[a] === ACCESS.write) written[one] = call[i];
    else if (outcome[i] === OUTCOME.ok) read[one] = 1;
    else continue;
    if (ends[i] < finish[one]) finish[one] = ends[i];
    if (call[i] > start[one]) start[one] = call[i];
  }
  const zones = { columns, finish, start };
  const [forward, backward]: [number[][], number[][]] = [[], []];
  for (let k = 0; k < keys.count; k++) [forward[k], backward[k]] = [[], []];
  for (let one = 0; one < cellCount; one++) {
    const k = cellKey[one];
    if (!wanted(k) || start[one] === -Infinity) continue;
    if (finish[one] < written[one]) {
      const message = `key ${keys.at(k)}: a read returned ${String(valueOf(columns, one))} before it was written`;
      return invalid('not-linearizable', message, idsOf(columns, one));
    }
    if (finish[one] < start[one]) forward[k].push(one);
    else if (read[one] === 1 || finish[one] !== Infinity) backward[k].push(one);
  }
  for (let k = 0; k < keys.count; k++) {
    const verdict = checkKey(zones, forward[k], backward[k]);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}

function checkKey(zones: Zones, forward: number[], backward: readonly number[]): HistoryVerdict | undefined {
  const { columns, finish, start } = zones;
  const shown = (one: number): string => String(valueOf(columns, one));
  forward.sort((a, b) => finish[a] - finish[b]);
  for (let i = 1; i < forward.length; i++) {
    const [a, b] = [forward[i - 1], forward[i]];
    if (finish[b] >= start[a]) continue;
    const message = `key ${columns.keys.at(columns.cellKey[a])}: values ${shown(a)} and ${shown(b)} must both hold the register at once`;
    return invalid('not-linearizable', message, [...idsOf(columns, a), ...idsOf(columns, b)]);
  }
  for (const one of backward) {
    // The last forward zone (they are disjoint and sorted) that begins before it.
    let [low, high] = [0, forward.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (finish[forward[middle]] < start[one]) low = middle + 1;
      else high = middle;
    }
    if (low === 0 || finish[one] >= start[forward[low - 1]]) continue;
    const around = forward[low - 1];
    const message = `key ${columns.keys.at(columns.cellKey[one])}: value ${shown(one)} has no moment outside that of ${shown(around)}`;
    return invalid('not-linearizable', message, [...idsOf(columns, one), ...idsOf(columns, around)]);
  }
  return undefined;
}

/** Who wrote or read a cell. */
function idsOf({ count, first, what, cell, outcome, id }: HistoryColumns, one: number): number[] {
  const ids: number[] = [];
  for (let i = 0; i < count; i++) {
    const a = first[i];
    if (a === first[i + 1] || cell[a] !== one || outcome[i] === OUTCOME.failed) continue;
    if (what[a] === ACCESS.write) ids.unshift(id[i]);
    else if (outcome[i] === OUTCOME.ok) ids.push(id[i]);
  }
  return ids;
}
