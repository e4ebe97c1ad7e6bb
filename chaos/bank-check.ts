/**
 * The bank over a socket: clerks who are clients of a server process, which is killed under them and started again. The
 * total never moves, and each clerk finds what it was told.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { join } from 'node:path';
import { isLightningError, LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { Client } from '../src/database/protocol/client.ts';
import { makeDirectory, removeTree } from '../src/report/files.ts';
import { type Attempts, type BankSize, Clerk, judgeBank, numberIn, openingRows } from '../src/workload/bank.ts';
import type { BankMessage, BankRequest } from './bank-child.ts';
import { Child } from './child.ts';

/** How long a server may take to come up, and a shift to end after its kill. */
const SECONDS_MAX = 60;

/** One bank; plain JSON, so that it replays. */
export interface BankPlan {
  readonly seed: number;
  readonly isolation: 'snapshot' | 'serializable';
  readonly accounts: number;
  readonly amount: number;
  readonly clerks: number;
  readonly transfersPerClerk: number;
  readonly kills: number;
  readonly acknowledgesEarly?: boolean | undefined;
}

/** What was wrong. */
export interface BankFailure {
  readonly class: string;
  readonly message: string;
}

/** Told of what happens, where it happens. */
export type BankCount = (name: string, by?: number) => void;

interface Server {
  readonly child: Child<BankMessage>;
  readonly port: number;
}

async function start(request: BankRequest): Promise<Server> {
  return new Promise((resolve, reject) => {
    const child = new Child<BankMessage>({
      program: 'bank-child',
      request,
      onMessage(message) {
        clearTimeout(timer);
        if (message.kind === 'listening') resolve({ child, port: message.port });
        else reject(new LightningError('LIGHTNING_HARNESS', `the server did not open the store: ${message.error}`));
      },
    });
    const timer = setTimeout(() => {
      child.kill();
      reject(new LightningError('LIGHTNING_HARNESS', `the server did not come up within ${SECONDS_MAX} s`));
    }, SECONDS_MAX * 1000);
  });
}

/** One transaction of a client, tried once. */
function attemptsOn(client: Client, isolation: string): Attempts {
  return async (work) => {
    try {
      const transaction = await client.begin(isolation);
      try {
        await work(transaction);
        await transaction.commit();
        return 'committed';
      } catch (error) {
        await transaction.abort().catch(() => undefined);
        throw error;
      }
    } catch (error) {
      if (isLightningError(error, 'LIGHTNING_CONFLICT') || isLightningError(error, 'LIGHTNING_DEADLOCK'))
        return 'again';
      // The connection is gone, and with it the answer.
      if (isLightningError(error, 'LIGHTNING_INDEFINITE') || isLightningError(error, 'LIGHTNING_CLOSED'))
        return 'unknown';
      throw error;
    }
  };
}

async function closed(client: Client): Promise<void> {
  await client.close().catch(() => undefined);
}

/** Sums all accounts again and again, each time at one moment, until the server is gone or nobody works. */
async function audit(
  client: Client,
  size: BankSize,
  goesOn: () => boolean,
  count: BankCount,
): Promise<BankFailure | undefined> {
  const wanted = size.accounts * size.amount;
  while (goesOn()) {
    let total = 0;
    try {
      for await (const [, value] of client.scan({ prefix: Buffer.from('account ') })) total += numberIn(value);
    } catch (error) {
      if (!isLightningError(error)) throw error;
      return undefined;
    }
    count('audits over a socket');
    if (total !== wanted) return { class: 'bank-total', message: `an audit found ${total} instead of ${wanted}` };
    await turn();
  }
  return undefined;
}

/** Runs a bank in a fresh folder, which is removed when nothing is wrong. */
export async function runBankPlan(
  plan: BankPlan,
  directory: string,
  count: BankCount = () => undefined,
): Promise<BankFailure | undefined> {
  removeTree(directory);
  makeDirectory(directory);
  const request: BankRequest = {
    directory: join(directory, 'store'),
    ...(plan.acknowledgesEarly === true ? { acknowledgesEarly: true } : {}),
  };
  const prng = new Prng(plan.seed);
  const clerks = Array.from({ length: plan.clerks }, (_, i) => new Clerk(i, prng.fork(), plan));
  let killsLeft = plan.kills;
  for (let shift = 0; shift === 0 || clerks.some((clerk) => !clerk.isFinished); shift++) {
    const server = await start(request);
    try {
      const failure = await runShift(plan, server, clerks, shift, killsLeft-- > 0 ? prng : undefined, count);
      if (failure !== undefined) return failure;
    } finally {
      server.child.kill();
      await server.child.ended;
    }
  }
  // Once more after the last of them.
  const server = await start(request);
  const reader = await Client.connect(server.port);
  try {
    const failure = await judge(reader, plan, clerks);
    if (failure === undefined) removeTree(directory);
    return failure;
  } finally {
    await closed(reader);
    server.child.kill();
    await server.child.ended;
  }
}

async function judge(reader: Client, plan: BankPlan, clerks: readonly Clerk[]): Promise<BankFailure | undefined> {
  const rows: [Uint8Array, Uint8Array][] = [];
  for await (const row of reader.scan()) rows.push(row);
  return judgeBank(rows, plan, clerks);
}

/** From one start of the server to its kill, or to the end of all work. @param kills decides when, if it is killed at all */
async function runShift(
  plan: BankPlan,
  { child, port }: Server,
  clerks: readonly Clerk[],
  shift: number,
  kills: Prng | undefined,
  count: BankCount,
): Promise<BankFailure | undefined> {
  const reader = await Client.connect(port);
  if (shift === 0) await reader.batch(openingRows(plan).map(([key, value]) => ({ type: 'put', key, value })));
  const failure = await judge(reader, plan, clerks);
  if (failure !== undefined) return failure;
  const before = clerks.reduce((sum, { done }) => sum + done, 0);
  const left = plan.clerks * plan.transfersPerClerk - before;
  const killAfter = kills?.between(1, Math.max(1, Math.ceil(left / 2))) ?? Infinity;
  let acknowledged = 0;
  let working = true;
  const audited = audit(reader, plan, () => working, count);
  const work = clerks.map(async (clerk) => {
    const client = await Client.connect(port).catch(() => undefined);
    if (client === undefined) return;
    const attempt = attemptsOn(client, plan.isolation);
    const counted: Attempts = async (one) => {
      const result = await attempt(one);
      if (result === 'committed' && ++acknowledged === killAfter) {
        count('SIGKILLs of a server');
        child.kill();
      }
      return result;
    };
    await clerk.work(counted, turn, () => count('transfers tried again over a socket'));
    await closed(client);
  });
  await Promise.all(work);
  working = false;
  count('transfers over a socket', acknowledged);
  const objection = await audited;
  await closed(reader);
  return objection;
}

/** A plan in words, one line an operation. */
export function describeBank(plan: BankPlan): string[] {
  const transfers = Array.from(
    { length: plan.clerks * plan.transfersPerClerk },
    (_, i) => `client ${i % plan.clerks} transfers between two of ${plan.accounts} accounts (${plan.isolation})`,
  );
  return [...transfers, ...Array.from({ length: plan.kills }, () => 'SIGKILL of the server; it is started again')];
}
