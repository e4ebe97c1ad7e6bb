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

/** The literature's name of what went wrong. */
export type AnomalyName =
  | 'G0'
  | 'G1a'
  | 'G1b'
  | 'G1c'
  | 'lost-update'
  | 'G-single'
  | 'long-fork'
  | 'G2-item'
  | 'G2'
  | 'monotonic-reads'
  | 'read-your-writes'
  | 'real-time'
  | 'internal'
  | 'wrong-read'
  | 'incompatible-order'
  | 'no-order';

/** How one transaction must come before another. `time`: it had returned before the other was called. */
export type DependencyKind = 'ww' | 'wr' | 'rw' | 'time';

/** One arrow of a cycle. */
export interface Dependency {
  /** Ids of transactions. */
  readonly from: number;
  readonly to: number;
  readonly kind: DependencyKind;
  /** Found by a range read (rw only). */
  readonly predicate: boolean;
  /** Both are of one client (time only). */
  readonly session: boolean;
  readonly key: string;
  /** ww and rw: the value written by `to`; wr: the value read. */
  readonly value: string | null;
}

/** A reason why a level does not hold. */
export interface Anomaly {
  readonly name: AnomalyName;
  /** In English. */
  readonly message: string;
  /** Ids of the transactions that cannot all be right. */
  readonly transactions: readonly number[];
  /** The cycle; empty for an anomaly without one. */
  readonly cycle: readonly Dependency[];
  /** The weakest level that it refutes. */
  readonly refutes: CheckedLevel;
}
