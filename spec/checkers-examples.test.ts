/** The examples of checkers.md and isolation.md run as they stand, and print what the pages say. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fencedBlocks, readPage } from './pages.fixture.ts';

test.each(['checkers.md', 'isolation.md'])('the example of %s runs', (name) => {
  const page = readPage(`spec/${name}`);
  const [example] = fencedBlocks(page, 'js');
  const [printed] = fencedBlocks(page, 'output');
  const folder = mkdtempSync(join(tmpdir(), 'lightning-checkers-'));
  try {
    const program = join(folder, 'example.mjs');
    const library = new URL('../src/checkers/index.ts', import.meta.url).href;
    writeFileSync(program, example.replace("from 'lightning-db/checkers'", `from '${library}'`));
    const { stdout, stderr, status } = spawnSync(process.execPath, [program], { encoding: 'utf8', timeout: 30_000 });
    expect([stdout, stderr, status]).toEqual([printed, '', 0]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
