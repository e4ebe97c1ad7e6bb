/**
 * Isolation: a history of transactions in, the strongest levels that it does not refute out. Black box: nothing is known of
 * the engine, and its own timestamps are never asked for.
 *
 * 1. Reads name writers (versions.ts, reads.ts), known orders are put together (order.ts).
 * 2. A cycle of what is certain refutes a level (graph.ts). No cycle, and everything certain: the level holds.
 * 3. Something open: any allowed execution is searched for within bounds (executions.ts); past them the level is unknown.
 * A level whose weaker one is refuted is refuted. Near-linear when nothing is open: a valid history costs one graph.
 */
import type { HistoryColumns } from '../../history/columns.ts';
import { columnsOf } from '../../history/columns-of.ts';
import { endsOf } from '../../history/ends.ts';
import type { History } from '../../history/history.ts';
import { checkShape } from '../../history/shape.ts';
import { anomaliesOf, whatIsOpen } from '../explain/anomalies.ts';
import type { Anomaly } from '../explain/anomaly.ts';
import { type HistoryVerdict, invalid, unknown, valid } from '../verdict.ts';
import { someExecution, someReadCommittedExecution } from './executions.ts';
import { buildGraph, hasCycle, type Prepared, SHAPES } from './graph.ts';
import { orderVersions } from './order.ts';
import { resolveReads } from './reads.ts';
import {
  type CheckedLevel,
  columnsOfTransactions,
  ISOLATION_LEVELS,
  type TransactionalHistory,
  WEAKER_LEVELS,
} from './transactions.ts';
import { numberVersions } from './versions.ts';

/** Of one level. */
export type LevelAnswer = 'not-refuted' | 'refuted' | 'unknown';

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

/** Bounds of one check. */
export interface IsolationBudget {
  readonly steps?: number;
}

/** Why a level, and whatever implies it, is refuted. */
export interface Refutation {
  readonly level: CheckedLevel;
  readonly why: 'reads' | 'fork' | 'cycle' | 'no-execution';
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
  const versions = numberVersions(columns);
  const reads = resolveReads(columns, versions);
  const order = orderVersions(columns, versions, reads, told ? history.versionOrders : undefined);
  const prepared = { columns, versions, reads, order };
  const judge = new LevelJudge(prepared, budget);
  judge.judge();
  const { levels, refutations } = judge;
  const held = ISOLATION_LEVELS.filter((level) => levels[level] === 'not-refuted');
  const open = ISOLATION_LEVELS.filter((level) => levels[level] === 'unknown');
  const why = `${whatIsOpen(prepared)}, and no execution was found within the bounds of the search`;
  return {
    levels,
    strongest: held.filter((level) => !held.some((other) => WEAKER_LEVELS[other].includes(level))),
    reasons: open.map((level) => `${level}: ${why}`),
    anomalies: anomaliesOf(prepared, refutations),
    certain: judge.certain,
    transactions: columns.count,
    versions: versions.count,
    reads: reads.reader.length + reads.ambiguous.length,
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

const STRONGEST_FIRST = ['strict-serializable', 'serializable', 'strong-snapshot-isolation'] as const;

class LevelJudge {
  readonly certain: boolean;
  readonly refutations: Refutation[] = [];
  readonly levels: Record<CheckedLevel, LevelAnswer> = {
    'read-committed': 'unknown',
    'snapshot-isolation': 'unknown',
    'strong-snapshot-isolation': 'unknown',
    serializable: 'unknown',
    'strict-serializable': 'unknown',
  };
  private readonly prepared: Prepared;
  private readonly budget: IsolationBudget;

  constructor(prepared: Prepared, budget: IsolationBudget) {
    this.prepared = prepared;
    this.budget = budget;
    this.certain = prepared.order.open.length === 0 && prepared.reads.ambiguous.length === 0;
  }

  judge(): void {
    if (this.prepared.reads.findings.length > 0) this.refute('read-committed', 'reads');
    // Where nothing is open, a level without a circle holds, and whatever it implies.
    for (const level of STRONGEST_FIRST) {
      if (!this.certain || this.levels[level] !== 'unknown' || this.isCircular(level)) continue;
      for (const held of [level, ...WEAKER_LEVELS[level]]) this.levels[held] = 'not-refuted';
    }
    // Two transactions read one version and both overwrote it: whichever came second lost the other's update.
    const forked = this.levels['snapshot-isolation'] === 'unknown' && this.prepared.order.forks.length > 0;
    if (forked) this.refute('snapshot-isolation', 'fork');
    for (const level of ISOLATION_LEVELS) {
      if (this.levels[level] !== 'unknown') continue;
      if (this.isCircular(level)) this.refute(level, 'cycle');
      else if (this.certain) this.levels[level] = 'not-refuted';
      else {
        const some = this.someExecution(level);
        if (some === true) this.levels[level] = 'not-refuted';
        else if (some === false) this.refute(level, 'no-execution');
      }
    }
  }

  private refute(level: CheckedLevel, why: Refutation['why']): void {
    this.refutations.push({ level, why });
    for (const other of ISOLATION_LEVELS) {
      if (other === level || WEAKER_LEVELS[other].includes(level)) this.levels[other] = 'refuted';
    }
  }

  private isCircular(level: CheckedLevel): boolean {
    return hasCycle(buildGraph(this.prepared, SHAPES[level]));
  }

  private someExecution(level: CheckedLevel): boolean | undefined {
    if (level === 'read-committed') return someReadCommittedExecution(this.prepared);
    const ends = endsOf(this.prepared.columns);
    return ends === undefined ? undefined : someExecution(this.prepared, ends, SHAPES[level], this.budget.steps);
  }
}
