/** The published form: what stripping keeps, and that all the exports of the package work from it. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { listFilesBelow } from '../src/report/files.ts';
import { build, stripSource } from './build.ts';

/** A value goes in by one export and comes out by two others. */
const PROGRAM = `
import { spawn } from 'node:child_process';
import { Database } from 'lightning-db';
import { Client } from 'lightning-db/client';
import { Engine } from 'lightning-db/engine';
import LightningLevel from 'lightning-db/level';
import * as checkers from 'lightning-db/checkers';
import { runServed } from './node_modules/lightning-db/dist/properties/served-round.js';

const level = new LightningLevel('store');
await level.put('a', '1');
await level.close();
await using database = await Database.open('store');
const read = Buffer.from(await database.get(Buffer.from('a'))).toString();
await database.close();
const command = ['node_modules/lightning-db/bin/lightning-db.js', 'serve', 'store', '--stdio'];
const server = spawn(process.execPath, command, { stdio: ['pipe', 'pipe', 'ignore'] });
const client = await Client.over(server.stdout, server.stdin);
console.log(read, Buffer.from(await client.get(Buffer.from('a'))).toString(), typeof Engine, typeof checkers);
server.stdin.end();
console.log((await runServed('served', 2, 1)).length > 0);
`;

test('stripping keeps lines and columns, and turns import suffixes', () => {
  const source = "import { a, type B } from './a.ts';\nexport const c: B = a;\nconst d = 'x.ts';\n";
  const stripped = stripSource(source);
  expect(stripped).toContain("from './a.js'");
  expect(stripped).toContain("'x.ts'");
  expect(stripped.length).toBe(source.length);
  expect(stripped.indexOf('= a;')).toBe(source.indexOf('= a;'));
});

/** Files and folders that a packed source asks for beside itself, and that were left out: a stage would break only there. */
function missingBeside(dist: string): string[] {
  return listFilesBelow(dist)
    .filter((name) => name.endsWith('.js'))
    .flatMap((name) => {
      const text = readFileSync(join(dist, name), 'utf8');
      const asked = [...text.matchAll(/new URL\('([^']+)', import\.meta\.url\)/g)].map(([, path]) => path);
      return asked.map((path) => join(dirname(name), path)).filter((path) => !existsSync(join(dist, path)));
    });
}

test('packed, what the package exports works, and so does its command', { timeout: 60_000 }, () => {
  const root = fileURLToPath(new URL('../', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'lightning-packed-'));
  try {
    const packed = join(folder, 'node_modules/lightning-db');
    build(join(packed, 'dist'));
    expect(missingBeside(join(packed, 'dist'))).toEqual([]);
    cpSync(join(root, 'package.json'), join(packed, 'package.json'));
    cpSync(join(root, 'bin'), join(packed, 'bin'), { recursive: true });
    const { dependencies }: { readonly dependencies: Readonly<Record<string, string>> } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    );
    for (const name of Object.keys(dependencies)) {
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    }
    writeFileSync(join(folder, 'program.mjs'), PROGRAM);
    const { stdout, stderr, status } = spawnSync(process.execPath, ['program.mjs'], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect([stdout, stderr, status]).toEqual(['1 1 function object\ntrue\n', '', 0]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
