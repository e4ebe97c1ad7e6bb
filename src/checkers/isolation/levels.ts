/**
 * Levels of isolation: which of them does a history of transactions refute? Black box: nothing is known of the engine, and
 * its own timestamps are never asked for.
 *
 * 1. Reads name writers (versions.ts, reads.ts), known orders are put together (order.ts).
 * 2. A cycle of what is certain refutes a level (graph.ts). No cycle, and everything certain: the level holds.
 * 3. Something open: any allowed execution is searched for within bounds (executions.ts); past them the level is unknown.
 * A level whose weaker one is refuted is refuted. Near-linear when nothing is open: a valid history costs one graph.
 */
import type { HistoryColumns } from '../../history/columns.ts';
import { endsOf } from '../../history/ends.ts';
import { someExecution, someReadCommittedExecution } from './executions.ts';
import { buildGraph, hasCycle, type Prepared, SHAPES } from './graph.ts';
import { orderVersions } from './order.ts';
import { resolveReads } from './reads.ts';
import { type CheckedLevel, ISOLATION_LEVELS, type ToldOrders, WEAKER_LEVELS } from './transactions.ts';
import { numberVersions } from './versions.ts';

/** Of one level. */
export type LevelAnswer = 'not-refuted' | 'refuted' | 'unknown';

/** Bounds of one check. */
export interface IsolationBudget {
  readonly steps?: number;
}

/** Why a level, and whatever implies it, is refuted. */
export interface Refutation {
  readonly level: CheckedLevel;
  readonly why: 'reads' | 'fork' | 'cycle' | 'no-execution';
}

/** What is known of a history of transactions. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for one that cannot be */
export function prepare(columns: HistoryColumns, told: ToldOrders | undefined): Prepared {
  const versions = numberVersions(columns);
  const reads = resolveReads(columns, versions);
  return { columns, versions, reads, order: orderVersions(columns, versions, reads, told) };
}

/** The answer for each level, and why those that are refuted are. */
export function judgeLevels(prepared: Prepared, budget: IsolationBudget): LevelJudge {
  const judge = new LevelJudge(prepared, budget);
  judge.judge();
  return judge;
}

const STRONGEST_FIRST = ['strict-serializable', 'serializable', 'strong-snapshot-isolation'] as const;

/** Judges once; what it came to stands in its fields. */
export class LevelJudge {
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
