import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ManualClock, monotonicMilliseconds } from '../base/clock.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { Database, type DatabaseOptions, type DatabaseTransaction, type Isolation } from './index.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);
const code = (name: string): object => ({ code: `LIGHTNING_${name}` });

function opened(options: Partial<DatabaseOptions> = {}): Database {
  return Database.openOn(new SimulatedDisk(), { clock: new ManualClock(1000), random: () => 0, ...options });
}

/** Moves 1 between two accounts and gives the total that another reader would see. */
async function transfer(database: Database, from: string, to: string, isolation: Isolation): Promise<void> {
  await database.transaction(
    async (transaction) => {
      const a = Number(text(await transaction.get(bytes(from))));
      const b = Number(text(await transaction.get(bytes(to))));
      await turn();
      transaction.put(bytes(from), bytes(`${a - 1}`));
      transaction.put(bytes(to), bytes(`${b + 1}`));
    },
    { isolation, retries: 100_000 },
  );
}

async function total(database: Database): Promise<number> {
  let sum = 0;
  for await (const [, value] of database.scan()) sum += Number(text(value));
  return sum;
}

test.each(['snapshot', 'serializable'] as const)(
  'the bank: 4 × 100 concurrent transfers between A and B, %s',
  async (isolation) => {
    await using database = opened();
    await database.put(bytes('A'), bytes('1000'));
    await database.put(bytes('B'), bytes('1000'));
    const clerks = Array.from({ length: 4 }, async (_, clerk) => {
      for (let i = 0; i < 100; i++) {
        await transfer(database, clerk % 2 === 0 ? 'A' : 'B', clerk % 2 === 0 ? 'B' : 'A', isolation);
        if (i % 10 === 0) expect(await total(database)).toBe(2000);
      }
    });
    await Promise.all(clerks);
    expect(text(await database.get(bytes('A')))).toBe('1000');
    expect(await total(database)).toBe(2000);
    expect(database.statistics()).toMatchObject({ transactionCount: 0, lockCount: 0, snapshotCount: 0 });
    expect(database.statistics().conflicts).toBeGreaterThan(100);
  },
);

async function lostUpdate(isolation: Isolation): Promise<string | undefined> {
  await using database = opened();
  await database.put(bytes('n'), bytes('0'));
  const increment = (transaction: DatabaseTransaction): void =>
    transaction.put(bytes('n'), bytes(`${Number(text(transaction.getSync(bytes('n')))) + 1}`));
  const [first, second] = [database.begin({ isolation }), database.begin({ isolation })];
  increment(first);
  increment(second);
  await first.commit();
  await second.commit();
  return text(await database.get(bytes('n')));
}

test('a lost update happens under read-committed and nowhere else', async () => {
  expect(await lostUpdate('read-committed')).toBe('1');
  for (const isolation of ['repeatable-read', 'snapshot', 'serializable'] as const) {
    await expect(lostUpdate(isolation)).rejects.toMatchObject(code('CONFLICT'));
  }
});

async function writeSkew(isolation: Isolation, read: (t: DatabaseTransaction, other: string) => number): Promise<void> {
  await using database = opened();
  const [first, second] = [database.begin({ isolation }), database.begin({ isolation })];
  expect([read(first, 'b'), read(second, 'a')]).toEqual([0, 0]);
  first.put(bytes('a'), bytes('1'));
  second.put(bytes('b'), bytes('1'));
  await first.commit();
  await second.commit();
}

test('write skew over absent keys and over ranges: possible under snapshot, impossible under serializable', async () => {
  const byKey = (t: DatabaseTransaction, key: string): number => (t.getSync(bytes(key)) === undefined ? 0 : 1);
  const byRange = (t: DatabaseTransaction, key: string): number => [...t.scanSync({ prefix: bytes(key) })].length;
  for (const read of [byKey, byRange]) {
    await writeSkew('snapshot', read);
    await expect(writeSkew('serializable', read)).rejects.toMatchObject(code('CONFLICT'));
  }
});

test('read-committed reads the present anew with each statement, its own writes over it', async () => {
  await using database = opened();
  const transaction = database.begin({ isolation: 'read-committed' });
  transaction.put(bytes('own'), bytes('1'));
  expect(transaction.getSync(bytes('k'))).toBeUndefined();
  await database.put(bytes('k'), bytes('1'));
  await database.put(bytes('own'), bytes('2'));
  expect(text(transaction.getSync(bytes('k')))).toBe('1');
  expect(text(transaction.getSync(bytes('own')))).toBe('1');
  expect([...transaction.scanSync()].map(([k, v]) => [text(k), text(v)])).toEqual([
    ['k', '1'],
    ['own', '1'],
  ]);
  await transaction.commit();
  expect(text(await database.get(bytes('own')))).toBe('1');
  expect(database.statistics().snapshotCount).toBe(0);
});

test('a transaction that has read nothing has no snapshot and cannot conflict', async () => {
  await using database = opened();
  const transaction = database.begin({ isolation: 'serializable' });
  transaction.put(bytes('k'), bytes('mine'));
  await database.put(bytes('k'), bytes('theirs'));
  expect(database.statistics().snapshotCount).toBe(0);
  await transaction.commit();
  expect(text(await database.get(bytes('k')))).toBe('mine');
});

test('locks: others wait for them, plain writes too, and a commit that meets one is refused', async () => {
  await using database = opened();
  await database.put(bytes('k'), bytes('0'));
  const holder = database.begin();
  expect(text(await holder.getForUpdate(bytes('k')))).toBe('0');
  const next = database.begin();
  const waits = next.getForUpdate(bytes('k'));
  const stranger = database.begin();
  stranger.put(bytes('k'), bytes('stranger'));
  await expect(stranger.commit()).rejects.toMatchObject(code('CONFLICT'));
  expect(() => database.putSync(bytes('k'), bytes('sync'))).toThrow(expect.objectContaining(code('CONFLICT')));
  let written = false;
  const plain = database.put(bytes('k'), bytes('plain')).then(() => (written = true));
  const cleared = database.clear({ gte: bytes('a') });
  await turn();
  expect([written, database.statistics().lockWaiters]).toEqual([false, 3]);
  holder.put(bytes('k'), bytes('1'));
  await holder.commit();
  // The snapshot of the next one is taken with the grant, after what the holder wrote.
  expect(text(await waits)).toBe('1');
  next.put(bytes('k'), bytes('2'));
  await next.commit();
  await Promise.all([plain, cleared]);
  expect(database.statistics()).toMatchObject({ lockCount: 0, lockWaiters: 0, transactionCount: 0 });
});

test('a grant whose key has changed since the snapshot is a conflict at once', async () => {
  await using database = opened();
  const transaction = database.begin();
  transaction.getSync(bytes('other'));
  await database.put(bytes('k'), bytes('1'));
  await expect(transaction.getForUpdate(bytes('k'))).rejects.toMatchObject(code('CONFLICT'));
  expect(transaction.isActive).toBe(false);
  expect(database.statistics()).toMatchObject({ lockCount: 0, snapshotCount: 0 });
});

test.each([2, 3, 5])('a cycle of %i waits ends with the youngest, at once; the others go on', async (count) => {
  await using database = opened();
  const ring = Array.from({ length: count }, () => database.begin());
  for (const [i, transaction] of ring.entries()) await transaction.getForUpdate(bytes(`${i}`));
  const outcomes = ring.map(async (transaction, i) => {
    await transaction.getForUpdate(bytes(`${(i + 1) % count}`));
    await transaction.commit();
  });
  const settled = await Promise.allSettled(outcomes);
  expect(settled.map((one) => one.status)).toEqual(ring.map((_, i) => (i === count - 1 ? 'rejected' : 'fulfilled')));
  expect(settled.at(-1)).toMatchObject({ reason: code('DEADLOCK') });
  expect(database.statistics()).toMatchObject({ deadlocks: 1, lockCount: 0, lockWaiters: 0, transactionCount: 0 });
});

test('waits end with their signal, their transaction or the database', async () => {
  const database = opened();
  const holder = database.begin();
  await holder.getForUpdate(bytes('k'));
  const abort = new AbortController();
  const byRequest = [
    database.begin().getForUpdate(bytes('k'), { signal: abort.signal }),
    database.put(bytes('k'), bytes('v'), { signal: abort.signal }),
  ];
  abort.abort();
  for (const one of byRequest) await expect(one).rejects.toMatchObject(code('ABORTED'));
  const aborted = database.begin();
  const wait = aborted.getForUpdate(bytes('k'));
  aborted.abort();
  await expect(wait).rejects.toMatchObject(code('TRANSACTION_CLOSED'));
  const left = expect(database.begin().getForUpdate(bytes('k'))).rejects.toMatchObject(code('CLOSED'));
  await database.close();
  await left;
  await expect(holder.get(bytes('k'))).rejects.toMatchObject(code('CLOSED'));
});

test('limits: count, bytes, level, retries, nesting', async () => {
  await using database = opened({ transactionCountMax: 1, transactionBytesMax: 1000 });
  const only = database.begin();
  expect(() => database.begin()).toThrow(expect.objectContaining(code('LIMIT')));
  expect(() => only.put(bytes('k'), new Uint8Array(1000))).toThrow(expect.objectContaining(code('LIMIT')));
  expect(only.isActive).toBe(false);
  expect(() => database.begin({ isolation: 'chaos' as Isolation })).toThrow(
    expect.objectContaining(code('INVALID_ARGUMENT')),
  );
  const nested = database.transaction(async () => database.transaction(() => 1));
  await expect(nested).rejects.toMatchObject(code('INVALID_ARGUMENT'));
  await expect(database.transaction(() => 1, { retries: -1 })).rejects.toMatchObject(code('INVALID_ARGUMENT'));
  await expect(
    database.transaction(() => {
      throw new RangeError('mine');
    }),
  ).rejects.toThrow(RangeError);
  expect(await database.transaction(() => 7)).toBe(7);
});

test('tries end after `retries`, with the conflict', async () => {
  await using database = opened();
  let tries = 0;
  const unlucky = database.transaction(
    async (transaction) => {
      tries++;
      await transaction.get(bytes('k'));
      await database.put(bytes('k'), bytes(`${tries}`));
      transaction.put(bytes('k'), bytes('mine'));
    },
    { retries: 3 },
  );
  await expect(unlucky).rejects.toMatchObject(code('CONFLICT'));
  expect(tries).toBe(4);
});

test('use after the end is refused', async () => {
  await using database = opened();
  const transaction = database.begin();
  transaction.put(bytes('k'), bytes('v'));
  await transaction.commit();
  const closed = expect.objectContaining(code('TRANSACTION_CLOSED')) as Error;
  expect(() => transaction.put(bytes('k'), bytes('w'))).toThrow(closed);
  expect(() => transaction.getSync(bytes('k'))).toThrow(closed);
  expect(() => [...transaction.scanSync()]).toThrow(closed);
  await expect(transaction.commit()).rejects.toMatchObject(code('TRANSACTION_CLOSED'));
  await expect(transaction.getForUpdate(bytes('k'))).rejects.toMatchObject(code('TRANSACTION_CLOSED'));
  transaction.abort();
  using snapshot = database.snapshot();
  snapshot.release();
  expect(() => snapshot.getSync(bytes('k'))).toThrow(expect.objectContaining(code('SNAPSHOT_CLOSED')));
});

test('a transaction that is too old ends, with its locks, when anything looks after it', async () => {
  await using database = opened({ transactionAgeMillisecondsMax: 1 });
  const old = database.begin();
  await old.getForUpdate(bytes('k'));
  old.put(bytes('k'), bytes('late'));
  const plain = database.put(bytes('k'), bytes('v'));
  for (const start = monotonicMilliseconds(); monotonicMilliseconds() - start < 2;);
  database.begin().abort();
  await plain;
  await expect(old.commit()).rejects.toMatchObject(code('LIMIT'));
  expect(text(await database.get(bytes('k')))).toBe('v');
  expect(database.statistics()).toMatchObject({ lockCount: 0, transactionCount: 0, snapshotCount: 0 });
});

test('a clock that jumps a day back and forth, and stands before 1970, moves no snapshot', async () => {
  const day = 86_400_000;
  const clock = new ManualClock(-day);
  await using database = opened({ clock });
  await database.put(bytes('k'), bytes('v'), { deadline: 1 - day });
  const transaction = database.begin();
  expect(text(transaction.getSync(bytes('k')))).toBe('v');
  clock.set(day);
  expect(text(transaction.getSync(bytes('k')))).toBe('v');
  expect(await database.get(bytes('k'))).toBeUndefined();
  clock.set(-2 * day);
  expect(await database.get(bytes('k'))).toBeUndefined();
  expect(database.begin({ isolation: 'read-committed' }).getSync(bytes('k'))).toBeUndefined();
  await database.compact();
  expect(text(transaction.getSync(bytes('k')))).toBe('v');
  transaction.put(bytes('other'), bytes('v'));
  await transaction.commit();
});
