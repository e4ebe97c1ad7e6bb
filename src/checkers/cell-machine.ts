/**
 * Registers, compare-and-swap, appends and atomic maps as one machine over numbered cells, with the state kept in place.
 *
 * It refuses an operation that overwrites a value which somebody has still to read and nobody has still to write, or that
 * leaves one which nobody reads where somebody has still to read and nobody has still to write what is read: such
 * configurations lead nowhere (the pruning of Gibbons and Korach's clusters, 1997, used inside the search).
 *
 * Invariant: `current[k]` is a cell of key k, and `stateHash` the exclusive or of the numbers of all of them.
 */
import { assert } from '../base/assert.ts';
import type { Machine } from './order-search.ts';
import type { Effect, SearchInput } from './search-input.ts';
import { zobrist } from './visited.ts';

/** A machine whose operations have two halves: what it read is there; what it wrote is there from now on. */
export interface CellMachine extends Machine {
  applyChecks(i: number): boolean;
  undoChecks(i: number): void;
  applyEffects(i: number): boolean;
  undoEffects(i: number): void;
}

/** @param prunes off when the longest prefix is wanted rather than a quick answer */
export function cellMachine({ cells, operations, requiredCount }: SearchInput, prunes = true): CellMachine {
  const { keyOfCell, keyCount, lengthens, compared } = cells;
  let current = Int32Array.from({ length: keyCount }, (_, key) => 2 * key);
  let stateHash = current.reduce((hash, cell) => hash ^ zobrist(cell), 0);
  let saved: Int32Array<ArrayBuffer> | undefined;
  let savedHash = 0;
  const overwritten: number[] = [];
  const crashed: (readonly [state: typeof current, hash: number, saved: typeof current, savedHash: number])[] = [];
  // By cell and by key, of operations that are not placed: checks of required ones, and effects that set something useful.
  // Cells that come about by lengthening have numbers beyond these, and nobody reads them.
  const [readsLeft, setsLeft] = [keyOfCell, keyOfCell].map((of) => new Int32Array(of.length));
  const [readsOfKey, setsOfKey] = [current, current].map((of) => new Int32Array(of.length));
  // What need not be placed may have to be, because of what it writes: its checks count here.
  /** By cell: whether somebody checks for it, or for what may become of it. */
  const isUseful = keyOfCell.map((key, cell) => lengthens[key] === 1 && cell !== 2 * key + 1);
  for (const { is } of operations) for (const cell of is) isUseful[cell] = true;
  let setCells: readonly number[] | undefined;
  /** By cell: those that are set and from which it can come about. */
  const beginnings: (readonly number[])[] = [];
  operations.forEach((_, i) => {
    countChecks(i, 1);
    countEffects(i, 1);
  });
  /** By operation: the key of a plain write of one key that nobody reads or compares, or −1. */
  const hiddenKey = operations.map((_, i) => (canHide(i) ? operations[i].effects[0].key : -1));

  function countChecks(i: number, step: 1 | -1): void {
    if (i >= requiredCount) return;
    for (const cell of operations[i].is) {
      readsLeft[cell] += step;
      readsOfKey[keyOfCell[cell]] += step;
    }
  }

  function countEffects(i: number, step: 1 | -1): void {
    for (const { key, cell, text } of operations[i].effects) {
      if (text !== undefined) continue;
      setsLeft[cell] += step;
      if (isUseful[cell]) setsOfKey[key] += step;
    }
  }

  function canHide(i: number): boolean {
    const { is, isNot, effects } = operations[i];
    if (i >= requiredCount || is.length + isNot.length > 0 || effects.length !== 1) return false;
    const [{ key, cell }] = effects;
    if (compared[key] === 1) return false;
    return lengthens[key] === 0 && !isUseful[cell];
  }

  /** Somebody has still to read the cell, and it will not come back once `after` is there. */
  function isLost(key: number, cell: number, after: number): boolean {
    if (cell >= readsLeft.length || readsLeft[cell] === 0 || cells.begins(after, cell)) return false;
    if (saved !== undefined && cells.begins(saved[key], cell)) return false;
    if (lengthens[key] === 0) return setsLeft[cell] === 0;
    setCells ??= [...new Set(operations.flatMap(({ effects }) => effects.map((effect) => effect.cell)))];
    beginnings[cell] ??= setCells.filter((set) => set >= 0 && cells.begins(set, cell));
    return beginnings[cell].every((set) => setsLeft[set] === 0);
  }

  /** Nobody reads what is there and what becomes of it, somebody must read, and nobody will set anything else. */
  function isDead(key: number, cell: number): boolean {
    return cell === 2 * key + 1 && saved === undefined && readsOfKey[key] > 0 && setsOfKey[key] === 0;
  }

  function set(key: number, cell: number): void {
    stateHash ^= zobrist(current[key]) ^ zobrist(cell);
    current[key] = cell;
  }

  function restore(effects: readonly Effect[], count: number): void {
    for (let e = count - 1; e >= 0; e--) {
      const before = overwritten.pop();
      assert(before !== undefined, 'what is taken back was done');
      set(effects[e].key, before);
    }
  }

  function applyChecks(i: number): boolean {
    const { is, isNot } = operations[i];
    for (const cell of is) if (current[keyOfCell[cell]] !== cell) return false;
    for (const cell of isNot) if (current[keyOfCell[cell]] === cell) return false;
    countChecks(i, -1);
    return true;
  }

  const undoChecks = (i: number): void => countChecks(i, 1);

  function applyEffects(i: number): boolean {
    const { effects } = operations[i];
    countEffects(i, -1);
    for (let e = 0; e < effects.length; e++) {
      const { key, cell, text } = effects[e];
      const before = current[key];
      const after = text === undefined ? cell : cells.lengthen(before, text);
      if (before !== after && prunes && (isLost(key, before, after) || isDead(key, after))) {
        restore(effects, e);
        countEffects(i, 1);
        return false;
      }
      overwritten.push(before);
      set(key, after);
    }
    return true;
  }

  function undoEffects(i: number): void {
    restore(operations[i].effects, operations[i].effects.length);
    countEffects(i, 1);
  }

  return {
    applyChecks,
    undoChecks,
    applyEffects,
    undoEffects,
    apply(i) {
      if (!applyChecks(i)) return false;
      if (applyEffects(i)) return true;
      undoChecks(i);
      return false;
    },
    undo(i) {
      undoEffects(i);
      undoChecks(i);
    },
    isReadOnly: (i) => operations[i].effects.length === 0,
    isHiddenBy(i, hidden) {
      const key = hiddenKey[hidden];
      if (key < 0) return false;
      const { is, isNot, effects } = operations[i];
      const ofKey = (cell: number): boolean => keyOfCell[cell] === key;
      return effects.some((one) => one.key === key && one.text === undefined) && !is.some(ofKey) && !isNot.some(ofKey);
    },
    hash: () => stateHash ^ Math.imul(savedHash, 0x2c1b3c6d),
    stateWords: 2 * keyCount,
    saveState(into, at) {
      into.set(current, at);
      if (saved !== undefined) into.set(saved, at + keyCount);
      return at + (saved === undefined ? keyCount : 2 * keyCount);
    },
    cuts: {
      cut() {
        assert(saved === undefined, 'one cut for each crash');
        [saved, savedHash] = [current.slice(), stateHash];
      },
      undoCut() {
        [saved, savedHash] = [undefined, 0];
      },
      crash() {
        assert(saved !== undefined, 'a cut comes before its crash');
        crashed.push([current, stateHash, saved, savedHash]);
        [current, stateHash, saved, savedHash] = [saved.slice(), savedHash, undefined, 0];
      },
      undoCrash() {
        const before = crashed.pop();
        assert(before !== undefined, 'a crash is taken back once');
        [current, stateHash, saved, savedHash] = before;
      },
    },
  };
}
