/**
 * The isolation checker against the brute force that tries all executions: on small random histories, valid and mutated,
 * every level must get the same answer, and an answer within these sizes is never unknown.
 */
import { namedHistories, withOtherTimes } from './anomalies/anomalies.ts';
import { someExecutionExplains } from '../src/checkers/isolation/brute-force.fixture.ts';
import { checkIsolation, type IsolationReport } from '../src/checkers/explain/report.ts';
import { type RecordedTransaction, type TransactionalHistory } from '../src/history/transactions.ts';
import { ISOLATION_LEVELS } from '../src/checkers/isolation/levels.ts';
import { isLightningError } from '../src/base/errors.ts';
import type { Prng } from '../src/base/prng.ts';
import {
  drawTransactionShape,
  simulateTransactions,
  withChangedRead,
} from '../src/workload/transactional-histories.ts';

/** What was compared. */
export interface AgreementCounts {
  histories: number;
  /** Strictly serializable ones. */
  valid: number;
  mutated: number;
  withUnknownOutcomes: number;
  withRanges: number;
  /** Those whose order of versions or writers was open. */
  searched: number;
  readonly anomalies: Map<string, number>;
  readonly refuted: Map<string, number>;
}

/** The first history on which they differ. */
export interface Disagreement {
  readonly history: TransactionalHistory;
  readonly level: string;
  readonly checker: string;
  readonly bruteForce: string;
}

/** Nothing compared yet. */
export function noAgreement(): AgreementCounts {
  return {
    histories: 0,
    valid: 0,
    mutated: 0,
    withUnknownOutcomes: 0,
    withRanges: 0,
    searched: 0,
    anomalies: new Map(),
    refuted: new Map(),
  };
}

const add = (map: Map<string, number>, name: string): void => void map.set(name, (map.get(name) ?? 0) + 1);

const NAMED = namedHistories();
const NAMED_SHARE = 0.35;
/** What simulated stores come to least often. */
const RARE_NAMES = new Set<string | null>([
  'G0',
  'G1a',
  'G1c',
  'G2-item',
  'incompatible-order',
  'monotonic-reads',
  'read-your-writes',
]);
const RARE = NAMED.filter(({ expect }) => RARE_NAMES.has(expect));
const RARE_SHARE = 0.35;
const TRANSACTIONS_MAX = 4;

/** What is compared with the brute force. */
export type IsolationCheck = (history: TransactionalHistory) => IsolationReport;

/** Judges a history as somebody sees it who gets one thing wrong about each transaction. */
const misread =
  (change: (transaction: RecordedTransaction) => RecordedTransaction | undefined): IsolationCheck =>
  (history) => {
    const transactions = history.transactions.flatMap((one) => change(one) ?? []);
    try {
      return checkIsolation({ ...history, transactions });
    } catch (error) {
      // The order that was told need not fit what is made of the history.
      if (!isLightningError(error, 'LIGHTNING_INVALID_ARGUMENT')) throw error;
      return checkIsolation({ transactions });
    }
  };

/** Checkers with a mistake that is easily made; each must differ from the brute force within a short run. */
export const MISTAKEN_ISOLATION: Readonly<Record<string, IsolationCheck>> = {
  'unknown transactions never happened': misread((one) => (one.outcome === 'unknown' ? undefined : one)),
  'rejected transactions may have happened': misread((one) =>
    one.outcome === 'failed' ? { ...one, outcome: 'unknown', return: Infinity } : one,
  ),
  'real time and sessions are not looked at': misread((one) => ({
    ...one,
    client: one.id,
    call: 0,
    return: one.outcome === 'unknown' ? Infinity : 1_000,
  })),
  'ranges say nothing of the rows that are not there': misread((one) => ({
    ...one,
    accesses: one.accesses.flatMap((access) =>
      access.kind === 'range' ? access.rows.map((row) => ({ kind: 'read' as const, ...row })) : [access],
    ),
  })),
  'absent is not read': misread((one) => ({
    ...one,
    accesses: one.accesses.filter((access) => access.kind !== 'read' || access.value !== null),
  })),
};

/** Draws one history, from a simulated store or from the literature at other times, compares, and counts it. */
export function compareOne(
  prng: Prng,
  counts: AgreementCounts,
  check: IsolationCheck = checkIsolation,
): Disagreement | undefined {
  if (prng.chance(NAMED_SHARE)) {
    const history = withOtherTimes(prng, prng.pick(prng.chance(RARE_SHARE) ? RARE : NAMED).history);
    const mutate = prng.chance(0.2);
    return compareHistory(mutate ? withChangedRead(prng, history) : history, counts, mutate, check);
  }
  let history = simulateTransactions(prng, drawTransactionShape(prng, TRANSACTIONS_MAX + (prng.chance(0.1) ? 1 : 0)));
  const mutations = prng.weighted([6, 3, 1]);
  for (let i = 0; i < mutations; i++) history = withChangedRead(prng, history);
  return compareHistory(history, counts, mutations > 0, check);
}

/** Compares one history. */
export function compareHistory(
  history: TransactionalHistory,
  counts: AgreementCounts,
  mutated: boolean,
  check: IsolationCheck = checkIsolation,
): Disagreement | undefined {
  const report = check(history);
  counts.histories++;
  if (mutated) counts.mutated++;
  if (!report.certain) counts.searched++;
  if (report.levels['strict-serializable'] === 'not-refuted') counts.valid++;
  if (history.transactions.some(({ outcome }) => outcome === 'unknown')) counts.withUnknownOutcomes++;
  if (history.transactions.some(({ accesses }) => accesses.some(({ kind }) => kind === 'range'))) counts.withRanges++;
  for (const name of new Set(report.anomalies.map((anomaly) => anomaly.name))) add(counts.anomalies, name);
  for (const level of ISOLATION_LEVELS) {
    const bruteForce = someExecutionExplains(history, level) ? 'not-refuted' : 'refuted';
    if (report.levels[level] !== bruteForce) return { history, level, checker: report.levels[level], bruteForce };
    if (bruteForce === 'refuted') add(counts.refuted, level);
  }
  return undefined;
}
