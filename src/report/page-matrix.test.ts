import { expect, test } from 'vitest';
import { isMatrixCount, renderMatrix } from './page-matrix.ts';

const COUNTS = {
  cycles: 5,
  'fault lost write in merge': 3,
  'fault lost write in merge, in the middle': 1,
  'fault lost write in merge, noticed': 2,
  'fault sync EIO in manifest swap': 4,
};

test('faults by kind and phase are one table, and no rows among the other counts', () => {
  expect(Object.keys(COUNTS).filter((name) => !isMatrixCount(name))).toEqual(['cycles']);
  expect(isMatrixCount('fault cells')).toBe(false);
  const table = renderMatrix(COUNTS);
  expect(table).toContain('<th class="number">merge</th><th class="number">manifest swap</th>');
  expect(table).toContain('3<br><span class="faint">1 / 2</span>');
  expect(table).toContain('4<br><span class="faint">0 / 0</span>');
  expect(table.match(/·/g)).toHaveLength(2);
  expect(renderMatrix({ cycles: 5 })).toBe('');
});
