import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBytes } from '../base/bytes.ts';
import { ManualClock } from '../base/clock.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { Database, type IndexDeclaration } from './index.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);
const code = (name: string): object => ({ code: `LIGHTNING_${name}` });
/** Rows are `city,mail`. */
const field = (at: number) => (_: Uint8Array, value: Uint8Array) => bytes(text(value).split(',')[at]);
const city: IndexDeclaration = { name: 'city', extract: field(0) };
const mail: IndexDeclaration = { name: 'mail', unique: true, extract: field(1) };
const words = (rows: Iterable<Uint8Array[]>): string[] => [...rows].map((row) => row.map(text).join(' '));

function opened(disk: SimulatedDisk, indexes: readonly IndexDeclaration[], clock = new ManualClock(0)): Database {
  return Database.openOn(disk, { indexes, clock });
}

test('rows are found by their indexed values, in order, both ways, within bounds, after updates and deletes', async () => {
  await using database = opened(new SimulatedDisk(), [city, mail]);
  await database.batch([
    { type: 'put', key: bytes('1'), value: bytes('oslo,a') },
    { type: 'put', key: bytes('2'), value: bytes('bern,b') },
    { type: 'put', key: bytes('3'), value: bytes('oslo,c') },
  ]);
  const index = database.index('city');
  expect(words(index.scanSync())).toEqual(['bern 2 bern,b', 'oslo 1 oslo,a', 'oslo 3 oslo,c']);
  expect(words(index.scanSync({ gt: bytes('bern'), reverse: true, limit: 1 }))).toEqual(['oslo 3 oslo,c']);
  expect(words(index.scanSync({ lt: bytes('bern') }))).toEqual([]);
  await database.put(bytes('1'), bytes('rome,a'));
  await database.delete(bytes('2'));
  expect(words(index.scanSync())).toEqual(['oslo 3 oslo,c', 'rome 1 rome,a']);
  await database.clear({ gte: bytes('2') });
  expect(words(index.scanSync())).toEqual(['rome 1 rome,a']);
  expect(words(database.index('mail').scanSync({ prefix: bytes('a') }))).toEqual(['a 1 rome,a']);
  expect([...database.scanSync()]).toHaveLength(1);
  expect(await index.verify()).toEqual([]);
});

test('a unique value belongs to one row; a race for it is a conflict; it may change hands in one commit', async () => {
  await using database = opened(new SimulatedDisk(), [mail]);
  const [first, second] = [database.begin(), database.begin()];
  for (const one of [first, second]) one.getSync(bytes('elsewhere'));
  first.put(bytes('1'), bytes('oslo,a'));
  second.put(bytes('2'), bytes('bern,a'));
  await first.commit();
  await expect(second.commit()).rejects.toMatchObject(code('CONFLICT'));
  await expect(database.put(bytes('2'), bytes('bern,a'))).rejects.toMatchObject(code('NOT_UNIQUE'));
  expect(await database.get(bytes('2'))).toBeUndefined();
  await database.put(bytes('2'), bytes('bern,b'));
  await database.batch([
    { type: 'put', key: bytes('1'), value: bytes('oslo,b') },
    { type: 'put', key: bytes('2'), value: bytes('bern,a') },
  ]);
  expect(words(database.index('mail').scanSync())).toEqual(['a 2 bern,a', 'b 1 oslo,b']);
  expect(await database.index('mail').verify()).toEqual([]);
});

test('unpublished rows count: two puts of one row before their fsync leave one entry', async () => {
  await using database = opened(new SimulatedDisk(), [city]);
  await Promise.all([database.put(bytes('1'), bytes('oslo,a')), database.put(bytes('1'), bytes('bern,a'))]);
  expect(words(database.index('city').scanSync())).toEqual(['bern 1 bern,a']);
  expect(await database.index('city').verify()).toEqual([]);
});

test('an extractor that throws or gives nonsense refuses the commit, with nothing half done', async () => {
  const extract = (_: Uint8Array, value: Uint8Array): Uint8Array => {
    if (text(value) === 'bad') throw new RangeError('bad row');
    return text(value) === 'odd' ? ('text' as unknown as Uint8Array) : value;
  };
  await using database = opened(new SimulatedDisk(), [{ name: 'x', extract }]);
  for (const value of ['bad', 'odd']) {
    const both = [
      { type: 'put', key: bytes('1'), value: bytes('good') },
      { type: 'put', key: bytes('2'), value: bytes(value) },
    ] as const;
    await expect(database.batch(both)).rejects.toMatchObject(code('EXTRACTOR'));
    const transaction = database.begin();
    transaction.put(bytes('1'), bytes('good'));
    transaction.getSync(bytes('1'));
    transaction.put(bytes('2'), bytes(value));
    await expect(transaction.commit()).rejects.toMatchObject(code('EXTRACTOR'));
  }
  expect([...database.scanSync()]).toEqual([]);
  // The two commits are those of building it.
  expect(database.statistics()).toMatchObject({ published: 2, snapshotCount: 0, transactionCount: 0 });
});

test('entries have the deadline of their row', async () => {
  const clock = new ManualClock(-5000);
  await using database = opened(new SimulatedDisk(), [mail], clock);
  await database.put(bytes('1'), bytes('oslo,a'), { deadline: -4000 });
  expect(words(database.index('mail').scanSync())).toEqual(['a 1 oslo,a']);
  clock.set(-4000);
  expect(words(database.index('mail').scanSync())).toEqual([]);
  await database.put(bytes('2'), bytes('bern,a'));
  await database.compact();
  expect(await database.index('mail').verify()).toEqual([]);
  expect(words(database.index('mail').scanSync())).toEqual(['a 2 bern,a']);
});

test('an index is built when it is declared, and again after writes without the declaration; keys of it are refused', async () => {
  const disk = new SimulatedDisk();
  const plain = opened(disk, []);
  for (let i = 0; i < 2500; i++) plain.putSync(bytes(`${i}`), bytes(`c${i % 10},${i}`), { sync: false });
  await plain.close();
  const indexed = opened(disk, [city]);
  expect(words(indexed.index('city').scanSync({ prefix: bytes('c3') }))).toHaveLength(250);
  await expect(indexed.put(new Uint8Array(20).fill(255), bytes('v'))).rejects.toMatchObject(code('INVALID_ARGUMENT'));
  expect(() => indexed.index('mail').scanSync().next()).toThrow(expect.objectContaining(code('NOT_FOUND')));
  await indexed.close();
  const careless = opened(disk, []);
  await careless.put(bytes('0'), bytes('c3,0'));
  await careless.close();
  await using again = opened(disk, [city]);
  expect(words(again.index('city').scanSync({ prefix: bytes('c3') }))).toHaveLength(251);
  expect(await again.index('city').verify()).toEqual([]);
  await again.index('city').rebuild();
  expect(await again.index('city').verify()).toEqual([]);
});

test('verify finds what a raw write has broken, and rebuild mends it', async () => {
  const disk = new SimulatedDisk();
  const indexed = opened(disk, [city]);
  await indexed.put(bytes('1'), bytes('oslo,a'));
  await indexed.close();
  const raw = opened(disk, []);
  const rows = [...raw.scanSync()];
  const entry = rows.find(([key]) => text(key).includes('oslo'));
  const marker = rows.find(([key]) => text(key).endsWith('city'));
  expect(entry).toBeDefined();
  await raw.batch([
    { type: 'delete', key: entry?.[0] ?? bytes('') },
    { type: 'put', key: bytes('2'), value: bytes('rome,b') },
  ]);
  await raw.put(marker?.[0] ?? bytes(''), bytes(''));
  await raw.close();
  await using broken = opened(disk, [city]);
  expect(await broken.index('city').verify()).toHaveLength(2);
  await broken.index('city').rebuild();
  expect(await broken.index('city').verify()).toEqual([]);
  expect(words(broken.index('city').scanSync())).toEqual(['oslo 1 oslo,a', 'rome 2 rome,b']);
});

test('a transaction scans an index at its snapshot, and serializable guards the range that it scanned', async () => {
  await using database = opened(new SimulatedDisk(), [city]);
  const transaction = database.begin({ isolation: 'serializable' });
  expect(words(database.index('city', transaction).scanSync({ prefix: bytes('oslo') }))).toEqual([]);
  await database.put(bytes('1'), bytes('oslo,a'));
  expect(words(database.index('city', transaction).scanSync())).toEqual([]);
  transaction.put(bytes('2'), bytes('bern,b'));
  await expect(transaction.commit()).rejects.toMatchObject(code('CONFLICT'));
});

test('property: entries order as (value, key) does, zero bytes and prefixes included, and bounds mean the same', () => {
  const piece = fc.array(fc.constantFrom(0, 1, 2, 254, 255), { maxLength: 3 }).map((list) => Uint8Array.from(list));
  const rows = fc.uniqueArray(fc.tuple(piece, piece), { maxLength: 8, selector: ([key]) => key.join() });
  fc.assert(
    fc.property(rows, piece, piece, (pairs, low, high) => {
      const database = opened(new SimulatedDisk(), [{ name: 'v', extract: (_, value) => value }]);
      for (const [key, value] of pairs) database.putSync(key, value);
      const all = pairs.toSorted((a, b) => compareBytes(a[1], b[1]) || compareBytes(a[0], b[0]));
      const view = database.index('v');
      const keys = (found: Iterable<Uint8Array[]>): string[] => [...found].map((row) => row[1].join());
      const among = (keep: (value: Uint8Array) => boolean): string[] =>
        all.filter(([, value]) => keep(value)).map(([key]) => key.join());
      expect(keys(view.scanSync())).toEqual(among(() => true));
      expect(keys(view.scanSync({ gte: low, lt: high }))).toEqual(
        among((value) => compareBytes(value, low) >= 0 && compareBytes(value, high) < 0),
      );
      expect(keys(view.scanSync({ gt: low, lte: high, reverse: true }))).toEqual(
        among((value) => compareBytes(value, low) > 0 && compareBytes(value, high) <= 0).toReversed(),
      );
      expect(keys(view.scanSync({ prefix: low }))).toEqual(
        among((value) => compareBytes(value.subarray(0, low.length), low) === 0),
      );
      database.closeSync();
    }),
    { numRuns: 100 },
  );
});
