import { expect, test } from 'vitest';
import { findSkips, judgeInventory } from './test-inventory.ts';

const committed = { minimumTests: 3, skips: [{ test: 'needs root', reason: 'root only' }] };

test('a run with all tests and only listed skips is accepted', () => {
  expect(judgeInventory(committed, { run: 3, skipped: ['needs root'] })).toEqual([]);
});

test('fewer tests and unlisted skips are refused', () => {
  expect(judgeInventory(committed, { run: 2, skipped: [] })).toHaveLength(1);
  expect(judgeInventory(committed, { run: 3, skipped: ['another'] })).toEqual(['an unlisted skip: another']);
});

test('a part of the tests owes no count, but its skips', () => {
  expect(judgeInventory(committed, { run: undefined, skipped: [] })).toEqual([]);
  expect(judgeInventory(committed, { run: undefined, skipped: ['x'] })).toHaveLength(1);
});

test('skips are found in a source text', () => {
  const text = "test('a', f);\ntest.skip('b', f);\nit . todo('c');\ndescribe.skipIf(slow)('d', f);\nit.only(`e`, f);\n";
  expect(findSkips(text)).toEqual(['b', 'c', 'd', 'e']);
});
