/**
 * The search over any object given as pure functions: its states are numbered by their fingerprints, and what an operation
 * makes of a state is computed once.
 */
import { assert } from '../../base/assert.ts';
import { columnsOf } from '../../history/columns-of.ts';
import type { HistoryOperation } from '../../history/history.ts';
import { verdictOf } from '../explain/witness.ts';
import { DEFAULT_BUDGET, soundEndsOf } from '../linearizability.ts';
import { type Machine, type SearchBudget, searchOrder } from '../order-search.ts';
import type { SequentialModel } from './sequential-models.ts';
import type { HistoryVerdict } from '../verdict.ts';
import { zobrist } from '../visited.ts';

/**
 * Searches for an order of the operations that respects real time and that a model of pure functions accepts. An operation
 * that told its accesses comes to the model with what is left of them: its reads from others, ranges taken apart.
 */
export function searchLinearization<State>(
  history: readonly HistoryOperation[],
  model: SequentialModel<State>,
  budget: SearchBudget = DEFAULT_BUDGET,
): HistoryVerdict {
  const columns = columnsOf({ operations: history, markers: [] });
  const ends = soundEndsOf(columns);
  if ('verdict' in ends) return ends;
  const readsOf = (i: number): HistoryOperation['reads'] =>
    Array.from(ends.checkCell.subarray(ends.checkFirst[i], ends.checkFirst[i + 1]), (cell) => ({
      key: columns.keys.at(ends.keyOf(cell)),
      value: ends.textOf(cell),
    }));
  const counted = history.map((operation, place) => ({
    place,
    operation: operation.accesses === undefined ? operation : { ...operation, reads: readsOf(place) },
  }));
  const of = (outcome: string): typeof counted => counted.filter(({ operation }) => operation.outcome === outcome);
  const chosen = [...of('ok'), ...of('unknown')];
  const timed = {
    count: chosen.length,
    requiredCount: of('ok').length,
    call: Float64Array.from(chosen, ({ operation }) => operation.call),
    return: Float64Array.from(chosen, ({ operation }) => operation.return),
    crashes: [],
  };
  const machine = new ModelMachine(
    model,
    chosen.map(({ operation }) => operation),
  );
  const places = Int32Array.from(chosen, ({ place }) => place);
  return verdictOf(searchOrder(timed, machine, budget), columns, places, 'not-linearizable', history.length);
}

/** The machine of a model and a list of operations. A power cut is outside it. */
class ModelMachine<State> implements Machine {
  readonly stateWords = 1;
  private readonly model: SequentialModel<State>;
  private readonly operations: readonly HistoryOperation[];
  private readonly numbers = new Map<string, number>();
  private readonly states: State[] = [];
  private readonly known = new Map<number, number>();
  private readonly before: number[] = [];
  private current: number;

  constructor(model: SequentialModel<State>, operations: readonly HistoryOperation[]) {
    this.model = model;
    this.operations = operations;
    this.current = this.number(model.initial);
  }

  hash(): number {
    return zobrist(this.current);
  }

  apply(i: number): boolean {
    const pair = this.current * this.operations.length + i;
    let after = this.known.get(pair);
    if (after === undefined) {
      const state = this.model.step(this.states[this.current], this.operations[i]);
      after = state === undefined ? -1 : this.number(state);
      this.known.set(pair, after);
    }
    if (after < 0) return false;
    this.before.push(this.current);
    this.current = after;
    return true;
  }

  undo(): void {
    const before = this.before.pop();
    assert(before !== undefined, 'what is taken back was done');
    this.current = before;
  }

  isReadOnly(i: number): boolean {
    return this.model.isReadOnly?.(this.operations[i]) ?? false;
  }

  isHiddenBy(): boolean {
    return false;
  }

  saveState(into: Int32Array, at: number): number {
    into[at] = this.current;
    return at + 1;
  }

  private number(state: State): number {
    const print = this.model.fingerprint(state);
    const known = this.numbers.get(print);
    if (known !== undefined) return known;
    this.numbers.set(print, this.states.length);
    return this.states.push(state) - 1;
  }
}
