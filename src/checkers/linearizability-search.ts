/**
 * Linearizability against any sequential object by search: Wing and Gong, "Testing and Verifying Concurrent Objects"
 * (1993), with the memory of visited configurations of Lowe, "Testing for Linearizability" (2017). Exponential in the
 * worst case, hence the budget: past it the verdict is `unknown`.
 *
 * An operation of unknown outcome has no return: it may be placed anywhere after its call, or nowhere. An operation that
 * definitely failed is left out: whoever saw its effect has no place.
 */
import { assert } from '../base/assert.ts';
import type { History, HistoryOperation } from '../history/history.ts';
import { SEARCH_STATES_MAX, SEARCH_STEPS_MAX } from './limits.ts';
import { atomicMap, type SequentialModel } from './sequential-models.ts';
import { checkRegisters, outsideRegisters } from './linearizability-registers.ts';
import { type HistoryVerdict, invalid, unknown, valid } from './verdict.ts';

/** Bounds of one search. */
export interface SearchBudget {
  readonly stepsMax: number;
  readonly statesMax: number;
}

const DEFAULT_BUDGET: SearchBudget = { stepsMax: SEARCH_STEPS_MAX, statesMax: SEARCH_STATES_MAX };

/** A call or a return in a doubly linked list, from which operations are lifted while they are placed. */
interface Node {
  readonly operation: HistoryOperation | undefined;
  readonly number: number;
  readonly isCall: boolean;
  match: Node | undefined;
  previous: Node | undefined;
  next: Node | undefined;
}

function linkedEvents(operations: readonly HistoryOperation[]): Node {
  const head: Node = {
    operation: undefined,
    number: -1,
    isCall: false,
    match: undefined,
    previous: undefined,
    next: undefined,
  };
  const events: { at: number; node: Node }[] = [];
  operations.forEach((operation, number) => {
    const common = { operation, number, previous: undefined, next: undefined };
    const call: Node = { ...common, isCall: true, match: undefined };
    events.push({ at: operation.call, node: call });
    if (operation.return === Infinity) return;
    const end: Node = { ...common, isCall: false, match: undefined };
    call.match = end;
    events.push({ at: operation.return, node: end });
  });
  events.sort((a, b) => a.at - b.at);
  let last = head;
  for (const { node } of events) {
    last.next = node;
    node.previous = last;
    last = node;
  }
  return head;
}

function unlink(node: Node): void {
  if (node.previous !== undefined) node.previous.next = node.next;
  if (node.next !== undefined) node.next.previous = node.previous;
}

function relink(node: Node): void {
  if (node.previous !== undefined) node.previous.next = node;
  if (node.next !== undefined) node.next.previous = node;
}

/** Searches for an order of the operations that respects real time and that the model accepts. */
export function searchLinearization<State>(
  history: readonly HistoryOperation[],
  model: SequentialModel<State>,
  budget: SearchBudget = DEFAULT_BUDGET,
): HistoryVerdict {
  const operations = history.filter((operation) => operation.outcome !== 'failed');
  const head = linkedEvents(operations);
  const placed = new Uint32Array(Math.ceil(operations.length / 32));
  const seen = new Set<string>();
  const stack: { call: Node; state: State }[] = [];
  let state = model.initial;
  let node = head.next;
  let steps = 0;
  let deepest: readonly number[] = [];
  let deepestBlocked: number | undefined;
  while (node !== undefined) {
    if (++steps > budget.stepsMax) return unknown(`no order found in ${budget.stepsMax} steps`);
    const { operation } = node;
    assert(operation !== undefined, 'only the head has no operation');
    if (node.isCall) {
      const next = model.step(state, operation);
      if (next !== undefined) {
        placed[node.number >> 5] ^= 1 << (node.number & 31);
        const configuration = `${placed.join(',')} ${model.fingerprint(next)}`;
        if (!seen.has(configuration)) {
          if (seen.size >= budget.statesMax) return unknown(`no order found in ${budget.statesMax} states`);
          seen.add(configuration);
          stack.push({ call: node, state });
          state = next;
          unlink(node);
          if (node.match !== undefined) unlink(node.match);
          node = head.next;
          continue;
        }
        placed[node.number >> 5] ^= 1 << (node.number & 31);
      }
      node = node.next;
      continue;
    }
    if (deepestBlocked === undefined || stack.length > deepest.length) {
      deepest = stack.map(({ call }) => call.number);
      deepestBlocked = operation.id;
    }
    const undone = stack.pop();
    if (undone === undefined) {
      const message = `no order explains all of them: after ${deepest.length} operations, operation ${deepestBlocked} fits nowhere`;
      const tail = deepest.slice(-8).map((number) => operations[number].id);
      return invalid('not-linearizable', message, [...tail, deepestBlocked]);
    }
    state = undone.state;
    placed[undone.call.number >> 5] ^= 1 << (undone.call.number & 31);
    if (undone.call.match !== undefined) relink(undone.call.match);
    relink(undone.call);
    node = undone.call.next;
  }
  return valid(history.length);
}

/**
 * Linearizability of any history: registers by zones; single keys with deletions by search, key by key; a history with
 * batches, scans or transactions by search as a whole, never by key.
 */
export function checkLinearizability(history: History, budget: SearchBudget = DEFAULT_BUDGET): HistoryVerdict {
  if (outsideRegisters(history) === undefined) return checkRegisters(history);
  const single = history.operations.every(
    (operation) =>
      (operation.kind === 'read' || operation.kind === 'write') &&
      operation.reads.length + operation.writes.length <= 1,
  );
  if (!single) return searchLinearization(history.operations, atomicMap, budget);
  const byKey = Map.groupBy(history.operations, (operation) => [...operation.reads, ...operation.writes][0]?.key ?? '');
  let withoutAnswer: HistoryVerdict | undefined;
  for (const operations of byKey.values()) {
    const part: History = { operations, markers: history.markers };
    const byZones = outsideRegisters(part) === undefined;
    const verdict = byZones ? checkRegisters(part) : searchLinearization(operations, atomicMap, budget);
    if (verdict.verdict === 'invalid') return verdict;
    if (verdict.verdict === 'unknown') withoutAnswer ??= verdict;
  }
  return withoutAnswer ?? valid(history.operations.length);
}
