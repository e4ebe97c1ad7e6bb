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
