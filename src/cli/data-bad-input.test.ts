/**
 * Bad input: each row starts the real command and expects its exit code, one line with its code on standard error,
 * nothing on standard output, and every file and folder as it was, byte for byte.
 */
import { chmodSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Database } from '../database/index.ts';
import { bytes, copyStore, makeStore, nameIn, runCommand, temporaryFolder, treeOf } from './data-fixtures.ts';

interface Row {
  readonly name: string;
  readonly args: readonly string[];
  readonly code: string;
  readonly exit: number;
  /** Makes what the command meets, in a folder of its own, which is also where it runs. */
  readonly prepare?: (folder: string) => void;
  readonly unprivileged?: boolean;
}

const template = temporaryFolder();
const original = join(template.path, 'store');
beforeAll(async () => makeStore(original));
afterAll(() => template[Symbol.dispose]());

/** Every data command, pointed at a store `db`. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  put: ['put', 'k', 'v', '--db', 'db'],
  get: ['get', 'k', '--db', 'db'],
  delete: ['delete', 'k', '--db', 'db'],
  scan: ['scan', '--db', 'db'],
  stats: ['stats', 'db'],
  health: ['health', 'db'],
  compact: ['compact', 'db'],
  'verify-integrity': ['verify-integrity', '--db', 'db'],
  dump: ['dump', 'db'],
};
const ALL = Object.keys(CALLS);
/** These open the store itself; the others look at its files. */
const OPENING = ALL.filter((name) => name !== 'verify-integrity' && name !== 'dump');

function rows(
  names: readonly string[],
  title: string,
  code: string,
  exit: number,
  prepare?: (folder: string) => void,
): Row[] {
  return names.map((name) => {
    return { name: `${name}: ${title}`, args: CALLS[name], code, exit, ...(prepare === undefined ? {} : { prepare }) };
  });
}

function withStore(folder: string): string {
  copyStore(original, join(folder, 'db'));
  return join(folder, 'db');
}

function cut(pattern: RegExp, sizeBytes: number): (folder: string) => void {
  return (folder) => {
    const store = withStore(folder);
    truncateSync(join(store, nameIn(store, pattern)), sizeBytes);
  };
}

/** Overwrites the start of a file of the store. */
function overwrite(pattern: RegExp, at: number, content: Uint8Array): (folder: string) => void {
  return (folder) => {
    const store = withStore(folder);
    const path = join(store, nameIn(store, pattern));
    const whole = readFileSync(path);
    whole.set(content, at);
    writeFileSync(path, whole);
  };
}

const LONG_KEY = 'k'.repeat(65_536);
const USAGE = 'LIGHTNING_INVALID_ARGUMENT';

const PATHS: readonly Row[] = [
  ...rows(ALL, 'a path that is a file', 'LIGHTNING_NOT_A_STORE', 2, (folder) =>
    writeFileSync(join(folder, 'db'), 'some text'),
  ),
  ...rows(
    ALL.filter((name) => name !== 'put'),
    'a missing folder',
    'LIGHTNING_NOT_FOUND',
    2,
  ),
  ...rows(
    ['get', 'delete', 'compact', 'verify-integrity', 'dump'],
    'an empty folder',
    'LIGHTNING_NOT_FOUND',
    2,
    (folder) => mkdirSync(join(folder, 'db')),
  ),
  ...rows(
    ['put', 'get', 'verify-integrity', 'dump'],
    "somebody else's folder",
    'LIGHTNING_NOT_A_STORE',
    2,
    (folder) => {
      mkdirSync(join(folder, 'db'));
      writeFileSync(join(folder, 'db', 'letter.txt'), 'Dear …');
    },
  ),
  {
    name: 'put: a folder whose parent is missing',
    args: ['put', 'k', 'v', '--db', 'no/db'],
    code: 'LIGHTNING_NOT_FOUND',
    exit: 2,
  },
  {
    name: 'put: a path below a file',
    args: ['put', 'k', 'v', '--db', 'file/db'],
    code: 'LIGHTNING_NOT_A_STORE',
    exit: 2,
    prepare: (folder) => writeFileSync(join(folder, 'file'), ''),
  },
  ...['create', 'bench'].flatMap((name): Row[] => [
    {
      name: `${name}: a store that is there`,
      args: [name, 'db'],
      code: 'LIGHTNING_EXISTS',
      exit: 2,
      prepare: withStore,
    },
    { name: `${name}: a missing parent`, args: [name, 'no/db'], code: 'LIGHTNING_NOT_FOUND', exit: 2 },
    { name: `${name}: no path`, args: [name], code: USAGE, exit: 2 },
  ]),
  { name: 'put: an empty path', args: ['put', 'k', 'v', '--db', ''], code: USAGE, exit: 2 },
  { name: 'dump: an empty path', args: ['dump', ''], code: USAGE, exit: 2 },
  {
    name: 'put: a line break in a path stays one line',
    args: ['put', 'k', 'v', '--db', 'no\nsuch/db'],
    code: 'LIGHTNING_NOT_FOUND',
    exit: 2,
  },
];

const PERMISSIONS: readonly Row[] = [
  {
    name: 'put: an unwritable folder',
    args: CALLS['put'],
    code: 'LIGHTNING_PERMISSION',
    exit: 1,
    prepare: (folder) => mkdirSync(join(folder, 'db'), 0o500),
    unprivileged: true,
  },
  {
    name: 'put: a missing folder in an unwritable one',
    args: ['put', 'k', 'v', '--db', 'above/db'],
    code: 'LIGHTNING_PERMISSION',
    exit: 1,
    prepare: (folder) => mkdirSync(join(folder, 'above'), 0o500),
    unprivileged: true,
  },
  ...(['put', 'get', 'compact'] as const).map((name): Row => {
    return {
      name: `${name}: a store in an unwritable folder`,
      args: CALLS[name],
      code: 'LIGHTNING_PERMISSION',
      exit: 1,
      prepare: (folder) => chmodSync(withStore(folder), 0o500),
      unprivileged: true,
    };
  }),
];

const FILES: readonly Row[] = [
  ...rows(
    OPENING,
    'another format version',
    'LIGHTNING_UNSUPPORTED_FORMAT',
    2,
    overwrite(/^MANIFEST$/, 8, bytes('\x02')),
  ),
  ...rows(
    ['put', 'get'],
    'a foreign manifest',
    'LIGHTNING_NOT_A_STORE',
    2,
    overwrite(/^MANIFEST$/, 0, bytes('%PDF-1.7')),
  ),
  ...rows(['put', 'scan'], 'a manifest cut to nothing', 'LIGHTNING_CORRUPTION', 1, cut(/^MANIFEST$/, 0)),
  ...rows(['get'], 'a manifest that is cut', 'LIGHTNING_CORRUPTION', 1, cut(/^MANIFEST$/, 60)),
  ...rows(['put', 'get'], 'a log that is cut', 'LIGHTNING_CORRUPTION', 1, cut(/^wal-/, 70)),
  ...rows(['get'], 'a run that is cut', 'LIGHTNING_CORRUPTION', 1, cut(/^run-/, 100)),
  ...rows(['get'], 'a run of nothing', 'LIGHTNING_CORRUPTION', 1, cut(/^run-/, 0)),
  ...rows(['get', 'stats'], 'a tree that is cut', 'LIGHTNING_CORRUPTION', 1, cut(/^tree\.db$/, 4096)),
  ...rows(['get'], 'a foreign log', 'LIGHTNING_CORRUPTION', 1, overwrite(/^wal-/, 0, bytes('#!/bin/sh'))),
  ...rows(
    ['compact'],
    'a foreign tree',
    'LIGHTNING_CORRUPTION',
    1,
    overwrite(/^tree\.db$/, 0, bytes('SQLite format 3')),
  ),
  ...rows(['put'], 'a foreign lock', 'LIGHTNING_CORRUPTION', 1, (folder) =>
    writeFileSync(join(withStore(folder), 'LOCK'), 'not a lock at all, '.repeat(100)),
  ),
  ...rows(['put', 'get'], 'files of a store without its manifest', 'LIGHTNING_CORRUPTION', 1, (folder) =>
    rmSync(join(withStore(folder), 'MANIFEST')),
  ),
  {
    name: 'dump: a file that is none of a store',
    args: ['dump', 'letter.txt'],
    code: 'LIGHTNING_NOT_A_STORE',
    exit: 2,
    prepare: (folder) => writeFileSync(join(folder, 'letter.txt'), 'Dear …'),
  },
  {
    name: 'dump: the lock',
    args: ['dump', 'db/LOCK'],
    code: USAGE,
    exit: 2,
    prepare: (folder) => void withStore(folder),
  },
];

/** All of these point at a store that is not there, and must not make one. */
const ARGUMENTS: readonly Row[] = [
  ...(
    [
      ['put', LONG_KEY, 'v', '--db', 'db'],
      ['get', LONG_KEY, '--db', 'db'],
      ['delete', LONG_KEY, '--db', 'db'],
      ['scan', '--gte', LONG_KEY, '--db', 'db'],
    ] as const
  ).map((args): Row => ({ name: `${args[0]}: an oversize key`, args, code: 'LIGHTNING_KEY_TOO_LARGE', exit: 2 })),
  {
    name: 'put: an oversize value',
    args: ['put', 'k', '--value-file', 'value', '--db', 'db'],
    code: 'LIGHTNING_VALUE_TOO_LARGE',
    exit: 2,
    prepare: (folder) => {
      writeFileSync(join(folder, 'value'), '');
      truncateSync(join(folder, 'value'), 256 * 1024 * 1024 + 1);
    },
  },
  ...(
    [
      ['two values', ['put', 'k', 'v', '--value-file', 'x', '--db', 'db']],
      ['no value', ['put', 'k', '--db', 'db']],
      ['a missing value file', ['put', 'k', '--value-file', 'x', '--db', 'db']],
      ['a value file that never ends', ['put', 'k', '--value-file', '/dev/zero', '--db', 'db']],
      ['odd hexadecimal digits', ['put', '--hex', 'abc', '00', '--db', 'db']],
      ['no hexadecimal digits', ['get', '--hex', 'zz', '--db', 'db']],
      ['an unknown durability', ['put', 'k', 'v', '--durability', 'maybe', '--db', 'db']],
      ['a bad limit', ['scan', '--limit', '-1', '--db', 'db']],
      ['no store named', ['get', 'k']],
      ['two stores named', ['stats', 'db', '--db', 'other']],
      ['no key', ['get', '--db', 'db']],
      ['too many arguments', ['get', 'k', 'l', '--db', 'db']],
      ['an unknown command', ['fetch', 'k', '--db', 'db']],
      ['odd blocks', ['create', 'db', '--block-size', '1000']],
      ['blocks of nothing', ['create', 'db', '--block-size', '0']],
      ['no rows', ['bench', 'db', '--rows', '0']],
      ['no server named', ['clear-cache']],
      ['a port too high', ['clear-cache', '--admin', '127.0.0.1:65536']],
      ['a store and a server', ['health', 'db', '--admin', '127.0.0.1:1']],
      ['no port', ['health', '--admin', 'abc']],
      ['a server elsewhere', ['health', '--admin', '192.0.2.1:80']],
      ['a port too high', ['serve', 'db', '--listen', '99999']],
      ['no admin port', ['serve', 'db', '--listen', '0', '--admin', 'abc']],
      ['neither streams nor a port', ['serve', 'db']],
    ] as const
  ).map(([name, args]): Row => ({ name: `${args[0]}: ${name}`, args, code: USAGE, exit: 2 })),
  ...ALL.map((name): Row => {
    const args = [...CALLS[name], '--frobnicate'];
    return { name: `${name}: an unknown option`, args, code: 'LIGHTNING_UNKNOWN_OPTION', exit: 2 };
  }),
];

const SERVERS: readonly Row[] = ['health', 'clear-cache'].map((name) => {
  // Nobody listens on port 1 of the loopback.
  return { name: `${name}: no server`, args: [name, '--admin', '127.0.0.1:1'], code: 'LIGHTNING_IO', exit: 1 };
});

const JUDGE: readonly Row[] = [
  ...['x', '1.5', '-1', '99999999999999999999'].map((seed): Row => {
    return { name: `gate: the bad seed ${seed}`, args: ['gate', `--seed=${seed}`], code: USAGE, exit: 2 };
  }),
  { name: 'gate: an unknown option', args: ['gate', '--fast'], code: 'LIGHTNING_UNKNOWN_OPTION', exit: 2 },
  { name: 'gate: an unknown profile', args: ['gate', '--profile', 'no'], code: 'LIGHTNING_NOT_FOUND', exit: 2 },
  { name: 'gate: an unknown stage', args: ['gate', '--only', 'no'], code: 'LIGHTNING_NOT_FOUND', exit: 2 },
  { name: 'gate: an unknown planted bug', args: ['gate', '--with-bug', 'no'], code: 'LIGHTNING_NOT_FOUND', exit: 2 },
  { name: 'replay: a missing witness', args: ['replay', 'no.json'], code: 'LIGHTNING_NOT_FOUND', exit: 2 },
];

async function expectRefusal({ args, code, exit, prepare, unprivileged }: Row): Promise<void> {
  using folder = temporaryFolder();
  prepare?.(folder.path);
  const before = treeOf(folder.path);
  const ended = await runCommand(args, { cwd: folder.path, unprivileged: unprivileged === true });
  expect(ended).toMatchObject({ code: exit, stdout: '' });
  expect(ended.stderr).toMatch(new RegExp(`^lightning-db: ${code}: [^\\n]+\\n$`));
  expect(treeOf(folder.path)).toEqual(before);
}

describe.each([
  ['paths', PATHS],
  ['permissions', PERMISSIONS],
  ['files', FILES],
  ['arguments', ARGUMENTS],
  ['servers', SERVERS],
  ['the judge', JUDGE],
] as const)('%s', (_, table) => {
  test.concurrent.each(table.map((row) => [row.name, row] as const))('%s', async (_name, row) => expectRefusal(row));
});

test('the check can fail: another code, another exit code, a call that is not refused', async () => {
  const [row] = ARGUMENTS;
  await expect(expectRefusal({ ...row, code: 'LIGHTNING_IO' })).rejects.toThrow('LIGHTNING_IO');
  await expect(expectRefusal({ ...row, exit: 1 })).rejects.toThrow('code');
  await expect(expectRefusal({ ...row, args: CALLS['put'] })).rejects.toThrow('code');
});

describe('a store opened twice', () => {
  // This process holds it; reading the lock file here would drop the lock, so it is left out.
  const held = temporaryFolder();
  let holder: Database | undefined;
  beforeAll(() => {
    holder = Database.openSync(withStore(held.path));
  });
  afterAll(() => {
    holder?.closeSync();
    held[Symbol.dispose]();
  });

  test.each(ALL)('%s is refused', async (name) => {
    const before = treeOf(held.path, /LOCK$/);
    const ended = await runCommand(CALLS[name], { cwd: held.path });
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toMatch(/^lightning-db: LIGHTNING_LOCKED: [^\n]+\n$/);
    expect(treeOf(held.path, /LOCK$/)).toEqual(before);
    expect(before.length).toBeGreaterThan(5);
  });
});

describe('in the library', () => {
  test('a closed store says so, by every call', async () => {
    using folder = temporaryFolder();
    const database = await Database.open(join(folder.path, 'db'));
    await database.close();
    const closed = { code: 'LIGHTNING_CLOSED' };
    await expect(database.put(bytes('k'), bytes('v'))).rejects.toMatchObject(closed);
    await expect(database.get(bytes('k'))).rejects.toMatchObject(closed);
    await expect(database.compact()).rejects.toMatchObject(closed);
    await expect(database.verifyIntegrity()).rejects.toMatchObject(closed);
    expect(() => [...database.scanSync()]).toThrow(expect.objectContaining(closed));
    expect(() => database.begin()).toThrow(expect.objectContaining(closed));
  });

  test('an unknown or impossible option makes nothing', async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'db');
    const unknown: Record<string, unknown> = { cacheByte: 1 };
    await expect(Database.open(path, unknown)).rejects.toMatchObject({ code: 'LIGHTNING_UNKNOWN_OPTION' });
    for (const options of [{ blockSizeBytes: 1000 }, { syncIntervalMilliseconds: 0 }, { cacheBytes: -1 }]) {
      await expect(Database.open(path, options)).rejects.toMatchObject({ code: USAGE });
    }
    expect(treeOf(folder.path)).toEqual([]);
  });
});
