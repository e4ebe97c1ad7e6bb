/** The hook in real processes: main thread, worker and forked child, and what happens when an edit is stale. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { readText } from '../src/report/files.ts';
import { sourceRoot } from '../src/report/sources-hash.ts';

const directory = mkdtempSync(join(tmpdir(), 'loader-'));
const program = join(directory, 'program.mjs');
const assertUrl = pathToFileURL(join(sourceRoot, 'src/base/assert.ts')).href;
writeFileSync(
  program,
  `import { fork } from 'node:child_process';
import { isMainThread, Worker } from 'node:worker_threads';
import { assert } from '${assertUrl}';
assert(true, 'loaded');
if (isMainThread && process.argv[2] === undefined) {
  new Worker(new URL(import.meta.url));
  fork(process.argv[1], ['child']);
}
`,
);

function run(bugs: string, tally: string): { readonly status: number | null; readonly stderr: string } {
  const loader = pathToFileURL(join(sourceRoot, 'planted-bugs/loader.ts')).href;
  return spawnSync(process.execPath, ['--import', loader, program], {
    encoding: 'utf8',
    env: { ...process.env, LIGHTNING_PLANTED_BUG: bugs, LIGHTNING_EDIT_TALLY: tally },
  });
}

test('main thread, worker and forked child load the edited source', () => {
  const tally = join(directory, 'tally');
  expect(run('null-edit', tally)).toMatchObject({ status: 0 });
  const lines = readText(tally).trim().split('\n');
  const entries = lines.map((line) => JSON.parse(line) as { process: string; file: string; text: string });
  expect(new Set(entries.map((entry) => entry.process)).size).toBe(3);
  expect(new Set(entries.map((entry) => `${entry.file} ${entry.text}`)).size).toBe(1);
});

test('an unknown name stops the process with 3 before anything runs', () => {
  const result = run('null-edit,no-such-bug', join(directory, 'tally-2'));
  expect(result.status).toBe(3);
  expect(result.stderr).toContain('LIGHTNING_STALE_PLANTED_BUG');
  expect(run('../null-edit', join(directory, 'tally-3')).status).toBe(3);
});
