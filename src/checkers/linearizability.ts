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
import { CellMachine } from './cell-machine.ts';
import { type Ends, endsOf } from '../history/ends.ts';
import { RANGE_READS_MAX } from '../history/limits.ts';
import { verdictOf } from './explain/witness.ts';
import { verdictOfZones } from './explain/zones.ts';
import { SEARCH_STATES_MAX, SEARCH_STEPS_MAX, WITNESS_STEPS_MAX } from './limits.ts';
import { type SearchBudget, type SearchResult, searchOrder, type Timed } from './order-search.ts';
import { checkZones, outsideRegisters } from './registers.ts';
import { answered, type SearchInput, searchInput } from './search-input.ts';
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

/** Checks every key on its own. `unknown` when a key is outside what zones can judge. */
export function checkRegisters(history: History | HistoryColumns): HistoryVerdict {
  const columns = columnsOf(history);
  checkShape(columns);
  const outside = outsideRegisters(columns);
  const key = outside.findIndex((why) => why !== undefined);
  if (key >= 0) return unknown(`not a history of registers: key ${columns.keys.at(key)} has ${String(outside[key])}`);
  return (
    unexplainedRead(columns) ??
    verdictOfZones(
      columns,
      checkZones(columns, () => true),
    )
  );
}

/**
 * The search with numbered cells. When no order exists, a second search without the machine's pruning looks for the
 * longest prefix, for the witness; it must come to the same answer.
 */
export function searchInCells(timed: Timed, input: SearchInput, budget: SearchBudget): SearchResult {
  const result = searchOrder(timed, new CellMachine(input), budget);
  if (result.verdict !== 'invalid') return result;
  const stepsMax = Math.min(budget.stepsMax, WITNESS_STEPS_MAX);
  const longest = searchOrder(timed, new CellMachine(input, false), { ...budget, stepsMax });
  assert(longest.verdict !== 'valid', 'pruning loses no order');
  return { ...longest, verdict: 'invalid' };
}

/** Searches some of the operations, as a whole. */
function searchPlaces(
  columns: HistoryColumns,
  ends: Ends,
  places: Iterable<number>,
  budget: SearchBudget,
): HistoryVerdict {
  const input = searchInput(columns, ends, answered(columns, places));
  const timed = { ...input, crashes: [], durable: new Uint8Array(input.count) };
  return verdictOf(searchInCells(timed, input, budget), columns, input.place, 'not-linearizable', columns.count);
}

/** Searches as a whole: registers, compare-and-swap, appends and maps with atomic operations. */
export function searchCells(history: History | HistoryColumns, budget: SearchBudget = DEFAULT_BUDGET): HistoryVerdict {
  const columns = columnsOf(history);
  const ends = soundEndsOf(columns);
  return 'verdict' in ends ? ends : searchPlaces(columns, ends, Array.from(columns.call.keys()), budget);
}

/** A value that a read returned and that only rejected writes wrote, or nobody; the search would only say "fits nowhere". */
export function unexplainedRead(columns: HistoryColumns): HistoryVerdict | undefined {
  const { count, first, what, key, cell, cellCount, absent, outcome, id } = columns;
  const writer = new Int32Array(cellCount).fill(-1);
  const written = new Uint8Array(cellCount);
  const joined = new Uint8Array(columns.keys.count);
  for (let i = 0; i < count; i++) {
    for (let a = first[i]; a < first[i + 1]; a++) {
      if (what[a] === ACCESS.join) joined[key[a]] = 1;
      if (what[a] !== ACCESS.write) continue;
      if (outcome[i] === OUTCOME.failed) writer[cell[a]] = i;
      else written[cell[a]] = 1;
    }
  }
  for (let i = 0; i < count; i++) {
    if (outcome[i] !== OUTCOME.ok) continue;
    for (let a = first[i]; a < first[i + 1]; a++) {
      const one = cell[a];
      if (what[a] !== ACCESS.read || one === absent[key[a]] || written[one] === 1 || joined[key[a]] === 1) continue;
      const told = `key ${columns.keys.at(key[a])}: a read returned ${String(valueOf(columns, one))}`;
      if (writer[one] < 0) return invalid('wrong-read', `${told}, which nobody wrote`, [id[i]]);
      return invalid('rejected-write-visible', `${told}, whose write was rejected`, [id[writer[one]], id[i]]);
    }
  }
  return undefined;
}

/** Operations by the one key that they touch; `undefined` when one touches several. Others touch nothing and do nothing. */
function placesByKey(columns: HistoryColumns, ends: Ends): Map<number, number[]> | undefined {
  const { checkFirst, checkCell, effectFirst, effectKey } = ends;
  const byKey = new Map<number, number[]>();
  for (let i = 0; i < columns.count; i++) {
    let key = -1;
    for (let c = checkFirst[i]; c < checkFirst[i + 1]; c++) {
      if (key >= 0 && ends.keyOf(checkCell[c]) !== key) return undefined;
      key = ends.keyOf(checkCell[c]);
    }
    for (let e = effectFirst[i]; e < effectFirst[i + 1]; e++) {
      if (key >= 0 && effectKey[e] !== key) return undefined;
      key = effectKey[e];
    }
    if (key < 0) continue;
    const places = byKey.get(key);
    if (places === undefined) byKey.set(key, [i]);
    else places.push(i);
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
  const wrong = unexplainedRead(columns);
  if (wrong !== undefined) return wrong;
  const byZones = verdictOfZones(
    columns,
    checkZones(columns, (key) => outside[key] === undefined),
  );
  if (byZones.verdict === 'invalid' || !outside.some((why) => why !== undefined)) return byZones;
  const ends = soundEndsOf(columns);
  if ('verdict' in ends) return ends;
  const byKey = placesByKey(columns, ends);
  if (byKey === undefined) return searchPlaces(columns, ends, Array.from(columns.call.keys()), budget);
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
