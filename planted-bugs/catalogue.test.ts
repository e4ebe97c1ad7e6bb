/** Every catalogue file fits the sources: in the form of a checkout and, types stripped, in the form of the package. */
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { stripSource } from '../scripts/build.ts';
import { readCatalogue, staleness } from '../src/gate/catalogue.ts';
import { readText } from '../src/report/files.ts';
import { sourceRoot } from '../src/report/sources-hash.ts';
import { applyEdits } from './edits.ts';

const catalogue = readCatalogue();

test('the catalogue holds the null edit, the sabotages and the bugs of the miniature store', () => {
  const kinds = Map.groupBy(catalogue, ({ kind }) => kind);
  expect(kinds.get('null')?.map(({ name }) => name)).toEqual(['null-edit']);
  expect(kinds.get('sabotage')?.length).toBeGreaterThanOrEqual(9);
  expect(catalogue.some(({ stage }) => stage === 'miniature')).toBe(true);
  expect(new Set(catalogue.map(({ name }) => name)).size).toBe(catalogue.length);
});

describe.each(catalogue.map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
  const byFile = Map.groupBy(entry.edits, ({ file }) => file);

  test('matches exactly once in the sources, and changes them', () => {
    expect(staleness([entry])).toBeUndefined();
    for (const [file, edits] of byFile) {
      const source = readText(join(sourceRoot, file));
      const result = applyEdits(source, edits, false);
      expect('text' in result && result.text !== source).toBe(true);
    }
  });

  test('matches exactly once without types, and what it puts there has none', () => {
    for (const [file, edits] of byFile) {
      const result = applyEdits(stripSource(readText(join(sourceRoot, file))), edits, true);
      if (!('text' in result)) throw new Error(result.stale);
      // Stripping text that holds no types changes nothing; text that does not parse throws.
      expect(stripTypeScriptTypes(result.text)).toBe(result.text);
    }
  });
});

test('an edit that matches nowhere or twice is stale', () => {
  const edit = { file: 'a.ts', find: 'x', replace: 'y' };
  expect(applyEdits('abc', [edit], false)).toMatchObject({ stale: expect.stringContaining('0 times') });
  expect(applyEdits('x + x', [edit], false)).toMatchObject({ stale: expect.stringContaining('2 times') });
  expect(applyEdits('x $& y', [{ ...edit, replace: '$&' }], false)).toEqual({ text: '$& $& y' });
  const entry = { ...catalogue[0], edits: [{ file: 'src/base/assert.ts', find: 'no such text', replace: '' }] };
  expect(staleness([entry])).toContain('0 times');
});
