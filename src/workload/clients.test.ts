import { describe, expect, test } from 'vitest';
import { DirtyReadSession } from '../../spec/executable/broken/dirty-read.ts';
import { FracturedBatchSession } from '../../spec/executable/broken/fractured-batch.ts';
import { LostUpdateSession } from '../../spec/executable/broken/lost-update.ts';
import { StaleReadSession } from '../../spec/executable/broken/stale-read.ts';
import { type Pause, SpecificationSession } from '../../spec/executable/session.ts';
import { ManualClock } from '../base/clock.ts';
import { Prng } from '../base/prng.ts';
import { checkBank } from '../checkers/workloads/bank.ts';
import { checkBatchAtomicity } from '../checkers/workloads/batch-atomicity.ts';
import { checkRegisters } from '../checkers/linearizability.ts';
import { checkLinearizability } from '../checkers/linearizability.ts';
import { meanOverlap, staleReadSensitivity, vacuousBecause } from './overlap.ts';
import type { HistoryVerdict } from '../checkers/verdict.ts';
import type { History } from '../history/history.ts';
import { HistoryRecorder } from '../history/recorder.ts';
import { bankClients, type ClientSetting, groupClients, openBank, readBank, registerClients } from './clients.ts';
import { SimulatedSchedule } from './schedule.ts';

type MakeSession = (pause: Pause) => SpecificationSession;
const right: MakeSession = (pause) => new SpecificationSession(pause);
const ACCOUNTS = ['a', 'b', 'c', 'd'];

async function record(
  seed: number,
  make: MakeSession,
  clients: (setting: ClientSetting) => Promise<void>[],
  before: (session: SpecificationSession) => Promise<void> = () => Promise.resolve(),
): Promise<{ history: History; session: SpecificationSession; schedule: SimulatedSchedule }> {
  const schedule = new SimulatedSchedule(new Prng(seed));
  const recorder = new HistoryRecorder(new ManualClock());
  const session = make(schedule.pause);
  await schedule.run([before(session)]);
  const setting = { session, recorder, prng: new Prng(seed + 1), clients: 5, operationsPerClient: 40 };
  await schedule.run(clients(setting));
  return { history: recorder.history(), session, schedule };
}

const registers = (seed: number, make: MakeSession): Promise<{ history: History }> =>
  record(seed, make, (setting) => registerClients(setting, ['x', 'y']));
const groups = (seed: number, make: MakeSession): Promise<{ history: History }> =>
  record(seed, make, (setting) => groupClients(setting, ['g', 'h'], 3));

async function bankVerdict(seed: number, make: MakeSession): Promise<HistoryVerdict> {
  const bank = { accounts: ACCOUNTS, initialAmount: 50, isolation: 'snapshot', firstTransaction: 1 } as const;
  const { history, session, schedule } = await record(
    seed,
    make,
    (setting) => bankClients(setting, bank),
    (opened) => openBank(opened, bank),
  );
  let final: Awaited<ReturnType<typeof readBank>> = [];
  const read = async (): Promise<void> => {
    final = await readBank(session, bank);
  };
  await schedule.run([read()]);
  return checkBank(history, { accounts: ACCOUNTS, total: 200 }, final);
}

describe('workloads on the specification', () => {
  test('pass every checker, overlap, and would notice a stale read', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { history } = await registers(seed, right);
      expect(checkRegisters(history)).toEqual({ verdict: 'valid', checked: 200 });
      const sensitivity = staleReadSensitivity(history, checkRegisters, new Prng(seed), 40);
      expect(vacuousBecause(meanOverlap(history), sensitivity)).toBeUndefined();
      const grouped = (await groups(seed, right)).history;
      expect(checkBatchAtomicity(grouped).verdict).toBe('valid');
      expect(checkLinearizability(grouped).verdict).toBe('valid');
      expect((await bankVerdict(seed, right)).verdict).toBe('valid');
    }
  });

  test('the same seed gives the same history', async () => {
    expect((await registers(3, right)).history).toEqual((await registers(3, right)).history);
    expect((await registers(3, right)).history).not.toEqual((await registers(4, right)).history);
  });
});

describe('checkers catch the broken variants', () => {
  const seeds = Array.from({ length: 20 }, (_, i) => i + 1);
  async function caught(verdictOf: (seed: number) => Promise<HistoryVerdict>, kind: string): Promise<number> {
    let count = 0;
    for (const seed of seeds) {
      const verdict = await verdictOf(seed);
      if (verdict.verdict === 'invalid' && verdict.class === kind) count++;
    }
    return count;
  }

  test('stale reads, by zones', async () => {
    const make: MakeSession = (pause) => new StaleReadSession(pause, 1, 0.05);
    const verdictOf = async (seed: number): Promise<HistoryVerdict> =>
      checkRegisters((await registers(seed, make)).history);
    expect(await caught(verdictOf, 'not-linearizable')).toBe(20);
  });

  test('fractured batches, by atomicity and by the general search', async () => {
    const make: MakeSession = (pause) => new FracturedBatchSession(pause);
    const fractured = async (seed: number): Promise<HistoryVerdict> =>
      checkBatchAtomicity((await groups(seed, make)).history);
    expect(await caught(fractured, 'torn-batch')).toBe(20);
    const searched = async (seed: number): Promise<HistoryVerdict> =>
      checkLinearizability((await groups(seed, make)).history);
    expect(await caught(searched, 'not-linearizable')).toBe(20);
  });

  test('lost updates and dirty reads, by the bank', async () => {
    expect(await caught((seed) => bankVerdict(seed, (pause) => new LostUpdateSession(pause)), 'bank-total')).toBe(20);
    expect(await caught((seed) => bankVerdict(seed, (pause) => new DirtyReadSession(pause)), 'bank-total')).toBe(20);
  });
});
