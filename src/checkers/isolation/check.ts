/**
 * Isolation: a history of transactions in, the strongest levels that it does not refute out, with the shortest cycle
 * that breaks the next one. Black box: nothing is known of the engine, and its own timestamps are never asked for.
 *
 * 1. Reads name writers (versions.ts, reads.ts), known orders are put together (order.ts).
 * 2. A cycle of what is certain refutes a level (graph.ts). No cycle, and everything certain: the level holds.
 * 3. Something open: any allowed execution is searched for within bounds (executions.ts); past them the level is unknown.
 * A level whose weaker one is refuted is refuted. Near-linear when nothing is open: a valid history costs one graph.
 */
import type { HistoryColumns } from '../../history/columns.ts';
import { columnsOf } from '../../history/columns-of.ts';
import type { History } from '../../history/history.ts';
import { checkShape } from '../../history/shape.ts';
import { endsOf } from '../ends.ts';
import { anomalyOfFinding, anomalyOfFork, cycleOf, explainNoOrder, whatIsOpen } from '../explain/anomalies.ts';
import { type HistoryVerdict, invalid, unknown, valid } from '../verdict.ts';
import { someExecution, someReadCommittedExecution } from './executions.ts';
import { buildGraph, type GraphShape, hasCycle, type Prepared, SHAPES } from './graph.ts';
import { orderVersions } from './order.ts';
import { resolveReads } from './reads.ts';
import {
  type Anomaly,
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
  checkShape(columns);
  const versions = numberVersions(columns);
  const reads = resolveReads(columns, versions);
  const order = orderVersions(columns, versions, reads, told ? history.versionOrders : undefined);
  return new LevelJudge({ columns, versions, reads, order }, budget).judge();
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
  private readonly prepared: Prepared;
  private readonly budget: IsolationBudget;
  private readonly certain: boolean;
  private readonly anomalies: Anomaly[];
  private readonly reasons: string[] = [];
  private readonly levels: Record<CheckedLevel, LevelAnswer> = {
    'read-committed': 'unknown',
    'snapshot-isolation': 'unknown',
    'strong-snapshot-isolation': 'unknown',
    serializable: 'unknown',
    'strict-serializable': 'unknown',
  };

  constructor(prepared: Prepared, budget: IsolationBudget) {
    this.prepared = prepared;
    this.budget = budget;
    this.certain = prepared.order.open.length === 0 && prepared.reads.ambiguous.length === 0;
    this.anomalies = prepared.reads.findings.map((finding) => anomalyOfFinding(prepared.columns, finding));
  }

  judge(): IsolationReport {
    if (this.anomalies.length > 0) this.refuteFrom('read-committed');
    else {
      if (this.certain) for (const level of STRONGEST_FIRST) this.tryToHold(level);
      // Two transactions read one version and both overwrote it: whichever came second lost the other's update.
      for (const fork of this.prepared.order.forks.slice(0, 1)) {
        this.anomalies.push(anomalyOfFork(this.prepared, fork));
        this.refuteFrom('snapshot-isolation');
      }
      for (const level of ISOLATION_LEVELS) this.judgeLevel(level);
    }
    const { levels } = this;
    const held = ISOLATION_LEVELS.filter((level) => levels[level] === 'not-refuted');
    const { columns, versions, reads } = this.prepared;
    return {
      levels,
      strongest: held.filter((level) => !held.some((other) => WEAKER_LEVELS[other].includes(level))),
      reasons: this.reasons,
      anomalies: this.anomalies,
      certain: this.certain,
      transactions: columns.count,
      versions: versions.count,
      reads: reads.reader.length + reads.ambiguous.length,
    };
  }

  /** No circle in the graph of a level, and nothing open: it holds, and whatever it implies. */
  private tryToHold(level: CheckedLevel): void {
    if (this.levels[level] !== 'unknown' || hasCycle(buildGraph(this.prepared, SHAPES[level]))) return;
    for (const held of [level, ...WEAKER_LEVELS[level]]) this.levels[held] = 'not-refuted';
  }

  private refuteFrom(level: CheckedLevel): void {
    for (const other of ISOLATION_LEVELS) {
      if (other === level || WEAKER_LEVELS[other].includes(level)) this.levels[other] = 'refuted';
    }
  }

  private judgeLevel(level: CheckedLevel): void {
    if (this.levels[level] !== 'unknown') return;
    if (this.findCycle(level)) {
      this.refuteFrom(level);
      return;
    }
    const holds = this.certain || this.someExecution(level);
    if (holds === undefined) {
      const open = whatIsOpen(this.prepared);
      this.reasons.push(`${level}: ${open}, and no execution was found within the bounds of the search`);
    } else if (holds) this.levels[level] = 'not-refuted';
    else {
      this.name(explainNoOrder(this.prepared, level));
      this.refuteFrom(level);
    }
  }

  /** The cycle that refutes a level, with the best name that it can have. */
  private findCycle(level: CheckedLevel): boolean {
    const before = this.anomalies.length;
    const shape = SHAPES[level];
    if (level === 'read-committed') this.addCycle({ ...shape, reads: false }, level);
    this.addCycle(shape, level);
    if (this.anomalies.length > before && level === 'strong-snapshot-isolation') {
      this.addCycle({ ...shape, realTime: 'sessions' }, level);
    }
    return this.anomalies.length > before;
  }

  private addCycle(shape: GraphShape, level: CheckedLevel): void {
    const anomaly = cycleOf(this.prepared, shape, level);
    if (anomaly !== undefined) this.name(anomaly);
  }

  private name(anomaly: Anomaly): void {
    if (!this.anomalies.some(({ name }) => name === anomaly.name)) this.anomalies.push(anomaly);
  }

  private someExecution(level: CheckedLevel): boolean | undefined {
    if (level === 'read-committed') return someReadCommittedExecution(this.prepared);
    const ends = endsOf(this.prepared.columns);
    return 'verdict' in ends ? undefined : someExecution(this.prepared, ends, SHAPES[level], this.budget.steps);
  }
}
