/** The table of detection: what is kept is read, the newest wins, and a survivor is never shown as found. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type Detection, detectionFile, type DetectionRow, newestDetection, storyLengths } from './detection.ts';
import { renderDetection } from './page-detection.ts';

const root = mkdtempSync(join(tmpdir(), 'detection-'));
afterAll(() => rmSync(root, { recursive: true }));

const row = (operations: number, changed: Partial<DetectionRow> = {}): DetectionRow => ({
  name: `bug-${operations}`,
  component: 'wal',
  recreates: 'a <bug>',
  stage: 'crash',
  difficulty: 'easy',
  outcome: 'caught',
  class: 'torn-batch',
  cycles: 1200,
  cpuSeconds: 2,
  shrinkCpuSeconds: 1,
  operations,
  sentence: 'one story',
  detail: '',
  ...changed,
});
const table = (rows: readonly DetectionRow[], day = '2026-01-02'): Detection => ({
  format: 'lightning-db detection',
  version: 1,
  day,
  seed: 1,
  budgetSeconds: 60,
  sourcesHash: 'a',
  rows: [...rows],
});

test('the newest table that can be read is taken', () => {
  expect(newestDetection(root)).toBeUndefined();
  for (const day of ['2026-01-02', '2026-01-10']) {
    const file = detectionFile(root, day);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(table([row(1)], day)));
  }
  expect(newestDetection(root)?.day).toBe('2026-01-10');
  writeFileSync(detectionFile(root, '2026-01-11'), '{"format":"else"}');
  expect(newestDetection(root)).toBeUndefined();
});

test('lengths are those of what was caught', () => {
  expect(storyLengths([row(1), row(3), row(9), row(40, { outcome: 'survived' })])).toEqual({ median: 3, longest: 9 });
  expect(storyLengths([])).toEqual({ median: 0, longest: 0 });
});

test('the page counts what was found, tells survivors apart and says when it is older', () => {
  const page = renderDetection(table([row(1), row(2, { outcome: 'survived', detail: 'nothing was reported' })]), 'b');
  expect(page).toContain('1 of 2 found');
  expect(page).toContain('t-fail');
  expect(page).toContain('survived: nothing was reported');
  expect(page).toContain('a &lt;bug&gt;');
  expect(page).toContain('older sources');
  expect(renderDetection(table([row(1)]), 'a')).not.toContain('older sources');
});
