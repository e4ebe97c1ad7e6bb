/**
 * Linearizability (Herlihy and Wing, 1990) of any history: registers by zones, the rest by search, key by key where that
 * is legal: linearizability is local, so a history of operations on single keys is judged by its keys, and one with
 * batches, scans or transactions only as a whole.
 *
 * An operation of unknown outcome has no return: it may be placed anywhere after its call, or nowhere. An operation that
 * definitely failed is left out: whoever saw its effect has no place.
 */
import { assert } from '../base/assert.ts';
import type { History, HistoryOperation } from '../history/history.ts';
import { CellMachine } from './cell-machine.ts';
import { SEARCH_STATES_MAX, SEARCH_STEPS_MAX } from './limits.ts';
import { checkRegisters, outsideRegisters } from './linearizability-registers.ts';
import { type SearchBudget, type SearchResult, searchOrder, type Timed } from './order-search.ts';
import { ModelMachine } from './model-machine.ts';
import { plainReads } from './plain-reads.ts';
import { type SearchInput, searchInput } from './search-input.ts';
import type { SequentialModel } from './sequential-models.ts';
import { type AnomalyClass, type HistoryVerdict, unknown, valid } from './verdict.ts';

/** The budget when none is given. */
export const DEFAULT_BUDGET: SearchBudget = { stepsMax: SEARCH_STEPS_MAX, statesMax: SEARCH_STATES_MAX };
const WITNESS_MAX = 16;
const WITNESS_STEPS_MAX = 1_000_000;

/** A result of the search as a verdict, with the operations that stood around the place where it could not go on. */
export function verdictOf(
  result: SearchResult,
  operations: readonly HistoryOperation[],
  kind: AnomalyClass,
  checked: number,
): HistoryVerdict {
  if (result.verdict === 'valid') return valid(checked);
  if (result.verdict === 'unknown') return unknown(result.reason);
  const order = result.order.filter((i) => i >= 0);
  const placed = new Set(order);
  const end = result.blocked < 0 ? Infinity : operations[result.blocked].return;
  const open = operations.filter((operation, i) => !placed.has(i) && operation.call < end);
  const around = [...order.slice(-WITNESS_MAX / 2).map((i) => operations[i]), ...open.slice(0, WITNESS_MAX)];
  const stuck = result.blocked < 0 ? undefined : operations[result.blocked];
  const witness = [...new Set([...around, ...(stuck === undefined ? [] : [stuck])].map(({ id }) => id))];
  const where = stuck === undefined ? 'what is left fits nowhere' : `operation ${stuck.id} fits nowhere`;
  const calls = around.map(({ call }) => call);
  const ends = around.map((operation) => (operation.return === Infinity ? operation.call : operation.return));
  return {
    verdict: 'invalid',
    class: kind,
    message: `no order explains all of them: after ${order.length} operations, ${where}`,
    witness,
    prefix: order.map((i) => operations[i].id),
    window: [Math.min(...calls), Math.max(...ends)],
  };
}

/** Searches for an order of the operations that respects real time and that a model of pure functions accepts. */
export function searchLinearization<State>(
  history: readonly HistoryOperation[],
  model: SequentialModel<State>,
  budget: SearchBudget = DEFAULT_BUDGET,
): HistoryVerdict {
  const told = plainReads({ operations: history, markers: [] });
  if ('verdict' in told) return told;
  const counts = told.operations.filter((operation) => operation.outcome !== 'failed');
  const isUnknown = (operation: HistoryOperation): number => Number(operation.outcome === 'unknown');
  const operations = counts.sort((a, b) => isUnknown(a) - isUnknown(b) || a.call - b.call);
  const timed = {
    count: operations.length,
    completedCount: operations.filter((operation) => operation.outcome === 'ok').length,
    call: Float64Array.from(operations, (operation) => operation.call),
    return: Float64Array.from(operations, (operation) => operation.return),
    crashes: [],
    durable: new Uint8Array(operations.length),
  };
  const result = searchOrder(timed, new ModelMachine(model, operations), budget);
  return verdictOf(result, operations, 'not-linearizable', history.length);
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

/** Searches with numbered cells: registers, compare-and-swap, appends and maps with atomic operations. */
export function searchCells(
  history: readonly HistoryOperation[],
  budget: SearchBudget = DEFAULT_BUDGET,
): HistoryVerdict {
  const input = searchInput(history);
  const { operations } = input;
  const timed = { ...input, count: operations.length, crashes: [], durable: new Uint8Array(operations.length) };
  return verdictOf(searchInCells(timed, input, budget), operations, 'not-linearizable', history.length);
}

const touched = (operation: HistoryOperation): number => new Set(keysTouched(operation)).size;
const keysTouched = (operation: HistoryOperation): string[] =>
  [...operation.reads, ...operation.writes].map((cell) => cell.key);

/** A value that a read returned and that only rejected writes wrote, or nobody; the search would only say "fits nowhere". */
function unexplainedRead(history: History): HistoryVerdict | undefined {
  const rejected = new Map<string, number>();
  const written = new Set<string>();
  const appended = new Set<string>();
  for (const operation of history.operations) {
    for (const { key, value } of operation.writes) {
      if (operation.kind === 'append') appended.add(key);
      if (operation.outcome === 'failed') rejected.set(JSON.stringify([key, value]), operation.id);
      else written.add(JSON.stringify([key, value]));
    }
  }
  for (const operation of history.operations) {
    if (operation.outcome !== 'ok') continue;
    for (const { key, value } of operation.reads) {
      const name = JSON.stringify([key, value]);
      if (value === null || written.has(name) || appended.has(key)) continue;
      const writer = rejected.get(name);
      const by = writer === undefined ? 'which nobody wrote' : 'whose write was rejected';
      return {
        verdict: 'invalid',
        class: writer === undefined ? 'wrong-read' : 'rejected-write-visible',
        message: `key ${key}: a read returned ${value}, ${by}`,
        witness: writer === undefined ? [operation.id] : [writer, operation.id],
      };
    }
  }
  return undefined;
}

/**
 * Linearizability of a whole history. Crashes are not looked at: see {@link checkDurability}.
 * @returns `invalid` with the window, the operations in it and the longest prefix that an order explains; `unknown` past
 *   the budget, which is for each key
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` on a `cas` or `append` that is not one
 */
export function checkLinearizability(recorded: History, budget: SearchBudget = DEFAULT_BUDGET): HistoryVerdict {
  const history = plainReads(recorded);
  if ('verdict' in history) return history;
  if (outsideRegisters(history) === undefined) return checkRegisters(history);
  const wrong = unexplainedRead(history);
  if (wrong !== undefined) return wrong;
  if (history.operations.some((operation) => touched(operation) > 1)) return searchCells(history.operations, budget);
  const byKey = Map.groupBy(history.operations, (operation) => keysTouched(operation).at(0) ?? '');
  let withoutAnswer: HistoryVerdict | undefined;
  for (const operations of byKey.values()) {
    const part: History = { operations, markers: history.markers };
    const byZones = outsideRegisters(part) === undefined;
    const verdict = byZones ? checkRegisters(part) : searchCells(operations, budget);
    if (verdict.verdict === 'invalid') return verdict;
    if (verdict.verdict === 'unknown') withoutAnswer ??= verdict;
  }
  return withoutAnswer ?? valid(history.operations.length);
}
