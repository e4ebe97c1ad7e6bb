/** What a history says of the isolation that it was made under: levels, reasons, and anomalies by name. */
import type { HistoryColumns } from '../../history/columns.ts';
import { columnsOf } from '../../history/columns-of.ts';
import type { History } from '../../history/history.ts';
import { checkShape } from '../../history/shape.ts';
import { type IsolationBudget, judgeLevels, type LevelAnswer, prepare } from '../isolation/levels.ts';
import { columnsOfTransactions, type TransactionalHistory } from '../../history/transactions.ts';
import { type CheckedLevel, ISOLATION_LEVELS, WEAKER_LEVELS } from '../isolation/levels.ts';
import { type HistoryVerdict, invalid, unknown, valid } from '../verdict.ts';
import { anomaliesOf, whatIsOpen } from './anomalies.ts';
import type { Anomaly } from './anomaly.ts';

/** What a history says of the isolation that it was made under. */
export interface IsolationReport {
  readonly levels: Readonly<Record<CheckedLevel, LevelAnswer>>;
  /** Levels not refuted of which no stronger one is not refuted; empty when even read committed is refuted or unknown. */
  readonly strongest: readonly CheckedLevel[];
  /** Why a level is unknown. */
  readonly reasons: readonly string[];
  readonly anomalies: readonly Anomaly[];
  /** Whether every read has one writer and every key one order; otherwise levels were searched. */
  readonly certain: boolean;
  readonly transactions: number;
  readonly versions: number;
  readonly reads: number;
}

/**
 * Judges a history. Every operation counts as a transaction.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for one that cannot be: a return before its call, a duplicate id,
 *   a client with two transactions at once, a key that is both list and register, a told order that is not whole
 */
export function checkIsolation(
  history: TransactionalHistory | History | HistoryColumns,
  budget: IsolationBudget = {},
): IsolationReport {
  const told = 'transactions' in history;
  const columns = told ? columnsOfTransactions(history.transactions) : columnsOf(history);
  checkShape(columns, 'any');
  const prepared = prepare(columns, told ? history.versionOrders : undefined);
  const { levels, refutations, certain, graph } = judgeLevels(prepared, budget);
  const held = ISOLATION_LEVELS.filter((level) => levels[level] === 'not-refuted');
  const open = ISOLATION_LEVELS.filter((level) => levels[level] === 'unknown');
  const why = `${whatIsOpen(prepared)}, and no execution was found within the bounds of the search`;
  return {
    levels,
    strongest: held.filter((level) => !held.some((other) => WEAKER_LEVELS[other].includes(level))),
    reasons: open.map((level) => `${level}: ${why}`),
    anomalies: anomaliesOf(prepared, graph, refutations),
    certain,
    transactions: columns.count,
    versions: prepared.versions.count,
    reads: prepared.reads.reader.length + prepared.reads.ambiguous.length,
  };
}

/** Does a history refute a level? The anomaly is the one that refutes the weakest. @throws as {@link checkIsolation} */
export function checkIsolationLevel(history: History | HistoryColumns, level: CheckedLevel): HistoryVerdict {
  const report = checkIsolation(history);
  if (report.levels[level] === 'not-refuted') return valid(report.transactions);
  const anomaly = report.anomalies.find(({ refutes }) => refutes === level || WEAKER_LEVELS[level].includes(refutes));
  if (anomaly === undefined) return unknown(report.reasons.join('; '));
  return invalid(anomaly.name, anomaly.message, anomaly.transactions);
}
