/** The page of a failure: whole by itself, bounded, and it shows what was lost. */
import { expect, test } from 'vitest';
import type { Operation } from '../src/contract/operations.ts';
import type { CrashCase } from './crash-case.ts';
import { placeIn } from './crash-files.ts';
import { drawCrash } from './crash-picture.ts';

const crashCase = (choices: readonly number[], value: string): CrashCase => ({
  format: 1,
  program: { format: 1, options: {}, operations: [{ kind: 'put', key: '61', value: { repeat: value, length: 3000 } }] },
  machine: { directoryModel: 'journaled', tearBytes: 512, faults: [] },
  cuts: [{ step: 0, choices }].map((cut) => ({ ...cut, step: 12 })),
});

test('a write that did not survive is drawn as lost, and the same write as there when it did', () => {
  const lost = drawCrash(crashCase([], '31'), 'lost-acknowledged-write', 'key "<a>" is gone');
  const kept = drawCrash(crashCase([9, 1], '31'), 'lost-acknowledged-write', 'nothing is gone');
  expect(lost).toContain('key &quot;&lt;a&gt;&quot; is gone');
  expect(lost).toContain('before step 12');
  const fates = (page: string): string[] =>
    [...page.matchAll(/step 11: write wal-\d+\.log[^,]*, (\w+)/g)].map(([, fate]) => fate);
  expect(fates(lost)).toEqual(['lost']);
  expect(fates(kept)).toEqual(['survives']);
  expect(lost).toContain('<mark>');
});

test('the files are decoded, and the record in which the first wrong byte lies is marked', () => {
  const torn = drawCrash(crashCase([9, 2, 1, 1, 0], '31'), 'torn-batch', 'x');
  expect(torn).toMatch(/<tr class="here"><td class="number">\d+<td>torn tail/);
  expect(torn).toMatch(/<td>segment<td>.*fileNumber/);
  expect(torn).toMatch(/<td>manifest<td>.*generation/);
  const named = drawCrash(crashCase([9, 1], '31'), 'unexpected-error', 'wal-1.log at offset 64: no good');
  expect(named).toContain('The engine complains of offset 64.');
  expect(named).toMatch(/<tr class="here"><td class="number">64<td>record/);
  expect(placeIn('run-4.sst at offset 12: x', 'run-4.sst')).toBe(12);
  expect(placeIn('run-4.sst at offset 12: x', 'run-5.sst')).toBeUndefined();
});

test('what was promised stands beside what is there', () => {
  const page = drawCrash({ ...crashCase([], '31'), cuts: [{ step: 13, choices: [] }] }, 'x', 'x');
  expect(page).toMatch(/<td class="mono">&quot;a&quot;<td class="mono">&quot;1{24}&quot; \(3000 bytes\).*as promised/);
  expect(page).toMatch(/class="told synced"/);
});

test('a page needs no other file and is bounded, also for a long program with long values and two cuts', () => {
  const operations = Array.from({ length: 400 }, (_, i): Operation => {
    return { kind: 'put', key: (256 + i).toString(16).padStart(4, '0'), value: { repeat: '3132', length: 20_000 } };
  });
  const large: CrashCase = {
    format: 1,
    program: { format: 1, options: { memtableBytes: 20_000, blockSizeBytes: 512 }, operations },
    machine: { directoryModel: 'strict', tearBytes: 512, faults: [] },
    cuts: [
      { step: 2500, choices: [] },
      { step: 10, choices: [] },
    ],
  };
  for (const one of [crashCase([], '31'), large]) {
    const page = drawCrash(one, 'torn-batch', 'x');
    expect(page).not.toMatch(/https?:(?!\/\/www\.w3\.org)|<script|<link|@import/);
    expect(page.length).toBeLessThan(1_000_000);
  }
});
