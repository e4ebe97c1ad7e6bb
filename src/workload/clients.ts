/**
 * Concurrent workloads that make checking easy: written values are unique, transactions are small and read before they
 * write. Each records what its clients did and saw; a checker gives the verdict.
 */
import { assert } from '../base/assert.ts';
import type { Prng } from '../base/prng.ts';
import type { EngineSession } from '../contract/driver.ts';
import type { BatchOperation, IsolationLevel } from '../contract/operations.ts';
import type { Outcome } from '../contract/outcomes.ts';
import type { Cell, HistoryOutcome } from '../history/history.ts';
import type { HistoryRecorder } from '../history/recorder.ts';

/** What every workload needs. */
export interface ClientSetting {
  readonly session: EngineSession;
  readonly recorder: HistoryRecorder;
  readonly prng: Prng;
  readonly clients: number;
  readonly operationsPerClient: number;
  /** Asked before each operation; ends a client early. */
  readonly stop?: () => boolean;
}

/** Text as the operation language has bytes. */
export const hexOf = (text: string): string => Buffer.from(text, 'latin1').toString('hex');
/** Bytes as text, one character each. */
export const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** What a client may conclude from an outcome. */
export function historyOutcome(outcome: Outcome): HistoryOutcome {
  if (outcome.kind === 'conflict') return 'failed';
  if (outcome.kind !== 'error') return 'ok';
  return outcome.definite ? 'failed' : 'unknown';
}

/** Starts the clients of a setting, each with a generator of its own. */
export function start(
  setting: ClientSetting,
  step: (client: number, prng: Prng, turn: number) => Promise<void>,
): Promise<void>[] {
  return Array.from({ length: setting.clients }, async (_, client) => {
    const prng = setting.prng.fork();
    for (let turn = 0; turn < setting.operationsPerClient; turn++) {
      if (setting.stop?.() === true) return;
      await step(client, prng, turn);
    }
  });
}

/**
 * Registers: each client reads keys and writes values that nobody else writes. For {@link checkRegisters}.
 *
 * `writeShare` decides how much a checker can notice. Measured on a simulated schedule with 5 clients and 2 keys: of
 * histories with one stale read 53 % stay legal at 0.5, 33 % at 0.3, 23 % at 0.15.
 */
export function registerClients(setting: ClientSetting, keys: readonly string[], writeShare = 0.3): Promise<void>[] {
  const { session, recorder } = setting;
  return start(setting, async (client, prng, turn) => {
    const key = prng.pick(keys);
    if (prng.chance(writeShare)) {
      const value = `c${client}t${turn}`;
      const id = recorder.call(client, 'write', [{ key, value }]);
      const outcome = await session.execute({ kind: 'put', key: hexOf(key), value: hexOf(value) });
      recorder.return(client, id, historyOutcome(outcome));
      return;
    }
    const id = recorder.call(client, 'read');
    const outcome = await session.execute({ kind: 'get', key: hexOf(key) });
    const value = outcome.kind === 'value' ? textOf(outcome.value) : null;
    recorder.return(client, id, historyOutcome(outcome), [{ key, value }]);
  });
}

/** Groups: batches write one unique value to some keys of a group, scans read all of it. For {@link checkBatchAtomicity}. */
export function groupClients(setting: ClientSetting, groups: readonly string[], keysPerGroup: number): Promise<void>[] {
  const { session, recorder } = setting;
  return start(setting, async (client, prng, turn) => {
    const group = prng.pick(groups);
    const keys = Array.from({ length: keysPerGroup }, (_, i) => `${group}/${i}`);
    if (prng.chance(0.5)) {
      const value = `c${client}t${turn}`;
      const chosen = prng.chance(0.7) ? keys : prng.shuffle([...keys]).slice(0, Math.max(2, keysPerGroup - 1));
      const writes = chosen.map((key): Cell => ({ key, value }));
      const operations = chosen.map((key): BatchOperation => ({ kind: 'put', key: hexOf(key), value: hexOf(value) }));
      const id = recorder.call(client, 'batch', writes);
      recorder.return(client, id, historyOutcome(await session.execute({ kind: 'batch', operations })));
      return;
    }
    const id = recorder.call(client, 'scan');
    const outcome = await session.execute({ kind: 'scan', range: { prefix: hexOf(`${group}/`) } });
    recorder.return(client, id, historyOutcome(outcome), cellsOf(outcome, keys));
  });
}

/** Rows as cells of exactly these keys; those without a row are absent. */
export function cellsOf(outcome: Outcome, keys: readonly string[]): readonly Cell[] {
  if (outcome.kind !== 'rows') return [];
  const rows = new Map(outcome.rows.map(([key, value]) => [textOf(key), textOf(value)]));
  return keys.map((key) => ({ key, value: rows.get(key) ?? null }));
}

/** The bank of {@link bankClients}. */
export interface BankSetting {
  readonly accounts: readonly string[];
  readonly initialAmount: number;
  readonly isolation: IsolationLevel;
  /** First number for transactions, beyond those in use. */
  readonly firstTransaction: number;
}

/** Puts the initial amount into every account. */
export async function openBank(session: EngineSession, bank: BankSetting): Promise<void> {
  for (const account of bank.accounts) {
    const value = hexOf(`${bank.initialAmount}#initial/${account}`);
    const outcome = await session.execute({ kind: 'put', key: hexOf(account), value });
    assert(outcome.kind === 'ok', 'the bank opens', outcome.kind);
  }
}

/** All accounts, read at once. */
export async function readBank(session: EngineSession, bank: BankSetting): Promise<readonly Cell[]> {
  return cellsOf(await session.execute({ kind: 'scan', range: {} }), bank.accounts);
}

/**
 * Transfers between two random accounts in a transaction that reads both first; every third turn reads all accounts.
 * Balances carry a unique suffix (`amount#client.turn`). For {@link checkBank}.
 */
export function bankClients(setting: ClientSetting, bank: BankSetting): Promise<void>[] {
  const { session, recorder } = setting;
  let nextTransaction = bank.firstTransaction;
  return start(setting, async (client, prng, turn) => {
    if (prng.chance(0.34)) {
      const id = recorder.call(client, 'scan');
      const outcome = await session.execute({ kind: 'scan', range: {} });
      recorder.return(client, id, historyOutcome(outcome), cellsOf(outcome, bank.accounts));
      return;
    }
    const [from, to] = prng.shuffle([...bank.accounts]);
    const id = recorder.call(client, 'transaction');
    const transfer = await runTransfer(
      session,
      bank,
      nextTransaction++,
      from,
      to,
      prng.between(1, 10),
      `${client}.${turn}`,
    );
    recorder.return(client, id, transfer.outcome, transfer.reads, { writes: transfer.writes });
  });
}

interface Transfer {
  readonly outcome: HistoryOutcome;
  readonly reads: readonly Cell[];
  readonly writes: readonly Cell[];
}

async function runTransfer(
  session: EngineSession,
  bank: BankSetting,
  transaction: number,
  from: string,
  to: string,
  amount: number,
  suffix: string,
): Promise<Transfer> {
  const nothing: Transfer = { outcome: 'failed', reads: [], writes: [] };
  const began = await session.execute({ kind: 'begin', transaction, isolation: bank.isolation });
  if (began.kind !== 'ok') return nothing;
  const reads: Cell[] = [];
  for (const key of [from, to]) {
    const outcome = await session.execute({ kind: 'txGet', transaction, key: hexOf(key) });
    reads.push({ key, value: outcome.kind === 'value' ? textOf(outcome.value) : null });
  }
  const balances = reads.map((cell) => Number((cell.value ?? 'none').split('#', 1)[0]));
  if (!balances.every(Number.isFinite) || balances[0] < amount) {
    await session.execute({ kind: 'abort', transaction });
    return nothing;
  }
  const writes: Cell[] = [
    { key: from, value: `${balances[0] - amount}#${suffix}` },
    { key: to, value: `${balances[1] + amount}#${suffix}` },
  ];
  for (const { key, value } of writes) {
    const outcome = await session.execute({ kind: 'txPut', transaction, key: hexOf(key), value: hexOf(value ?? '') });
    if (outcome.kind !== 'ok') return nothing;
  }
  const outcome = historyOutcome(await session.execute({ kind: 'commit', transaction }));
  return { outcome, reads, writes };
}
