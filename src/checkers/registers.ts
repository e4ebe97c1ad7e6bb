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
import { ACCESS, type HistoryColumns, OUTCOME } from '../history/columns.ts';

/** Why a key is outside this checker, by key; `undefined` for one inside. */
export function outsideRegisters(columns: HistoryColumns): readonly (string | undefined)[] {
  const { first, what, key, cell, count, keys, absent, cellCount } = columns;
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

/** Cells that contradict: read before it was written, both to hold at once, or the first inside the time of the second. */
export interface ZoneConflict {
  readonly why: 'too-early' | 'both' | 'inside';
  readonly cells: readonly number[];
}

/**
 * Checks each of the wanted keys, which must not be outside, by itself; what was read was written by somebody.
 * @returns the first contradiction, if there is one
 */
export function checkZones(columns: HistoryColumns, wanted: (key: number) => boolean): ZoneConflict | undefined {
  const { count, first, what, key, cell, cellCount, cellKey, absent, outcome, call, return: ends, keys } = columns;
  // Earliest return and latest call among the write and the reads of a value; the initial one was written before everything.
  const finish = new Float64Array(cellCount).fill(Infinity);
  const start = new Float64Array(cellCount).fill(-Infinity);
  const written = new Float64Array(cellCount).fill(Infinity);
  const counts = new Uint8Array(cellCount);
  for (const initial of absent) [finish[initial], start[initial], written[initial], counts[initial]] = [-1, -1, -1, 1];
  for (let i = 0; i < count; i++) {
    const a = first[i];
    if (a === first[i + 1] || !wanted(key[a]) || outcome[i] === OUTCOME.failed) continue;
    const one = cell[a];
    if (what[a] === ACCESS.write) written[one] = call[i];
    else if (outcome[i] !== OUTCOME.ok) continue;
    // A write of unknown outcome counts only when it was read.
    if (outcome[i] === OUTCOME.ok) counts[one] = 1;
    if (ends[i] < finish[one]) finish[one] = ends[i];
    if (call[i] > start[one]) start[one] = call[i];
  }
  const [forward, backward] = [keys, keys].map(() => Array.from({ length: keys.count }, (): number[] => []));
  for (let one = 0; one < cellCount; one++) {
    if (!wanted(cellKey[one]) || counts[one] === 0) continue;
    if (finish[one] < written[one]) return { why: 'too-early', cells: [one] };
    (finish[one] < start[one] ? forward : backward)[cellKey[one]].push(one);
  }
  for (let k = 0; k < keys.count; k++) {
    const ofKey = forward[k].sort((a, b) => finish[a] - finish[b]);
    for (let i = 1; i < ofKey.length; i++) {
      if (finish[ofKey[i]] < start[ofKey[i - 1]]) return { why: 'both', cells: [ofKey[i - 1], ofKey[i]] };
    }
    // Of the forward zones, which are disjoint, the last one that begins before a backward one is the one to hold it.
    let before = -1;
    for (const one of backward[k].sort((a, b) => start[a] - start[b])) {
      while (before + 1 < ofKey.length && finish[ofKey[before + 1]] < start[one]) before++;
      if (before >= 0 && finish[one] < start[ofKey[before]]) return { why: 'inside', cells: [one, ofKey[before]] };
    }
  }
  return undefined;
}
