/**
 * A history, or a part of it, as the search reads it: checks and effects on keys and cells that are numbered anew, densely.
 * A cell is a key with a value; the machine remembers for each key which of its cells is current.
 *
 * Invariants: 1. Operations are numbered in the order of their calls, required ones first. 2. Cell 2k is "key k, absent",
 * cell 2k + 1 "key k, a value that nobody reads and that becomes none": no reader can tell such values apart.
 */
import { type HistoryColumns, OUTCOME } from '../history/columns.ts';
import { EFFECT, type Ends, SEPARATOR } from '../history/ends.ts';

/** Sets a key to a cell or, where it has one, adds text number `text`. */
export interface Effect {
  readonly key: number;
  readonly cell: number;
  readonly text: number | undefined;
}

/** Cells that must be there, cells that must not, and what happens then. */
export interface SearchOperation {
  readonly is: readonly number[];
  readonly isNot: readonly number[];
  readonly effects: readonly Effect[];
}

/** What a machine and the search need of operations. */
export interface SearchInput {
  readonly operations: readonly SearchOperation[];
  /** By operation: its place in the history. */
  readonly place: Int32Array;
  readonly count: number;
  /** The first so many must be placed; the others may be left out. */
  readonly requiredCount: number;
  readonly call: Float64Array;
  readonly return: Float64Array;
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
  private readonly texts: string[] = [];
  private readonly after = new Map<number, number>();

  constructor(keyCount: number) {
    this.lengthens = new Uint8Array(keyCount);
    this.compared = new Uint8Array(keyCount);
    this.wantedTexts = Array.from({ length: keyCount }, () => []);
    for (let key = 0; key < keyCount; key++) {
      this.keyOfCell.push(key, key);
      this.textOfCell.push('', undefined);
    }
  }

  get keyCount(): number {
    return this.lengthens.length;
  }

  /** A new cell that somebody reads or compares. */
  want(key: number, text: string | undefined): number {
    this.textOfCell.push(text);
    const cell = this.keyOfCell.push(key) - 1;
    if (text === undefined) return cell;
    this.wantedTexts[key].push(text);
    this.byText.set(`${key} ${text}`, cell);
    return cell;
  }

  /** The cell of a value that is set to a key that lengthens: what it begins somebody reads, or nobody does. */
  cellOfText(key: number, text: string): number {
    const name = `${key} ${text}`;
    const known = this.byText.get(name);
    if (known !== undefined) return known;
    const begins = this.wantedTexts[key].some((wanted) => wanted.startsWith(text));
    const cell = begins ? this.keyOfCell.push(key) - 1 : 2 * key + 1;
    if (begins) this.textOfCell.push(text);
    this.byText.set(name, cell);
    return cell;
  }

  addedText(text: string): number {
    return this.texts.push(text) - 1;
  }

  /** The cell after a text was added to a cell; what nobody reads stays that. Remembered, so that it is joined once. */
  lengthen(cell: number, text: number): number {
    const before = this.textOfCell[cell];
    if (before === undefined) return cell;
    const name = cell * this.texts.length + text;
    const known = this.after.get(name);
    if (known !== undefined) return known;
    const made = this.cellOfText(this.keyOfCell[cell], before + this.texts[text]);
    this.after.set(name, made);
    return made;
  }

  /** Cells set by an effect from which a cell can come about. */
  begins(cell: number, of: number): boolean {
    const [whole, begin] = [this.textOfCell[of], this.textOfCell[cell]];
    if (cell === of || this.lengthens[this.keyOfCell[of]] === 0) return cell === of;
    return whole !== undefined && begin !== undefined && whole.startsWith(begin);
  }
}

/** Which operations are searched, and which of them must be placed, when. */
export interface Chosen {
  /** Places in the history, in the order of calls. */
  readonly places: Iterable<number>;
  readonly isRequired: (place: number) => boolean;
}

/** All that did something or answered; what answered is required. */
export function answered({ outcome }: HistoryColumns, places: Iterable<number>): Chosen {
  return { places, isRequired: (place) => outcome[place] === OUTCOME.ok };
}

/** Places of a list. */
function spanOf(first: Int32Array, place: number): number[] {
  const span: number[] = [];
  for (let at = first[place]; at < first[place + 1]; at++) span.push(at);
  return span;
}

/**
 * Chooses and numbers. Left out is what failed, and what need not be placed and writes nothing that anybody reads: it may
 * never have happened.
 */
export function searchInput(columns: HistoryColumns, ends: Ends, { places, isRequired }: Chosen): SearchInput {
  const { checkFirst, checkCell, differs, effectFirst, effectKind, effectKey, effectCell, keyOf, textOf } = ends;
  const happened = (place: number): boolean => columns.outcome[place] !== OUTCOME.failed && !ends.impossible.has(place);
  const all = Array.from(places).filter(happened);
  const checks = all.flatMap((place) => spanOf(checkFirst, place));
  const effects = all.flatMap((place) => spanOf(effectFirst, place));
  const keys = new Set([...checks.map((c) => keyOf(checkCell[c])), ...effects.map((e) => effectKey[e])]);
  const keyNumbers = new Map(Array.from(keys, (key, number) => [key, number]));
  const numberOf = (key: number): number => keyNumbers.get(key) ?? -1;
  const cells = new SearchCells(keys.size);
  for (const e of effects) if (effectKind[e] !== EFFECT.set) cells.lengthens[numberOf(effectKey[e])] = 1;
  const isAbsent = (cell: number): boolean => columns.absent[keyOf(cell)] === cell;
  const numbers = new Map<number, number>();
  for (const c of checks) {
    const key = numberOf(keyOf(checkCell[c]));
    if (differs[c] === 1) cells.compared[key] = 1;
    if (numbers.has(checkCell[c])) continue;
    const text = cells.lengthens[key] === 1 ? (textOf(checkCell[c]) ?? '') : undefined;
    numbers.set(checkCell[c], isAbsent(checkCell[c]) ? 2 * key : cells.want(key, text));
  }
  const cellSet = (key: number, cell: number): number => {
    if (isAbsent(cell)) return 2 * key;
    return cells.lengthens[key] === 1 ? cells.cellOfText(key, textOf(cell) ?? '') : (numbers.get(cell) ?? 2 * key + 1);
  };
  const effectOf = (e: number): Effect => {
    const key = numberOf(effectKey[e]);
    if (effectKind[e] === EFFECT.set) return { key, cell: cellSet(key, effectCell[e]), text: undefined };
    const separator = effectKind[e] === EFFECT.element ? SEPARATOR : '';
    return { key, cell: -1, text: cells.addedText(separator + (textOf(effectCell[e]) ?? '')) };
  };
  const isWanted = (place: number): boolean =>
    spanOf(effectFirst, place).some((e) => {
      const key = numberOf(effectKey[e]);
      return cells.lengthens[key] === 1 || cells.compared[key] === 1 || numbers.has(effectCell[e]);
    });
  const required = all.filter(isRequired);
  const place = Int32Array.from([...required, ...all.filter((one) => !isRequired(one) && isWanted(one))]);
  const checked = (one: number, not: 0 | 1): number[] => {
    const found: number[] = [];
    for (let c = checkFirst[one]; c < checkFirst[one + 1]; c++) {
      if (differs[c] === not) found.push(numbers.get(checkCell[c]) ?? -1);
    }
    return found;
  };
  return {
    operations: Array.from(place, (one) => ({
      is: checked(one, 0),
      isNot: checked(one, 1),
      effects: spanOf(effectFirst, one).map(effectOf),
    })),
    place,
    count: place.length,
    requiredCount: required.length,
    call: Float64Array.from(place, (one) => columns.call[one]),
    return: Float64Array.from(place, (one) => columns.return[one]),
    cells,
  };
}
