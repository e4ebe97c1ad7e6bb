/**
 * Transactions over the ordered map: snapshot isolation with "first committer wins" (Berenson et al., "A Critique of
 * ANSI SQL Isolation Levels", 1995, section 4.2), and the two levels beside it. Pure bookkeeping: a transaction is its
 * snapshot, what it wrote and what it read.
 */
import type { IsolationLevel } from '../../src/contract/operations.ts';
import type { Key, Range } from './keys.ts';
import { applyWrites, type Entry, type OrderedMap, type State, type Write } from './ordered-map.ts';

/** A point from which to read: everything up to a sequence, at a time known to lie between two bounds. */
export interface Snapshot {
  readonly sequence: number;
  /** Equal to `nowLatest` unless the clock ran backwards (rule 10 of spec/semantics.md). */
  readonly nowEarliest: number;
  readonly nowLatest: number;
}

/** An open transaction. */
export interface Transaction {
  readonly isolation: IsolationLevel;
  /** Absent until the first read. Never there in `read-committed`. */
  readonly snapshot: Snapshot | undefined;
  readonly writes: readonly Write[];
  readonly keysRead: readonly Key[];
  readonly rangesRead: readonly Range[];
}

/** A transaction that has done nothing. */
export function beginTransaction(isolation: IsolationLevel, snapshot: Snapshot | undefined): Transaction {
  return {
    isolation,
    snapshot: isolation === 'read-committed' ? undefined : snapshot,
    writes: [],
    keysRead: [],
    rangesRead: [],
  };
}

/** What a transaction sees: its snapshot (or the present), and over it what it wrote itself. */
export function stateSeenBy(transaction: Transaction, map: OrderedMap, present: Snapshot): State {
  const base = map.stateAt((transaction.snapshot ?? present).sequence);
  if (transaction.writes.length === 0) return base;
  const seen = new Map<Key, Entry>(base);
  applyWrites(seen, transaction.writes);
  return seen;
}

/** The transaction after one more write. */
export function withWrite(transaction: Transaction, write: Write): Transaction {
  return { ...transaction, writes: [...transaction.writes, write] };
}

/** The transaction after a read; the first one takes the snapshot. */
export function withRead(transaction: Transaction, read: { key?: Key; range?: Range }, present: Snapshot): Transaction {
  return {
    ...transaction,
    snapshot: transaction.isolation === 'read-committed' ? undefined : (transaction.snapshot ?? present),
    keysRead: read.key === undefined ? transaction.keysRead : [...transaction.keysRead, read.key],
    rangesRead: read.range === undefined ? transaction.rangesRead : [...transaction.rangesRead, read.range],
  };
}

/**
 * Rule 7: whether a commit must fail. A transaction without a snapshot (it read nothing, or is `read-committed`) has
 * nothing to be late against, and one that wrote nothing always succeeds.
 */
export function mustConflict(transaction: Transaction, map: OrderedMap): boolean {
  const { snapshot } = transaction;
  // Clearing a range that holds no key writes nothing.
  const writes = transaction.writes.filter(
    (write) => write.kind !== 'clear' || write.range.high === undefined || write.range.low < write.range.high,
  );
  if (snapshot === undefined || writes.length === 0) return false;
  const late = (sequence: number): boolean => sequence > snapshot.sequence;
  const writeLost = writes.some((write) =>
    late(write.kind === 'clear' ? map.newestIn(write.range) : map.newestOf(write.key)),
  );
  if (writeLost || transaction.isolation !== 'serializable') return writeLost;
  return (
    transaction.keysRead.some((key) => late(map.newestOf(key))) ||
    transaction.rangesRead.some((range) => late(map.newestIn(range)))
  );
}
