/**
 * Registers, compare-and-swap, appends and atomic maps as one machine over numbered cells, with the state kept in place.
 *
 * It refuses an operation that overwrites a value which somebody has still to read and nobody has still to write, or that
 * leaves one which nobody reads where somebody has still to read and nobody has still to write what is read: such
 * configurations lead nowhere (the pruning of Gibbons and Korach's clusters, 1997, used inside the search).
 *
 * Invariant: `current[k]` is a cell of key k, and `hash` the exclusive or of the numbers of all of them.
 */
import { assert } from '../base/assert.ts';
import type { Machine, PowerCuts } from './order-search.ts';
import type { Effect, SearchInput } from './search-input.ts';
import { zobrist } from './visited.ts';

/** The machine of a {@link SearchInput}. */
export class CellMachine implements Machine, PowerCuts {
  readonly cuts = this;
  private readonly input: SearchInput;
  private current: Int32Array;
  private saved: Int32Array | undefined;
  private stateHash = 0;
  private savedHash = 0;
  /** By cell: checks of required operations, and effects that set it, of operations that are not placed. */
  private readonly readsLeft: Int32Array;
  private readonly setsLeft: Int32Array;
  /** By cell: 1 when somebody checks for it, or for what may become of it. */
  private readonly isUseful: Uint8Array;
  /** By key: the same, of all its useful cells. */
  private readonly readsOfKey: Int32Array;
  private readonly setsOfKey: Int32Array;
  /** By cell of a key that lengthens: the cells that are set and from which it can come about. */
  private readonly beginnings: (readonly number[])[] = [];
  private readonly setCells: Set<number>[];
  private readonly hidable: Uint8Array;
  private readonly overwritten: number[] = [];
  private readonly crashed: { state: Int32Array; hash: number; saved: Int32Array; savedHash: number }[] = [];
  private readonly prunes: boolean;
  /** @param prunes off when the longest prefix is wanted rather than a quick answer */
  constructor(input: SearchInput, prunes = true) {
    const { cells, operations } = input;
    this.input = input;
    this.prunes = prunes;
    this.current = Int32Array.from({ length: cells.keyCount }, (_, key) => 2 * key);
    for (const cell of this.current) this.stateHash ^= zobrist(cell);
    // Cells that come about by lengthening have numbers beyond these, and nobody reads them.
    this.readsLeft = new Int32Array(cells.keyOfCell.length);
    this.setsLeft = new Int32Array(cells.keyOfCell.length);
    this.readsOfKey = new Int32Array(cells.keyCount);
    this.setsOfKey = new Int32Array(cells.keyCount);
    this.setCells = Array.from({ length: cells.keyCount }, () => new Set());
    operations.forEach((_, i) => this.countChecks(i, 1));
    // What need not be placed may have to be, because of what it writes: its checks count here.
    const checked = new Set(operations.flatMap(({ is }) => is));
    this.isUseful = Uint8Array.from(cells.keyOfCell, (key, cell) => {
      return Number(checked.has(cell) || (cells.lengthens[key] === 1 && cell !== 2 * key + 1));
    });
    operations.forEach(({ effects }, i) => {
      this.countEffects(i, 1);
      for (const { key, cell, text } of effects) {
        if (text === undefined && cells.lengthens[key] === 1) this.setCells[key].add(cell);
      }
    });
    this.hidable = Uint8Array.from(operations, (_, i) => Number(this.canHide(i)));
  }

  get hash(): number {
    return this.stateHash ^ Math.imul(this.savedHash, 0x2c1b3c6d);
  }

  get stateWords(): number {
    return 2 * this.current.length;
  }

  apply(i: number): boolean {
    if (!this.applyChecks(i)) return false;
    if (this.applyEffects(i)) return true;
    this.undoChecks(i);
    return false;
  }

  undo(i: number): void {
    this.undoEffects(i);
    this.undoChecks(i);
  }

  /** The first half of an operation: what it read is there. */
  applyChecks(i: number): boolean {
    const { keyOfCell } = this.input.cells;
    const { is, isNot } = this.input.operations[i];
    for (const cell of is) if (this.current[keyOfCell[cell]] !== cell) return false;
    for (const cell of isNot) if (this.current[keyOfCell[cell]] === cell) return false;
    this.countChecks(i, -1);
    return true;
  }

  undoChecks(i: number): void {
    this.countChecks(i, 1);
  }

  /** The second half: what it wrote is there from now on. */
  applyEffects(i: number): boolean {
    const { effects } = this.input.operations[i];
    this.countEffects(i, -1);
    for (let e = 0; e < effects.length; e++) {
      const { key, cell, text } = effects[e];
      const before = this.current[key];
      const after = text === undefined ? cell : this.input.cells.lengthen(before, text);
      if (before !== after && this.prunes && (this.isLost(key, before, after) || this.isDead(key, after))) {
        this.restore(effects, e);
        this.countEffects(i, 1);
        return false;
      }
      this.overwritten.push(before);
      this.set(key, after);
    }
    return true;
  }

  undoEffects(i: number): void {
    const { effects } = this.input.operations[i];
    this.restore(effects, effects.length);
    this.countEffects(i, 1);
  }

  isReadOnly(i: number): boolean {
    return this.input.operations[i].effects.length === 0;
  }

  isHiddenBy(i: number, hidden: number): boolean {
    if (this.hidable[hidden] === 0) return false;
    const { operations, cells } = this.input;
    const [{ key }] = operations[hidden].effects;
    const { is, isNot, effects } = operations[i];
    if (is.some((cell) => cells.keyOfCell[cell] === key) || isNot.some((cell) => cells.keyOfCell[cell] === key))
      return false;
    return effects.some((effect) => effect.key === key && effect.text === undefined);
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

  /** Somebody has still to read the cell, and it will not come back once `after` is there. */
  private isLost(key: number, cell: number, after: number): boolean {
    if (cell >= this.readsLeft.length || this.readsLeft[cell] === 0) return false;
    const { cells } = this.input;
    if (this.saved !== undefined && cells.begins(this.saved[key], cell)) return false;
    if (cells.lengthens[key] === 0) return this.setsLeft[cell] === 0;
    this.beginnings[cell] ??= [...this.setCells[key]].filter((set) => cells.begins(set, cell));
    return !cells.begins(after, cell) && this.beginnings[cell].every((set) => this.setsLeft[set] === 0);
  }

  /** Nobody reads what is there and what becomes of it, somebody must read, and nobody will set anything else. */
  private isDead(key: number, cell: number): boolean {
    if (cell !== 2 * key + 1 || this.saved !== undefined) return false;
    return this.readsOfKey[key] > 0 && this.setsOfKey[key] === 0;
  }

  private set(key: number, cell: number): void {
    this.stateHash ^= zobrist(this.current[key]) ^ zobrist(cell);
    this.current[key] = cell;
  }

  private restore(effects: readonly Effect[], count: number): void {
    for (let e = count - 1; e >= 0; e--) {
      const before = this.overwritten.pop();
      assert(before !== undefined, 'what is taken back was done');
      this.set(effects[e].key, before);
    }
  }

  private countChecks(i: number, step: 1 | -1): void {
    if (i >= this.input.requiredCount) return;
    for (const cell of this.input.operations[i].is) {
      this.readsLeft[cell] += step;
      this.readsOfKey[this.input.cells.keyOfCell[cell]] += step;
    }
  }

  private countEffects(i: number, step: 1 | -1): void {
    for (const { key, cell, text } of this.input.operations[i].effects) {
      if (text !== undefined) continue;
      this.setsLeft[cell] += step;
      this.setsOfKey[key] += step * this.isUseful[cell];
    }
  }

  /** A plain write of one key that nobody reads or compares. */
  private canHide(i: number): boolean {
    const { operations, cells, requiredCount } = this.input;
    const { is, isNot, effects } = operations[i];
    if (i >= requiredCount || is.length + isNot.length > 0 || effects.length !== 1) return false;
    const [{ key, cell, text }] = effects;
    if (text !== undefined || cells.lengthens[key] === 1) return false;
    if (cells.compared[key] === 1) return false;
    return this.isUseful[cell] === 0;
  }
}
