/**
 * A history in memory as columns: typed arrays of numbers, one entry an operation or an access, and no object for either.
 * Keys are numbered, and so are cells; a cell is a key with a value. A checker compares numbers and never reads a text.
 *
 * Invariants: 1. Accesses of operation i lie at places first[i] to first[i + 1], in program order. 2. Equal numbers are
 * equal keys, equal cells equal keys with equal values. 3. `absent[k]` is the cell "key k holds nothing". 4. Where the kind
 * is `list`, the cell is the number of a list; where it is `range`, of a range.
 */
import { GrowingInts } from '../base/growing.ts';
import type { Access, Durability, HistoryKind, HistoryMarker, HistoryOutcome } from './history.ts';
import { HISTORY_KINDS } from './history.ts';

/**
 * Kinds of accesses. `append` adds an element to a list, `join` lengthens a text, `differs` saw that something else than
 * its cell was there, whatever: a compare-and-swap that did not write.
 */
export const ACCESS = { read: 0, write: 1, append: 2, list: 3, range: 4, differs: 5, join: 6 } as const;
/** Outcomes by number. */
export const OUTCOME = { ok: 0, failed: 1, unknown: 2 } as const;
/** Numbers of outcomes, in their order. */
export const OUTCOME_NAMES: readonly HistoryOutcome[] = ['ok', 'failed', 'unknown'];
/** How durable an acknowledgement said it was, by number; 0: it did not say. */
export const DURABILITY_NAMES: readonly (Durability | undefined)[] = [undefined, 'volatile', 'synced'];
/** Number of `synced` in {@link DURABILITY_NAMES}. */
export const SYNCED = 2;

/** Texts by number; read from where they are kept when they are asked for. */
export interface Texts {
  readonly count: number;
  at(number: number): string;
}

/** A range read; `rows` are cells. */
export interface RangeColumns {
  readonly from: string;
  readonly to: string | null;
  readonly rows: Int32Array;
}

/** Operations, accesses and cells, each kind as parallel arrays. Operations stand in the order of their calls. */
export interface HistoryColumns {
  readonly count: number;
  readonly id: Float64Array;
  readonly client: Float64Array;
  /** Places in `HISTORY_KINDS`. */
  readonly kind: Uint8Array;
  readonly outcome: Uint8Array;
  readonly durability: Uint8Array;
  readonly call: Float64Array;
  /** `Infinity` when the outcome is unknown. */
  readonly return: Float64Array;
  readonly first: Int32Array;
  readonly what: Uint8Array;
  readonly key: Int32Array;
  readonly cell: Int32Array;
  readonly keys: Texts;
  readonly absent: Int32Array;
  readonly cellCount: number;
  readonly cellKey: Int32Array;
  /** By cell; of an absent one there is no text. */
  readonly values: Texts;
  /** Elements of list l, as cells: `elements[listFirst[l]]` to `elements[listFirst[l + 1]]`. */
  readonly listFirst: Int32Array;
  readonly elements: Int32Array;
  readonly ranges: readonly RangeColumns[];
  readonly markers: readonly HistoryMarker[];
}

/** What an operation is besides its accesses. */
export interface OperationHead {
  readonly id: number;
  readonly client: number;
  readonly kind: HistoryKind;
  readonly outcome: HistoryOutcome;
  readonly durability?: Durability | undefined;
  readonly call: number;
  readonly return: number;
}

/** The value of a cell; `null`: absent. */
export function valueOf(columns: HistoryColumns, cell: number): string | null {
  return columns.absent[columns.cellKey[cell]] === cell ? null : columns.values.at(cell);
}

/** Puts columns together, operation by operation in the order of their calls. Texts are kept as they are given. */
export class ColumnsBuilder {
  private readonly heads: OperationHead[] = [];
  private readonly first = new GrowingInts();
  private readonly what = new GrowingInts(64);
  private readonly key = new GrowingInts(64);
  private readonly cell = new GrowingInts(64);
  private readonly numbers = new Map<string, number>();
  private readonly keyNames: string[] = [];
  private readonly cells: Map<string, number>[] = [];
  private readonly absent = new GrowingInts();
  private readonly cellKey = new GrowingInts(64);
  private readonly values: string[] = [];
  private readonly listFirst = new GrowingInts();
  private readonly elements = new GrowingInts();
  private readonly ranges: RangeColumns[] = [];

  /** Begins an operation; what is added next are its accesses. */
  begin(head: OperationHead): void {
    this.heads.push(head);
    this.first.push(this.what.length);
  }

  /** Adds an access as a history tells it. */
  access(access: Access): void {
    if (access.kind === 'range') {
      const rows = Int32Array.from(access.rows, ({ key, value }) => this.cellOf(this.keyOf(key), value));
      this.add(ACCESS.range, -1, this.ranges.push({ from: access.from, to: access.to, rows }) - 1);
      return;
    }
    const key = this.keyOf(access.key);
    if (access.kind === 'append') this.add(ACCESS.append, key, this.cellOf(key, access.element));
    else if (access.kind !== 'list') this.add(ACCESS[access.kind], key, this.cellOf(key, access.value));
    else {
      this.add(ACCESS.list, key, this.listFirst.length);
      this.listFirst.push(this.elements.length);
      for (const element of access.elements) this.elements.push(this.cellOf(key, element));
    }
  }

  /** Adds an access of one cell by number. */
  add(what: number, key: number, cell: number): void {
    this.what.push(what);
    this.key.push(key);
    this.cell.push(cell);
  }

  /** The number of a key. */
  keyOf(name: string): number {
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    const key = this.keyNames.push(name) - 1;
    this.numbers.set(name, key);
    this.cells.push(new Map());
    this.absent.push(this.newCell(key, ''));
    return key;
  }

  /** The number of a key with a value. */
  cellOf(key: number, value: string | null): number {
    if (value === null) return this.absent.room[key];
    const known = this.cells[key].get(value);
    if (known !== undefined) return known;
    const cell = this.newCell(key, value);
    this.cells[key].set(value, cell);
    return cell;
  }

  private newCell(key: number, value: string): number {
    this.cellKey.push(key);
    return this.values.push(value) - 1;
  }

  /** The columns so far. */
  build(markers: readonly HistoryMarker[] = []): HistoryColumns {
    const { heads, values, keyNames } = this;
    this.first.push(this.what.length);
    this.listFirst.push(this.elements.length);
    const number = (pick: (head: OperationHead) => number): Float64Array => Float64Array.from(heads, pick);
    return {
      count: heads.length,
      id: number(({ id }) => id),
      client: number(({ client }) => client),
      kind: Uint8Array.from(heads, ({ kind }) => HISTORY_KINDS.indexOf(kind)),
      outcome: Uint8Array.from(heads, ({ outcome }) => OUTCOME[outcome]),
      durability: Uint8Array.from(heads, ({ durability }) => DURABILITY_NAMES.indexOf(durability)),
      call: number(({ call }) => call),
      return: number((head) => head.return),
      first: this.first.take(),
      what: Uint8Array.from(this.what.take()),
      key: this.key.take(),
      cell: this.cell.take(),
      keys: { count: keyNames.length, at: (i) => keyNames[i] },
      absent: this.absent.take(),
      cellCount: values.length,
      cellKey: this.cellKey.take(),
      values: { count: values.length, at: (i) => values[i] },
      listFirst: this.listFirst.take(),
      elements: this.elements.take(),
      ranges: this.ranges,
      markers,
    };
  }
}
