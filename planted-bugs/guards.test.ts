/** Every guard that can be taken out of the engine fits the sources: in the form of a checkout and, types stripped, of the package. */
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stripSource } from '../scripts/build.ts';
import { listFilesBelow, readText } from '../src/report/files.ts';
import { sourceRoot } from '../src/report/sources-hash.ts';
import { applyEdits, type Edit, GUARDS_FOLDER } from './edits.ts';

const names = listFilesBelow(join(sourceRoot, GUARDS_FOLDER));

test.each(names)('%s matches exactly once, with types and without, and what it puts there has none', (name) => {
  const { edits } = JSON.parse(readText(join(sourceRoot, GUARDS_FOLDER, name))) as { edits: readonly Edit[] };
  for (const [file, some] of Map.groupBy(edits, (edit) => edit.file)) {
    const source = readText(join(sourceRoot, file));
    const result = applyEdits(source, some, false);
    expect('text' in result ? result.text !== source : result.stale).toBe(true);
    const packed = applyEdits(stripSource(source), some, true);
    if (!('text' in packed)) throw new Error(packed.stale);
    expect(stripTypeScriptTypes(packed.text)).toBe(packed.text);
  }
});
