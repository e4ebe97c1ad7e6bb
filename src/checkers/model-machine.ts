/**
 * Any object given as pure functions, as a machine: its states are numbered by their fingerprints, and what an operation
 * makes of a state is computed once.
 */
import { assert } from '../base/assert.ts';
import type { HistoryOperation } from '../history/history.ts';
import type { Machine } from './machine.ts';
import type { SequentialModel } from './sequential-models.ts';
import { zobrist } from './visited.ts';

/** The machine of a model and a list of operations. A power cut is outside it. */
export class ModelMachine<State> implements Machine {
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

  get hash(): number {
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

  cut(): void {
    assert(false, 'models know no power cuts');
  }

  undoCut(): void {
    this.cut();
  }

  crash(): void {
    this.cut();
  }

  undoCrash(): void {
    this.cut();
  }

  private number(state: State): number {
    const print = this.model.fingerprint(state);
    const known = this.numbers.get(print);
    if (known !== undefined) return known;
    this.numbers.set(print, this.states.length);
    return this.states.push(state) - 1;
  }
}
