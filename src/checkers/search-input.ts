/**
 * A history, or a part of it, as the search reads it: checks and effects on keys and cells that are numbered anew, densely.
 * A cell is a key with a value; the machine remembers for each key which of its cells is current.
 *
 * Invariants: 1. Operations are numbered in the order of their calls, required ones first. 2. Cell 2k is "key k, absent",
 * cell 2k + 1 "key k, a value that nobody reads and that becomes none": no reader can tell such values apart.
 */
import { type HistoryColumns, OUTCOME } from '../history/columns.ts';
import { EFFECT, type Ends, SEPARATOR } from '../history/ends.ts';
import type { Timed } from './order-search.ts';

/** Sets a key to a cell or, where it has one, adds a text. */
export interface Effect {
  readonly key: number;
  readonly cell: number;
  readonly text: string | undefined;
}

/** Cells that must be there, cells that must not, and what happens then. */
export interface SearchOperation {
  readonly is: readonly number[];
  readonly isNot: readonly number[];
  readonly effects: readonly Effect[];
}

/** What a machine and the search need of operations. */
export interface SearchInput extends Omit<Timed, 'crashes' | 'durable'> {
  readonly operations: readonly SearchOperation[];
  /** By operation: its place in the history. */
  readonly place: Int32Array;
  readonly cells: SearchCells;
}

/** The numbered keys and cells of a search, with the texts of those that lengthen. */
export class SearchCells {
  readonly keyOfCell: number[] = [];
  /** By key: 1 when its texts lengthen, and 1 when a check sees that something else is there. */
  readonly lengthens: Uint8Array;
  readonly compared: Uint8Array;
  private readonly textOfCell: (string | undefined)[] = [];
  private readonly wantedTexts: string[][];
  private readonly byText = new Map<string, number>();
  private readonly after: Map<string, number>[] = [];

  constructor(keyCount: number) {
    this.lengthens = new Uint8Array(keyCount);
    this.compared = new Uint8Array(keyCount);
    this.wantedTexts = Array.from({ length: keyCount }, () => []);
    for (let key = 0; key < keyCount; key++) {
      this.keyOfCell.push(key, key);
      this.textOfCell.push('', undefined);
      this.after.push(new Map(), new Map());
    }
  }

  get keyCount(): number {
    return this.lengthens.length;
  }

  /** A new cell that somebody reads or compares. */
  want(key: number, text: string | undefined): number {
    if (text !== undefined) this.wantedTexts[key].push(text);
    return this.add(key, text);
  }

  /** The cell of a value that is set to a key that lengthens: what it begins somebody reads, or nobody does. */
  cellOfText(key: number, text: string): number {
    const known = this.byText.get(`${key} ${text}`);
    if (known !== undefined) return known;
    if (this.wantedTexts[key].some((wanted) => wanted.startsWith(text))) return this.add(key, text);
    this.byText.set(`${key} ${text}`, 2 * key + 1);
    return 2 * key + 1;
  }

  private add(key: number, text: string | undefined): number {
    this.textOfCell.push(text);
    this.after.push(new Map());
    const cell = this.keyOfCell.push(key) - 1;
    if (text !== undefined) this.byText.set(`${key} ${text}`, cell);
    return cell;
  }

  /** The cell after a text was added to a cell; what nobody reads stays that. Remembered, so that it is joined once. */
  lengthen(cell: number, text: string): number {
    const before = this.textOfCell[cell];
    if (before === undefined) return cell;
    const known = this.after[cell].get(text);
    if (known !== undefined) return known;
    const made = this.cellOfText(this.keyOfCell[cell], before + text);
    this.after[cell].set(text, made);
    return made;
  }

  /** Whether a cell can come about from another. */
  begins(cell: number, of: number): boolean {
    const key = this.keyOfCell[of];
    if (cell === of || this.lengthens[key] === 0 || this.keyOfCell[cell] !== key) return cell === of;
    const [begin, whole] = [this.textOfCell[cell], this.textOfCell[of]];
    return whole !== undefined && begin !== undefined && whole.startsWith(begin);
  }
}

/**
 * Chooses and numbers. Left out is what failed, and what need not be placed and writes nothing that anybody reads: it may
 * never have happened.
 * @param places in the history, in the order of calls
 * @param isRequired whether an operation must be placed; those that answered, when nothing else is said
 */
export function searchInput(
  { absent, outcome, call, return: ends }: HistoryColumns,
  { impossible, checkFirst, checkCell, differs, effectFirst, effectKind, effectKey, effectCell, keyOf, textOf }: Ends,
  places: Iterable<number>,
  isRequired = (place: number): boolean => outcome[place] === OUTCOME.ok,
): SearchInput {
  const all = Array.from(places).filter((one) => outcome[one] !== OUTCOME.failed && !impossible.has(one));
  const keyNumbers = new Map<number, number>();
  const numberOf = (key: number): number => keyNumbers.get(key) ?? keyNumbers.set(key, keyNumbers.size).size - 1;
  forEachIn(checkFirst, all, (c) => numberOf(keyOf(checkCell[c])));
  forEachIn(effectFirst, all, (e) => numberOf(effectKey[e]));
  const cells = new SearchCells(keyNumbers.size);
  forEachIn(effectFirst, all, (e) => {
    if (effectKind[e] !== EFFECT.set) cells.lengthens[numberOf(effectKey[e])] = 1;
  });
  const isAbsent = (cell: number): boolean => absent[keyOf(cell)] === cell;
  const wanted = new Map<number, number>();
  forEachIn(checkFirst, all, (c) => {
    const cell = checkCell[c];
    const key = numberOf(keyOf(cell));
    if (differs[c] === 1) cells.compared[key] = 1;
    if (wanted.has(cell)) return;
    const text = cells.lengthens[key] === 1 ? (textOf(cell) ?? '') : undefined;
    wanted.set(cell, isAbsent(cell) ? 2 * key : cells.want(key, text));
  });
  const cellSet = (key: number, cell: number): number => {
    if (isAbsent(cell)) return 2 * key;
    return cells.lengthens[key] === 1 ? cells.cellOfText(key, textOf(cell) ?? '') : (wanted.get(cell) ?? 2 * key + 1);
  };
  const effectOf = (e: number): Effect => {
    const key = numberOf(effectKey[e]);
    if (effectKind[e] === EFFECT.set) return { key, cell: cellSet(key, effectCell[e]), text: undefined };
    const separator = effectKind[e] === EFFECT.element ? SEPARATOR : '';
    return { key, cell: -1, text: separator + (textOf(effectCell[e]) ?? '') };
  };
  const operationAt = (place: number): SearchOperation => {
    const [is, isNot, effects]: [number[], number[], Effect[]] = [[], [], []];
    forEachIn(checkFirst, [place], (c) => (differs[c] === 0 ? is : isNot).push(wanted.get(checkCell[c]) ?? -1));
    forEachIn(effectFirst, [place], (e) => effects.push(effectOf(e)));
    return { is, isNot, effects };
  };
  const seen = new Set<number>();
  forEachIn(effectFirst, all, (e, place) => {
    const key = numberOf(effectKey[e]);
    if (cells.lengthens[key] === 1 || cells.compared[key] === 1 || wanted.has(effectCell[e])) seen.add(place);
  });
  const required = all.filter(isRequired);
  const chosen = [...required, ...all.filter((place) => !isRequired(place) && seen.has(place))];
  return {
    operations: chosen.map(operationAt),
    place: Int32Array.from(chosen),
    count: chosen.length,
    requiredCount: required.length,
    call: Float64Array.from(chosen.map((place) => call[place])),
    return: Float64Array.from(chosen.map((place) => ends[place])),
    cells,
  };
}

function forEachIn(first: Int32Array, places: readonly number[], take: (at: number, place: number) => void): void {
  for (const place of places) for (let at = first[place]; at < first[place + 1]; at++) take(at, place);
}
