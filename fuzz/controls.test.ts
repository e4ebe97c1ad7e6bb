/** The planted bugs of this stage must be found by mutation: the starting corpus alone must not show them. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { listNames } from '../src/report/files.ts';
import { importFlags } from './module-hooks.ts';

const root = fileURLToPath(new URL('../', import.meta.url));

test('no planted bug of this stage fires on the starting corpus', async () => {
  const catalogue = join(root, 'planted-bugs/catalogue');
  const names = listNames(catalogue).filter((name) => name.startsWith('fuzz-'));
  expect(names.length).toBeGreaterThanOrEqual(3);
  const loader = pathToFileURL(join(root, 'planted-bugs/loader.ts')).href;
  for (const name of names) {
    const env = { ...process.env, NODE_OPTIONS: '', LIGHTNING_PLANTED_BUG: name.replace('.json', '') };
    const program = join(root, 'fuzz/judge-corpus.ts');
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', loader, program], { env });
    expect([name, JSON.parse(stdout)]).toEqual([name, []]);
  }
});

test('module hooks are handed on as absolute URLs', () => {
  const flags = importFlags([
    '--import',
    './a.ts',
    '--enable-source-maps',
    '--import=file:///b.ts',
    '--import',
    'name',
  ]);
  expect(flags).toEqual([`--import=${pathToFileURL('a.ts').href}`, '--import=file:///b.ts', '--import=name']);
});
