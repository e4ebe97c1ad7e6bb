/**
 * Transactions of several clients, each with its accesses in program order, as isolation is judged on them. Nothing here
 * knows of an engine. Keys are compared as text; hexadecimal keys compare as their bytes do.
 */
import { LightningError } from '../base/errors.ts';
import { ColumnsBuilder, type HistoryColumns } from './columns.ts';
import type { Access, HistoryOutcome } from './history.ts';

export type { Access } from './history.ts';

/** A transaction with both its ends. */
export interface RecordedTransaction {
  readonly id: number;
  /** A client has one transaction at a time. */
  readonly client: number;
  readonly outcome: HistoryOutcome;
  /** Index of the event of its first call. */
  readonly call: number;
  /** Index of the event of its last return; `Infinity` when the outcome is `unknown`. */
  readonly return: number;
  readonly accesses: readonly Access[];
}

/** Transactions, and the order of versions where the store told it. */
export interface TransactionalHistory {
  readonly transactions: readonly RecordedTransaction[];
  readonly versionOrders?: ToldOrders;
}

/** For a key all values that committed, oldest first, each once. Other orders are inferred. */
export type ToldOrders = ReadonlyMap<string, readonly string[]>;

/** Transactions as columns, in the order in which they are given. */
export function columnsOfTransactions(transactions: readonly RecordedTransaction[]): HistoryColumns {
  const builder = new ColumnsBuilder();
  for (const transaction of transactions) {
    builder.begin({ ...transaction, kind: 'transaction' });
    for (const access of transaction.accesses) builder.access(access);
  }
  return builder.build();
}

/** The error for a told order that cannot be. */
export function wrongOrder(key: string, problem: string): LightningError {
  return new LightningError('LIGHTNING_INVALID_ARGUMENT', `order of versions of ${key}: ${problem}`, { key, problem });
}

/** Told orders by number: of keys, their cells. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for what nobody wrote */
export function toldCells(columns: HistoryColumns, told: ToldOrders): ReadonlyMap<number, readonly number[]> {
  if (told.size === 0) return new Map();
  const { keys, cellKey, absent, values } = columns;
  const cells = new Map<string, Map<string, number>>();
  const numbers = new Map(Array.from({ length: keys.count }, (_, key) => [keys.at(key), key]));
  for (const name of numbers.keys()) if (told.has(name)) cells.set(name, new Map());
  cellKey.forEach((key, cell) => {
    if (absent[key] !== cell) cells.get(keys.at(key))?.set(values.at(cell), cell);
  });
  const ofKey = ([name, order]: readonly [string, readonly string[]]): [number, number[]] => {
    const key = numbers.get(name);
    if (key === undefined) throw wrongOrder(name, 'nobody wrote it');
    const cellOf = (value: string): number => {
      const cell = cells.get(name)?.get(value);
      if (cell === undefined) throw wrongOrder(name, `${value} is not one version that committed`);
      return cell;
    };
    return [key, order.map(cellOf)];
  };
  return new Map(Array.from(told, ofKey));
}
