import { expect, test } from 'vitest';
import { isLightningError } from '../src/base/errors.ts';
import { type CheckOutcome } from './check-outcome.ts';
import { judgeControl, judgePassing } from './judge.ts';

const pass: CheckOutcome = { verdict: 'pass', distinctStates: 10, depth: undefined };
const violated: CheckOutcome = { verdict: 'violated', invariant: 'A', distinctStates: 3, trace: [] };
const unknown: CheckOutcome = { verdict: 'unknown', reason: 'no jar' };
const broken: CheckOutcome = { verdict: 'broken', reason: 'cannot parse' };

test('a pass counts only with enough states and with both checkers agreeing', () => {
  expect(judgePassing(pass, 10, undefined).verdict).toBe('pass');
  expect(judgePassing(pass, 10, 10).verdict).toBe('pass');
  expect(judgePassing(pass, 11, undefined).verdict).toBe('vacuous');
  expect(judgePassing(pass, 10, 9).verdict).toBe('fail');
  expect(judgePassing(violated, 1, undefined).verdict).toBe('fail');
  expect(judgePassing(unknown, 1, undefined).verdict).toBe('unknown');
});

test('a control is caught only by the invariant it is made for, at the pinned length', () => {
  expect(judgeControl(violated, 'A', undefined).verdict).toBe('pass');
  expect(judgeControl(violated, 'A', 4).verdict).toBe('vacuous');
  expect(judgeControl(violated, 'A', -1).verdict).toBe('pass');
  expect(judgeControl(violated, 'B', -1).verdict).toBe('vacuous');
  expect(judgeControl(pass, 'A', 0).verdict).toBe('vacuous');
  expect(judgeControl(unknown, 'A', 0).verdict).toBe('unknown');
});

test('a model that cannot be read is neither', () => {
  for (const judge of [() => judgePassing(broken, 1, undefined), () => judgeControl(broken, 'A', 0)]) {
    let caught: unknown;
    try {
      judge();
    } catch (error) {
      caught = error;
    }
    expect(isLightningError(caught, 'LIGHTNING_HARNESS')).toBe(true);
  }
});
