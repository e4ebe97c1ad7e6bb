/**
 * Registers, compare-and-swap, appends and atomic maps as one machine over numbered cells, with the state kept in place.
 *
 * It refuses an operation that overwrites a value which somebody has still to read and nobody has still to write: such a
 * configuration leads nowhere (the pruning of Gibbons and Korach's clusters, used inside the search).
 *
 * Invariant: `current[k]` is a cell of key k, and `hash` the exclusive or of the numbers of all of them.
 */
import { assert } from '../base/assert.ts';
import type { Machine } from './machine.ts';
import { EFFECT, type SearchInput } from './search-input.ts';
import { zobrist } from './visited.ts';

/** The machine of a {@link SearchInput}. */
export class CellMachine implements Machine {
  private readonly input: SearchInput;
  private current: Int32Array;
  private saved: Int32Array | undefined;
  private stateHash = 0;
  private savedHash = 0;
  /** For each cell: checks and plain writes of operations that are not placed. */
  private readonly readsLeft: Int32Array;
  private readonly writesLeft: Int32Array;
  private readonly hidable: Uint8Array;
  private readonly overwritten: number[] = [];
  private readonly crashed: { state: Int32Array; hash: number; saved: Int32Array; savedHash: number }[] = [];

  private readonly prunes: boolean;

  /** @param prunes off when the longest prefix is wanted rather than a quick answer */
  constructor(input: SearchInput, prunes = true) {
    this.input = input;
    this.prunes = prunes;
    this.current = Int32Array.from({ length: input.keyCount }, (_, key) => key);
    for (let key = 0; key < input.keyCount; key++) this.stateHash ^= zobrist(key);
    const cellCount = input.cells.keyOfCell.length;
    this.readsLeft = new Int32Array(cellCount);
    this.writesLeft = new Int32Array(cellCount);
    for (let c = 0; c < input.checkCell.length; c++)
      if (input.checkNegated[c] === 0) this.readsLeft[input.checkCell[c]]++;
    for (let e = 0; e < input.effectCell.length; e++) {
      if (input.effectKind[e] === EFFECT.set) this.writesLeft[input.effectCell[e]]++;
    }
    this.hidable = Uint8Array.from(input.operations, (_, i) => Number(this.canHide(i)));
  }

  get hash(): number {
    return this.stateHash ^ Math.imul(this.savedHash, 0x2c1b3c6d);
  }

  get stateWords(): number {
    return 2 * this.current.length;
  }

  apply(i: number): boolean {
    const { checkFirst, checkCell, checkNegated, effectFirst, effectKey, cells } = this.input;
    for (let c = checkFirst[i]; c < checkFirst[i + 1]; c++) {
      const cell = checkCell[c];
      if ((this.current[cells.keyOfCell[cell]] === cell) === (checkNegated[c] === 1)) return false;
    }
    this.count(i, -1);
    for (let e = effectFirst[i]; e < effectFirst[i + 1]; e++) {
      const key = effectKey[e];
      const before = this.current[key];
      const after = this.after(e, before);
      if (before !== after && this.isNeeded(key, before)) {
        this.restore(effectFirst[i], e);
        this.count(i, 1);
        return false;
      }
      this.overwritten.push(before);
      this.set(key, after);
    }
    return true;
  }

  undo(i: number): void {
    const { effectFirst } = this.input;
    this.restore(effectFirst[i], effectFirst[i + 1]);
    this.count(i, 1);
  }

  isReadOnly(i: number): boolean {
    return this.input.effectFirst[i] === this.input.effectFirst[i + 1];
  }

  isHiddenBy(i: number, hidden: number): boolean {
    if (this.hidable[hidden] === 0) return false;
    const { effectFirst, effectKey, effectKind, checkFirst, checkCell, cells } = this.input;
    const key = effectKey[effectFirst[hidden]];
    for (let c = checkFirst[i]; c < checkFirst[i + 1]; c++) if (cells.keyOfCell[checkCell[c]] === key) return false;
    for (let e = effectFirst[i]; e < effectFirst[i + 1]; e++) {
      if (effectKey[e] === key && effectKind[e] === EFFECT.set) return true;
    }
    return false;
  }

  saveState(into: Int32Array, at: number): number {
    into.set(this.current, at);
    if (this.saved === undefined) return at + this.current.length;
    into.set(this.saved, at + this.current.length);
    return at + 2 * this.current.length;
  }

  cut(): void {
    assert(this.saved === undefined, 'one cut for each crash');
    this.saved = this.current.slice();
    this.savedHash = this.stateHash;
  }

  undoCut(): void {
    this.saved = undefined;
    this.savedHash = 0;
  }

  crash(): void {
    const { saved, savedHash } = this;
    assert(saved !== undefined, 'a cut comes before its crash');
    this.crashed.push({ state: this.current, hash: this.stateHash, saved, savedHash });
    this.current = saved.slice();
    this.stateHash = savedHash;
    this.undoCut();
  }

  undoCrash(): void {
    const before = this.crashed.pop();
    assert(before !== undefined, 'a crash is taken back once');
    this.current = before.state;
    this.stateHash = before.hash;
    this.saved = before.saved;
    this.savedHash = before.savedHash;
  }

  private after(e: number, before: number): number {
    const { effectKind, effectCell, effectExpected, cells } = this.input;
    if (effectKind[e] === EFFECT.set) return effectCell[e];
    if (effectKind[e] === EFFECT.setIf) return before === effectExpected[e] ? effectCell[e] : before;
    return cells.append(before, effectCell[e]);
  }

  /** Somebody has still to read the cell, and it will not come back. */
  private isNeeded(key: number, cell: number): boolean {
    if (!this.prunes || this.input.openKey[key] === 1 || this.readsLeft[cell] === 0 || this.writesLeft[cell] > 0)
      return false;
    return this.saved === undefined || this.saved[key] !== cell;
  }

  private set(key: number, cell: number): void {
    this.stateHash ^= zobrist(this.current[key]) ^ zobrist(cell);
    this.current[key] = cell;
  }

  private restore(first: number, end: number): void {
    for (let e = end - 1; e >= first; e--) {
      const before = this.overwritten.pop();
      assert(before !== undefined, 'what is taken back was done');
      this.set(this.input.effectKey[e], before);
    }
  }

  private count(i: number, step: 1 | -1): void {
    const { checkFirst, checkCell, checkNegated, effectFirst, effectKind, effectCell } = this.input;
    for (let c = checkFirst[i]; c < checkFirst[i + 1]; c++)
      if (checkNegated[c] === 0) this.readsLeft[checkCell[c]] += step;
    for (let e = effectFirst[i]; e < effectFirst[i + 1]; e++) {
      if (effectKind[e] === EFFECT.set) this.writesLeft[effectCell[e]] += step;
    }
  }

  /** A plain write of one key that nobody reads or compares. */
  private canHide(i: number): boolean {
    const { checkFirst, effectFirst, effectKind, effectKey, effectCell, openKey, comparedKey, completedCount } =
      this.input;
    const e = effectFirst[i];
    if (i >= completedCount || checkFirst[i] !== checkFirst[i + 1] || effectFirst[i + 1] !== e + 1) return false;
    if (effectKind[e] !== EFFECT.set || openKey[effectKey[e]] === 1 || comparedKey[effectKey[e]] === 1) return false;
    return this.readsLeft[effectCell[e]] === 0;
  }
}
