/** Order statistics and robust slopes, for figures and for the leak probe. */
import { assert } from './assert.ts';

/** The `fraction` quantile (0 to 1) by the nearest-rank method; the input need not be sorted. */
export function quantile(values: readonly number[], fraction: number): number {
  assert(values.length > 0, 'a quantile needs a value');
  assert(fraction >= 0 && fraction <= 1, 'a quantile is a fraction', fraction);
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(fraction * sorted.length) - 1))];
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** A slope with the interval that holds it. */
export interface SlopeEstimate {
  readonly slope: number;
  readonly low: number;
  readonly high: number;
}

/** The 99.5 % quantile of the normal distribution: a two-sided interval of 99 %. */
const Z_99 = 2.575_829_3;

/**
 * The median of all pairwise slopes, with a 99 % interval: robust against outliers, no assumption about the noise but
 * independence. Undefined with fewer than eight points, of which no interval can be had.
 *
 * Source: P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", 1968. Cost: quadratic.
 * @param points x strictly ascending
 */
export function theilSen(points: readonly (readonly [x: number, y: number])[]): SlopeEstimate | undefined {
  const n = points.length;
  if (n < 8) return undefined;
  const slopes: number[] = [];
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const run = points[j][0] - points[i][0];
      assert(run > 0, 'points of a slope ascend', run);
      slopes.push((points[j][1] - points[i][1]) / run);
    }
  }
  slopes.sort((a, b) => a - b);
  const spread = Z_99 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const low = Math.max(0, Math.floor((slopes.length - spread) / 2));
  const high = Math.min(slopes.length - 1, Math.ceil((slopes.length + spread) / 2));
  return { slope: median(slopes), low: slopes[low], high: slopes[high] };
}
