/**
 * Clients that add one to counters under locks, at the level that validates nothing: only the locks keep updates from
 * being lost. Locks are taken in any order, so that cycles of waits come up and have to be broken. One seed decides all.
 */
import { ManualClock } from '../src/base/clock.ts';
import { isLightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { Database, type DatabaseTransaction } from '../src/database/index.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { Objection } from './program-check.ts';

/** One round: each client carries out so many transactions, each of which adds one to two of the counters. */
export interface LockRound {
  readonly format: 1;
  readonly seed: number;
  readonly clients: number;
  readonly transactionsPerClient: number;
  readonly counters: number;
}

/** Turns of the event loop without an end of the round after which nothing will end it. */
const TURNS_PER_TRANSACTION = 2000;

/** @param count told of what happened, where it happens */
export async function runLockRound(
  round: LockRound,
  count: (name: string, by?: number) => void = () => undefined,
): Promise<Objection | undefined> {
  const prng = new Prng(round.seed);
  const database = Database.openOn(new SimulatedDisk(), {
    durability: 'none',
    clock: new ManualClock(0),
    random: () => prng.float(),
  });
  const plans = Array.from({ length: round.clients }, () =>
    Array.from({ length: round.transactionsPerClient }, () => [prng.below(round.counters), prng.below(round.counters)]),
  );
  const failures: unknown[] = [];
  let running = plans.length;
  for (const plan of plans) {
    client(database, plan, count)
      .catch((error: unknown) => failures.push(error))
      .finally(() => running--)
      .catch(() => undefined);
  }
  const turnsMax = TURNS_PER_TRANSACTION * round.clients * round.transactionsPerClient;
  for (let turn = 0; running > 0 && turn < turnsMax; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  const { deadlocks, lockCount, lockWaiters, transactionCount, waits } = database.statistics();
  const total = [...database.scanSync()].reduce((sum, [, value]) => sum + Number(Buffer.from(value).toString()), 0);
  database.closeSync();
  count('deadlocks', deadlocks);
  count('lock waits', waits);
  count('lock rounds');
  if (failures.length > 0) return { class: 'lock-refused', message: `a client got ${String(failures[0])}` };
  if (running > 0) return { class: 'lock-stuck', message: `${running} clients wait for ever` };
  const expected = 2 * round.clients * round.transactionsPerClient;
  if (total !== expected) return { class: 'lost-update', message: `the counters come to ${total}, not ${expected}` };
  if (lockCount + lockWaiters + transactionCount > 0) return { class: 'leak', message: `${lockCount} locks are left` };
  return undefined;
}

async function client(
  database: Database,
  plan: readonly (readonly number[])[],
  count: (name: string) => void,
): Promise<void> {
  for (const counters of plan) {
    for (let tries = 0; ; tries++) {
      try {
        await database.transaction(async (transaction) => increment(transaction, counters), {
          isolation: 'read-committed',
          retries: 0,
        });
        count('locked transactions');
        break;
      } catch (error) {
        // A deadlock is to be tried again; a conflict cannot be: nobody writes what is locked.
        if (!isLightningError(error, 'LIGHTNING_DEADLOCK') || tries > 100) throw error;
      }
    }
  }
}

async function increment(transaction: DatabaseTransaction, counters: readonly number[]): Promise<void> {
  for (const counter of counters) {
    const key = Buffer.from(`counter ${counter}`);
    const value = await transaction.getForUpdate(key);
    await new Promise<void>((resolve) => setImmediate(resolve));
    const number = value === undefined ? 0 : Number(Buffer.from(value).toString());
    transaction.put(key, Buffer.from(`${number + 1}`));
  }
}
