/** The data commands as a user meets them: the real command in a process, results on standard output. */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Database } from '../database/index.ts';
import { serveAdmin } from '../database/metrics/admin.ts';
import { Metrics } from '../database/metrics/metrics.ts';
import {
  bytes,
  copyStore,
  makeStore,
  nameIn,
  runCommand,
  startCommand,
  temporaryFolder,
  treeOf,
} from './data-fixtures.ts';

const template = temporaryFolder();
const original = join(template.path, 'store');
beforeAll(async () => makeStore(original));
afterAll(() => template[Symbol.dispose]());

async function succeed(...args: readonly string[]): Promise<string> {
  const ended = await runCommand(args);
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  return ended.stdout;
}

function jsonLines(text: string): unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
}

describe('put, get, delete', () => {
  test('text goes in and out; a missing key is exit 1 and one line', async () => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    expect(await succeed('put', 'schlüssel', 'wert €', '--db', db)).toBe('');
    expect(await succeed('get', 'schlüssel', '--db', db)).toBe('wert €\n');
    expect(await succeed('delete', 'schlüssel', '--db', db)).toBe('');
    const missing = await runCommand(['get', 'schlüssel', '--db', db]);
    expect(missing).toEqual({ code: 1, stdout: '', stderr: 'lightning-db: no value under the key schlüssel\n' });
    expect(await succeed('delete', 'schlüssel', '--db', db)).toBe('');
  });

  test('any bytes as hexadecimal digits, from a file and from standard input', async () => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    await succeed('put', '--hex', '', 'FF00', '--db', db, '--durability', 'none');
    writeFileSync(join(folder.path, 'value'), Uint8Array.of(0, 10, 255));
    await succeed('put', 'file', '--value-file', join(folder.path, 'value'), '--db', db);
    const large = Buffer.alloc(200_000, 'lightning');
    writeFileSync(join(folder.path, 'large'), large);
    await succeed('put', 'large', '--value-file', join(folder.path, 'large'), '--db', db);
    const out = join(folder.path, 'out');
    expect(await succeed('get', 'large', '--out', out, '--db', db)).toBe('');
    expect(readFileSync(out)).toEqual(large);
    expect(await runCommand(['get', 'file', '--out', out, '--db', db], {})).toMatchObject({ code: 2 });
    expect(readFileSync(out)).toEqual(large);
    const piped = await runCommand(['put', 'pipe', '--value-file', '-', '--db', db], { input: 'x'.repeat(100_000) });
    expect(piped).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await succeed('get', '--hex', '', '--db', db)).toBe('ff00\n');
    expect(await succeed('get', '--hex', '66696c65', '--db', db)).toBe('000aff\n');
    expect(jsonLines(await succeed('get', 'file', '--json', '--db', db))).toEqual([
      { key: 'file', valueHex: '000aff' },
    ]);
    expect(await succeed('get', 'pipe', '--db', db)).toBe(`${'x'.repeat(100_000)}\n`);
    expect(jsonLines(await succeed('put', 'a', 'b', '--json', '--db', db))).toEqual([
      { durability: 'commit', durableSequence: 5 },
    ]);
  });
});

describe('scan', () => {
  test('bounds, direction and limit as in the library', async () => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    await using database = await Database.open(db, { durability: 'none' });
    for (const key of ['a', 'b', 'b\n', 'c', 'd']) await database.put(bytes(key), bytes(`=${key}`));
    await database.put(Uint8Array.of(0xff), Uint8Array.of(0x5c));
    await database.close();
    const keys = async (...args: string[]): Promise<string[]> =>
      (await succeed('scan', '--db', db, ...args)).split('\n').flatMap((line) => line.split('\t')[0] || []);
    expect(await succeed('scan', '--db', db)).toBe('a\t=a\nb\t=b\nb\\n\t=b\\n\nc\t=c\nd\t=d\n\\xff\t\\\\\n');
    expect(await keys('--gte', 'b', '--lt', 'c')).toEqual(['b', 'b\\n']);
    expect(await keys('--gt', 'b', '--lte', 'd')).toEqual(['b\\n', 'c', 'd']);
    expect(await keys('--prefix', 'b')).toEqual(['b', 'b\\n']);
    expect(await keys('--reverse', '--limit', '2')).toEqual(['\\xff', 'd']);
    expect(await keys('--limit', '0')).toEqual([]);
    expect(await keys('--hex', '--gte', '64')).toEqual(['64', 'ff']);
    expect(jsonLines(await succeed('scan', '--json', '--db', db, '--gte', 'd'))).toEqual([
      { key: 'd', value: '=d' },
      { keyHex: 'ff', value: '\\' },
    ]);
  });

  test('a reader that leaves, and an interrupt, end it early, with the store closed cleanly', async () => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    await using database = await Database.open(db, { durability: 'none' });
    for (let i = 0; i < 300; i++) await database.put(bytes(`${i}`), bytes('v'.repeat(100_000)));
    await database.close();
    for (const [end, code] of [
      ['leave', 0],
      ['interrupt', 130],
    ] as const) {
      const child = startCommand(['scan', '--db', db]);
      let stderr = '';
      let received = 0;
      child.stderr?.on('data', (text: Buffer) => (stderr += text.toString()));
      child.stdout?.on('data', (piece: Buffer) => {
        const first = received === 0;
        received += piece.length;
        if (first && end === 'leave') child.stdout?.destroy();
        if (first && end === 'interrupt') child.kill('SIGINT');
      });
      const ended = await new Promise((resolve) => child.on('close', resolve));
      expect([end, ended, stderr]).toEqual([end, code, '']);
      expect(received).toBeLessThan(20_000_000);
      expect(await succeed('verify-integrity', db)).toMatch(/^sound: \d+ files read, nothing wrong\n$/);
    }
  });
});

describe('stats and compact', () => {
  test('figures as lines and as JSON; everything moves into the tree', async () => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    copyStore(original, db);
    const before = jsonLines(await succeed('stats', '--db', db, '--json'))[0];
    expect(before).toMatchObject({ runCount: 2, memtableEntries: 2, treeHeight: 2 });
    expect(await succeed('compact', '--db', db)).toMatch(
      /^everything is in the tree: \d levels, \d+ bytes, \d+ of them free\n$/,
    );
    expect(await succeed('stats', db)).toMatch(/^runCount +0$/m);
    expect(await succeed('scan', '--prefix', 'in', '--db', db)).toBe('in a run\t1\nin the log\t2\n');
    expect(jsonLines(await succeed('compact', '--json', db))).toEqual([
      { treeHeight: expect.any(Number), treeBytes: expect.any(Number), freeBytes: expect.any(Number) },
    ]);
  });
});

describe('create, health, clear-cache and bench', () => {
  test('a new store is made, and is healthy', async () => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    expect(jsonLines(await succeed('create', db, '--block-size', '512', '--json'))).toEqual([
      { path: db, blockSizeBytes: 512 },
    ]);
    expect(await succeed('health', db)).toBe('healthy\n');
    const figures = jsonLines(await succeed('bench', join(folder.path, 'bench'), '--rows', '150', '--json'));
    expect(figures).toMatchObject(['put', 'get', 'scan'].map((work) => ({ work, rows: 150 })));
  });

  test('a server is asked by its admin address', async () => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    copyStore(original, db);
    await using database = await Database.open(db);
    await using admin = await serveAdmin(database, new Metrics(), '127.0.0.1', 0);
    const address = `127.0.0.1:${admin.port}`;
    expect([...database.scanSync()].length).toBeGreaterThan(50);
    const { cacheBytes } = database.statistics();
    expect(cacheBytes).toBeGreaterThan(0);
    expect(jsonLines(await succeed('clear-cache', '--json', '--admin', address))).toEqual([
      { clearedBytes: cacheBytes },
    ]);
    expect(database.statistics().cacheBytes).toBe(0);
    expect(jsonLines(await succeed('health', '--json', '--admin', address))).toEqual([{ healthy: true }]);
    await database.close();
    expect(await runCommand(['health', '--admin', address])).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^not healthy: LIGHTNING_CLOSED: /),
    });
    expect(await runCommand(['clear-cache', '--admin', address])).toMatchObject({ code: 1, stdout: '' });
  });
});

const KINDS = [/^MANIFEST$/, /^wal-/, /^run-/, /^tree\.db$/] as const;

describe('verify-integrity and dump', () => {
  test('a sound store: exit 0, nothing is changed, every kind of file is shown', async () => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    copyStore(original, db);
    const before = treeOf(db);
    expect(await succeed('verify-integrity', db)).toBe('sound: 6 files read, nothing wrong\n');
    expect(jsonLines(await succeed('verify-integrity', '--json', '--db', db))).toEqual([
      { sound: true, clean: true, findings: [], filesRead: 6 },
    ]);
    const text = await succeed('dump', db);
    for (const kind of KINDS) expect(text.split('\n').some((line) => kind.test(line))).toBe(true);
    expect(text).toContain('kind=put  key="in the log"  value="2"');
    expect(text).toContain('kind=delete  key="key 1"');
    expect(text).toContain('kind=put  key="in a run"  value="1"');
    expect(text).toMatch(/range tombstone {2}start="key 90"/);
    expect(text).toContain(`key="key 0"  value="${'v'.repeat(64)}"… (100 bytes)`);
    const items = jsonLines(await succeed('dump', '--json', '--db', db));
    const treeKeys = items.filter((item) =>
      Object.entries(item as object)
        .join()
        .match(/tree\.db.*version.*put/),
    );
    expect(treeKeys).toHaveLength(100);
    expect(treeOf(db)).toEqual(before);
  });

  test.each(KINDS)('one file alone, beside its store and away from it: %s', async (kind) => {
    using folder = temporaryFolder();
    const name = nameIn(original, kind);
    const beside = await succeed('dump', join(original, name), '--json');
    writeFileSync(join(folder.path, 'other'), readFileSync(join(original, name)));
    const away = await succeed('dump', join(folder.path, 'other'), '--json');
    expect(away).not.toContain('damage');
    expect(jsonLines(away).length).toBeGreaterThan(0);
    const withoutNames = (text: string): unknown[] =>
      jsonLines(text)
        .map((item) => ({ ...(item as object), file: '' }))
        .filter((item) => !('what' in item) || item.what === 'version' || item.what === 'operation');
    expect(withoutNames(away)).toEqual(withoutNames(beside));
  });

  test.each(KINDS)('damage: exit 1, the file and the place are named: %s', async (kind) => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    copyStore(original, db);
    const name = nameIn(db, kind);
    const whole = readFileSync(join(db, name));
    // In the middle; of the tree in its second node, since its first may be free.
    const at = kind.test('tree.db') ? whole.length - 2000 : Math.floor(whole.length / 2);
    whole[at] ^= 0x10;
    writeFileSync(join(db, name), whole);
    const before = treeOf(db);
    const verified = await runCommand(['verify-integrity', db]);
    expect(verified).toMatchObject({ code: 1, stderr: '' });
    expect(verified.stdout).toMatch(new RegExp(`^damage {3}${name}( at \\d+)?: .+\\n(.+\\n)*DAMAGED: `));
    const dumped = await runCommand(['dump', db, '--json']);
    expect(dumped).toMatchObject({ code: 1, stderr: '' });
    const found = jsonLines(dumped.stdout).filter((item) => (item as { what: string }).what === 'damage');
    expect(found).toMatchObject([{ file: name, problem: expect.any(String) }]);
    expect(treeOf(db)).toEqual(before);
  });

  test('another format, a foreign manifest and a missing file are findings', async () => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    copyStore(original, db);
    rmSync(join(db, nameIn(db, /^run-/)));
    const missing = await runCommand(['verify-integrity', db]);
    expect(missing).toMatchObject({ code: 1, stdout: expect.stringMatching(/^damage {3}run-\d+\.sst: .*missing\n/) });
    expect(await runCommand(['dump', db])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('problem=missing'),
    });
    const manifest = readFileSync(join(db, 'MANIFEST'));
    manifest[8] = 9;
    writeFileSync(join(db, 'MANIFEST'), manifest);
    const newer = await runCommand(['verify-integrity', db]);
    expect(newer).toMatchObject({ code: 1, stdout: expect.stringContaining('format version 9 is not known') });
    rmSync(join(db, 'MANIFEST'));
    const gone = await runCommand(['verify-integrity', db]);
    expect(gone).toMatchObject({ code: 1, stdout: expect.stringContaining('MANIFEST: missing') });
  });

  test('a folder that cannot be written to is verified all the same, with the doubt said', async () => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    copyStore(original, db);
    for (const name of [...KINDS.map((kind) => nameIn(db, kind)), 'LOCK']) chmodSync(join(db, name), 0o400);
    chmodSync(db, 0o500);
    const verified = await runCommand(['verify-integrity', db], { unprivileged: true });
    expect(verified).toMatchObject({ code: 0, stdout: 'sound: 6 files read, nothing wrong\n' });
    expect(verified.stderr).toMatch(/^lightning-db: the lock cannot be taken \(EACCES\)[^\n]+\n$/);
  });

  test('an unclean store is told from a damaged one', async () => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    await using database = await Database.open(join(folder.path, 'open'));
    await database.put(bytes('k'), bytes('v'));
    copyStore(join(folder.path, 'open'), db);
    const stdout = await succeed('verify-integrity', db);
    expect(stdout).toMatch(
      /^unclean {2}MANIFEST: .+\nsound: 2 files read, no damage; the store was not closed cleanly\n$/,
    );
    expect(await succeed('dump', db)).toContain('kind=put  key="k"  value="v"');
  });
});

describe('the command itself', () => {
  test('help stands in three groups, in their order', async () => {
    const help = await succeed('--help');
    const places = ['Judge:', 'gate', 'Data:', 'put', 'dump', 'Operate:'].map((word) => help.indexOf(`\n${word}`));
    expect(help.indexOf('Judge:')).toBeLessThan(help.indexOf('Data:'));
    expect(places[2]).toBeGreaterThan(places[0]);
    for (const name of ['put', 'get', 'delete', 'scan', 'stats', 'verify-integrity', 'compact', 'dump']) {
      expect(help.slice(help.indexOf('Data:'))).toMatch(new RegExp(`^ {2}${name} `, 'm'));
      expect(await succeed(name, '--help')).toContain('Exit codes: 0 done, 1 ');
    }
  });

  test('without arguments: help on standard error, exit 2', async () => {
    const ended = await runCommand([]);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toMatch(/^Usage: /);
  });

  test('reading makes no store', async () => {
    using folder = temporaryFolder();
    const db = join(folder.path, 'db');
    for (const args of [['get', 'k'], ['scan'], ['stats'], ['verify-integrity'], ['dump']]) {
      expect((await runCommand([...args, '--db', db])).code).toBe(2);
      expect(existsSync(db)).toBe(false);
    }
  });
});
