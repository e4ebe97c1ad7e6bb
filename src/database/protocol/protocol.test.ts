/** The protocol between a server and its clients, over real sockets: spec/protocol.md. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Prng } from '../../base/prng.ts';
import { isLightningError } from '../../base/errors.ts';
import { restore } from '../backup/backup-folders.ts';
import { Database } from '../database.ts';
import { ReadOnlyDatabase } from '../read-only/read-only-database.ts';
import { parseAddress } from './address.ts';
import { Client } from './client.ts';
import type { Served } from './client-session.ts';
import { FRAME_BYTES_MAX, LineSplitter } from './frames.ts';
import { serveSocket, serveStreams, type SocketServer } from './serve.ts';

let directory = '';
let database: Database;
let server: SocketServer;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lightning-protocol-'));
  database = Database.openSync(join(directory, 'db'), { durability: 'none' });
  server = await serveSocket(served(), '127.0.0.1', 0);
});
afterEach(async () => {
  await server.close();
  await database.close();
  rmSync(directory, { recursive: true, force: true });
});

const served = (): Served => ({ database, acknowledges: 'volatile', version: '0', elapsed: () => 0 });
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
async function collect(rows: AsyncIterable<[Uint8Array, Uint8Array]>): Promise<[Uint8Array, Uint8Array][]> {
  const all: [Uint8Array, Uint8Array][] = [];
  for await (const row of rows) all.push(row);
  return all;
}
const text = (value: Uint8Array | undefined): string => (value === undefined ? '-' : Buffer.from(value).toString());

/** Sends raw text and gives the lines that come back until the server ends the connection or `count` are there. */
async function raw(sent: string, count = Infinity): Promise<Record<string, unknown>[]> {
  const socket = connect(server.port, '127.0.0.1');
  const lines: Record<string, unknown>[] = [];
  socket.on('error', () => undefined);
  socket.write(sent);
  if (count === Infinity) socket.end();
  const splitter = new LineSplitter();
  for await (const chunk of socket) {
    for (const line of splitter.push(chunk as Buffer)) lines.push(JSON.parse(line) as Record<string, unknown>);
    if (lines.length >= count) break;
  }
  socket.destroy();
  return lines;
}

test('every call of a client does what the database does', async () => {
  await using client = await Client.connect(server.port);
  expect(client.hello).toMatchObject({ protocol: 1, engine: { name: 'lightning-db' } });
  const odd = Uint8Array.of(0xff, 0, 0xc3, 0x28);
  expect(await client.put(odd, bytes('odd'))).toBe('volatile');
  expect(await client.put(bytes('a'), bytes('1'), { sync: true })).toBe('synced');
  expect(database.getSync(odd)).toEqual(bytes('odd'));
  await client.batch([
    { type: 'put', key: bytes('b'), value: bytes('2') },
    { type: 'put', key: bytes('c'), value: bytes('3'), deadline: 1 },
    { type: 'delete', key: bytes('a') },
    { type: 'clear', gte: odd },
  ]);
  expect(text(await client.get(bytes('a')))).toBe('-');
  expect(text(await client.get(bytes('c')))).toBe('-');
  for (let i = 0; i < 2500; i++) database.putSync(bytes(`n${String(i).padStart(4, '0')}`), bytes('v'));
  const rows = await collect(client.scan({ prefix: bytes('n') }));
  expect(rows).toHaveLength(2500);
  const back = await collect(client.scan({ prefix: bytes('n'), reverse: true, limit: 1500 }));
  expect(back.map(([key]) => text(key))).toEqual(
    rows
      .map(([key]) => text(key))
      .reverse()
      .slice(0, 1500),
  );
  await client.sync();
  await client.clear({ prefix: bytes('n') });
  expect(await collect(client.scan())).toHaveLength(1);
  expect(database.statistics().snapshotCount).toBe(0);
});

test('an answer larger than its bound is cut, says so, and the client reads on', async () => {
  await using client = await Client.connect(server.port);
  const large = new Uint8Array(5 * 1024 * 1024).fill(7);
  for (const key of ['a', 'b', 'c']) database.putSync(bytes(key), large);
  const answer = await client.request('scan', { range: {} });
  expect(answer['more']).toBe(true);
  expect((await collect(client.scan())).map(([key, value]) => `${text(key)} ${value.length}`)).toEqual(
    ['a', 'b', 'c'].map((key) => `${key} ${large.length}`),
  );
});

test('transactions conflict, and those of a lost client are rolled back', async () => {
  await using first = await Client.connect(server.port);
  const second = await Client.connect(server.port);
  const one = await first.begin();
  const other = await second.begin();
  await one.put(bytes('k'), bytes('1'));
  expect(text(await other.get(bytes('k')))).toBe('-');
  await other.put(bytes('k'), bytes('2'));
  expect(text(await one.get(bytes('k')))).toBe('1');
  expect(text(await first.get(bytes('k')))).toBe('-');
  await one.commit();
  await expect(other.commit()).rejects.toMatchObject({ code: 'LIGHTNING_CONFLICT' });
  await expect(other.get(bytes('k'))).rejects.toMatchObject({ code: 'LIGHTNING_TRANSACTION_CLOSED' });
  const lost = await second.begin();
  await lost.getForUpdate(bytes('lost'));
  await lost.put(bytes('lost'), bytes('1'));
  await second.request('openSnapshot', { snapshot: 99 });
  expect(database.statistics().snapshotCount).toBe(2);
  const waiting = await first.begin();
  const granted = waiting.getForUpdate(bytes('lost'));
  await second.close();
  expect(await granted).toBeUndefined();
  await waiting.abort();
  while (server.clientCount > 1) await new Promise((resolve) => setImmediate(resolve));
  expect(database.statistics().snapshotCount).toBe(0);
  expect(text(await first.get(bytes('lost')))).toBe('-');
  await expect(first.begin('no such level')).rejects.toMatchObject({ code: 'LIGHTNING_MISSING_CAPABILITY' });
});

const HELLO = '{"id":0,"op":"hello","protocol":1}\n';

test.each([
  ['not JSON', 'hello?\n', null, 'LIGHTNING_INVALID_ARGUMENT'],
  ['not an object', '[1]\n', null, 'LIGHTNING_INVALID_ARGUMENT'],
  ['no id', '{"op":"get"}\n', null, 'LIGHTNING_INVALID_ARGUMENT'],
  ['an id too long', `{"id":"${'x'.repeat(65)}","op":"get"}\n`, null, 'LIGHTNING_INVALID_ARGUMENT'],
  ['unknown operation', '{"id":1,"op":"constructor"}\n', 1, 'LIGHTNING_MISSING_CAPABILITY'],
  ['key not base64', '{"id":1,"op":"get","key":"ü"}\n', 1, 'LIGHTNING_INVALID_ARGUMENT'],
  ['key in another base64', '{"id":1,"op":"get","key":"YR=="}\n', 1, 'LIGHTNING_INVALID_ARGUMENT'],
  ['unknown field', '{"id":1,"op":"get","key":"YQ==","sink":true}\n', 1, 'LIGHTNING_UNKNOWN_OPTION'],
  ['sync not boolean', '{"id":1,"op":"delete","key":"YQ==","sync":"yes"}\n', 1, 'LIGHTNING_INVALID_ARGUMENT'],
  ['deadline a number', '{"id":1,"op":"put","key":"","value":"","deadline":5}\n', 1, 'LIGHTNING_INVALID_ARGUMENT'],
  ['snapshot never opened', '{"id":1,"op":"snapshotGet","snapshot":3,"key":""}\n', 1, 'LIGHTNING_SNAPSHOT_CLOSED'],
  ['a batch that is none', '{"id":1,"op":"batch","operations":{}}\n', 1, 'LIGHTNING_INVALID_ARGUMENT'],
  ['a prototype as field', '{"id":1,"op":"scan","range":{"__proto__":1}}\n', 1, 'LIGHTNING_UNKNOWN_OPTION'],
])('%s is refused with a code, and the connection goes on', async (_, sent, id, code) => {
  const answers = await raw(`${HELLO}${sent}{"id":"z","op":"get","key":"YQ=="}\n`);
  expect(answers).toHaveLength(3);
  expect(answers.find((answer) => 'error' in answer)).toMatchObject({ id, error: { code, definite: true } });
  expect(answers.find((answer) => answer['id'] === 'z')).toEqual({ id: 'z', value: null });
});

test('hello comes first and names the version', async () => {
  const [refused, unknown] = await raw('{"id":1,"op":"get","key":""}\n{"id":2,"op":"hello","protocol":2}\n');
  expect(refused).toMatchObject({ id: 1, error: { code: 'LIGHTNING_INVALID_ARGUMENT' } });
  expect(unknown).toMatchObject({ id: 2, error: { code: 'LIGHTNING_UNSUPPORTED_FORMAT' } });
});

test('an endless frame is told and ends its connection alone; a half one is no request', async () => {
  await using client = await Client.connect(server.port);
  const lines = await raw(`${HELLO}${'x'.repeat(FRAME_BYTES_MAX + 1)}`, 2);
  expect(lines[1]).toMatchObject({ id: null, error: { code: 'LIGHTNING_LIMIT' } });
  expect(await raw(`${HELLO}{"id":1,"op":"put","key":"YQ==","value":"YQ=="}`)).toHaveLength(1);
  expect(await client.get(bytes('a'))).toBeUndefined();
});

test('a frame may come a byte at a time', () => {
  const splitter = new LineSplitter(10);
  const lines = [...'ab\n\n{ü}\r\nrest'].flatMap((one) => [...splitter.push(Buffer.from(one))]);
  expect(lines).toEqual(['ab', '{ü}']);
  expect(() => [...splitter.push(Buffer.from('1234567'))]).toThrow(
    expect.objectContaining({ code: 'LIGHTNING_LIMIT' }),
  );
});

test('standard streams serve one client until its input ends', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const ended = serveStreams(served(), input, output);
  const client = await Client.over(output, input);
  await client.put(bytes('a'), bytes('1'));
  const transaction = await client.begin();
  await transaction.put(bytes('b'), bytes('2'));
  input.end();
  expect(await ended).toBeUndefined();
  expect(text(database.getSync(bytes('a')))).toBe('1');
  expect(database.statistics().snapshotCount).toBe(0);
});

test('what a lost connection leaves open is indefinite', async () => {
  const client = await Client.connect(server.port);
  const pending = client.put(bytes('a'), bytes('1'));
  const outcome = pending.then(
    () => 'answered',
    (error: unknown) => (isLightningError(error, 'LIGHTNING_INDEFINITE') ? 'indefinite' : String(error)),
  );
  await server.close();
  expect(['answered', 'indefinite']).toContain(await outcome);
  await client.close();
  await expect(client.get(bytes('a'))).rejects.toMatchObject({ code: 'LIGHTNING_CLOSED' });
});

test.each(['snapshot', 'serializable'])(
  'the bank over the socket, %s: 64 clients, some leave in the middle, and the total never moves',
  async (level) => {
    const accounts = 100;
    const key = (i: number): Uint8Array => bytes(`account ${String(i).padStart(3, '0')}`);
    for (let i = 0; i < accounts; i++) database.putSync(key(i), bytes('1000'));
    const counts = { made: 0, conflicts: 0, left: 0 };
    const transfer = async (client: Client, prng: Prng, leave: boolean): Promise<void> => {
      const [from, to] = [prng.below(accounts), prng.below(accounts)];
      if (from === to) return;
      const transaction = await client.begin(level);
      const [a, b] = await Promise.all([transaction.get(key(from)), transaction.get(key(to))]);
      const amount = prng.between(1, 50);
      await transaction.put(key(from), bytes(String(Number(text(a)) - amount)));
      if (leave) {
        counts.left++;
        return client.close();
      }
      await transaction.put(key(to), bytes(String(Number(text(b)) + amount)));
      await transaction.commit().then(
        () => counts.made++,
        (error: unknown) => {
          if (!isLightningError(error, 'LIGHTNING_CONFLICT')) throw error;
          counts.conflicts++;
        },
      );
    };
    const total = async (client: Client): Promise<number> =>
      (await collect(client.scan())).reduce((sum, [, value]) => sum + Number(text(value)), 0);
    await using auditor = await Client.connect(server.port);
    const workers = Array.from({ length: 64 }, async (_, w) => {
      const prng = new Prng(1000 + w);
      let client = await Client.connect(server.port);
      for (let i = 0; i < 15; i++) {
        const leave = prng.chance(0.1);
        await transfer(client, prng, leave);
        if (leave) {
          await client.close();
          client = await Client.connect(server.port);
        }
      }
      await client.close();
    });
    const done = Promise.all(workers).then(() => true);
    do expect(await total(auditor)).toBe(accounts * 1000);
    while (!(await Promise.race([done, new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))])));
    expect(await total(auditor)).toBe(accounts * 1000);
    expect(counts.made).toBeGreaterThan(200);
    expect(counts.conflicts).toBeGreaterThan(0);
    expect(counts.left).toBeGreaterThan(10);
  },
);

const isPythonMissing = spawnSync('python3', ['--version']).status !== 0;
test.skipIf(isPythonMissing)('the client in Python', async () => {
  const script = fileURLToPath(new URL('../../../adapters/client.py', import.meta.url));
  const { stdout } = await promisify(execFile)('python3', ['-B', script, String(server.port)]);
  expect(stdout.trim().split('\n')).toEqual([
    'durability volatile',
    'value grüße',
    "rows [('696e', 1), ('ff00206b6579', 7)]",
    'error LIGHTNING_TRANSACTION_CLOSED definite',
  ]);
});

test('addresses', () => {
  expect(parseAddress('8080', false)).toEqual({ host: '127.0.0.1', port: 8080 });
  expect(parseAddress('[::1]:0', false)).toEqual({ host: '::1', port: 0 });
  for (const bad of ['99999', 'abc', '127.0.0.1:65536', '-1', '', '127.0.0.1:', 'a b:1', '0.0.0.0:80', '1.2.3.4:80']) {
    expect(() => parseAddress(bad, false), bad).toThrow(
      expect.objectContaining({ code: 'LIGHTNING_INVALID_ARGUMENT' }),
    );
  }
  expect(parseAddress('0.0.0.0:80', true).host).toBe('0.0.0.0');
});

test('a port that is taken is told with a code', async () => {
  await expect(serveSocket(served(), '127.0.0.1', server.port)).rejects.toMatchObject({ code: 'LIGHTNING_LOCKED' });
});

test('a client has a backup made while others write; a server without a folder for it refuses', async () => {
  await using refused = await Client.connect(server.port);
  await expect(refused.backup()).rejects.toMatchObject({ code: 'LIGHTNING_MISSING_CAPABILITY' });
  const [backups, target] = [join(directory, 'backups'), join(directory, 'target')];
  const other = await serveSocket({ ...served(), backupTo: backups }, '127.0.0.1', 0);
  try {
    await using client = await Client.connect(other.port);
    await using writer = await Client.connect(other.port);
    await client.put(bytes('a'), bytes('1'));
    const [report] = await Promise.all([client.backup(), writer.put(bytes('b'), bytes('2'))]);
    expect(report).toMatchObject({ number: 1, parent: 0, sequence: 1, rows: 1 });
    expect(await client.backup({ incremental: true })).toMatchObject({ number: 2, parent: 1, sequence: 2, rows: 2 });
    await restore(backups, target, { backup: 1 });
    await using restored = await ReadOnlyDatabase.open(target);
    expect([restored.getSync(bytes('a')), restored.getSync(bytes('b'))]).toEqual([bytes('1'), undefined]);
    await expect(client.request('backup', { incremental: 1 })).rejects.toMatchObject({
      code: 'LIGHTNING_INVALID_ARGUMENT',
    });
  } finally {
    await other.close();
  }
});
