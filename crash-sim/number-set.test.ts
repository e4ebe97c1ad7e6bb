/** The set of numbers against the language's own, over numbers that collide and numbers that do not. */
import { expect, test } from 'vitest';
import { Prng } from '../src/base/prng.ts';
import { NumberSet } from './number-set.ts';

test('it holds what a Set holds, in the same order, through many growths', () => {
  const random = new Prng(11);
  const own = new NumberSet();
  const expected = new Set<number>();
  const draw = [
    () => random.below(20_000),
    () => random.below(300) * 2 ** 32 + 7,
    () => random.below(300) * (2 ** 32 + 1),
    () => Number.MAX_SAFE_INTEGER - random.below(5000),
  ];
  for (let i = 0; i < 30_000; i++) {
    const number = random.pick(draw)();
    own.add(number);
    expected.add(number);
  }
  expect(own.size).toBe(expected.size);
  expect([...own.values()]).toEqual([...expected]);
});

test('it takes no number that its eight bytes do not hold', () => {
  for (const number of [-1, 0.5, 2 ** 53, NaN]) expect(() => new NumberSet().add(number)).toThrow('whole');
});
