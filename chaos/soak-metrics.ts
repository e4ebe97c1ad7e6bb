/** What a soak watches, and how much of it may grow. */
import { type Growth, judgeGrowth, type Sample } from './leak-statistics.ts';

/** Names of the series, with the unit and the growth per million operations that must be excluded in a short run. */
export const METRICS = {
  heap: { unit: 'bytes', title: 'heap after garbage collection, buffers included', budget: 16 * 1024 * 1024 },
  descriptors: { unit: 'descriptors', title: 'open descriptors', budget: 200 },
  disk: { unit: 'bytes', title: 'bytes of all files', budget: 32 * 1024 * 1024 },
  log: { unit: 'bytes', title: 'bytes of the log', budget: 32 * 1024 * 1024 },
  versions: { unit: 'bytes', title: 'runs and used tree blocks: what kept versions take', budget: 32 * 1024 * 1024 },
  files: { unit: 'files', title: 'files', budget: 200 },
  snapshots: { unit: 'snapshots', title: 'live snapshots', budget: 200 },
} as const;

/** One of the watched series. */
export type Metric = keyof typeof METRICS;
/** Every metric, in the order of reports. */
export const METRIC_NAMES = Object.keys(METRICS) as Metric[];

/** One look at a running engine. */
export type Measurement = Readonly<Record<Metric, number>> & { readonly operations: number };

/** The run for which the budgets above are meant; a longer one sees smaller growth, and has to exclude it. */
const BUDGET_SECONDS = 15;
/** No budget shrinks below this share, however long the run. */
const BUDGET_SHARE_MIN = 1 / 1000;

/** Growth per million operations that a run of that length has to exclude. */
export function budgetOf(metric: Metric, durationSeconds: number): number {
  return METRICS[metric].budget * Math.max(BUDGET_SHARE_MIN, Math.min(1, BUDGET_SECONDS / durationSeconds));
}

/** Judges each metric of a run. */
export function judgeMetrics(
  series: (metric: Metric) => readonly Sample[],
  durationSeconds: number,
): ReadonlyMap<Metric, Growth> {
  return new Map(METRIC_NAMES.map((name) => [name, judgeGrowth(series(name), budgetOf(name, durationSeconds))]));
}

function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  return size >= 1e4 ? `${(value / 1e3).toFixed(1)} k` : value.toFixed(size < 10 && size > 0 ? 2 : 0);
}

/** One judgement in words. */
export function describeGrowth(metric: Metric, growth: Growth): string {
  const { unit } = METRICS[metric];
  const { estimate } = growth;
  const limit = `budget ${short(growth.budget)} ${unit} per million operations`;
  if (estimate === undefined) return `too few samples; ${limit}`;
  const interval = `${short(estimate.slope)} ${unit} per million operations, 99 % within ${short(estimate.low)} to ${short(estimate.high)}`;
  if (growth.verdict === 'undecided') return `${interval}; too wide to decide; ${limit}`;
  return `${interval}; ${limit}`;
}
