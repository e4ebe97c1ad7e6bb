/** Limits of a database: on disk space, on memory, and the verification of writes. Each test fails without its wrapper. */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fromText } from '../../base/bytes.ts';
import { errorCode } from './limits.fixture.ts';
import { SimulatedDisk } from '../../faults/simulated-disk.ts';
import { Database, type DatabaseOptions } from '../index.ts';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lightning-limits-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const VALUE = new Uint8Array(1000).fill(7);
const SMALL = { memtableBytes: 20_000, cacheBytes: 10_000, durability: 'none' } as const;

function bytesIn(path: string): number {
  return readdirSync(path)
    .filter((name) => name !== 'LOCK')
    .reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
}

/** Puts until one is refused; how many went in, and the code of the refusal. */
async function fill(database: Database, countMax: number): Promise<{ count: number; code: string }> {
  for (let count = 0; count < countMax; count++) {
    const code = await errorCode(database.put(fromText(`key ${count}`), VALUE));
    if (code !== 'none') return { count, code };
    if (count % 16 === 0) await database.idle();
  }
  return { count: countMax, code: 'none' };
}

test('nonsense is refused with a code, and makes no folder', async () => {
  const wrong: readonly Partial<DatabaseOptions>[] = [
    ...[0, -1, 1.5, Number.NaN, Infinity, 65_535].map((quotaBytes) => ({ quotaBytes })),
    ...[0, -1, 0.5, Number.NaN].map((freeBytesMin) => ({ freeBytesMin })),
    ...[0, 1, Number.NaN, 2 ** 20 - 1].map((memoryBytesMax) => ({ ...SMALL, memoryBytesMax })),
    // Room for cache and memtable once, not twice.
    { memoryBytesMax: 50 * 2 ** 20 },
    { verifyWrites: 'yes' } as unknown as Partial<DatabaseOptions>,
    { quotaBytes: '100000' } as unknown as Partial<DatabaseOptions>,
  ];
  for (const options of wrong) {
    expect([options, await errorCode(Database.open(join(folder, 'store'), options))]).toEqual([
      options,
      'LIGHTNING_INVALID_ARGUMENT',
    ]);
  }
  expect(readdirSync(folder)).toEqual([]);
  expect(() => Database.openOn(new SimulatedDisk(), { freeBytesMin: 1 })).toThrow(
    expect.objectContaining({ code: 'LIGHTNING_MISSING_CAPABILITY' }),
  );
});

test('a quota ends writing, definite, with everything acknowledged readable; a greater one lets it go on', async () => {
  const path = join(folder, 'store');
  const quotaBytes = 200_000;
  const database = await Database.open(path, { ...SMALL, quotaBytes });
  const { count, code } = await fill(database, 1000);
  expect(code).toBe('LIGHTNING_DISK_FULL');
  expect(count).toBeGreaterThan(20);
  expect(bytesIn(path)).toBeLessThanOrEqual(quotaBytes * 1.125 + 1024);
  expect(await database.get(fromText('key 0'))).toEqual(VALUE);
  expect(await database.get(fromText(`key ${count}`))).toBeUndefined();
  expect([...database.scanSync()]).toHaveLength(count);
  await database.close();
  // Far beyond its quota it opens and is read, and refuses.
  await using over = await Database.open(path, { ...SMALL, quotaBytes: 64 * 1024 });
  expect([...over.scanSync()]).toHaveLength(count);
  expect(await errorCode(over.put(fromText('more'), VALUE))).toBe('LIGHTNING_DISK_FULL');
  await over.close();
  await using wider = await Database.open(path, { ...SMALL, quotaBytes: 4_000_000 });
  await wider.put(fromText('more'), VALUE);
  expect([...wider.scanSync()]).toHaveLength(count + 1);
  expect(await wider.verifyIntegrity()).toEqual([]);
});

test('overwriting the same rows goes on for ever under a quota: what is merged away is given back', async () => {
  await using database = Database.openOn(new SimulatedDisk(), { ...SMALL, quotaBytes: 400_000, runCountMax: 1 });
  for (let i = 0; i < 1500; i++) {
    await database.put(fromText(`key ${i % 10}`), VALUE);
    if (i % 10 === 0) await database.idle();
  }
  expect([...database.scanSync()]).toHaveLength(10);
});

test('a minimum of free space that the disk does not have refuses writes, not reads', async () => {
  const path = join(folder, 'store');
  const database = await Database.open(path, SMALL);
  await database.put(fromText('a'), VALUE);
  await database.close();
  await using full = await Database.open(path, { ...SMALL, freeBytesMin: 2 ** 52 });
  expect(await errorCode(full.put(fromText('b'), VALUE))).toBe('LIGHTNING_DISK_FULL');
  expect(await full.get(fromText('a'))).toEqual(VALUE);
  await full.close();
  await using free = await Database.open(path, { ...SMALL, freeBytesMin: 1 });
  await free.put(fromText('b'), VALUE);
});

test('near the limit on memory writes are refused while reads go on, and a flush closes the breaker', async () => {
  const options = { ...SMALL, memtableBytes: 400_000, frozenCountMax: 8, memoryBytesMax: 2 ** 20 };
  await using database = await Database.open(join(folder, 'store'), options);
  // At once, so that nothing is flushed in between.
  let count = 0;
  let refused: unknown;
  for (; count < 3000 && refused === undefined; count++) {
    try {
      database.putSync(fromText(`key ${count}`), VALUE);
    } catch (error) {
      refused = error;
    }
  }
  expect(refused).toMatchObject({ code: 'LIGHTNING_LIMIT' });
  const { memtableBytes, frozenBytes, cacheBytes } = database.statistics();
  const used = memtableBytes + frozenBytes + cacheBytes;
  expect(used).toBeGreaterThan(0.9 * 2 ** 20);
  expect(used).toBeLessThan(2 ** 20);
  expect(database.getSync(fromText('key 0'))).toEqual(VALUE);
  expect(database.getSync(fromText(`key ${count - 1}`))).toBeUndefined();
  const transaction = database.begin();
  transaction.put(fromText('t'), VALUE);
  expect(await errorCode(transaction.commit())).toBe('LIGHTNING_LIMIT');
  await database.idle();
  await new Promise((resolve) => setImmediate(resolve));
  await database.put(fromText('after'), VALUE);
  expect(database.getSync(fromText('t'))).toBeUndefined();
});

test('what open transactions and waiting writes hold counts, and ends with them', async () => {
  const options = { ...SMALL, memoryBytesMax: 2 ** 20 };
  await using database = Database.openOn(new SimulatedDisk(), options);
  const transaction = database.begin();
  for (let i = 0; i < 1000; i++) transaction.put(fromText(`key ${i}`), VALUE);
  expect(await errorCode(database.put(fromText('a'), VALUE))).toBe('LIGHTNING_LIMIT');
  transaction.abort();
  await database.put(fromText('a'), VALUE);
  const writes = Array.from({ length: 3000 }, async (_, i) => errorCode(database.put(fromText(`w${i}`), VALUE)));
  const codes = await Promise.all(writes);
  expect(new Set(codes)).toEqual(new Set(['none', 'LIGHTNING_LIMIT']));
  expect([...database.scanSync({ prefix: fromText('w') })]).toHaveLength(codes.filter((c) => c === 'none').length);
});
