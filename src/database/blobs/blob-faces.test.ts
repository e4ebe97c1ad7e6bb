/** Large values under a quota, behind an abstract-level, and over the protocol, whose frames hold no more than 16 MiB. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fromText } from '../../base/bytes.ts';
import { VALUE_BYTES_MAX } from '../../engine/limits.ts';
import { SimulatedDisk } from '../../faults/simulated-disk.ts';
import { Database } from '../database.ts';
import LightningLevel from '../level/level.ts';
import { Client } from '../protocol/client.ts';
import { serveSocket } from '../protocol/serve.ts';
import { isBlobFile } from './blob-format.ts';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lightning-blobs-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const LARGE = new Uint8Array(100_000).map((_, at) => at % 251);
const code = (name: string): object => ({ code: `LIGHTNING_${name}` });

test('a large value counts under the quota: refused whole, definite, no file left, room again once others are gone', async () => {
  const disk = new SimulatedDisk();
  const blobs = (): number => disk.list('').filter((name) => isBlobFile(name)).length;
  await using database = Database.openOn(disk, { quotaBytes: 400_000, memtableBytes: 20_000 });
  for (const key of ['a', 'b', 'c']) await database.put(fromText(key), LARGE);
  await expect(database.put(fromText('d'), LARGE)).rejects.toMatchObject(code('DISK_FULL'));
  expect(() => database.putSync(fromText('d'), LARGE)).toThrow(expect.objectContaining(code('DISK_FULL')));
  await expect(database.putStream(fromText('d'), [LARGE])).rejects.toMatchObject(code('DISK_FULL'));
  const transaction = database.begin();
  transaction.put(fromText('d'), LARGE);
  transaction.put(fromText('e'), fromText('small'));
  await expect(transaction.commit()).rejects.toMatchObject(code('DISK_FULL'));
  expect(blobs()).toBe(3);
  expect([...database.scanSync()].map(([, value]) => value)).toEqual([LARGE, LARGE, LARGE]);
  await database.delete(fromText('a'));
  await database.compact();
  expect(blobs()).toBe(2);
  await database.put(fromText('d'), LARGE);
  expect(await database.get(fromText('d'))).toEqual(LARGE);
  expect(await database.verifyIntegrity()).toEqual([]);
});

test('an abstract-level puts, reads, iterates and deletes large values', async () => {
  const path = join(folder, 'level');
  const level = new LightningLevel<string, Uint8Array>(path, { valueEncoding: 'view' });
  await level.put('a', LARGE);
  await level.batch([
    { type: 'put', key: 'b', value: LARGE },
    { type: 'put', key: 'c', value: fromText('small') },
  ]);
  const before = level.snapshot();
  await level.put('a', fromText('small now'));
  expect(await level.getMany(['a', 'b', 'd'])).toEqual([fromText('small now'), LARGE, undefined]);
  expect(level.getSync('b')).toEqual(LARGE);
  expect(await level.get('a', { snapshot: before })).toEqual(LARGE);
  expect(await level.values({ gte: 'b' }).all()).toEqual([LARGE, fromText('small')]);
  await before.close();
  await level.clear();
  await level.close();
  await using database = await Database.open(path);
  expect([...database.scanSync()]).toEqual([]);
  await database.compact();
  expect(readdirSync(path).filter((name) => isBlobFile(name))).toEqual([]);
});

test('over the protocol a value up to 16 MiB comes and goes; a larger one is refused by both sides, and the client goes on', async () => {
  await using database = Database.openOn(new SimulatedDisk(), { durability: 'none' });
  const server = await serveSocket(
    { database, acknowledges: 'volatile', version: '0', elapsed: () => 0 },
    '127.0.0.1',
    0,
  );
  try {
    await using client = await Client.connect(server.port);
    await client.put(fromText('a'), LARGE);
    expect(await client.get(fromText('a'))).toEqual(LARGE);
    const rows: Uint8Array[] = [];
    for await (const [, value] of client.scan()) rows.push(value);
    expect(rows).toEqual([LARGE]);
    const tooLarge = new Uint8Array(VALUE_BYTES_MAX + 1);
    await expect(client.put(fromText('b'), tooLarge)).rejects.toMatchObject(code('VALUE_TOO_LARGE'));
    const transaction = await client.begin();
    await expect(transaction.put(fromText('b'), tooLarge)).rejects.toMatchObject(code('VALUE_TOO_LARGE'));
    await transaction.abort();
    await database.put(fromText('b'), tooLarge);
    await expect(client.get(fromText('b'))).rejects.toMatchObject(code('VALUE_TOO_LARGE'));
    expect(await client.get(fromText('a'))).toEqual(LARGE);
    expect(database.statistics()).toMatchObject({ transactionCount: 0, openHandles: 0 });
  } finally {
    await server.close();
  }
});
