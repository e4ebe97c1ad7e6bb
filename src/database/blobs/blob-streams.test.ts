/** Values written and read piece by piece, and what goes wrong on the way. */
import { expect, test } from 'vitest';
import { fromText } from '../../base/bytes.ts';
import { SimulatedDisk } from '../../faults/simulated-disk.ts';
import { readWholeFile } from '../../vfs/watched-vfs.ts';
import { Database } from '../database.ts';
import { errorCode } from '../limits/limits.fixture.ts';
import { BLOB_BYTES_MAX, isBlobFile } from './blob-format.ts';

const KEY = fromText('key');

async function* pieces(count: number, sizeBytes: number): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) {
    await Promise.resolve();
    yield new Uint8Array(sizeBytes).fill(i);
  }
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of source) all.push(piece);
  return Buffer.concat(all);
}

const expected = (count: number, sizeBytes: number): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => Buffer.alloc(sizeBytes, i)));

function blobsOn(disk: SimulatedDisk): string[] {
  return disk.list('').filter((name) => isBlobFile(name));
}

test('what is written in pieces is read whole and in pieces, below the bound and above it', async () => {
  const disk = new SimulatedDisk();
  await using database = Database.openOn(disk, { blobBytes: 100 });
  for (const [count, sizeBytes, files] of [
    [0, 0, 0],
    [4, 25, 0],
    [5, 25, 1],
    [7, 40, 2],
    [3, 700_000, 3],
  ] as const) {
    await database.putStream(KEY, pieces(count, sizeBytes), { length: count * sizeBytes });
    expect(blobsOn(disk)).toHaveLength(files);
    expect(Buffer.from((await database.get(KEY)) ?? [])).toEqual(expected(count, sizeBytes));
    const stream = await database.getStream(KEY);
    expect(stream?.length).toBe(count * sizeBytes);
    if (stream !== undefined) expect(await collect(stream)).toEqual(expected(count, sizeBytes));
  }
  expect(await database.getStream(fromText('none'))).toBeUndefined();
  await database.putStream(KEY, [fromText('from an array'), fromText(', no promise')]);
  expect(await database.get(KEY)).toEqual(fromText('from an array, no promise'));
});

test('a stream reads the value of its moment, though it is overwritten and its file deleted', async () => {
  const disk = new SimulatedDisk();
  await using database = Database.openOn(disk, { blobBytes: 100 });
  await database.putStream(KEY, pieces(3, 700_000));
  const stream = await database.getStream(KEY);
  using snapshot = database.snapshot();
  await database.put(KEY, fromText('other'));
  const seen = await snapshot.getStream(KEY);
  snapshot.release();
  await database.compact();
  expect(blobsOn(disk)).toEqual([]);
  for (const one of [stream, seen]) {
    expect(one).toBeDefined();
    if (one !== undefined) expect(await collect(one)).toEqual(expected(3, 700_000));
  }
});

test('a stream that ends early lets go of its file', async () => {
  const disk = new SimulatedDisk();
  const database = Database.openOn(disk, { blobBytes: 100 });
  await database.putStream(KEY, pieces(3, 700_000));
  const before = disk.openFileCount;
  const stream = await database.getStream(KEY);
  expect(disk.openFileCount).toBe(before + 1);
  for await (const piece of stream ?? []) {
    expect(piece.length).toBe(1024 * 1024);
    break;
  }
  expect(disk.openFileCount).toBe(before);
  (await database.getStream(KEY))?.close();
  expect(disk.openFileCount).toBe(before);
  expect(database.statistics().openHandles).toBe(0);
  await database.close();
});

test('a source that is wrong, too long, too short, too large or fails leaves nothing', async () => {
  const disk = new SimulatedDisk();
  await using database = Database.openOn(disk, { blobBytes: 100 });
  await database.put(KEY, fromText('before'));
  const controller = new AbortController();
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield* pieces(3, 60);
    throw new Error('the source broke');
  }
  async function* aborting(): AsyncGenerator<Uint8Array> {
    yield* pieces(3, 60);
    controller.abort();
    yield* pieces(3, 60);
  }
  const texts = [fromText('a'.repeat(200)), 'text'] as unknown as Uint8Array[];
  expect(await errorCode(database.putStream(KEY, texts))).toBe('LIGHTNING_INVALID_ARGUMENT');
  expect(await errorCode(database.putStream(KEY, pieces(3, 60), { length: 170 }))).toBe('LIGHTNING_INVALID_ARGUMENT');
  expect(await errorCode(database.putStream(KEY, pieces(3, 60), { length: 190 }))).toBe('LIGHTNING_INVALID_ARGUMENT');
  expect(await errorCode(database.putStream(KEY, pieces(1, 1), { length: -1 }))).toBe('LIGHTNING_INVALID_ARGUMENT');
  const large = { length: BLOB_BYTES_MAX + 1 };
  expect(await errorCode(database.putStream(KEY, pieces(1, 1), large))).toBe('LIGHTNING_VALUE_TOO_LARGE');
  expect(await errorCode(database.putStream(new Uint8Array(70_000), pieces(3, 60)))).toBe('LIGHTNING_KEY_TOO_LARGE');
  expect(await errorCode(database.putStream(KEY, aborting(), { signal: controller.signal }))).toBe('LIGHTNING_ABORTED');
  await expect(database.putStream(KEY, failing())).rejects.toThrow('the source broke');
  expect(blobsOn(disk)).toEqual([]);
  expect(await database.get(KEY)).toEqual(fromText('before'));
});

test('an index is kept over streamed rows; deadlines hold', async () => {
  const clock = { time: 0, now: () => clock.time };
  const extract = (_: Uint8Array, value: Uint8Array): Uint8Array => value.subarray(-1);
  const options = { blobBytes: 100, clock, indexes: [{ name: 'last', extract }] };
  await using database = Database.openOn(new SimulatedDisk(), options);
  await database.putStream(KEY, pieces(5, 60), { deadline: 10 });
  expect([...database.index('last').scanSync()].map(([indexed]) => indexed)).toEqual([Uint8Array.of(4)]);
  clock.time = 10;
  expect(await database.getStream(KEY)).toBeUndefined();
  expect([...database.index('last').scanSync()]).toEqual([]);
});

test('damage in the middle of a stream is an error of that piece, with file and offset', async () => {
  const disk = new SimulatedDisk();
  await using database = Database.openOn(disk, { blobBytes: 100 });
  await database.putStream(KEY, pieces(3, 1024 * 1024));
  const [name] = blobsOn(disk);
  const at = 64 + 2 * 1024 * 1024 + 5;
  expect(readWholeFile(disk, name)[at]).toBe(2);
  const file = disk.open(name, 'write');
  file.write(Uint8Array.of(7), 0, 1, at);
  file.close();
  const read: number[] = [];
  const stream = await database.getStream(KEY);
  const reading = (async () => {
    for await (const piece of stream ?? []) read.push(piece.length);
  })();
  await expect(reading).rejects.toMatchObject({ code: 'LIGHTNING_CORRUPTION', details: { file: name } });
  expect(read).toEqual([1024 * 1024, 1024 * 1024]);
});
