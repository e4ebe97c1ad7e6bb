/** Growth that was put in is found, growth that was not is excluded, and what cannot be decided is not decided. */
import { expect, test } from 'vitest';
import { Prng } from '../src/base/prng.ts';
import { theilSen } from '../src/base/statistics.ts';
import { blockMinima, BoundedSeries, judgeGrowth, type Sample } from './leak-statistics.ts';

const BUDGET = 1_000_000;

/** 200 measurements over a million operations: a base, a slope, a sawtooth as of flushes and merges, and noise. */
function seriesOf(slopePerMillion: number, noise: number, seed = 1): Sample[] {
  const prng = new Prng(seed);
  return Array.from({ length: 200 }, (_, i) => {
    const operations = (i + 1) * 5000;
    const sawtooth = (i % 7) * 20_000;
    return [operations, 4e6 + (slopePerMillion * operations) / 1e6 + sawtooth + prng.float() * noise] as const;
  });
}

test('the slope of a straight line is found exactly', () => {
  const line = Array.from({ length: 20 }, (_, i) => [i, 3 * i + 1] as const);
  expect(theilSen(line)).toEqual({ slope: 3, low: 3, high: 3 });
});

test('fewer than eight points have no interval', () => {
  expect(theilSen(Array.from({ length: 7 }, (_, i) => [i, i] as const))).toBeUndefined();
});

test('the interval of 99 % holds the true slope in at least 97 of 100 noisy series', () => {
  let held = 0;
  for (let seed = 1; seed <= 100; seed++) {
    const prng = new Prng(seed);
    const found = theilSen(Array.from({ length: 24 }, (_, i) => [i, 2 * i + 20 * prng.float()] as const));
    if (found !== undefined && found.low <= 2 && 2 <= found.high) held++;
  }
  expect(held).toBeGreaterThanOrEqual(97);
});

test('a leak of exactly its budget is found, whatever the noise of the day', () => {
  for (let seed = 1; seed <= 30; seed++)
    expect(judgeGrowth(seriesOf(BUDGET, 20_000, seed), BUDGET).verdict).toBe('grows');
});

test('a flat series with a sawtooth is called flat', () => {
  for (let seed = 1; seed <= 30; seed++) expect(judgeGrowth(seriesOf(0, 20_000, seed), BUDGET).verdict).toBe('flat');
});

test('growth in the first half alone is warm-up', () => {
  const warm = seriesOf(0, 1000).map(([x, y]): Sample => [x, y - Math.max(0, 4e5 - x) * 5]);
  expect(judgeGrowth(warm, BUDGET).verdict).toBe('flat');
});

test('an interval that is too wide decides nothing, and neither do too few samples', () => {
  expect(judgeGrowth(seriesOf(BUDGET / 2, 4e6), BUDGET).verdict).toBe('undecided');
  expect(judgeGrowth(seriesOf(0, 0).slice(0, 10), BUDGET).verdict).toBe('undecided');
});

test('minima of blocks keep the place where they stand', () => {
  const samples: Sample[] = [
    [1, 5],
    [2, 3],
    [3, 9],
    [4, 8],
  ];
  expect(blockMinima(samples, 2)).toEqual([
    [2, 3],
    [4, 8],
  ]);
});

test('a bounded series keeps its bound, its order and its minima', () => {
  const series = new BoundedSeries(64);
  for (let i = 1; i <= 10_000; i++) series.add([i, i === 7777 ? -1 : 10]);
  expect(series.samples.length).toBeLessThanOrEqual(64);
  expect(series.samples.some(([, value]) => value === -1)).toBe(true);
  const operations = series.samples.map(([x]) => x);
  expect(operations).toEqual([...operations].sort((a, b) => a - b));
});
