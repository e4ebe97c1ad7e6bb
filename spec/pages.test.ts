/** README, CONTRIBUTING and the pages of the specification: the example runs, links lead somewhere, indexes are whole. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BLOB_BYTES_MAX } from '../src/database/blobs/blob-format.ts';
import { COMMIT_OPERATIONS_MAX, KEY_BYTES_MAX, RECORD_BYTES_MAX, VALUE_BYTES_MAX } from '../src/engine/limits.ts';
import { listFilesBelow } from '../src/report/files.ts';
import { fencedBlocks, readPage, ROOT, tableRows } from './pages.fixture.ts';

const PAGES = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'],
  ...listFilesBelow(`${ROOT}spec`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `spec/${name}`),
];
const readme = readPage('README.md');

test.each([
  [0, 'store'],
  [1, 'people'],
  [2, 'films'],
  [3, 'copy'],
  [4, 'rescued'],
  [5, 'before'],
])('example %i of the README runs, and prints what the README says', (at, store) => {
  const example = fencedBlocks(readme, 'js')[at];
  const printed = fencedBlocks(readme, 'text')[at];
  expect(example.trim().split('\n').length).toBeLessThanOrEqual(20);
  const source = (path: string): string => `from '${new URL(`../src/database/${path}`, import.meta.url).href}'`;
  const folder = mkdtempSync(join(tmpdir(), 'lightning-readme-'));
  try {
    const program = join(folder, 'example.mjs');
    const here = example
      .replace("from 'lightning-db'", source('index.ts'))
      .replace("from 'lightning-db/client'", source('protocol/client.ts'))
      .replace("from 'lightning-db/level'", source('level/level.ts'))
      .replace("['lightning-db', 'serve'", `['${join(ROOT, 'bin/lightning-db.js')}', 'serve'`)
      .replace("spawn('npx'", 'spawn(process.execPath');
    writeFileSync(program, here);
    const { stdout, stderr, status } = spawnSync(process.execPath, [program], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 30_000,
    });
    expect([stdout, stderr, status]).toEqual([printed, '', 0]);
    expect(existsSync(join(folder, store, 'MANIFEST'))).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the example of the shell runs, and prints what the README says', () => {
  const commands = fencedBlocks(readme, 'sh').find((block) => block.startsWith('npx lightning-db')) ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'lightning-shell-'));
  try {
    const lines = commands.trim().split('\n');
    expect(lines.length).toBeGreaterThan(5);
    const printed = lines.map((line) => {
      const [npx, command, ...words] = line.split(' ');
      expect([npx, command]).toEqual(['npx', 'lightning-db']);
      const bin = join(ROOT, 'bin/lightning-db.js');
      const run = spawnSync(process.execPath, [bin, ...words], { cwd: folder, encoding: 'utf8', timeout: 30_000 });
      expect([run.stderr, run.status], line).toEqual(['', 0]);
      return run.stdout;
    });
    expect(printed.join('')).toBe(fencedBlocks(readme, 'text')[6]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the limits of the README are those of the engine', () => {
  expect(readme).toContain(`${KEY_BYTES_MAX.toLocaleString('en')} bytes; the empty key`);
  const values = `| value | ${BLOB_BYTES_MAX / 2 ** 20} MiB; ${VALUE_BYTES_MAX / 2 ** 20} MiB in a transaction`;
  expect(readme).toContain(values);
  expect(readme).toContain(
    `${COMMIT_OPERATIONS_MAX.toLocaleString('en')} operations, ${RECORD_BYTES_MAX / 2 ** 20} MiB`,
  );
});

test('the README names every command, and no other', () => {
  const { stdout, status } = spawnSync(process.execPath, [join(ROOT, 'bin/lightning-db.js'), '--help'], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect(status).toBe(0);
  const commands = [...stdout.matchAll(/^ {2}([a-z][a-z-]*) (?:\[|<)/gm)]
    .map(([, name]) => name)
    .filter((c) => c !== 'help');
  expect(commands.length).toBeGreaterThan(5);
  const rows = readme.split('\n').filter((line) => line.startsWith('| `'));
  const named = rows.flatMap((row) => {
    const command = /^\| `npx lightning-db ([a-z-]+)/.exec(row);
    if (command === null) return [];
    const others = row.split('|')[1].matchAll(/, `([a-z-]+)`/g);
    return [command[1], ...[...others].map(([, name]) => name)];
  });
  expect(named.sort()).toEqual(commands.sort());
});

/** What is read here of a kept run of the bench. */
interface Baseline {
  readonly figures: readonly {
    readonly title: string;
    readonly engines: Readonly<Record<string, { readonly median: number }>>;
    readonly peerOverOurs: Readonly<Record<string, { readonly median: number }>>;
  }[];
  readonly targets: readonly {
    readonly text: string;
    readonly sense: string;
    readonly bound: number;
    readonly actual: number;
    readonly holds: boolean;
  }[];
}

test('the figures of the README are those of the newest run that is kept', () => {
  const newest = readdirSync(`${ROOT}reports/baselines`)
    .filter((name) => /^bench-.*\.json$/.test(name))
    .sort()
    .at(-1);
  expect(readme).toContain(`\`reports/baselines/${newest}\``);
  const { figures, targets }: Baseline = JSON.parse(readPage(`reports/baselines/${newest}`));
  const peers = ['lmdb', 'classic-level', 'node:sqlite'];
  expect(tableRows(readme, ['measured', 'this engine', ...peers])).toEqual(
    figures.map(({ title, engines, peerOverOurs }) => [
      title,
      engines['lightning-db'].median.toFixed(2),
      ...peers.map((peer) => peerOverOurs[peer]?.median.toFixed(2) ?? '–'),
    ]),
  );
  expect(tableRows(readme, ['figure', 'bound', 'measured', 'holds'])).toEqual(
    targets.map(({ text, sense, bound, actual, holds }) => [
      text,
      `${sense} ${bound}`,
      actual.toFixed(2),
      holds ? 'yes' : 'no',
    ]),
  );
});

/** Relative links of a page, without their fragments. */
function links(text: string): string[] {
  const outside = text.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '');
  return [...outside.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
    .map(([, link]) => link)
    .filter((link) => !/^[a-z]+:/.test(link));
}

describe.each(PAGES)('%s', (page) => {
  test('links to what is there', () => {
    const broken = links(readPage(page)).filter(
      (link) => !existsSync(join(ROOT, normalize(join(dirname(page), link)))),
    );
    expect(broken).toEqual([]);
  });
});

test('links are found', () => {
  expect(links('[a](b.md#c) [d](https://e) `[f](g)` [h](../i/)')).toEqual(['b.md', '../i/']);
  expect(PAGES.flatMap((page) => links(readPage(page))).length).toBeGreaterThan(40);
});

test('the index of the specification, and that of the decisions, leave no page out', () => {
  const reached = (index: string): string[] =>
    links(readPage(index)).map((link) => normalize(join(dirname(index), link)));
  const pages = PAGES.filter((page) => page.startsWith('spec/') && !page.endsWith('/README.md'));
  const listed = [...reached('spec/README.md'), ...reached('spec/decisions/README.md')];
  // A second link in one cell may leave out the folder of the first.
  const found = new Set([...listed, ...listed.map((page) => page.replace('spec/', 'spec/formats/'))]);
  expect(pages.filter((page) => !found.has(page))).toEqual([]);
});

test('every test, source and data file that a page names in backticks is there', () => {
  const missing = PAGES.filter((page) => page !== 'CHANGELOG.md').flatMap((page) =>
    [
      ...readPage(page).matchAll(
        /`((?:src|spec|properties|planted-bugs|crash-sim|chaos|models|bench|scripts)\/[\w./-]+\.(?:ts|tla|json|md))`/g,
      ),
    ]
      .map(([, path]) => path)
      .filter((path) => !existsSync(`${ROOT}${path}`))
      .map((path) => `${page}: ${path}`),
  );
  expect(missing).toEqual([]);
});
