/**
 * A bank on a simulated disk: clerks whose transfers overlap, an auditor who reads all accounts meanwhile, power cuts in
 * between. One seed decides everything.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { ManualClock } from '../src/base/clock.ts';
import { isLightningError, LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { Database, type Isolation } from '../src/database/index.ts';
import { isRetriable } from '../src/database/transaction.ts';
import { RandomChooser } from '../src/faults/chooser.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import {
  accountKey,
  type Attempt,
  type Attempts,
  type BankObjection,
  type BankSize,
  Clerk,
  judgeBank,
  numberIn,
  openingRows,
} from '../src/workload/bank.ts';
import type { BankCase } from './bank-cases.ts';
import type { Count } from './case-part.ts';
import type { Objection } from './program-check.ts';

/** Steps of the disk that a transfer takes about; cuts are spread by it. */
const STEPS_A_TRANSFER = 1.5;

/** Runs a case; `undefined` when nothing is wrong. */
export async function runBankCase(testCase: BankCase, count: Count): Promise<Objection | undefined> {
  try {
    return await (testCase.kind === 'skew' ? runSkew(testCase, count) : new Bank(testCase, count).run());
  } catch (error) {
    if (!isLightningError(error) || error.code === 'LIGHTNING_HARNESS') throw error;
    return { class: 'unexpected-error', message: `${error.code}: ${error.message}` };
  }
}

class Bank {
  private readonly size: BankSize;
  private readonly isolation: Isolation;
  private readonly count: Count;
  private readonly prng: Prng;
  private readonly clerks: readonly Clerk[];
  private cutsLeft: number;
  private disk = new SimulatedDisk({ syncCompletion: 'manual' });
  private database: Database;

  constructor({ isolation, cuts, seed, ...size }: BankCase, count: Count) {
    this.size = size;
    this.isolation = isolation;
    this.cutsLeft = cuts;
    this.count = count;
    this.prng = new Prng(seed);
    this.clerks = Array.from({ length: size.clerks }, (_, i) => new Clerk(i, this.prng.fork(), size));
    this.database = this.opened();
    this.database.batchSync(openingRows(size).map(([key, value]) => ({ type: 'put', key, value })));
  }

  private opened(): Database {
    return Database.openOn(this.disk, {
      clock: new ManualClock(0),
      random: () => 0,
      memtableBytes: 20_000,
      runCountMax: 2,
    });
  }

  async run(): Promise<Objection | undefined> {
    while (this.clerks.some((clerk) => !clerk.isFinished)) {
      const objection = await this.shift();
      if (objection !== undefined) return this.tolerated(objection);
    }
    this.database.closeSync();
    this.count('banks');
    return undefined;
  }

  /** Work until everything is done or the power goes; then a recovery, and the bank is counted. */
  private async shift(): Promise<BankObjection | undefined> {
    const left = this.clerks.reduce((sum, { done }) => sum + this.size.transfersPerClerk - done, 0);
    const isCut = this.cutsLeft-- > 0;
    const steps = Math.max(2, Math.round((left * STEPS_A_TRANSFER) / (this.cutsLeft + 2)));
    if (isCut) this.disk.cutAtStep(this.disk.steps + this.prng.between(1, steps), this.prng.pick(['before', 'middle']));
    let working = true;
    const audit = this.audit(() => working);
    const arm = this.endSyncs(() => working);
    await Promise.all(this.clerks.map(async (clerk) => this.work(clerk)));
    working = false;
    await arm;
    const audited = await audit;
    if (audited !== undefined || !isCut) return audited ?? this.judge();
    const image = this.disk.crashImage(new RandomChooser(this.prng.fork()));
    closeQuietly(this.database);
    this.disk = new SimulatedDisk({ image, syncCompletion: 'manual' });
    this.database = this.opened();
    this.count('power cuts of a bank');
    return this.judge();
  }

  /** An fsync takes a few turns, in which others go on. */
  private async endSyncs(goesOn: () => boolean): Promise<void> {
    const prng = this.prng.fork();
    const { disk } = this;
    while (goesOn() || disk.pendingSyncCount > 0) {
      if (prng.chance(0.4)) disk.completeSyncs();
      await turn();
    }
  }

  private judge(): BankObjection | undefined {
    return judgeBank(this.database.scanSync(), this.size, this.clerks);
  }

  private async work(clerk: Clerk): Promise<void> {
    const before = clerk.done;
    const prng = this.prng.fork();
    // Out of step with each other, so that some begin while what others wrote is on its way to the disk.
    const pause = async (): Promise<void> => {
      for (let i = prng.below(3); i > 0; i--) await turn();
    };
    const attempt = attemptsOn(this.database, this.isolation);
    await clerk.work(
      async (transfer) => {
        await pause();
        return attempt(transfer);
      },
      pause,
      () => this.count('transfers tried again'),
    );
    this.count('transfers', clerk.done - before);
  }

  /** Reads account by account in one transaction, while the clerks work. */
  private async audit(goesOn: () => boolean): Promise<BankObjection | undefined> {
    if (this.isolation === 'read-committed') return undefined;
    const wanted = this.size.accounts * this.size.amount;
    const attempt = attemptsOn(this.database, this.isolation);
    let objection: BankObjection | undefined;
    while (goesOn() && objection === undefined) {
      let total = 0;
      const result = await attempt(async (transaction) => {
        total = 0;
        for (let i = 0; i < this.size.accounts; i++) {
          total += numberIn(await transaction.get(accountKey(i)));
          if (i % 8 === 0) await turn();
        }
      });
      if (result === 'unknown') return undefined;
      this.count('audits');
      if (total !== wanted)
        objection = { class: 'bank-total', message: `an audit found ${total} instead of ${wanted}` };
    }
    return objection;
  }

  /** Under read-committed updates may be lost: that it happens is counted, and no objection. */
  private tolerated(objection: BankObjection): Objection | undefined {
    closeQuietly(this.database);
    if (this.isolation !== 'read-committed' || objection.class !== 'bank-total') return objection;
    this.count('updates lost under read-committed');
    return undefined;
  }
}

function attemptsOn(database: Database, isolation: Isolation): Attempts {
  return async (work): Promise<Attempt> => {
    let transaction;
    try {
      transaction = database.begin({ isolation });
      const open = transaction;
      await work({ get: async (key) => open.get(key), put: (key, value) => open.put(key, value) });
      await transaction.commit();
      return 'committed';
    } catch (error) {
      transaction?.abort();
      if (isRetriable(error)) return 'again';
      if (isEnd(error)) return 'unknown';
      throw error;
    }
  };
}

function isEnd(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) if (isPowerCut(cause)) return true;
  return isLightningError(error, 'LIGHTNING_CLOSED') || isLightningError(error, 'LIGHTNING_POISONED');
}

/** A disk without power cannot write the clean end. */
function closeQuietly(database: Database): void {
  try {
    database.closeSync();
  } catch (error) {
    if (!(error instanceof LightningError) && !isPowerCut(error)) throw error;
  }
}

/**
 * Pairs of accounts with 100 each, from which 150 may be taken as long as the pair has it. Two withdrawals that each look
 * at both and take from one of them are a write skew when both are made.
 */
async function runSkew({ clerks, isolation, seed }: BankCase, count: Count): Promise<Objection | undefined> {
  const prng = new Prng(seed);
  const database = Database.openOn(new SimulatedDisk(), { clock: new ManualClock(0), random: () => 0 });
  const keys = Array.from({ length: 2 * clerks }, (_, i) => accountKey(i));
  database.batchSync(keys.map((key) => ({ type: 'put', key, value: Buffer.from('100') })));
  const attempt = attemptsOn(database, isolation);
  const withdraw = async (own: Uint8Array, other: Uint8Array): Promise<void> => {
    const work = async (transaction: Parameters<Parameters<Attempts>[0]>[0]): Promise<void> => {
      const mine = numberIn(await transaction.get(own));
      const both = mine + numberIn(await transaction.get(other));
      for (let i = prng.below(3); i > 0; i--) await turn();
      if (both >= 150) await transaction.put(own, Buffer.from(`${mine - 150}`));
    };
    while ((await attempt(work)) === 'again') count('withdrawals tried again');
  };
  await Promise.all(keys.map(async (key, i) => withdraw(key, keys[i ^ 1])));
  let skewed = 0;
  for (let i = 0; i < keys.length; i += 2)
    if (numberIn(database.getSync(keys[i])) + numberIn(database.getSync(keys[i + 1])) < 0) skewed++;
  database.closeSync();
  count(`write skew under ${isolation}`, skewed);
  if (skewed === 0 || isolation !== 'serializable') return undefined;
  return { class: 'write-skew', message: `${skewed} pairs of accounts are below nothing` };
}
