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
  /** Both counters are read first and locked then, under snapshot isolation: what has changed since must be a conflict. */
  readonly upgrades?: boolean | undefined;
  /** Each transaction locks one key that all of them lock, and so many plain writes of that key come in between. */
  readonly plainWrites?: number | undefined;
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
  const gate = { grants: 0, isUsed: (round.plainWrites ?? 0) > 0 };
  let longest = 0;
  for (let i = 0; i < (round.plainWrites ?? 0); i++) {
    plainWrite(database, gate, prng.below(12), count).then(
      (passed) => (longest = Math.max(longest, passed)),
      (error: unknown) => failures.push(error),
    );
  }
  let running = plans.length;
  for (const plan of plans) {
    client(database, plan, round.upgrades === true, gate, count)
      .catch((error: unknown) => failures.push(error))
      .finally(() => running--)
      .catch(() => undefined);
  }
  const turnsMax = TURNS_PER_TRANSACTION * round.clients * round.transactionsPerClient;
  for (let turn = 0; running > 0 && turn < turnsMax; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  const { deadlocks, lockCount, lockWaiters, transactionCount, waits } = database.statistics();
  const rows = [...database.scanSync({ prefix: Buffer.from('counter') })];
  const total = rows.reduce((sum, [, value]) => sum + Number(Buffer.from(value).toString()), 0);
  database.closeSync();
  count('deadlocks', deadlocks);
  count('lock waits', waits);
  count('lock rounds');
  if (failures.length > 0) return { class: 'lock-refused', message: `a client got ${String(failures[0])}` };
  // Everybody else may have stood before it in the queue, once.
  if (longest > round.clients)
    return { class: 'write-starved', message: `${longest} transactions got the lock that a plain write waited for` };
  if (running > 0) return { class: 'lock-stuck', message: `${running} clients wait for ever` };
  const expected = 2 * round.clients * round.transactionsPerClient;
  if (total !== expected) return { class: 'lost-update', message: `the counters come to ${total}, not ${expected}` };
  if (lockCount + lockWaiters + transactionCount > 0) return { class: 'leak', message: `${lockCount} locks are left` };
  return undefined;
}

interface Gate {
  /** Locks of the gate that were granted. */
  grants: number;
  readonly isUsed: boolean;
}

const GATE = Buffer.from('gate');

/** Writes the gate after so many turns. Resolves with how many transactions got its lock meanwhile. */
async function plainWrite(
  database: Database,
  gate: Gate,
  turns: number,
  count: (name: string) => void,
): Promise<number> {
  for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  const before = gate.grants;
  await database.put(GATE, Buffer.from('written'));
  count('plain writes of a locked key');
  return gate.grants - before;
}

async function client(
  database: Database,
  plan: readonly (readonly number[])[],
  upgrades: boolean,
  gate: Gate,
  count: (name: string) => void,
): Promise<void> {
  for (const counters of plan) {
    for (let tries = 0; ; tries++) {
      try {
        await database.transaction(
          async (transaction) => {
            if (gate.isUsed) await transaction.getForUpdate(GATE);
            gate.grants++;
            return upgrades ? upgrade(transaction, counters) : increment(transaction, counters);
          },
          { isolation: upgrades ? 'snapshot' : 'read-committed', retries: 0 },
        );
        count('locked transactions');
        break;
      } catch (error) {
        // A deadlock is to be tried again; a conflict only where something was read before it was locked.
        const isConflict = upgrades && isLightningError(error, 'LIGHTNING_CONFLICT');
        if (!(isConflict || isLightningError(error, 'LIGHTNING_DEADLOCK')) || tries > 1000) throw error;
        if (isConflict) count('conflicts at a lock');
      }
    }
  }
}

/** Trusts what it read before it had the locks. */
async function upgrade(transaction: DatabaseTransaction, counters: readonly number[]): Promise<void> {
  const keys = [...new Set(counters)].map((counter) => Buffer.from(`counter ${counter}`));
  const numbers = keys.map((key) => numberOf(transaction.getSync(key)));
  await new Promise<void>((resolve) => setImmediate(resolve));
  for (const key of keys) await transaction.getForUpdate(key);
  // A counter that is named twice gets both.
  const each = counters.length / keys.length;
  for (const [i, key] of keys.entries()) transaction.put(key, Buffer.from(`${numbers[i] + each}`));
}

function numberOf(value: Uint8Array | undefined): number {
  return value === undefined ? 0 : Number(Buffer.from(value).toString());
}

async function increment(transaction: DatabaseTransaction, counters: readonly number[]): Promise<void> {
  for (const counter of counters) {
    const key = Buffer.from(`counter ${counter}`);
    const value = await transaction.getForUpdate(key);
    await new Promise<void>((resolve) => setImmediate(resolve));
    transaction.put(key, Buffer.from(`${numberOf(value) + 1}`));
  }
}
