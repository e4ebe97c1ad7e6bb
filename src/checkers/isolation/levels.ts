/**
 * Levels of isolation: which of them does a history of transactions refute? Black box: nothing is known of the engine, and
 * its own timestamps are never asked for.
 *
 * 1. Reads name writers (versions.ts, reads.ts), known orders are put together (order.ts).
 * 2. A cycle of what is certain refutes a level (graph.ts). No cycle, and everything certain: the level holds.
 * 3. Something open: any allowed execution is searched for within bounds (executions.ts); past them the level is unknown.
 * A level whose weaker one is refuted is refuted. Near-linear when nothing is open: one graph serves all levels.
 *
 * Sources: Adya 1999, section 5; strong snapshot isolation: Daudjee and Salem, "Lazy Database Replication with Snapshot
 * Isolation" (VLDB 2006); strict serializability: Herlihy and Wing 1990.
 */
import type { HistoryColumns } from '../../history/columns.ts';
import { endsOf } from '../../history/ends.ts';
import { type ToldOrders, toldCells } from '../../history/transactions.ts';
import { someExecution, someReadCommittedExecution } from './executions.ts';
import { buildGraph, type Graph, type GraphShape, type Prepared, whatIsLeft } from './graph.ts';
import { orderVersions } from './order.ts';
import { resolveReads } from './reads.ts';
import { numberVersions } from './versions.ts';

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

/** What of the graph each level forbids to be circular. */
export const SHAPES: Readonly<Record<CheckedLevel, GraphShape>> = {
  'read-committed': { antiDependencies: false, split: false, realTime: false },
  'snapshot-isolation': { antiDependencies: true, split: true, realTime: false },
  'strong-snapshot-isolation': { antiDependencies: true, split: true, realTime: true },
  serializable: { antiDependencies: true, split: false, realTime: false },
  'strict-serializable': { antiDependencies: true, split: false, realTime: true },
};
const STRONGEST_FIRST = ISOLATION_LEVELS.toReversed();

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
export function prepare(columns: HistoryColumns, told: ToldOrders = new Map()): Prepared {
  const versions = numberVersions(columns);
  const reads = resolveReads(columns, versions);
  return { columns, versions, reads, order: orderVersions(columns, versions, reads, toldCells(columns, told)) };
}

/** The answer for each level, why those that are refuted are, whether nothing is open, and the graph that shows it. */
export function judgeLevels(
  prepared: Prepared,
  budget: IsolationBudget,
): {
  readonly levels: Readonly<Record<CheckedLevel, LevelAnswer>>;
  readonly refutations: readonly Refutation[];
  readonly certain: boolean;
  readonly graph: Graph;
} {
  const { columns, reads, order } = prepared;
  const certain = order.open.length === 0 && reads.ambiguous.length === 0;
  const answers = new Map<CheckedLevel, LevelAnswer>();
  const refutations: Refutation[] = [];
  const refute = (level: CheckedLevel, why: Refutation['why']): void => {
    refutations.push({ level, why });
    for (const other of ISOLATION_LEVELS) {
      if (other === level || WEAKER_LEVELS[other].includes(level)) answers.set(other, 'refuted');
    }
  };
  if (reads.findings.length > 0) refute('read-committed', 'reads');
  const circular = new Set<CheckedLevel>();
  const graph = buildGraph(prepared);
  for (const level of STRONGEST_FIRST) {
    if (answers.has(level)) continue;
    if (whatIsLeft(graph, SHAPES[level]) !== undefined) circular.add(level);
    else if (certain) for (const held of [level, ...WEAKER_LEVELS[level]]) answers.set(held, 'not-refuted');
  }
  // Two transactions read one version and both overwrote it: whichever came second lost the other's update.
  if (!answers.has('snapshot-isolation') && order.forks.length > 0) refute('snapshot-isolation', 'fork');
  let ends: ReturnType<typeof endsOf>;
  for (const level of ISOLATION_LEVELS) {
    if (answers.has(level)) continue;
    if (circular.has(level)) refute(level, 'cycle');
    else if (level === 'read-committed') {
      if (someReadCommittedExecution(prepared)) answers.set(level, 'not-refuted');
      else refute(level, 'no-execution');
    } else {
      ends ??= endsOf(columns);
      const some = ends === undefined ? undefined : someExecution(prepared, ends, SHAPES[level], budget.steps);
      if (some === false) refute(level, 'no-execution');
      else answers.set(level, some === undefined ? 'unknown' : 'not-refuted');
    }
  }
  const answerOf = (level: CheckedLevel): [CheckedLevel, LevelAnswer] => [level, answers.get(level) ?? 'unknown'];
  const levels = Object.fromEntries(ISOLATION_LEVELS.map(answerOf)) as Record<CheckedLevel, LevelAnswer>;
  return { levels, refutations, certain, graph };
}
