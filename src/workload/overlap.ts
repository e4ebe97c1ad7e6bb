/**
 * Whether a concurrent run could have failed at all: did its operations overlap, and would its checker have noticed a
 * stale read? A run that passes both is worth its verdict; one that does not is vacuous.
 */
import type { Prng } from '../base/prng.ts';
import type { Cell, History, HistoryOperation } from '../history/history.ts';
import type { HistoryVerdict } from '../checkers/verdict.ts';

/** A concurrency run whose operations overlap less than this on average could not have failed. */
const MEAN_OVERLAP_MIN = 2;
/** A history that stays legal under more than this share of random stale reads could not have failed. */
const STALE_READ_LEGAL_MAX = 0.7;

/** How many others an operation overlaps, on average. */
export function meanOverlap(history: History): number {
  const { operations } = history;
  if (operations.length === 0) return 0;
  const calls = operations.map((operation) => operation.call).sort((a, b) => a - b);
  const returns = operations.map((operation) => operation.return).sort((a, b) => a - b);
  let overlaps = 0;
  for (const operation of operations) {
    overlaps += countBelow(calls, operation.return) - countBelow(returns, operation.call) - 1;
  }
  return overlaps / operations.length;
}

/** How many elements of a sorted list are below a bound. */
function countBelow(sorted: readonly number[], bound: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Writes of each key, in the order of their calls. */
function writesByKey(history: History): ReadonlyMap<string, readonly Cell[]> {
  const cells = history.operations
    .filter((operation) => operation.outcome !== 'failed')
    .flatMap((operation) => operation.writes);
  return Map.groupBy(cells, (cell) => cell.key);
}

/** The history with one read, drawn at random, returning the value written before the one it returned; `undefined` when no read has one. */
export function withStaleRead(history: History, prng: Prng): History | undefined {
  const byKey = writesByKey(history);
  const candidates: { place: number; at: number; stale: string | null }[] = [];
  history.operations.forEach((operation, place) => {
    const reads = operation.accesses ?? operation.reads.map((cell) => ({ kind: 'read' as const, ...cell }));
    reads.forEach((access, at) => {
      if (access.kind !== 'read') return;
      const { key, value } = access;
      if (operation.outcome !== 'ok' || value === null) return;
      const written = byKey.get(key) ?? [];
      const index = written.findIndex((cell) => cell.value === value);
      if (index >= 0) candidates.push({ place, at, stale: index === 0 ? null : written[index - 1].value });
    });
  });
  if (candidates.length === 0) return undefined;
  const { place, at, stale } = prng.pick(candidates);
  const operation = history.operations[place];
  const access = operation.accesses?.[at];
  if (operation.accesses !== undefined && access?.kind === 'read') {
    const accesses = operation.accesses.with(at, { ...access, value: stale });
    return { ...history, operations: history.operations.with(place, { ...operation, accesses }) };
  }
  const reads = operation.reads.with(at, { key: operation.reads[at].key, value: stale });
  const changed: HistoryOperation = { ...operation, reads };
  return { ...history, operations: history.operations.with(place, changed) };
}

/** Outcome of the mutation check. */
export interface StaleReadSensitivity {
  readonly samples: number;
  /** Mutated histories that the checker still called valid. */
  readonly legal: number;
  readonly unknown: number;
}

/** Mutates a valid history `samples` times and counts what the checker lets pass. */
export function staleReadSensitivity(
  history: History,
  check: (history: History) => HistoryVerdict,
  prng: Prng,
  samples: number,
): StaleReadSensitivity {
  let [made, legal, unknown] = [0, 0, 0];
  for (let i = 0; i < samples; i++) {
    const mutated = withStaleRead(history, prng);
    if (mutated === undefined) break;
    made++;
    const { verdict } = check(mutated);
    if (verdict === 'valid') legal++;
    if (verdict === 'unknown') unknown++;
  }
  return { samples: made, legal, unknown };
}

/** Why a run is vacuous; `undefined` when it is not. A run without a read that could be stale is. */
export function vacuousBecause(overlap: number, sensitivity: StaleReadSensitivity): string | undefined {
  if (overlap < MEAN_OVERLAP_MIN) {
    return `operations overlap ${overlap.toFixed(2)} others on average, less than ${MEAN_OVERLAP_MIN}`;
  }
  if (sensitivity.samples === 0) return 'no read could be made stale';
  const share = (sensitivity.legal + sensitivity.unknown) / sensitivity.samples;
  if (share > STALE_READ_LEGAL_MAX) {
    return `${(100 * share).toFixed(0)} % of histories stay legal with a stale read, more than ${100 * STALE_READ_LEGAL_MAX} %`;
  }
  return undefined;
}
