/** Large values through every face of a database: written once, read everywhere, deleted when nobody can read them. */
import { expect, test } from 'vitest';
import { fromText } from '../../base/bytes.ts';
import { SimulatedDisk } from '../../faults/simulated-disk.ts';
import { FaultPlan } from '../../faults/fault-plan.ts';
import { Database } from '../database.ts';
import type { DatabaseOptions } from '../options.ts';
import { BLOB_BYTES_MAX, isBlobFile } from './blob-format.ts';

const SMALL: Partial<DatabaseOptions> = { blobBytes: 16, memtableBytes: 2000, blockSizeBytes: 512 };
const LARGE = fromText('a value of many more bytes than sixteen, in chunks of sixty-four bytes each: '.repeat(3));
const OTHER = fromText('another value that is large enough to become a blob');
const KEY = fromText('key');

function open(disk: SimulatedDisk, options: Partial<DatabaseOptions> = {}): Database {
  return Database.openOn(disk, { ...SMALL, ...options });
}

function blobsOn(disk: SimulatedDisk): string[] {
  return disk.list('').filter((name) => isBlobFile(name));
}

async function valuesOf(rows: AsyncIterable<[Uint8Array, Uint8Array]>): Promise<Uint8Array[]> {
  const values: Uint8Array[] = [];
  for await (const [, value] of rows) values.push(value);
  return values;
}

test('every face reads the same value, before and after flush, merge and reopening', async () => {
  const disk = new SimulatedDisk();
  let database = open(disk);
  const check = async (): Promise<void> => {
    expect(await database.get(KEY)).toEqual(LARGE);
    expect(database.getSync(KEY)).toEqual(LARGE);
    expect(database.getSync(fromText('small'))).toEqual(fromText('inline'));
    expect(await valuesOf(database.scan())).toEqual([LARGE, fromText('inline')]);
    expect([...database.scanSync({ reverse: true })].map(([, value]) => value)).toEqual([fromText('inline'), LARGE]);
    using snapshot = database.snapshot();
    expect(await snapshot.get(KEY)).toEqual(LARGE);
    expect(snapshot.getSync(KEY)).toEqual(LARGE);
    expect(await valuesOf(snapshot.scan({ lte: KEY }))).toEqual([LARGE]);
    using transaction = database.begin();
    expect(await transaction.get(KEY)).toEqual(LARGE);
    expect(transaction.getSync(KEY)).toEqual(LARGE);
    expect(await valuesOf(transaction.scan({ lte: KEY }))).toEqual([LARGE]);
    expect(blobsOn(disk)).toHaveLength(1);
  };
  await database.put(KEY, LARGE);
  database.putSync(fromText('small'), fromText('inline'));
  await check();
  await database.flush();
  await check();
  await database.compact();
  await check();
  await database.close();
  database = open(disk);
  await check();
  await database.close();
});

test('the file of a value goes when nobody can read it: not before a snapshot is released', async () => {
  const disk = new SimulatedDisk();
  await using database = open(disk);
  await database.put(KEY, LARGE);
  const snapshot = database.snapshot();
  await database.put(KEY, OTHER);
  await database.compact();
  expect(blobsOn(disk)).toHaveLength(2);
  expect(snapshot.getSync(KEY)).toEqual(LARGE);
  snapshot.release();
  await database.idle();
  expect(blobsOn(disk)).toHaveLength(1);
  expect(await database.get(KEY)).toEqual(OTHER);
  await database.delete(KEY);
  await database.compact();
  expect(blobsOn(disk)).toEqual([]);
  expect(database.statistics()).toMatchObject({ blobsWritten: 2, blobsDeleted: 2 });
});

test('an expired value goes, a cleared one too', async () => {
  const disk = new SimulatedDisk();
  const clock = { time: 0, now: () => clock.time };
  await using database = open(disk, { clock });
  await database.put(KEY, LARGE, { deadline: 10 });
  await database.put(fromText('l'), LARGE);
  expect(await database.get(KEY)).toEqual(LARGE);
  clock.time = 10;
  expect(await database.get(KEY)).toBeUndefined();
  await database.compact();
  expect(blobsOn(disk)).toHaveLength(1);
  await database.clear({ prefix: fromText('l') });
  await database.compact();
  expect(blobsOn(disk)).toEqual([]);
});

test('a commit that is not made leaves no file: conflict, too large a value, a full disk, what a batch itself undoes', async () => {
  const faults = new FaultPlan([
    { when: { path: 'blob-*', nth: 30, times: 1 }, effect: { operation: 'write', error: 'ENOSPC', writtenBytes: 5 } },
  ]);
  const disk = new SimulatedDisk({ faults });
  await using database = open(disk);
  await database.put(KEY, fromText('1'));
  const transaction = database.begin();
  expect(await transaction.get(KEY)).toEqual(fromText('1'));
  transaction.put(KEY, LARGE);
  expect(transaction.getSync(KEY)).toEqual(LARGE);
  await database.put(KEY, fromText('2'));
  await expect(transaction.commit()).rejects.toMatchObject({ code: 'LIGHTNING_CONFLICT' });
  expect(blobsOn(disk)).toEqual([]);
  const tooLarge = new Uint8Array(new ArrayBuffer(0, { maxByteLength: BLOB_BYTES_MAX + 1 }));
  (tooLarge.buffer as ArrayBuffer).resize(BLOB_BYTES_MAX + 1);
  await expect(database.put(KEY, tooLarge)).rejects.toMatchObject({ code: 'LIGHTNING_VALUE_TOO_LARGE' });
  expect(() => database.putSync(KEY, tooLarge)).toThrow(expect.objectContaining({ code: 'LIGHTNING_VALUE_TOO_LARGE' }));
  await database.batch([
    { type: 'put', key: KEY, value: LARGE },
    { type: 'put', key: fromText('x'), value: LARGE },
    { type: 'clear', start: fromText('x'), end: undefined },
    { type: 'put', key: KEY, value: OTHER },
  ]);
  expect(blobsOn(disk)).toHaveLength(1);
  expect([...database.scanSync()]).toEqual([[KEY, OTHER]]);
  let refused: unknown;
  for (let i = 0; i < 12 && refused === undefined; i++) {
    await database.put(KEY, LARGE).catch((error: unknown) => (refused = error));
  }
  expect(refused).toMatchObject({ code: 'LIGHTNING_DISK_FULL' });
  await database.compact();
  expect(blobsOn(disk)).toHaveLength(1);
  expect(await database.get(KEY)).toEqual(LARGE);
});

test('nobody else makes references', async () => {
  await using database = open(new SimulatedDisk());
  const forged = { type: 'put', key: KEY, value: new Uint8Array(14), isReference: true } as const;
  await expect(database.batch([forged])).rejects.toMatchObject({ code: 'LIGHTNING_INVALID_ARGUMENT' });
  expect(() => database.batchSync([forged])).toThrow(expect.objectContaining({ code: 'LIGHTNING_INVALID_ARGUMENT' }));
});

test('transactions commit large values, at once and in turns, with and without reads', async () => {
  const disk = new SimulatedDisk();
  await using database = open(disk);
  await database.transaction((transaction) => transaction.put(fromText('a'), LARGE));
  await database.transaction(async (transaction) => {
    expect(await transaction.getForUpdate(fromText('a'))).toEqual(LARGE);
    transaction.put(fromText('b'), OTHER);
    transaction.put(fromText('b'), LARGE);
    transaction.put(fromText('c'), OTHER);
    transaction.delete(fromText('c'));
  });
  const third = database.begin();
  expect(third.getSync(fromText('b'))).toEqual(LARGE);
  third.put(fromText('c'), OTHER, { deadline: 2 ** 50 });
  third.commitSync();
  expect([...database.scanSync()].map(([, value]) => value)).toEqual([LARGE, LARGE, OTHER]);
  expect(blobsOn(disk)).toHaveLength(3);
});

test('an index is kept over rows with large values', async () => {
  const extract = (_: Uint8Array, value: Uint8Array): Uint8Array => value.subarray(0, 4);
  await using database = open(new SimulatedDisk(), { indexes: [{ name: 'head', extract }] });
  await database.put(KEY, LARGE);
  await database.transaction((transaction) => transaction.put(fromText('other'), OTHER));
  const rows = [...database.index('head').scanSync()].map(([indexed, key, value]) => [indexed, key, value]);
  expect(rows).toEqual([
    [fromText('a va'), KEY, LARGE],
    [fromText('anot'), fromText('other'), OTHER],
  ]);
  await database.put(KEY, OTHER);
  expect([...database.index('head').scanSync()]).toHaveLength(2);
  expect(await database.index('head').verify()).toEqual([]);
});

test('what an unclean stop leaves is swept, what is named is not', async () => {
  const disk = new SimulatedDisk();
  const database = open(disk);
  await database.put(KEY, LARGE);
  const left = new SimulatedDisk({ image: disk.currentImage() });
  for (const number of [77, 3_000_000_000]) {
    const garbage = left.open(`blob-${number}`, 'create');
    garbage.write(LARGE, 0, LARGE.length, 0);
    garbage.close();
  }
  const again = open(left);
  expect(blobsOn(left)).toHaveLength(3);
  await again.idle();
  expect(blobsOn(left)).toHaveLength(1);
  expect(await again.get(KEY)).toEqual(LARGE);
  await again.put(KEY, OTHER);
  // Numbers of the folder are not used again.
  expect(blobsOn(left).at(-1)).toMatch(/^blob-30000000\d\d$/);
  await again.close();
  await database.close();
});

test('closing ends what is being written, and leaves no file of it', async () => {
  const disk = new SimulatedDisk();
  const database = open(disk);
  const settled = Promise.allSettled([database.put(KEY, LARGE), database.put(KEY, OTHER)]);
  database.closeSync();
  for (const result of await settled) expect(result).toMatchObject({ reason: { code: 'LIGHTNING_CLOSED' } });
  expect(blobsOn(disk)).toEqual([]);
  const again = open(disk);
  const written = again.put(KEY, LARGE);
  await again.close();
  await written;
  await using last = open(disk);
  expect(await last.get(KEY)).toEqual(LARGE);
});
