/**
 * What the isolation checkers read: transactions of several clients, each with its accesses in program order. Nothing
 * here knows of an engine. Keys are compared as text; hexadecimal keys compare as their bytes do.
 */
import type { HistoryColumns } from '../../history/columns.ts';
import { ColumnsBuilder } from '../../history/columns.ts';
import type { Access, HistoryOutcome } from '../../history/history.ts';

export type { Access } from '../../history/history.ts';

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

/** The levels, weakest first. Snapshot isolation and serializability lie beside each other for their strong forms. */
export const ISOLATION_LEVELS = [
  'read-committed',
  'snapshot-isolation',
  'strong-snapshot-isolation',
  'serializable',
  'strict-serializable',
] as const;

/** A level of isolation. */
export type CheckedLevel = (typeof ISOLATION_LEVELS)[number];

/** What each level implies: whatever refutes one of these refutes it too. */
export const WEAKER_LEVELS: Readonly<Record<CheckedLevel, readonly CheckedLevel[]>> = {
  'read-committed': [],
  'snapshot-isolation': ['read-committed'],
  'strong-snapshot-isolation': ['read-committed', 'snapshot-isolation'],
  serializable: ['read-committed', 'snapshot-isolation'],
  'strict-serializable': ['read-committed', 'snapshot-isolation', 'strong-snapshot-isolation', 'serializable'],
};
