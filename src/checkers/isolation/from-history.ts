/** A recorded history as transactions, every other operation a transaction of its own, and its verdict at one level. */
import { LightningError } from '../../base/errors.ts';
import type { Access, History, HistoryOperation } from '../../history/history.ts';
import { type HistoryVerdict, invalid, unknown, valid } from '../verdict.ts';
import { checkIsolation } from './check.ts';
import {
  type CheckedLevel,
  type RecordedTransaction,
  type TransactionalHistory,
  WEAKER_LEVELS,
} from './transactions.ts';

/**
 * The transactions of a history, in the order of their calls. What a transaction did in program order is taken where it
 * was recorded; otherwise its reads stand before its writes. A sync touches nothing and is left out.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for an append outside a transaction, which has no list to read
 */
export function transactionsOf({ operations }: History): TransactionalHistory {
  return { transactions: operations.flatMap((operation) => transactionOf(operation) ?? []) };
}

function transactionOf(operation: HistoryOperation): RecordedTransaction | undefined {
  const { id, client, outcome, call, return: end } = operation;
  if (operation.kind === 'sync') return undefined;
  return { id, client, outcome, call, return: end, accesses: operation.accesses ?? accessesOf(operation) };
}

function accessesOf({ id, kind, reads, writes, expected, swapped, outcome }: HistoryOperation): Access[] {
  if (kind === 'append') {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `operation ${id} appends to a text, not to a list`, { id });
  }
  const read = reads.map(({ key, value }): Access => ({ kind: 'read', key, value }));
  const written = writes.map(({ key, value }): Access => ({ kind: 'write', key, value }));
  if (kind !== 'cas') return [...read, ...written];
  // A swap of unknown outcome that happened found what it expected.
  if (outcome === 'ok' && swapped !== true) return read;
  return [...writes.map(({ key }): Access => ({ kind: 'read', key, value: expected ?? null })), ...written];
}

/** Does a history refute a level? The anomaly is the one that refutes the weakest. @throws as {@link checkIsolation} */
export function checkIsolationLevel(history: History, level: CheckedLevel): HistoryVerdict {
  const report = checkIsolation(transactionsOf(history));
  if (report.levels[level] === 'not-refuted') return valid(report.transactions);
  const anomaly = report.anomalies.find(({ refutes }) => refutes === level || WEAKER_LEVELS[level].includes(refutes));
  if (anomaly === undefined) return unknown(report.reasons.join('; '));
  return invalid(anomaly.name, anomaly.message, anomaly.transactions);
}
