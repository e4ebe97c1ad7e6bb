/**
 * One round of the concurrency stage: clients on one database over a simulated disk, whose fsyncs end when the schedule
 * says so, then a clean close and a look at what is left. A round is a function of its description.
 */
import {
  type Access,
  checkBank,
  checkBatchAtomicity,
  checkIsolationLevel,
  checkRegisters,
  type History,
  HistoryRecorder,
  type HistoryVerdict,
} from '../src/checkers/index.ts';
import { ManualClock } from '../src/base/clock.ts';
import { Prng } from '../src/base/prng.ts';
import { Database, type DatabaseOptions } from '../src/database/index.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import {
  bankClients,
  type BankSetting,
  type ClientSetting,
  groupClients,
  openBank,
  readBank,
  registerClients,
} from '../src/workload/clients.ts';
import { drawTransactionMix, transactionClients } from '../src/workload/transaction-clients.ts';
import { SimulatedSchedule } from '../src/workload/schedule.ts';
import { ConcurrentSession } from './concurrent-session.ts';

export const WORKLOADS = ['registers', 'groups', 'bank', 'transactions'] as const;
export type Workload = (typeof WORKLOADS)[number];

/** What a round is made from; plain data that replays. */
export interface Round {
  readonly format: 1;
  readonly workload: Workload;
  readonly seed: number;
  readonly clients: number;
  readonly operationsPerClient: number;
  readonly options: Readonly<Record<string, string | number>>;
}

/** What a round showed. */
export interface RoundResult {
  readonly history: History;
  readonly verdict: HistoryVerdict;
  readonly commits: number;
  readonly syncs: number;
  readonly flushes: number;
  readonly merges: number;
  readonly conflicts: number;
}

const REGISTER_KEYS = ['x', 'y', 'z'];
const GROUPS = ['g', 'h'];
const KEYS_A_GROUP = 3;
const BANK: BankSetting = {
  accounts: ['a', 'b', 'c', 'd'],
  initialAmount: 100,
  isolation: 'snapshot',
  firstTransaction: 1,
};

/** The checker of a workload. */
export function checkerOf(workload: Workload): (history: History) => HistoryVerdict {
  if (workload === 'registers') return checkRegisters;
  if (workload === 'groups') return checkBatchAtomicity;
  if (workload === 'transactions') return (history) => checkIsolationLevel(history, 'strong-snapshot-isolation');
  return (history) => checkBank(history, { accounts: BANK.accounts, total: BANK.initialAmount * BANK.accounts.length });
}

/** Runs a round. @throws whatever the harness itself does wrong; the engine's errors are outcomes */
export async function runRound(round: Round): Promise<RoundResult> {
  const prng = new Prng(round.seed);
  const disk = new SimulatedDisk({ syncCompletion: 'manual' });
  const clock = new ManualClock(0);
  const counts = { flush: 0, merge: 0, conflict: 0 };
  const options: Partial<DatabaseOptions> = {
    ...round.options,
    clock,
    observe: (step) => {
      if (step === 'flush' || step === 'merge' || step === 'conflict') counts[step]++;
    },
  };
  const database = Database.openOn(disk, options);
  const schedule = new SimulatedSchedule(prng.fork());
  const recorder = new HistoryRecorder(clock);
  const session = new ConcurrentSession(database, schedule.pause);
  let running = true;
  const platter = (async (): Promise<void> => {
    while (running) {
      await schedule.pause();
      disk.completeSyncs();
    }
  })();
  const clients = startClients(round, {
    session,
    recorder,
    prng: prng.fork(),
    clients: round.clients,
    operationsPerClient: round.operationsPerClient,
  });
  await schedule.run([clients.then(() => void (running = false)), platter]);
  const { commits, syncs } = database.statistics();
  const closing = database.close();
  disk.completeSyncs();
  await closing;
  const history = recorder.history();
  const verdict = await judge(round.workload, history, disk, options);
  return { history, verdict, commits, syncs, flushes: counts.flush, merges: counts.merge, conflicts: counts.conflict };
}

async function startClients(round: Round, setting: ClientSetting): Promise<void> {
  if (round.workload === 'registers') {
    await Promise.all(registerClients(setting, REGISTER_KEYS));
  } else if (round.workload === 'groups') {
    await Promise.all(groupClients(setting, GROUPS, KEYS_A_GROUP));
  } else if (round.workload === 'transactions') {
    await Promise.all(transactionClients(setting, drawTransactionMix(setting.prng, 'snapshot'), 1));
  } else {
    await openBank(setting.session, BANK);
    await Promise.all(bankClients(setting, BANK));
  }
}

async function judge(
  workload: Workload,
  history: History,
  disk: SimulatedDisk,
  options: Partial<DatabaseOptions>,
): Promise<HistoryVerdict> {
  const strange = history.operations.find((operation) => operation.outcome === 'unknown');
  if (strange !== undefined) {
    return {
      verdict: 'invalid',
      class: 'wrong-read',
      message: `operation ${strange.id} ended without a definite outcome, and no fault was injected`,
      witness: [strange.id],
    };
  }
  const verdict = checkerOf(workload)(history);
  if (workload !== 'bank' || verdict.verdict === 'invalid') return verdict;
  const again = Database.openOn(new SimulatedDisk({ image: disk.currentImage() }), options);
  const final = await readBank(new ConcurrentSession(again, async () => Promise.resolve()), BANK);
  await again.close();
  return checkBank(history, { accounts: BANK.accounts, total: BANK.initialAmount * BANK.accounts.length }, final);
}

function tellAccess(access: Access): string {
  if (access.kind === 'append') return `appended ${access.element} to ${access.key}`;
  if (access.kind === 'list') return `saw ${access.key}=[${access.elements.join(' ')}]`;
  if (access.kind === 'range') {
    return `saw range ${access.from} with ${access.rows.map(({ key, value }) => `${key}=${value ?? 'absent'}`).join(' ')}`;
  }
  return `${access.kind === 'read' ? 'saw' : 'wrote'} ${access.key}=${access.value ?? 'absent'}`;
}

/** A round as lines for a person: each client's operations in the order of their calls. */
export function tellRound(round: Round, history: History, verdict: HistoryVerdict): string[] {
  const lines = [`${round.workload}: ${round.clients} clients, seed ${round.seed}, ${JSON.stringify(round.options)}`];
  for (const operation of history.operations) {
    const cells = (list: typeof operation.reads): string =>
      list.map(({ key, value }) => `${key}=${value ?? 'absent'}`).join(' ');
    if (operation.accesses !== undefined) {
      const told = operation.accesses.map((access) => tellAccess(access)).join(', ');
      lines.push(
        `  [${operation.call}-${operation.return}] client ${operation.client} T${operation.id} ${told}: ${operation.outcome}`,
      );
      continue;
    }
    const reads = operation.reads.length > 0 ? ` saw ${cells(operation.reads)}` : '';
    const writes = operation.writes.length > 0 ? ` wrote ${cells(operation.writes)}` : '';
    lines.push(
      `  [${operation.call}-${operation.return}] client ${operation.client} ${operation.kind} #${operation.id}${reads}${writes}: ${operation.outcome}`,
    );
  }
  if (verdict.verdict === 'invalid') lines.push(`${verdict.class}: ${verdict.message}`);
  return lines;
}
