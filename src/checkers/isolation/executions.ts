/**
 * When the order of versions or the writer of a read is open: is there any execution that a level allows? Transactions are
 * placed one after another over a small store by the same search that looks for linearizations; a transaction is one point
 * (serializable) or two, its snapshot and its commit (snapshot isolation). Past the bounds the answer is `undefined`.
 *
 * Source: Crooks et al., "Seeing is Believing" (PODC 2017), which defines the levels in states; a transaction commits
 * under snapshot isolation when nobody has installed a key that it writes since its snapshot.
 */
import { CellMachine } from '../cell-machine.ts';
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
  const candidates = new Map<number, (readonly number[])[]>();
  reads.reader.forEach((t, i) => candidates.set(t, [...(candidates.get(t) ?? []), [reads.version[i]]]));
  for (const one of reads.ambiguous) {
    candidates.set(one.transaction, [...(candidates.get(one.transaction) ?? []), one.candidates]);
  }
  const placed = new Set<number>([INITIAL]);
  for (let left = membersOf(prepared); ;) {
    const stuck = left.filter((t) => {
      const read =
        candidates.get(t)?.every((any) => any.some((version) => placed.has(versions.writer[version]))) ?? true;
      const ordered = below.get(t)?.every((writer) => placed.has(writer)) ?? true;
      if (read && ordered) placed.add(t);
      return !(read && ordered);
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
  const input = searchInput(columns, ends, { places, isRequired: (t) => reads.included[t] === 1 });
  const numbers = new Map(Array.from(input.place, (t, i) => [t, i]));
  const below = belowOf(prepared);
  const before = Array.from(input.place, (t) => (below.get(t) ?? []).flatMap((lower) => numbers.get(lower) ?? []));
  const inTime = shape.realTime === 'all' ? input : { ...input, ...withoutTimes(input) };
  const machine = new ExecutionMachine(new CellMachine(input), input, before, shape.split);
  const timed = shape.split ? twice(inTime) : { ...inTime, crashes: [], durable: new Uint8Array(input.count) };
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
function twice({ count, requiredCount, call, return: ends }: SearchInput): Timed {
  const pairs = (of: Float64Array): Float64Array =>
    Float64Array.from({ length: 2 * count }, (_, point) => of[point >> 1]);
  return {
    count: 2 * count,
    requiredCount: 2 * requiredCount,
    call: pairs(call),
    return: pairs(ends),
    crashes: [],
    durable: new Uint8Array(2 * count),
  };
}

/** Cells, with an order of commits that is known in part and, when split, snapshots apart from commits. */
class ExecutionMachine implements Machine {
  private readonly cells: CellMachine;
  private readonly input: SearchInput;
  private readonly before: readonly (readonly number[])[];
  private readonly split: boolean;
  private readonly committed: Uint8Array;
  private readonly started: Uint8Array;
  /** By key: transactions that have started and will write it. */
  private readonly inFlight: Int32Array;

  constructor(cells: CellMachine, input: SearchInput, before: readonly (readonly number[])[], split: boolean) {
    this.cells = cells;
    this.input = input;
    this.before = before;
    this.split = split;
    this.committed = new Uint8Array(input.count);
    this.started = new Uint8Array(input.count);
    this.inFlight = new Int32Array(input.cells.keyCount);
  }

  get hash(): number {
    return this.cells.hash;
  }

  get stateWords(): number {
    return this.cells.stateWords;
  }

  apply(point: number): boolean {
    const i = this.split ? point >> 1 : point;
    if (this.split && (point & 1) === 0) {
      if (!this.cells.applyChecks(i)) return false;
      this.started[i] = 1;
      this.count(i, 1);
      return true;
    }
    if (this.split && (this.started[i] === 0 || !this.isAlone(i))) return false;
    if (!this.before[i].every((lower) => this.committed[lower] === 1)) return false;
    if (!(this.split ? this.cells.applyEffects(i) : this.cells.apply(i))) return false;
    this.committed[i] = 1;
    if (this.split) this.count(i, -1);
    return true;
  }

  undo(point: number): void {
    const i = this.split ? point >> 1 : point;
    if (this.split && (point & 1) === 0) {
      this.cells.undoChecks(i);
      this.started[i] = 0;
      this.count(i, -1);
      return;
    }
    this.committed[i] = 0;
    if (!this.split) this.cells.undo(i);
    else {
      this.cells.undoEffects(i);
      this.count(i, 1);
    }
  }

  /** Two in flight on one key never both commit. */
  private isAlone(i: number): boolean {
    return this.input.operations[i].effects.every(({ key }) => this.inFlight[key] === 1);
  }

  private count(i: number, step: 1 | -1): void {
    for (const key of new Set(this.input.operations[i].effects.map((effect) => effect.key))) this.inFlight[key] += step;
  }

  isReadOnly(point: number): boolean {
    return this.cells.isReadOnly(this.split ? point >> 1 : point);
  }

  isHiddenBy(point: number, hidden: number): boolean {
    return !this.split && this.cells.isHiddenBy(point, hidden);
  }

  saveState(into: Int32Array, at: number): number {
    return this.cells.saveState(into, at);
  }
}
