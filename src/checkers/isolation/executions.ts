/**
 * When the order of versions or the writer of a read is open: is there any execution that a level allows? Transactions are
 * placed one after another over a small store by the same search that looks for linearizations; a transaction is one point
 * (serializable) or two, its snapshot and its commit (snapshot isolation). Past the bounds the answer is `undefined`.
 *
 * Source: Crooks et al., "Seeing is Believing" (PODC 2017), which defines the levels in states; a transaction commits
 * under snapshot isolation when nobody has installed a key that it writes since its snapshot.
 */
import { type CellMachine, cellMachine } from '../cell-machine.ts';
import type { Ends } from '../../history/ends.ts';
import { EXECUTION_STEPS_MAX, SEARCH_STATES_MAX } from '../limits.ts';
import { type Machine, searchOrder, type Timed } from '../order-search.ts';
import { type SearchInput, searchInput } from '../search-input.ts';
import type { GraphShape, Prepared } from './graph.ts';
import { INITIAL } from './versions.ts';

/** For each transaction of the history, those that must be placed before it: their versions lie below its own. */
function belowOf({ versions, order }: Prepared): ReadonlyMap<number, readonly number[]> {
  const below = new Map<number, number[]>();
  order.next.forEach((to, from) => {
    const writer = versions.writer[from];
    for (const above of [...(to < 0 ? [] : [to]), ...(order.more.get(from) ?? [])]) {
      const upper = versions.writer[above];
      if (writer < 0 || upper === writer) continue;
      below.set(upper, [...(below.get(upper) ?? []), writer]);
    }
  });
  return below;
}

function membersOf({ columns, reads }: Prepared): number[] {
  const places = Array.from(reads.included.keys()).filter((t) => reads.included[t] === 1 || reads.optional.has(t));
  return places.sort((a, b) => columns.call[a] - columns.call[b]);
}

/** Read committed: whoever was read must come before; placing more never hurts, so no choice is ever taken back. */
export function someReadCommittedExecution(prepared: Prepared): boolean {
  const { reads, versions } = prepared;
  const below = belowOf(prepared);
  const placed = new Set<number>([INITIAL]);
  const isPlaced = (version: number): boolean => placed.has(versions.writer[version]);
  const waitsFor = new Map<number, (readonly number[])[]>();
  const wait = (t: number, candidates: readonly number[]): void =>
    void waitsFor.set(t, [...(waitsFor.get(t) ?? []), candidates]);
  reads.reader.forEach((t, i) => wait(t, [reads.version[i]]));
  for (const { transaction, candidates } of reads.ambiguous) wait(transaction, candidates);
  for (let left = membersOf(prepared); ;) {
    const stuck = left.filter((t) => {
      const read = waitsFor.get(t)?.every((candidates) => candidates.some(isPlaced)) ?? true;
      const may = read && (below.get(t)?.every((writer) => placed.has(writer)) ?? true);
      if (may) placed.add(t);
      return !may;
    });
    if (!stuck.some((t) => reads.included[t] === 1)) return true;
    if (stuck.length === left.length) return false;
    left = stuck;
  }
}

/** Whether some execution is allowed; `undefined` when the bounds were reached first. */
export function someExecution(
  prepared: Prepared,
  ends: Ends,
  shape: GraphShape,
  stepsMax = EXECUTION_STEPS_MAX,
): boolean | undefined {
  const { columns, reads } = prepared;
  const places = membersOf(prepared);
  if (places.some((t) => reads.included[t] === 1 && ends.impossible.has(t))) return false;
  const input = searchInput(columns, ends, places, (t) => reads.included[t] === 1);
  const numbers = new Map(Array.from(input.place, (t, i) => [t, i]));
  const below = belowOf(prepared);
  const before = Array.from(input.place, (t) => (below.get(t) ?? []).flatMap((lower) => numbers.get(lower) ?? []));
  const inTime = { ...input, crashes: [], ...(shape.realTime ? {} : withoutTimes(input)) };
  const timed = shape.split ? twice(inTime) : inTime;
  const machine = (shape.split ? splitMachine : wholeMachine)(cellMachine(input), input, before);
  const { verdict } = searchOrder(timed, machine, { stepsMax, statesMax: SEARCH_STATES_MAX });
  return verdict === 'unknown' ? undefined : verdict === 'valid';
}

/** Everybody at once, tried in the order of calls. */
function withoutTimes({ count, call }: SearchInput): Pick<Timed, 'call' | 'return'> {
  const rank = Array.from(call.keys()).sort((a, b) => call[a] - call[b]);
  const at = new Float64Array(count);
  rank.forEach((i, place) => (at[i] = place));
  return { call: at, return: at.map((place) => count + place) };
}

/** Transaction i as point 2i, its snapshot, and point 2i + 1, its commit. */
function twice({ count, requiredCount, call, return: ends, crashes }: Timed): Timed {
  const pairs = (of: Float64Array): Float64Array =>
    Float64Array.from({ length: 2 * count }, (_, point) => of[point >> 1]);
  return { count: 2 * count, requiredCount: 2 * requiredCount, call: pairs(call), return: pairs(ends), crashes };
}

/** Cells, with an order of commits that is known in part. */
function wholeMachine(cells: CellMachine, { count }: SearchInput, before: readonly (readonly number[])[]): Machine {
  const committed = new Uint8Array(count);
  return {
    ...cells,
    apply: (i) => {
      if (!before[i].every((lower) => committed[lower] === 1) || !cells.apply(i)) return false;
      committed[i] = 1;
      return true;
    },
    undo: (i) => {
      committed[i] = 0;
      cells.undo(i);
    },
  };
}

/** The same with snapshots apart from commits: two in flight on one key never both commit. */
function splitMachine(
  cells: CellMachine,
  { count, operations, cells: { keyCount } }: SearchInput,
  before: readonly (readonly number[])[],
): Machine {
  const [committed, started] = [new Uint8Array(count), new Uint8Array(count)];
  /** By key: transactions that have started and will write it. */
  const inFlight = new Int32Array(keyCount);
  const keys = operations.map(({ effects }) => [...new Set(effects.map(({ key }) => key))]);
  const start = (i: number, now: 0 | 1): void => {
    started[i] = now;
    for (const key of keys[i]) inFlight[key] += 2 * now - 1;
  };
  const finish = (i: number, now: 0 | 1): void => {
    committed[i] = now;
    for (const key of keys[i]) inFlight[key] -= 2 * now - 1;
  };
  const mayCommit = (i: number): boolean =>
    started[i] === 1 && keys[i].every((key) => inFlight[key] === 1) && before[i].every((one) => committed[one] === 1);
  return {
    ...cells,
    isReadOnly: (point) => cells.isReadOnly(point >> 1),
    isHiddenBy: () => false,
    apply: (point) => {
      const i = point >> 1;
      if ((point & 1) === 0 ? !cells.applyChecks(i) : !mayCommit(i) || !cells.applyEffects(i)) return false;
      ((point & 1) === 0 ? start : finish)(i, 1);
      return true;
    },
    undo: (point) => {
      const i = point >> 1;
      if ((point & 1) === 0) cells.undoChecks(i);
      else cells.undoEffects(i);
      ((point & 1) === 0 ? start : finish)(i, 0);
    },
  };
}
