/** A budget on a machine that is busy with other things: a gate at a load of eight called three sound stages vacuous. */
import { expect, test } from 'vitest';
import { BudgetClock, secondsInLine } from './budget-clock.ts';

/** Seconds charged after each second of a run that stands in line for `part` of the time. */
function charged(part: number, seconds: number): number[] {
  let now = 100;
  const clock = new BudgetClock(
    () => now,
    () => 7 + (now - 100) * part,
  );
  return Array.from({ length: seconds }, () => {
    now++;
    return clock.chargedSeconds();
  });
}

test('a quiet run is charged with all that passes, and so is one that two stages side by side slow down', () => {
  for (const part of [0, 0.1, 0.25]) expect(charged(part, 3)).toEqual([1, 2, 3]);
});

test('what a busy machine makes it wait beyond that is not charged, up to three times the budget', () => {
  expect(charged(0.75, 4).at(-1)).toBeCloseTo(2);
  expect(charged(1, 6).at(-1)).toBeCloseTo(2);
  for (const part of [0.5, 0.9, 1]) {
    const seconds = charged(part, 30);
    expect(seconds.at(-1)).toBeGreaterThanOrEqual(10 - 1e-9);
    expect(seconds.every((second, i) => i === 0 || second >= seconds[i - 1])).toBe(true);
  }
});

test('the statistics of this process are read, where there are any', () => {
  const before = secondsInLine();
  expect(before).toBeGreaterThanOrEqual(0);
  expect(secondsInLine()).toBeGreaterThanOrEqual(before);
});
