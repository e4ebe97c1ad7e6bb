import { expect, test } from 'vitest';
import type { CheckOutcome } from './check-outcome.ts';
import type { ModelRow } from './model-runs.ts';
import { modelTable, verdictOf } from './model-table.ts';

function row(
  name: string,
  checker: ModelRow['checker'],
  outcome: CheckOutcome,
  verdict: ModelRow['judged']['verdict'],
): ModelRow {
  return { name, model: 'MVCC', checker, violates: undefined, outcome, judged: { verdict, detail: 'why' }, seconds: 1 };
}

const holds: CheckOutcome = { verdict: 'pass', distinctStates: 7, depth: undefined };
const noJava: CheckOutcome = { verdict: 'unknown', reason: 'Java does not run' };

test('without Java what could not be judged is named, and decides under release alone', () => {
  const rows = [row('MVCC.smoke', 'tla-checker', holds, 'pass'), row('MVCC.smoke', 'tlc', noJava, 'unknown')];
  expect(verdictOf(rows, 'smoke')).toEqual({
    verdict: 'pass',
    headline:
      'PASS (smoke): 1 checks passed, 0 configurations judged by both checkers alike, 1 unknown (Java does not run)',
  });
  expect(verdictOf(rows, 'release').verdict).toBe('unknown');
});

test('nothing judged is never a pass, a survivor is vacuous, a failure goes before both', () => {
  expect(verdictOf([], 'smoke').verdict).toBe('unknown');
  const vacuous = row('MVCC.NoBound', 'tla-checker', holds, 'vacuous');
  expect(verdictOf([row('a', 'tlc', holds, 'pass'), vacuous], 'smoke')).toMatchObject({ verdict: 'unknown' });
  expect(verdictOf([row('a', 'tlc', holds, 'fail'), vacuous], 'smoke').verdict).toBe('fail');
});

test('one line a configuration, and both checkers count when they found the same', () => {
  const rows = [row('MVCC.smoke', 'tla-checker', holds, 'pass'), row('MVCC.smoke', 'tlc', holds, 'pass')];
  expect(modelTable(rows)[1]).toMatch(/^MVCC.smoke +hold +7 states, 1.0 s +7 states, 1.0 s$/);
  expect(verdictOf(rows, 'release').headline).toContain('1 configurations judged by both');
});
