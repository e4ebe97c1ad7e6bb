/**
 * Linearizability (Herlihy and Wing, 1990) of any history: registers by zones, the rest by search, key by key where that
 * is legal: linearizability is local, so a history of operations on single keys is judged by its keys, and one with
 * batches, scans or transactions only as a whole.
 *
 * An operation of unknown outcome has no return: it may be placed anywhere after its call, or nowhere. An operation that
 * definitely failed is left out: whoever saw its effect has no place.
 */
import { assert } from '../base/assert.ts';
import { ACCESS, type HistoryColumns, OUTCOME, valueOf } from '../history/columns.ts';
import { columnsOf } from '../history/columns-of.ts';
import type { History } from '../history/history.ts';
import { checkShape } from '../history/shape.ts';
import { cellMachine } from './cell-machine.ts';
import { type Ends, endsOf } from '../history/ends.ts';
import { RANGE_READS_MAX } from '../history/limits.ts';
import { verdictOf } from './explain/witness.ts';
import { verdictOfZones } from './explain/zones.ts';
import { SEARCH_STATES_MAX, SEARCH_STEPS_MAX, WITNESS_STEPS_MAX } from './limits.ts';
import { type SearchBudget, searchOrder } from './order-search.ts';
import { checkZones, outsideRegisters } from './registers.ts';
import { searchInput } from './search-input.ts';
import { type HistoryVerdict, invalid, unknown, valid } from './verdict.ts';

/** The budget when none is given. */
export const DEFAULT_BUDGET: SearchBudget = { stepsMax: SEARCH_STEPS_MAX, statesMax: SEARCH_STATES_MAX };
/** Steps of the first look at each key, the longer look after it, and so on. */
const FIRST_LOOK_STEPS = 20_000;
const LOOK_FACTOR = 10;

/** What each operation shows at its ends, or a verdict when one that was answered contradicts itself (`wrong-read`). */
export function soundEndsOf(columns: HistoryColumns): Ends | HistoryVerdict {
  const ends = endsOf(columns);
  if (ends === undefined) return unknown(`range reads of more than ${RANGE_READS_MAX} keys`);
  for (const [place, problem] of ends.impossible) {
    if (columns.outcome[place] === OUTCOME.ok) return invalid('wrong-read', problem, [columns.id[place]]);
  }
  return ends;
}

/** By zones, key by key, without the keys that are outside what zones can judge. */
function byZones(columns: HistoryColumns, outside: readonly (string | undefined)[]): HistoryVerdict {
  const conflict = checkZones(columns, (key) => outside[key] === undefined);
  // Within registers a read that nobody explains is a conflict, too.
  if (conflict === undefined && outside.every((why) => why === undefined)) return valid(columns.count);
  return unexplainedRead(columns) ?? verdictOfZones(columns, conflict);
}

/** Checks every key on its own. `unknown` when a key is outside what zones can judge. */
export function checkRegisters(history: History | HistoryColumns): HistoryVerdict {
  const columns = columnsOf(history);
  checkShape(columns);
  const outside = outsideRegisters(columns);
  const key = outside.findIndex((why) => why !== undefined);
  if (key < 0) return byZones(columns, outside);
  return unknown(`not a history of registers: key ${columns.keys.at(key)} has ${String(outside[key])}`);
}

/**
 * Searches some of the operations, as a whole. When no order exists, a second search without the machine's pruning looks
 * for the longest prefix, for the witness; it must come to the same answer.
 * @param crashes events, rising
 * @param floor by place: 1 for what must survive the next crash
 */
export function searchPlaces(
  columns: HistoryColumns,
  ends: Ends,
  places: Iterable<number>,
  budget: SearchBudget,
  crashes: readonly number[] = [],
  floor: Uint8Array = new Uint8Array(columns.count),
): HistoryVerdict {
  const input = searchInput(columns, ends, places);
  const durable = crashes.length === 0 ? undefined : Uint8Array.from(input.place, (place) => floor[place]);
  const timed = { ...input, crashes, durable };
  let result = searchOrder(timed, cellMachine(input), budget);
  if (result.verdict === 'invalid') {
    const stepsMax = Math.min(budget.stepsMax, WITNESS_STEPS_MAX);
    const longest = searchOrder(timed, cellMachine(input, false), { ...budget, stepsMax });
    assert(longest.verdict !== 'valid', 'pruning loses no order');
    result = { ...longest, verdict: 'invalid' };
  }
  const kind = crashes.length === 0 ? 'not-linearizable' : 'not-durable';
  return verdictOf(result, columns, input.place, kind, columns.count);
}

/** Searches as a whole: registers, compare-and-swap, appends and maps with atomic operations. */
export function searchCells(history: History | HistoryColumns, budget: SearchBudget = DEFAULT_BUDGET): HistoryVerdict {
  const columns = columnsOf(history);
  const ends = soundEndsOf(columns);
  return 'verdict' in ends ? ends : searchPlaces(columns, ends, columns.call.keys(), budget);
}

/** Of a cell that no operation wrote, or several; below those the rejected one that did, counted down. */
const [NOBODY, SEVERAL, REJECTED] = [-1, -2, -3];

/** By cell: the one operation that wrote it, or may have. */
export function writersOf({ count, first, what, cell, outcome, cellCount }: HistoryColumns): Int32Array {
  const writers = new Int32Array(cellCount).fill(NOBODY);
  for (let i = 0; i < count; i++) {
    for (let a = first[i]; a < first[i + 1]; a++) {
      if (what[a] !== ACCESS.write) continue;
      const before = writers[cell[a]];
      const isFirst = before === NOBODY || before <= REJECTED || before === i;
      if (outcome[i] !== OUTCOME.failed) writers[cell[a]] = isFirst ? i : SEVERAL;
      else if (before === NOBODY) writers[cell[a]] = REJECTED - i;
    }
  }
  return writers;
}

/** A value that a read returned and that only rejected writes wrote, or nobody; the search would only say "fits nowhere". */
function unexplainedRead(columns: HistoryColumns): HistoryVerdict | undefined {
  const { count, first, what, key, cell, absent, outcome, id } = columns;
  const writers = writersOf(columns);
  const isJoined = new Set(key.filter((_, a) => what[a] === ACCESS.join));
  for (let i = 0; i < count; i++) {
    if (outcome[i] !== OUTCOME.ok) continue;
    for (let a = first[i]; a < first[i + 1]; a++) {
      const writer = writers[cell[a]];
      if (what[a] !== ACCESS.read || writer >= 0 || writer === SEVERAL) continue;
      if (cell[a] === absent[key[a]] || isJoined.has(key[a])) continue;
      const told = `key ${columns.keys.at(key[a])}: a read returned ${String(valueOf(columns, cell[a]))}`;
      if (writer === NOBODY) return invalid('wrong-read', `${told}, which nobody wrote`, [id[i]]);
      const message = `${told}, whose write was rejected`;
      return invalid('rejected-write-visible', message, [id[REJECTED - writer], id[i]]);
    }
  }
  return undefined;
}

/** Operations by the one key that they touch; `undefined` when one touches several. Others touch nothing and do nothing. */
function placesByKey(
  { count }: HistoryColumns,
  { checkFirst, checkCell, effectFirst, effectKey, keyOf }: Ends,
): ReadonlyMap<number, readonly number[]> | undefined {
  const byKey = new Map<number, number[]>();
  for (let i = 0; i < count; i++) {
    const keys = new Set<number>();
    for (let c = checkFirst[i]; c < checkFirst[i + 1]; c++) keys.add(keyOf(checkCell[c]));
    for (let e = effectFirst[i]; e < effectFirst[i + 1]; e++) keys.add(effectKey[e]);
    if (keys.size > 1) return undefined;
    for (const key of keys) {
      const places = byKey.get(key);
      if (places === undefined) byKey.set(key, [i]);
      else places.push(i);
    }
  }
  return byKey;
}

/**
 * Linearizability of a whole history. Crashes are not looked at: see `checkDurability`.
 * @returns `invalid` with the window, the operations in it and the longest prefix that an order explains; `unknown` past
 *   the budget, which is for each key
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for a history that cannot be
 */
export function checkLinearizability(
  history: History | HistoryColumns,
  budget: SearchBudget = DEFAULT_BUDGET,
): HistoryVerdict {
  const columns = columnsOf(history);
  checkShape(columns);
  const outside = outsideRegisters(columns);
  const simple = byZones(columns, outside);
  if (simple.verdict === 'invalid' || outside.every((why) => why === undefined)) return simple;
  const ends = soundEndsOf(columns);
  if ('verdict' in ends) return ends;
  const byKey = placesByKey(columns, ends);
  if (byKey === undefined) return searchPlaces(columns, ends, columns.call.keys(), budget);
  // A key that is wrong is mostly found out soon, and one that is right may take long: all get a short look first.
  let waiting = [...byKey].filter(([key]) => outside[key] !== undefined);
  for (let stepsMax = FIRST_LOOK_STEPS; ; stepsMax *= LOOK_FACTOR) {
    const look = { ...budget, stepsMax: Math.min(stepsMax, budget.stepsMax) };
    const unsettled: typeof waiting = [];
    let last: HistoryVerdict = valid(columns.count);
    for (const entry of waiting) {
      const verdict = searchPlaces(columns, ends, entry[1], look);
      if (verdict.verdict === 'invalid') return verdict;
      if (verdict.verdict === 'valid') continue;
      unsettled.push(entry);
      last = verdict;
    }
    if (unsettled.length === 0 || look.stepsMax === budget.stepsMax) return last;
    waiting = unsettled;
  }
}
