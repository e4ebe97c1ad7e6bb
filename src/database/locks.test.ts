/** Locks from outside: plain writes in the queue, writes that would wait for their own caller, handles of another database. */
import { expect, test } from 'vitest';
import { fromText } from '../base/bytes.ts';
import { ManualClock } from '../base/clock.ts';
import { Engine } from '../engine/index.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { Database } from './index.ts';
import { errorCode } from './limits/limits.fixture.ts';

const open = (): Database => Database.openOn(new SimulatedDisk(), { clock: new ManualClock(0), random: () => 0 });
const KEY = fromText('key');
const VALUE = fromText('value');

test('a plain write stands in the queue: who comes later does not pass it', async () => {
  await using database = open();
  const first = database.begin();
  await first.getForUpdate(KEY);
  const write = database.put(KEY, VALUE);
  await new Promise((resolve) => setImmediate(resolve));
  const later = database.transaction(async (transaction) => transaction.getForUpdate(KEY));
  first.abort();
  expect(await later).toEqual(VALUE);
  await write;
  expect(database.statistics()).toMatchObject({ lockCount: 0, lockWaiters: 0 });
});

test('plain writes that wait for each other and for transactions all come through', async () => {
  await using database = open();
  const keys = [fromText('a'), fromText('b')];
  const holders = keys.map(() => database.begin({ isolation: 'read-committed' }));
  for (const [i, holder] of holders.entries()) await holder.getForUpdate(keys[i]);
  const batch = (order: readonly Uint8Array[]): Promise<void> =>
    database.batch(order.map((key) => ({ type: 'put', key, value: VALUE })));
  const writes = [batch(keys), batch(keys.toReversed()), database.clear({ gte: keys[0] })];
  for (const holder of holders) await holder.commit();
  await Promise.all(writes);
  expect(database.statistics()).toMatchObject({ lockCount: 0, lockWaiters: 0 });
});

test('a signal takes a plain write out of the queue, and nothing was written', async () => {
  await using database = open();
  const holder = database.begin();
  await holder.getForUpdate(KEY);
  const abort = new AbortController();
  const write = errorCode(database.put(KEY, VALUE, { signal: abort.signal }));
  await new Promise((resolve) => setImmediate(resolve));
  abort.abort();
  expect(await write).toBe('LIGHTNING_ABORTED');
  await holder.commit();
  expect(database.getSync(KEY)).toBeUndefined();
});

test('a write that would wait for its own caller is refused at once', async () => {
  await using database = open();
  await database.transaction(async (transaction) => {
    await transaction.getForUpdate(KEY);
    expect(await errorCode(database.put(KEY, VALUE))).toBe('LIGHTNING_INVALID_ARGUMENT');
    expect(await errorCode(database.clear())).toBe('LIGHTNING_INVALID_ARGUMENT');
    expect(() => database.putSync(KEY, VALUE)).toThrow(expect.objectContaining({ code: 'LIGHTNING_INVALID_ARGUMENT' }));
    await database.put(fromText('other'), VALUE);
    transaction.put(KEY, VALUE);
  });
  const begun = database.begin();
  await begun.getForUpdate(KEY);
  expect(await errorCode(database.put(KEY, VALUE, { within: [begun] }))).toBe('LIGHTNING_INVALID_ARGUMENT');
  begun.abort();
  await database.put(KEY, VALUE, { within: [begun] });
});

test('a transaction or snapshot of another database is refused with a code', async () => {
  const options = { indexes: [{ name: 'i', extract: (_: Uint8Array, value: Uint8Array) => value }] };
  await using one = Database.openOn(new SimulatedDisk(), options);
  await using other = Database.openOn(new SimulatedDisk(), options);
  using transaction = other.begin();
  using snapshot = other.snapshot();
  for (const foreign of [transaction, snapshot])
    expect(() => one.index('i', foreign)).toThrow(expect.objectContaining({ code: 'LIGHTNING_INVALID_ARGUMENT' }));
  const [first, second] = [new SimulatedDisk(), new SimulatedDisk()].map((vfs) => Engine.open({ vfs }));
  const foreign = second.begin();
  foreign.write({ type: 'put', key: KEY, value: VALUE });
  expect(() => first.commitTransaction(foreign)).toThrow(
    expect.objectContaining({ code: 'LIGHTNING_INVALID_ARGUMENT' }),
  );
  expect(foreign.isActive).toBe(true);
  second.commitTransaction(foreign);
  first.close();
  second.close();
});
