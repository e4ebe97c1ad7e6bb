/** The page of a failure: whole by itself, bounded, and it shows what was lost. */
import { expect, test } from 'vitest';
import type { CrashCase } from './crash-case.ts';
import { drawCrash } from './crash-picture.ts';

const crashCase = (choices: readonly number[], value: string): CrashCase => ({
  format: 1,
  program: { format: 1, options: {}, operations: [{ kind: 'put', key: '61', value: { repeat: value, length: 3000 } }] },
  machine: { directoryModel: 'journaled', tearBytes: 512, faults: [] },
  cuts: [{ step: 0, choices }].map((cut) => ({ ...cut, step: 22 })),
});

test('a write that did not survive is drawn as lost, and the same write as there when it did', () => {
  const lost = drawCrash(crashCase([], '31'), 'lost-acknowledged-write', 'key "<a>" is gone');
  const kept = drawCrash(crashCase([9, 9, 1], '31'), 'lost-acknowledged-write', 'nothing is gone');
  expect(lost).toContain('key &quot;&lt;a&gt;&quot; is gone');
  expect(lost).toContain('power cut before step 22');
  const fates = (page: string): string[] =>
    [...page.matchAll(/step 21: write wal-\d+\.log[^,]*, (\w+)/g)].map(([, fate]) => fate);
  expect(fates(lost)).toEqual(['lost']);
  expect(fates(kept)).toEqual(['survives']);
  expect(lost).toContain('<mark>');
});

test('a page needs no other file and is small', () => {
  const page = drawCrash(crashCase([], '31'), 'torn-batch', 'x');
  expect(page).not.toMatch(/https?:(?!\/\/www\.w3\.org)|<script|<link|@import/);
  expect(page.length).toBeLessThan(1_000_000);
});
