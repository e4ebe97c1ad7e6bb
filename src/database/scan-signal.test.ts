/** Scans that a signal ends: coded, and nothing is pinned any more. */
import { expect, test } from 'vitest';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { Database } from './index.ts';
import { errorCode } from './limits/limits.fixture.ts';

test.each(['database', 'snapshot', 'transaction'] as const)('a signal ends a scan of a %s', async (from) => {
  await using database = Database.openOn(new SimulatedDisk());
  for (let i = 0; i < 10; i++) database.putSync(Buffer.from([i]), new Uint8Array(3));
  using snapshot = database.snapshot();
  using transaction = database.begin();
  const source = { database, snapshot, transaction }[from];
  const abort = new AbortController();
  const before = database.statistics().openHandles;
  const rows = source.scan({ gte: Buffer.from([2]), signal: abort.signal });
  expect((await rows.next()).value?.[0]).toEqual(new Uint8Array([2]));
  abort.abort();
  expect(await errorCode(rows.next())).toBe('LIGHTNING_ABORTED');
  expect(database.statistics().openHandles).toBe(before);
  expect(await errorCode(source.scan({ signal: abort.signal }).next())).toBe('LIGHTNING_ABORTED');
});
