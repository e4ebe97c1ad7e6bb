/** The Level face: the conformance suite of abstract-level, and what that suite does not look at. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { Database } from '../database.ts';
import LightningLevel from './level.ts';

test('abstract-level: every assertion of its suite passes, by default, with buffers and with views', async () => {
  const suite = fileURLToPath(new URL('../../../scripts/level-suite.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [suite], { maxBuffer: 64 * 1024 * 1024 });
  const count = (word: string): number => Number(new RegExp(`^# ${word} +(\\d+)$`, 'm').exec(stdout)?.[1] ?? NaN);
  process.stdout.write(`abstract-level: ${count('pass')} of ${count('tests')} assertions passed\n`);
  expect(count('tests')).toBeGreaterThan(15_000);
  expect(count('pass')).toBe(count('tests'));
  expect(stdout).not.toMatch(/^not ok/m);
  // Thousands of stores are opened and closed, with the fsyncs of each.
}, 240_000);

test('a batch is one commit, deletes stay deleted, and codes are those of Levels', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'lightning-level-'));
  try {
    const level = new LightningLevel(join(directory, 'db'));
    await level.batch([
      { type: 'put', key: 'a', value: '1' },
      { type: 'put', key: 'b', value: '2' },
      { type: 'del', key: 'a' },
    ]);
    expect(await level.keys().all()).toEqual(['b']);
    const other = new LightningLevel(join(directory, 'db'));
    await expect(other.open()).rejects.toMatchObject({
      code: 'LEVEL_DATABASE_NOT_OPEN',
      cause: { code: 'LEVEL_LOCKED', cause: { code: 'LIGHTNING_LOCKED' } },
    });
    await expect(level.put('k'.repeat(70_000), '')).rejects.toMatchObject({ code: 'LEVEL_KEY_TOO_LARGE' });
    await level.clear({ limit: 1 });
    await level.close();
    await using database = await Database.open(join(directory, 'db'));
    expect([...database.scanSync()]).toEqual([]);
    expect(database.statistics()).toMatchObject({ published: 2, snapshotCount: 0 });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
