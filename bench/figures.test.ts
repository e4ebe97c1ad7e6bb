import { expect, test } from 'vitest';
import { figureOf, ratioOf, spreadOf, targetOf } from './figures.ts';

test('a ratio is the median of the ratios within rounds, not the ratio of medians', () => {
  // Rounds of a machine that became four times slower on the way.
  expect(ratioOf([2, 8, 32], [1, 4, 16])).toEqual({ median: 2, min: 2, max: 2 });
  expect(ratioOf([1, 8, 9], [2, 2, 3])).toEqual({ median: 3, min: 0.5, max: 4 });
});

test('series of different lengths have no ratio', () => {
  expect(() => ratioOf([1, 2], [1])).toThrow('within a round');
});

test('a figure compares every peer with our own engine, and needs our own', () => {
  const values = new Map([
    ['ours', [1, 2, 4]],
    ['peer', [3, 4, 4]],
  ]);
  const figure = figureOf('put', 'single put', 'CPU microseconds', values, 'ours');
  expect(figure.peerOverOurs).toEqual({ peer: { median: 2, min: 1, max: 3 } });
  expect(figure.engines['ours']).toEqual({ ...spreadOf([1, 2, 4]), rounds: [1, 2, 4] });
  expect(() => figureOf('put', 'single put', 'CPU microseconds', values, 'nobody')).toThrow('our own engine');
});

test('a target holds, misses, or is not measured and says why', () => {
  expect(targetOf('a', 'a', 'at most', 1.3, 1.3).holds).toBe(true);
  expect(targetOf('a', 'a', 'at most', 1.3, 1.31).holds).toBe(false);
  expect(targetOf('a', 'a', 'below', 3.5, 3.5).holds).toBe(false);
  expect(targetOf('a', 'a', 'at least', 1, 0.99).holds).toBe(false);
  const unmeasured = targetOf('a', 'a', 'at least', 1, undefined, 'nobody is here');
  expect(unmeasured.holds).toBeUndefined();
  expect(unmeasured.why).toBe('nobody is here');
});
