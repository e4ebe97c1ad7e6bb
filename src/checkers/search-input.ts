/**
 * A history, or a part of it, as the search reads it: checks and effects on keys and cells that are numbered anew, densely.
 * A cell is a key with a value; the machine remembers for each key which of its cells is current.
 *
 * Invariants: 1. Operations are numbered in the order of their calls, required ones first. 2. Cell 2k is "key k, absent",
 * cell 2k + 1 "key k, a value that nobody reads and that becomes none": no reader can tell such values apart.
 */
import type { HistoryColumns } from '../history/columns.ts';
import { OUTCOME } from '../history/columns.ts';
import { EFFECT, type Ends, SEPARATOR } from './ends.ts';

/** Operations as arrays; checks and effects of operation i lie at places first[i] to first[i + 1]. */
export interface SearchInput {
  /** The operation's place in the history. */
  readonly place: Int32Array;
  readonly count: number;
  /** The first so many must be placed; the others may be left out. */
  readonly requiredCount: number;
  readonly call: Float64Array;
  readonly return: Float64Array;
  readonly checkFirst: Int32Array;
  readonly checkCell: Int32Array;
  readonly differs: Uint8Array;
  readonly effectFirst: Int32Array;
  readonly effectKind: Uint8Array;
  readonly effectKey: Int32Array;
  /** The cell that is set, or the number of the text that is added. */
  readonly effectCell: Int32Array;
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

/**
 * Makes the arrays. Left out is what failed, and what need not be placed and writes nothing that anybody reads: it may
 * never have happened.
 */
export function searchInput(columns: HistoryColumns, ends: Ends, { places, isRequired }: Chosen): SearchInput {
  const { checkFirst, checkCell, differs, effectFirst, effectKind, effectKey, effectCell } = ends;
  const happened = (place: number): boolean => columns.outcome[place] !== OUTCOME.failed && !ends.impossible.has(place);
  const all = Array.from(places).filter(happened);
  const keys = new Map<number, number>();
  const numberOf = (key: number): number => {
    const known = keys.get(key);
    if (known === undefined) keys.set(key, keys.size);
    return known ?? keys.size - 1;
  };
  for (const place of all) {
    for (let c = checkFirst[place]; c < checkFirst[place + 1]; c++) numberOf(ends.keyOf(checkCell[c]));
    for (let e = effectFirst[place]; e < effectFirst[place + 1]; e++) numberOf(effectKey[e]);
  }
  const cells = new SearchCells(keys.size);
  for (const place of all) {
    for (let e = effectFirst[place]; e < effectFirst[place + 1]; e++) {
      if (effectKind[e] !== EFFECT.set) cells.lengthens[numberOf(effectKey[e])] = 1;
    }
  }
  const numbers = new Map<number, number>();
  for (const place of all) {
    for (let c = checkFirst[place]; c < checkFirst[place + 1]; c++) {
      const key = numberOf(ends.keyOf(checkCell[c]));
      if (differs[c] === 1) cells.compared[key] = 1;
      if (numbers.has(checkCell[c])) continue;
      const absent = columns.absent[ends.keyOf(checkCell[c])] === checkCell[c];
      const text = cells.lengthens[key] === 1 ? (ends.textOf(checkCell[c]) ?? '') : undefined;
      numbers.set(checkCell[c], absent ? 2 * key : cells.want(key, text));
    }
  }
  const isWanted = (place: number): boolean => {
    for (let e = effectFirst[place]; e < effectFirst[place + 1]; e++) {
      const key = numberOf(effectKey[e]);
      if (cells.lengthens[key] === 1 || cells.compared[key] === 1 || numbers.has(effectCell[e])) return true;
    }
    return false;
  };
  const required = all.filter(isRequired);
  const others = all.filter((place) => !isRequired(place) && isWanted(place));
  const place = Int32Array.from([...required, ...others]);
  const cellSet = (key: number, cell: number): number => {
    if (columns.absent[ends.keyOf(cell)] === cell) return 2 * key;
    if (cells.lengthens[key] === 1) return cells.cellOfText(key, ends.textOf(cell) ?? '');
    return numbers.get(cell) ?? 2 * key + 1;
  };
  const rows = { checkFirst: [0], checkCell: [] as number[], differs: [] as number[], effectFirst: [0] };
  const effects = { kind: [] as number[], key: [] as number[], cell: [] as number[] };
  for (const from of place) {
    for (let c = checkFirst[from]; c < checkFirst[from + 1]; c++) {
      rows.checkCell.push(numbers.get(checkCell[c]) ?? -1);
      rows.differs.push(differs[c]);
    }
    for (let e = effectFirst[from]; e < effectFirst[from + 1]; e++) {
      const key = numberOf(effectKey[e]);
      const separator = effectKind[e] === EFFECT.element ? SEPARATOR : '';
      effects.kind.push(effectKind[e]);
      effects.key.push(key);
      if (effectKind[e] === EFFECT.set) effects.cell.push(cellSet(key, effectCell[e]));
      else effects.cell.push(cells.addedText(separator + (ends.textOf(effectCell[e]) ?? '')));
    }
    rows.checkFirst.push(rows.checkCell.length);
    rows.effectFirst.push(effects.kind.length);
  }
  return {
    place,
    count: place.length,
    requiredCount: required.length,
    call: Float64Array.from(place, (from) => columns.call[from]),
    return: Float64Array.from(place, (from) => columns.return[from]),
    checkFirst: Int32Array.from(rows.checkFirst),
    checkCell: Int32Array.from(rows.checkCell),
    differs: Uint8Array.from(rows.differs),
    effectFirst: Int32Array.from(rows.effectFirst),
    effectKind: Uint8Array.from(effects.kind),
    effectKey: Int32Array.from(effects.key),
    effectCell: Int32Array.from(effects.cell),
    cells,
  };
}
