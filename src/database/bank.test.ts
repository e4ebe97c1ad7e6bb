/** The bank of many clerks, with power cuts in between: whatever is left of it, its total is what it was. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ManualClock } from '../base/clock.ts';
import { Prng } from '../base/prng.ts';
import { RandomChooser } from '../faults/chooser.ts';
import { isPowerCut } from '../faults/power-cut.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { Database, type Isolation } from './index.ts';

const ACCOUNTS = 100;
const CLERKS = 64;
const account = (n: number): Uint8Array => Buffer.from(`account ${n}`);
const amountOf = (value: Uint8Array | undefined): number => Number(Buffer.from(value ?? []).toString());

function open(disk: SimulatedDisk, prng: Prng): Database {
  return Database.openOn(disk, { clock: new ManualClock(0), random: () => prng.float(), memtableBytes: 20_000 });
}

/** @returns transfers that were acknowledged before the power went, or all */
async function clerk(database: Database, prng: Prng, transfers: number, isolation: Isolation): Promise<number> {
  for (let done = 0; done < transfers; done++) {
    const [from, to] = [prng.below(ACCOUNTS), prng.below(ACCOUNTS)];
    if (from === to) continue;
    try {
      await database.transaction(
        async (transaction) => {
          const a = amountOf(await transaction.get(account(from)));
          const b = amountOf(await transaction.get(account(to)));
          await turn();
          transaction.put(account(from), Buffer.from(`${a - 1}`));
          transaction.put(account(to), Buffer.from(`${b + 1}`));
        },
        { isolation, retries: 1_000_000 },
      );
    } catch (error) {
      for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) if (isPowerCut(cause)) return done;
      throw error;
    }
  }
  return transfers;
}

function totalOf(database: Database): number {
  return [...database.scanSync()].reduce((sum, [, value]) => sum + amountOf(value), 0);
}

/** Of each clerk; a thousand by hand. */
const TRANSFERS = Number(process.env['LIGHTNING_BANK_TRANSFERS'] ?? 25);

test.each(['snapshot', 'serializable'] as const)('64 clerks, 100 accounts, crashes, %s', async (isolation) => {
  const prng = new Prng(64);
  let disk = new SimulatedDisk();
  let database = open(disk, prng);
  const opening = Array.from({ length: ACCOUNTS }, (_, n) => account(n));
  database.batchSync(opening.map((key) => ({ type: 'put', key, value: Buffer.from('1000') })));
  const left = Array.from({ length: CLERKS }, () => TRANSFERS);
  let crashes = 0;
  while (left.some((transfers) => transfers > 0)) {
    disk.cutAtStep(disk.steps + prng.between(20, 12 * TRANSFERS), prng.pick(['before', 'middle']));
    const open64 = database;
    const done = await Promise.all(left.map(async (transfers) => clerk(open64, prng.fork(), transfers, isolation)));
    for (const [i, transfers] of done.entries()) left[i] -= transfers;
    const image = disk.crashImage(new RandomChooser(prng.fork()));
    crashes++;
    closeQuietly(database);
    disk = new SimulatedDisk({ image });
    database = open(disk, prng);
    expect(totalOf(database)).toBe(ACCOUNTS * 1000);
  }
  expect(crashes).toBeGreaterThan(2);
  await database.close();
});

/** A disk without power cannot write the clean end. */
function closeQuietly(database: Database): void {
  try {
    database.closeSync();
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
  }
}

test('64 writers share fsyncs: with one that takes 2 ms they make over 30 times the commits of one writer', async () => {
  // Time stands still but for fsyncs, so commits a second are commits per fsync and 500.
  const perSync = async (writers: number): Promise<number> => {
    const database = open(new SimulatedDisk(), new Prng(1));
    const work = Array.from({ length: writers }, async (_, w) => {
      for (let i = 0; i < 50; i++) await database.put(account(w), Buffer.from(`${i}`));
    });
    await Promise.all(work);
    const { commits, syncs } = database.statistics();
    await database.close();
    return commits / syncs;
  };
  expect(await perSync(1)).toBe(1);
  expect(await perSync(CLERKS)).toBeGreaterThanOrEqual(30);
});
