/**
 * Isolation: a history of transactions in, the strongest levels that it does not refute out, with the shortest cycle
 * that breaks the next one. Black box: nothing is known of the engine, and its own timestamps are never asked for.
 *
 * 1. Reads name writers (versions.ts, reads.ts), known orders are put together (order.ts).
 * 2. A cycle of what is certain refutes a level (graph.ts, cycle.ts). No cycle, and everything certain: the level holds.
 * 3. Something open: any allowed execution is searched for within bounds (search.ts); past them the level is unknown.
 * A level whose weaker one is refuted is refuted. Near-linear when nothing is open: a valid history costs one graph.
 */
import { anomalyOfCycle, dependenciesOf, shortestCycle } from './cycle.ts';
import { buildGraph, circularComponents, type GraphShape, type Prepared, SHAPES } from './graph.ts';
import { likeliest, orderVersions } from './order.ts';
import { resolveReads } from './reads.ts';
import { someExecution, someReadCommittedExecution } from './search.ts';
import {
  type Anomaly,
  type CheckedLevel,
  ISOLATION_LEVELS,
  type TransactionalHistory,
  WEAKER_LEVELS,
} from './transactions.ts';
import { checkShape, numberVersions } from './versions.ts';

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
 * Judges a history.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for one that cannot be: a return before its call, a duplicate id,
 *   a client with two transactions at once, a key that is both list and register, a told order that is not whole
 */
export function checkIsolation(history: TransactionalHistory, budget: IsolationBudget = {}): IsolationReport {
  checkShape(history);
  const table = numberVersions(history);
  const reads = resolveReads(history, table);
  const order = orderVersions(history, table, reads);
  const prepared: Prepared = { transactions: history.transactions, table, reads, order };
  return new LevelJudge(prepared, budget).judge();
}

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
    this.anomalies = [...prepared.reads.anomalies];
  }

  judge(): IsolationReport {
    if (this.anomalies.length > 0) this.refuteFrom('read-committed');
    else if (this.certain && !this.isCircular(SHAPES['strict-serializable'])) {
      for (const level of ISOLATION_LEVELS) this.levels[level] = 'not-refuted';
    } else {
      this.addForks();
      for (const level of ISOLATION_LEVELS) this.judgeLevel(level);
    }
    const { levels } = this;
    const held = ISOLATION_LEVELS.filter((level) => levels[level] === 'not-refuted');
    const { transactions, table, reads } = this.prepared;
    return {
      levels,
      strongest: held.filter((level) => !held.some((other) => WEAKER_LEVELS[other].includes(level))),
      reasons: this.reasons,
      anomalies: this.anomalies,
      certain: this.certain,
      transactions: transactions.length,
      versions: table.writer.length,
      reads: reads.reader.length + reads.ambiguous.length,
    };
  }

  private isCircular(shape: GraphShape): boolean {
    return circularComponents(buildGraph(this.prepared, shape)).length > 0;
  }

  private refuteFrom(level: CheckedLevel): void {
    for (const other of ISOLATION_LEVELS) {
      if (other === level || WEAKER_LEVELS[other].includes(level)) this.levels[other] = 'refuted';
    }
  }

  /** Two transactions read one version and both overwrote it: whichever came second lost the other's update. */
  private addForks(): void {
    const { table, transactions, order } = this.prepared;
    for (const [from, first, second] of order.forks.slice(0, 1)) {
      const key = table.keyOf[from].key;
      const arrow = (a: number, b: number) => ({
        from: transactions[table.writer[a]].id,
        to: transactions[table.writer[b]].id,
        kind: 'rw' as const,
        predicate: false,
        session: false,
        key,
        value: table.value[b],
      });
      const cycle = [arrow(first, second), arrow(second, first)];
      const ids = cycle.map((dependency) => dependency.from);
      const message = `lost-update: T${ids[0]} and T${ids[1]} both read ${table.value[from] ?? 'absent'} of ${key} and both overwrote it.`;
      this.anomalies.push({ name: 'lost-update', message, transactions: ids, cycle, refutes: 'snapshot-isolation' });
      this.refuteFrom('snapshot-isolation');
    }
  }

  private judgeLevel(level: CheckedLevel): void {
    if (this.levels[level] === 'refuted') return;
    if (this.findCycle(level)) {
      this.refuteFrom(level);
      return;
    }
    const holds = this.certain || this.someExecution(level);
    if (holds === undefined) {
      this.reasons.push(`${level}: ${this.whatIsOpen()}, and no execution was found within the bounds of the search`);
    } else if (holds) this.levels[level] = 'not-refuted';
    else {
      this.explainNoOrder(level);
      this.refuteFrom(level);
    }
  }

  /** Shows the cycle of the likeliest choice, when it has one that is not named yet. */
  private explainNoOrder(level: CheckedLevel): void {
    const { transactions, table, reads, order } = this.prepared;
    const guess = { transactions, table, ...likeliest({ transactions }, table, reads, order) };
    const graph = buildGraph(guess, SHAPES[level]);
    const arrows = shortestCycle(graph);
    if (arrows.length === 0) {
      const message = `no-order: ${this.whatIsOpen()}, and every order and writer that could be contradicts ${level}.`;
      this.anomalies.push({ name: 'no-order', message, transactions: [], cycle: [], refutes: level });
      return;
    }
    const anomaly = anomalyOfCycle(dependenciesOf(guess, graph, arrows), level);
    const message = `${anomaly.message} (${this.whatIsOpen()}; this is the likeliest choice, and every other contradicts ${level} too.)`;
    if (!this.anomalies.some(({ name }) => name === anomaly.name)) this.anomalies.push({ ...anomaly, message });
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
    const graph = buildGraph(this.prepared, shape);
    const arrows = shortestCycle(graph);
    if (arrows.length === 0) return;
    const anomaly = anomalyOfCycle(dependenciesOf(this.prepared, graph, arrows), level);
    if (!this.anomalies.some(({ name }) => name === anomaly.name)) this.anomalies.push(anomaly);
  }

  private someExecution(level: CheckedLevel): boolean | undefined {
    if (level === 'read-committed') return someReadCommittedExecution(this.prepared);
    return someExecution(this.prepared, SHAPES[level], this.budget.steps);
  }

  private whatIsOpen(): string {
    const { order, reads } = this.prepared;
    const keys = order.open.slice(0, 3).map(({ key }) => key);
    const ambiguous = reads.ambiguous.length;
    const parts = [
      ...(keys.length > 0
        ? [`the order of versions of ${order.open.length} keys (${keys.join(', ')}) is not known`]
        : []),
      ...(ambiguous > 0 ? [`${ambiguous} reads have several possible writers`] : []),
    ];
    return parts.join(' and ');
  }
}
