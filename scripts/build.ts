/**
 * Builds `dist/`: every source with its types replaced by spaces, so that lines and columns stay and planted bugs fit the
 * packed form too. Import specifiers change their suffix, `.ts` to `.js`, which is as long. Data that the command
 * needs at run time is copied beside them.
 *
 * Source maps are not needed: a position in `dist/` is the position in the source.
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LightningError } from '../src/base/errors.ts';
import { listFilesBelow } from '../src/report/files.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const SOURCE_FOLDERS: readonly string[] = [
  'src',
  'spec/executable',
  'models',
  'properties',
  'fuzz',
  'crash-sim',
  'chaos',
  'bench',
  'planted-bugs',
];
const DATA_FOLDERS: readonly string[] = ['spec/profiles', 'planted-bugs', 'models', 'fuzz/corpus', 'properties', 'src'];
const DATA = /\.(json|tla|cfg|bin)$/;
/** Of the test tooling, and nothing that a stage imports. */
const LEFT_OUT =
  /(\.test\.ts$)|(^src\/cli\/data-fixtures\.ts$)|(^properties\/(setup|inventory-reporter|vectors)\.ts$)|(^properties\/test-inventory\.json$)/;

/** A source in the form that is published: the same lines and columns, no types, `.js` in import specifiers. */
export function stripSource(source: string): string {
  return stripTypeScriptTypes(source).replaceAll(/(['"])(\.{1,2}\/[^'"\n]*)\.ts\1/g, '$1$2.js$1');
}

/** Writes the stripped form of every source and copies the data; returns how many of each. */
export function build(outDirectory: string): { readonly sources: number; readonly data: number } {
  rmSync(outDirectory, { recursive: true, force: true });
  let sources = 0;
  let data = 0;
  for (const folder of SOURCE_FOLDERS) {
    for (const name of listFilesBelow(join(root, folder))) {
      const path = `${folder}/${name}`;
      if (!name.endsWith('.ts') || LEFT_OUT.test(path)) continue;
      const source = readFileSync(join(root, path), 'utf8');
      const stripped = stripSource(source);
      if (stripped.split('\n').length !== source.split('\n').length) {
        throw new LightningError('LIGHTNING_HARNESS', `stripping moved lines of ${path}`, { path });
      }
      const target = join(outDirectory, path.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, stripped);
      sources++;
    }
  }
  for (const folder of DATA_FOLDERS) {
    for (const name of listFilesBelow(join(root, folder))) {
      const path = `${folder}/${name}`;
      if (!DATA.test(name) || LEFT_OUT.test(path)) continue;
      mkdirSync(dirname(join(outDirectory, path)), { recursive: true });
      copyFileSync(join(root, path), join(outDirectory, path));
      data++;
    }
  }
  return { sources, data };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { sources, data } = build(join(root, 'dist'));
  process.stdout.write(`dist: ${sources} sources, ${data} data files\n`);
}
