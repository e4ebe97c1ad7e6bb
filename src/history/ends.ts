/**
 * What is left of each operation at both ends, which is all that an atomic one shows: of each key the first read before its
 * own first write, and what it wrote last. A range read says of every key in it what was there, and so of every key that
 * the history names and the range did not return: it was absent. Keys that nobody names are absent in every order.
 *
 * Source: external reads, Crooks et al., "Seeing is Believing" (PODC 2017); absent keys, Adya 1999, section 4.2.2.
 */
import { GrowingInts } from '../base/growing.ts';
import { ACCESS, type HistoryColumns, OUTCOME } from './columns.ts';
import { RANGE_READS_MAX } from './limits.ts';
import { rangeReader } from './ranges.ts';

/** What an operation does to a key: sets it, lengthens its text, or adds an element to its list. */
export const EFFECT = { set: 0, join: 1, element: 2 } as const;

/** Checks and effects of operation i lie at places first[i] to first[i + 1]. Whole lists that were read are cells, too. */
export interface Ends {
  readonly checkFirst: Int32Array;
  /** The cell that must be there, or, where `differs` is 1, must not. */
  readonly checkCell: Int32Array;
  readonly differs: Int32Array;
  readonly effectFirst: Int32Array;
  readonly effectKind: Int32Array;
  readonly effectKey: Int32Array;
  /** The cell that is set, or whose value is added. */
  readonly effectCell: Int32Array;
  /** By place: operations that contradict themselves, and how. They did not happen as they say. */
  readonly impossible: ReadonlyMap<number, string>;
  keyOf(cell: number): number;
  /** The text of a cell; `null`: absent. A list is a text, each of its elements behind a separator. */
  textOf(cell: number): string | null;
}

/** Stands before each element of a list's text. */
export const SEPARATOR = '\u0000';

/** Takes a history apart. Cost: linear, besides ranges times the keys that they hold. @returns `undefined` past the bound */
export function endsOf(columns: HistoryColumns): Ends | undefined {
  return new EndsBuilder(columns).build();
}

class EndsBuilder {
  private readonly columns: HistoryColumns;
  private readonly checkCell = new GrowingInts(1024);
  private readonly differs = new GrowingInts(1024);
  private readonly effectKind = new GrowingInts(1024);
  private readonly effectKey = new GrowingInts(1024);
  private readonly effectCell = new GrowingInts(1024);
  /** By key: the operation that last knew what is there, the cell that it knew, and its effect, or −1. */
  private readonly stamp: Int32Array;
  private readonly known: Int32Array;
  private readonly effect: Int32Array;
  /** By key: the elements that it appended to a list which it has not read. */
  private readonly appended = new Map<number, string>();
  private readonly lists = new Map<string, number>();
  private readonly listKey: number[] = [];
  private readonly listText: string[] = [];
  private readonly readsOf: ReturnType<typeof rangeReader>;
  private rangeReads = 0;
  private readonly impossible = new Map<number, string>();

  constructor(columns: HistoryColumns) {
    const keys = columns.keys.count;
    this.columns = columns;
    this.readsOf = rangeReader(columns, () => true);
    this.stamp = new Int32Array(keys).fill(-1);
    this.known = new Int32Array(keys);
    this.effect = new Int32Array(keys);
  }

  build(): Ends | undefined {
    const { columns, listKey, listText } = this;
    const { count, outcome, cellCount, cellKey, absent, values } = columns;
    const checkFirst = new Int32Array(count + 1);
    const effectFirst = new Int32Array(count + 1);
    for (let i = 0; i < count; i++) {
      if (outcome[i] !== OUTCOME.failed) this.takeApart(i);
      checkFirst[i + 1] = this.checkCell.length;
      effectFirst[i + 1] = this.effectKey.length;
      if (this.rangeReads > RANGE_READS_MAX) return undefined;
    }
    return {
      checkFirst,
      checkCell: this.checkCell.take(),
      differs: this.differs.take(),
      effectFirst,
      effectKind: this.effectKind.take(),
      effectKey: this.effectKey.take(),
      effectCell: this.effectCell.take(),
      impossible: this.impossible,
      keyOf: (cell) => (cell < cellCount ? cellKey[cell] : listKey[cell - cellCount]),
      textOf: (cell) => {
        if (cell >= cellCount) return listText[cell - cellCount];
        return absent[cellKey[cell]] === cell ? null : values.at(cell);
      },
    };
  }

  private takeApart(i: number): void {
    const { first, what, key, cell } = this.columns;
    if (this.appended.size > 0) this.appended.clear();
    for (let a = first[i]; a < first[i + 1]; a++) {
      if (what[a] === ACCESS.read) this.read(i, key[a], cell[a]);
      else if (what[a] === ACCESS.write) this.write(i, key[a], cell[a]);
      else if (what[a] === ACCESS.range) this.readRange(i, cell[a]);
      else if (what[a] === ACCESS.list) this.readList(i, key[a], cell[a]);
      else if (what[a] === ACCESS.append) this.append(i, key[a], cell[a]);
      else if (what[a] === ACCESS.join) this.add(EFFECT.join, key[a], cell[a]);
      else this.check(cell[a], 1);
    }
  }

  private read(i: number, key: number, cell: number): void {
    if (this.stamp[key] === i && this.known[key] !== cell) {
      const shown = [cell, this.known[key]].map((one) => this.textOf(one) || 'absent');
      this.fail(i, key, `it read ${shown[0]} after ${shown[1]}, both in operation ${this.columns.id[i]}`);
    }
    if (this.stamp[key] === i) return;
    this.stamp[key] = i;
    this.known[key] = cell;
    this.effect[key] = -1;
    this.check(cell, 0);
  }

  private write(i: number, key: number, cell: number): void {
    if (this.stamp[key] === i && this.effect[key] >= 0) this.effectCell.room[this.effect[key]] = cell;
    else {
      this.effect[key] = this.effectKey.length;
      this.add(EFFECT.set, key, cell);
    }
    this.stamp[key] = i;
    this.known[key] = cell;
  }

  private append(i: number, key: number, cell: number): void {
    const element = SEPARATOR + this.columns.values.at(cell);
    this.add(EFFECT.element, key, cell);
    if (this.stamp[key] !== i) this.appended.set(key, (this.appended.get(key) ?? '') + element);
    else this.known[key] = this.cellOfText(key, this.textOf(this.known[key]) + element);
  }

  private readList(i: number, key: number, list: number): void {
    const { listFirst, elements, values } = this.columns;
    const read = elements.subarray(listFirst[list], listFirst[list + 1]);
    const text = Array.from(read, (element) => SEPARATOR + values.at(element)).join('');
    const own = this.stamp[key] === i ? '' : (this.appended.get(key) ?? '');
    if (!text.endsWith(own)) this.fail(i, key, `operation ${this.columns.id[i]} did not read what it had appended`);
    this.read(i, key, this.cellOfText(key, text.slice(0, text.length - own.length)));
    this.known[key] = this.cellOfText(key, text);
  }

  private add(kind: number, key: number, cell: number): void {
    this.effectKind.push(kind);
    this.effectKey.push(key);
    this.effectCell.push(cell);
  }

  private check(cell: number, differs: 0 | 1): void {
    this.checkCell.push(cell);
    this.differs.push(differs);
  }

  private readRange(i: number, range: number): void {
    const wrong = this.readsOf(range, (key, cell) => {
      if (++this.rangeReads <= RANGE_READS_MAX) this.read(i, key, cell);
    });
    if (wrong >= 0) this.fail(i, wrong, `operation ${this.columns.id[i]} read it outside its range, absent or twice`);
  }

  private fail(i: number, key: number, problem: string): void {
    if (!this.impossible.has(i)) this.impossible.set(i, `key ${this.columns.keys.at(key)}: ${problem}`);
  }

  private textOf(cell: number): string {
    const { cellCount, cellKey, absent, values } = this.columns;
    if (cell >= cellCount) return this.listText[cell - cellCount];
    return absent[cellKey[cell]] === cell ? '' : values.at(cell);
  }

  /** The cell of a whole list. */
  private cellOfText(key: number, text: string): number {
    if (text === '') return this.columns.absent[key];
    const name = `${key} ${text}`;
    const known = this.lists.get(name);
    if (known !== undefined) return known;
    const cell = this.columns.cellCount + this.listText.length;
    this.lists.set(name, cell);
    this.listKey.push(key);
    this.listText.push(text);
    return cell;
  }
}
