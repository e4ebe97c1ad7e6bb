/**
 * Whether something grows. What was tried and rejected: the resident set (43 MB in three minutes without a leak), and
 * tests for a trend (samples are correlated, so a healthy process is called leaking).
 *
 * Instead: the first half is dropped as warm-up; minima of blocks stand for what is really held between two tidyings; the
 * slope is Theil and Sen's, per million operations, with a 99 % interval; and the decision is one of *equivalence*: it is
 * not enough that no growth is seen, growth above a stated budget has to be excluded.
 */
import { type SlopeEstimate, theilSen } from '../src/base/statistics.ts';

/** Operations so far, and what was measured then. */
export type Sample = readonly [operations: number, value: number];

/** What a budget is compared with. */
export interface Growth {
  /**
   * `flat`: the upper bound lies under the budget. `grows`: it does not, and the lower bound reaches half of it.
   * `undecided`: the interval is too wide for either, or there are too few samples.
   */
  readonly verdict: 'flat' | 'grows' | 'undecided';
  /** Per million operations. */
  readonly estimate: SlopeEstimate | undefined;
  readonly budget: number;
}

const PER = 1_000_000;
const BLOCKS_MAX = 24;

/** The smallest value of each of up to `count` equal blocks, where it stands. */
export function blockMinima(samples: readonly Sample[], count: number): Sample[] {
  const minima: Sample[] = [];
  const size = Math.max(1, Math.floor(samples.length / count));
  for (let start = 0; start + size <= samples.length; start += size) {
    let least = samples[start];
    for (const sample of samples.slice(start, start + size)) if (sample[1] < least[1]) least = sample;
    minima.push(least);
  }
  return minima;
}

/**
 * Judges one series.
 * @param samples operations strictly ascending
 * @param budget growth per million operations that must be excluded
 */
export function judgeGrowth(samples: readonly Sample[], budget: number): Growth {
  const settled = samples.slice(Math.floor(samples.length / 2));
  const found = theilSen(blockMinima(settled, BLOCKS_MAX));
  if (found === undefined) return { verdict: 'undecided', estimate: undefined, budget };
  const estimate = { slope: found.slope * PER, low: found.low * PER, high: found.high * PER };
  if (estimate.high < budget) return { verdict: 'flat', estimate, budget };
  return { verdict: estimate.low >= budget / 2 ? 'grows' : 'undecided', estimate, budget };
}

/** A series that may go on for ever in bounded memory: when it is full, neighbours become one, the smaller of the two. */
export class BoundedSeries {
  private readonly capacity: number;
  private kept: Sample[] = [];
  private pending: Sample[] = [];
  private stride = 1;

  constructor(capacity = 4096) {
    this.capacity = capacity;
  }

  add(sample: Sample): void {
    this.pending.push(sample);
    if (this.pending.length < this.stride) return;
    this.kept.push(...blockMinima(this.pending, 1));
    this.pending = [];
    if (this.kept.length < this.capacity) return;
    this.kept = blockMinima(this.kept, this.kept.length / 2);
    this.stride *= 2;
  }

  get samples(): readonly Sample[] {
    return this.kept;
  }
}
