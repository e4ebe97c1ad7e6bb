/** Two results of the bench against each other: a slowdown is noticed, the noise of a busy machine is not. */
import { expect, test } from 'vitest';
import { Prng } from '../src/base/prng.ts';
import { compareResults, comparisonLines, parseSaved, type Comparable } from './against.ts';
import { figureOf } from './figures.ts';

const PEERS = { lmdb: 7, 'classic-level': 30, 'node:sqlite': 15 };

/** Nine rounds with noise; a machine may be slower as a whole, in single rounds by far. */
function result(ours: number, seed: number, machine = 1): Comparable {
  const random = new Prng(seed);
  const pace = Array.from({ length: 9 }, () => machine * (random.chance(0.1) ? 4 : 1));
  const rounds = (base: number): number[] => pace.map((p) => base * p * (0.95 + random.float() * 0.1));
  const values = new Map([
    ['lightning-db', rounds(ours)],
    ...Object.entries(PEERS).map(([name, base]): [string, number[]] => [name, rounds(base)]),
  ]);
  return { ours: 'lightning-db', figures: [figureOf('put', 'single put', 'CPU microseconds', values, 'lightning-db')] };
}

const verdict = (earlier: Comparable, now: Comparable): string => compareResults(earlier, now)[0].verdict;

test('a third more CPU is slower, on a machine of half the pace too; the same CPU never is', () => {
  for (let seed = 1; seed <= 200; seed++) {
    expect(verdict(result(4, seed), result(5.3, seed + 1000))).toBe('slower');
    expect(verdict(result(4, seed), result(5.3, seed + 1000, 2))).toBe('slower');
    expect(verdict(result(4, seed), result(4, seed + 1000, 2))).toBe('not slower');
    expect(verdict(result(4, seed), result(3, seed + 1000))).toBe('not slower');
  }
});

test('one peer that became faster does not make us slower', () => {
  const [was, is] = [result(4, 1), result(4, 2)];
  const { engines } = is.figures[0];
  const values = new Map(
    Object.entries(engines).map(([name, { rounds }]) => [name, rounds.map((r) => (name === 'lmdb' ? r / 2 : r))]),
  );
  const faster = figureOf('put', 'single put', 'CPU microseconds', values, 'lightning-db');
  expect(verdict(was, { ...is, figures: [faster] })).toBe('not slower');
});

test('a figure that is gone is missing, which is not sound', () => {
  const [comparison] = compareResults(result(4, 1), { ours: 'lightning-db', figures: [] });
  expect(comparison.verdict).toBe('missing');
  expect(comparisonLines([comparison])).toContain('missing');
});

test('a saved result is read as it was written; another format, another plan and no JSON are refused', () => {
  const saved = { format: 1, plan: { name: 'full' }, ...result(4, 1) };
  expect(parseSaved(JSON.stringify(saved), 'full').figures).toEqual(saved.figures);
  expect(() => parseSaved(JSON.stringify(saved), 'quick')).toThrow('of the plan full');
  expect(() => parseSaved(JSON.stringify({ ...saved, format: 2 }), 'full')).toThrow('format');
  expect(() => parseSaved(JSON.stringify({ ...saved, figures: [{}] }), 'full')).toThrow('figures.0');
  expect(() => parseSaved('{"format":1', 'full')).toThrow('not JSON');
});
