/**
 * A history as the search reads it: typed arrays of checks and effects on numbered cells. A cell is a key with a value; the
 * machine remembers for each key which of its cells is current.
 *
 * Invariants: 1. Operations are numbered in the order of their calls, completed ones first, those of unknown outcome last.
 * 2. Cell k is "key k, absent" for each key k. 3. Values of a key that nobody reads share one cell: no reader can tell
 * them apart.
 */
import type { HistoryOperation } from '../history/history.ts';
import { LightningError } from '../base/errors.ts';

/** What an operation does to a key. */
export const EFFECT = { set: 0, setIf: 1, append: 2 } as const;

/** Operations as arrays; lists of operation i lie at places first[i] to first[i + 1]. */
export interface SearchInput {
  readonly operations: readonly HistoryOperation[];
  readonly completedCount: number;
  readonly call: Float64Array;
  readonly return: Float64Array;
  readonly checkFirst: Int32Array;
  /** Cells that must be current, or, where `checkNegated` says so, must not. */
  readonly checkCell: Int32Array;
  readonly checkNegated: Uint8Array;
  readonly effectFirst: Int32Array;
  readonly effectKind: Uint8Array;
  readonly effectKey: Int32Array;
  /** The cell that is set; for an append the number of the text. */
  readonly effectCell: Int32Array;
  /** The cell that `setIf` expects. */
  readonly effectExpected: Int32Array;
  readonly keyCount: number;
  readonly cells: CellNames;
  /** Keys whose values cannot all be told before the search: appends and swaps of unknown outcome. */
  readonly openKey: Uint8Array;
  /** Keys that a `cas` compares: whoever fails sees that another value is there, whichever. */
  readonly comparedKey: Uint8Array;
}

/** Numbers of keys, cells and texts. */
export class CellNames {
  readonly keyOfCell: number[] = [];
  readonly valueOfCell: (string | null)[] = [];
  private readonly keys = new Map<string, number>();
  private readonly cells: Map<string, number>[] = [];
  private readonly texts: string[] = [];
  private readonly appended = new Map<number, Map<number, number>>();

  constructor(keys: Iterable<string>) {
    for (const key of keys) if (!this.keys.has(key)) this.keys.set(key, this.keys.size);
    for (let key = 0; key < this.keys.size; key++) {
      this.keyOfCell.push(key);
      this.valueOfCell.push(null);
      this.cells.push(new Map());
    }
  }

  get keyCount(): number {
    return this.keys.size;
  }

  key(name: string): number {
    return this.keys.get(name) ?? -1;
  }

  /** The cell of a key and a value. */
  cell(key: number, value: string | null): number {
    if (value === null) return key;
    const known = this.cells[key].get(value);
    if (known !== undefined) return known;
    const cell = this.keyOfCell.length;
    this.keyOfCell.push(key);
    this.valueOfCell.push(value);
    this.cells[key].set(value, cell);
    return cell;
  }

  text(text: string): number {
    this.texts.push(text);
    return this.texts.length - 1;
  }

  /** The cell after an append to a cell; absent counts as the empty text. Remembered, so that it is joined once. */
  append(cell: number, text: number): number {
    const after = this.appended.get(cell) ?? new Map<number, number>();
    this.appended.set(cell, after);
    const known = after.get(text);
    if (known !== undefined) return known;
    const made = this.cell(this.keyOfCell[cell], (this.valueOfCell[cell] ?? '') + this.texts[text]);
    after.set(text, made);
    return made;
  }
}

const keysTouched = (operation: HistoryOperation): string[] =>
  [...operation.reads, ...operation.writes].map((cell) => cell.key);
const nameOf = (key: string, value: string | null): string =>
  `${key.length}:${key}${value === null ? '' : `=${value}`}`;

/**
 * Makes the arrays. Left out is what failed, what only read and has no answer, and writes without an answer that nobody
 * read: they may never have happened.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` on a `cas` or `append` that is not one of a single key
 */
export function searchInput(history: readonly HistoryOperation[]): SearchInput {
  const names = new CellNames(history.flatMap(keysTouched));
  const openKey = new Uint8Array(names.keyCount);
  const comparedKey = new Uint8Array(names.keyCount);
  const wanted = new Set<string>();
  for (const operation of history) {
    if (operation.kind === 'cas' || operation.kind === 'append') checkShape(operation);
    if (operation.outcome === 'ok') for (const { key, value } of operation.reads) wanted.add(nameOf(key, value));
    for (const { key } of operation.writes) {
      if (operation.kind === 'append') openKey[names.key(key)] = 1;
      if (operation.kind !== 'cas') continue;
      comparedKey[names.key(key)] = 1;
      wanted.add(nameOf(key, operation.expected ?? null));
      if (operation.outcome === 'unknown') openKey[names.key(key)] = 1;
    }
  }
  const isWanted = (operation: HistoryOperation): boolean =>
    operation.writes.some(({ key, value }) => {
      const number = names.key(key);
      return openKey[number] === 1 || comparedKey[number] === 1 || wanted.has(nameOf(key, value));
    });
  const kept = history
    .filter((operation) => operation.outcome !== 'failed')
    .filter((operation) => operation.outcome === 'ok' || (operation.writes.length > 0 && isWanted(operation)));
  const isUnknown = (operation: HistoryOperation): number => Number(operation.outcome === 'unknown');
  const operations = kept.sort((a, b) => isUnknown(a) - isUnknown(b) || a.call - b.call);
  const unread = Array.from({ length: names.keyCount }, () => -1);
  const cellOf = (key: string, value: string | null): number => {
    const number = names.key(key);
    if (value === null || openKey[number] === 1 || wanted.has(nameOf(key, value))) return names.cell(number, value);
    if (unread[number] < 0) unread[number] = names.cell(number, value);
    return unread[number];
  };
  return {
    ...compile(operations, names, cellOf),
    operations,
    cells: names,
    openKey,
    comparedKey,
    keyCount: names.keyCount,
  };
}

function checkShape(operation: HistoryOperation): void {
  const problem =
    operation.writes.length !== 1 || operation.writes[0].value === null
      ? 'does not write exactly one value'
      : operation.kind === 'cas' && operation.outcome === 'ok' && operation.swapped === undefined
        ? 'does not say whether it wrote'
        : undefined;
  if (problem === undefined) return;
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `history: ${operation.kind} ${operation.id} ${problem}`, {
    id: operation.id,
    problem,
  });
}

type Arrays = Omit<SearchInput, 'operations' | 'cells' | 'openKey' | 'comparedKey' | 'keyCount'>;

function compile(
  operations: readonly HistoryOperation[],
  names: CellNames,
  cellOf: (key: string, value: string | null) => number,
): Arrays {
  const checkFirst = new Int32Array(operations.length + 1);
  const effectFirst = new Int32Array(operations.length + 1);
  const [checkCell, checkNegated]: [number[], number[]] = [[], []];
  const [effectKind, effectKey, effectCell, effectExpected]: [number[], number[], number[], number[]] = [
    [],
    [],
    [],
    [],
  ];
  const check = (cell: number, negated: number): void => void (checkCell.push(cell), checkNegated.push(negated));
  operations.forEach((operation, i) => {
    const ok = operation.outcome === 'ok';
    if (ok) for (const { key, value } of operation.reads) check(cellOf(key, value), 0);
    const cas = operation.kind === 'cas';
    for (const { key, value } of operation.writes) {
      const expected = cas ? cellOf(key, operation.expected ?? null) : -1;
      if (cas && ok) check(expected, operation.swapped === true ? 0 : 1);
      if (cas && ok && operation.swapped === false) continue;
      const append = operation.kind === 'append';
      effectKind.push(append ? EFFECT.append : cas && !ok ? EFFECT.setIf : EFFECT.set);
      effectKey.push(names.key(key));
      effectCell.push(append ? names.text(value ?? '') : cellOf(key, value));
      effectExpected.push(expected);
    }
    checkFirst[i + 1] = checkCell.length;
    effectFirst[i + 1] = effectKind.length;
  });
  return {
    completedCount: operations.filter((operation) => operation.outcome === 'ok').length,
    call: Float64Array.from(operations, (operation) => operation.call),
    return: Float64Array.from(operations, (operation) => (operation.outcome === 'ok' ? operation.return : Infinity)),
    checkFirst,
    checkCell: Int32Array.from(checkCell),
    checkNegated: Uint8Array.from(checkNegated),
    effectFirst,
    effectKind: Uint8Array.from(effectKind),
    effectKey: Int32Array.from(effectKey),
    effectCell: Int32Array.from(effectCell),
    effectExpected: Int32Array.from(effectExpected),
  };
}
