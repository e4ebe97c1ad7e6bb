/**
 * Live controls of the checkers: stores that are wrong in one known way each, under concurrent clients on a simulated
 * schedule, and the name that a checker must give to what they do. The right store, under the same clients, gets none.
 */
import { DirtyReadSession } from '../spec/executable/broken/dirty-read.ts';
import { FracturedBatchSession } from '../spec/executable/broken/fractured-batch.ts';
import { LongForkSession } from '../spec/executable/broken/long-fork.ts';
import { LostUpdateSession } from '../spec/executable/broken/lost-update.ts';
import { PhantomSession } from '../spec/executable/broken/phantom.ts';
import { StaleReadSession } from '../spec/executable/broken/stale-read.ts';
import { WriteSkewSession } from '../spec/executable/broken/write-skew.ts';
import { type Pause, SpecificationSession } from '../spec/executable/session.ts';
import { ManualClock } from '../src/base/clock.ts';
import type { Prng } from '../src/base/prng.ts';
import {
  checkBatchAtomicity,
  type CheckedLevel,
  checkIsolationLevel,
  checkRegisters,
  type History,
  HistoryRecorder,
  type HistoryVerdict,
} from '../src/checkers/index.ts';
import { type ClientSetting, groupClients, registerClients } from '../src/workload/clients.ts';
import { SimulatedSchedule } from '../src/workload/schedule.ts';
import { transactionClients, type TransactionMix } from '../src/workload/transaction-clients.ts';

/** A store, the clients that bring its mistake out, who judges them, and the names that fit. */
interface BrokenStore {
  readonly make: (pause: Pause, seed: number) => SpecificationSession;
  readonly clients: (setting: ClientSetting) => Promise<void>[];
  readonly judge: (history: History) => HistoryVerdict;
  readonly names: readonly string[];
}

const transactions =
  (isolation: TransactionMix['isolation'], weights: readonly number[]) =>
  (setting: ClientSetting): Promise<void>[] =>
    transactionClients(setting, { weights, registers: ['r0', 'r1', 'r2'], lists: ['l0'], skew: 0, isolation }, 1);
const at =
  (level: CheckedLevel) =>
  (history: History): HistoryVerdict =>
    checkIsolationLevel(history, level);

/** In the order of `TRANSACTION_KINDS`: increments, skews, appends, insertions, long readers. */
const [INCREMENTS, INCREMENTS_AND_READERS, SKEWS, INSERTIONS] = [
  [1, 0, 0, 0, 0],
  [1, 0, 0, 0, 1],
  [0, 1, 0, 0, 0],
  [0, 0, 0, 1, 0],
];

/** By name; each mistake is the only one of its store. */
export const BROKEN_STORES: Readonly<Record<string, BrokenStore>> = {
  'stale read': {
    make: (pause, seed) => new StaleReadSession(pause, seed),
    clients: (setting) => registerClients(setting, ['x', 'y']),
    judge: checkRegisters,
    names: ['not-linearizable'],
  },
  'fractured batch': {
    make: (pause) => new FracturedBatchSession(pause),
    clients: (setting) => groupClients(setting, ['g', 'h'], 3),
    judge: checkBatchAtomicity,
    names: ['torn-batch'],
  },
  'lost update': {
    make: (pause) => new LostUpdateSession(pause),
    clients: transactions('snapshot', INCREMENTS),
    judge: at('snapshot-isolation'),
    names: ['lost-update'],
  },
  'dirty read': {
    make: (pause) => new DirtyReadSession(pause),
    clients: transactions('snapshot', INCREMENTS_AND_READERS),
    judge: at('read-committed'),
    names: ['G1a', 'G1b', 'G1c'],
  },
  'write skew': {
    make: (pause) => new WriteSkewSession(pause),
    clients: transactions('serializable', SKEWS),
    judge: at('serializable'),
    names: ['G2-item'],
  },
  'long fork': {
    make: (pause) => new LongForkSession(pause),
    clients: transactions('snapshot', SKEWS),
    judge: at('snapshot-isolation'),
    names: ['long-fork'],
  },
  phantom: {
    make: (pause) => new PhantomSession(pause),
    clients: transactions('serializable', INSERTIONS),
    judge: at('serializable'),
    names: ['G2'],
  },
};

const ROUNDS_MAX = 40;

/** What a store was called. */
export interface Named {
  readonly rounds: number;
  /** The first class of a violation; `undefined` when there was none in any round. */
  readonly found: string | undefined;
  readonly message: string;
}

async function judgeOnce(store: BrokenStore, make: BrokenStore['make'], prng: Prng): Promise<HistoryVerdict> {
  const schedule = new SimulatedSchedule(prng.fork());
  const recorder = new HistoryRecorder(new ManualClock(0));
  const session = make(schedule.pause, prng.uint32());
  const setting = { session, recorder, prng: prng.fork(), clients: 4, operationsPerClient: 8 };
  await schedule.run(store.clients(setting));
  return store.judge(recorder.history());
}

/** Runs a store until a checker calls it something; `right`: the specification in its place. */
export async function nameStore(name: string, prng: Prng, right = false): Promise<Named> {
  const store = BROKEN_STORES[name];
  const make: BrokenStore['make'] = right ? (pause) => new SpecificationSession(pause) : store.make;
  const roundsMax = right ? 3 : ROUNDS_MAX;
  for (let round = 1; round <= roundsMax; round++) {
    const verdict = await judgeOnce(store, make, prng);
    if (verdict.verdict === 'unknown') return { rounds: round, found: 'unknown', message: verdict.reason };
    if (verdict.verdict === 'invalid') return { rounds: round, found: verdict.class, message: verdict.message };
  }
  return { rounds: roundsMax, found: undefined, message: '' };
}
