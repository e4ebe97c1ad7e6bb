/**
 * The bank: clerks who move money between accounts, each transfer a transaction that reads both accounts, and with them a
 * count of the clerk's own. Whatever happens in between, the accounts come to the total that they began with, and a
 * clerk's count to what was acknowledged, or one more when the last answer was lost.
 *
 * It knows nothing of an engine: whoever runs it gives transactions, and says which errors are a retry and which the end.
 */
import type { Prng } from '../base/prng.ts';

/** What a transfer asks of a transaction. */
export interface BankTransaction {
  get(key: Uint8Array): Promise<Uint8Array | undefined>;
  put(key: Uint8Array, value: Uint8Array): Promise<void> | void;
}

/** How one try of a transfer ended: `unknown` when the store went away before it answered. */
export type Attempt = 'committed' | 'again' | 'unknown';

/** Carries `work` out as one transaction, once. */
export type Attempts = (work: (transaction: BankTransaction) => Promise<void>) => Promise<Attempt>;

/** How large. */
export interface BankSize {
  readonly accounts: number;
  /** What each begins with. */
  readonly amount: number;
  readonly clerks: number;
  readonly transfersPerClerk: number;
}

/** The key of an account. */
export function accountKey(account: number): Uint8Array {
  return Buffer.from(`account ${String(account).padStart(5, '0')}`);
}

/** The key of a clerk's count of transfers. */
export function clerkKey(clerk: number): Uint8Array {
  return Buffer.from(`clerk ${String(clerk).padStart(5, '0')}`);
}

/** The rows of a bank that has just opened. */
export function openingRows({ accounts, amount, clerks }: BankSize): [Uint8Array, Uint8Array][] {
  return [
    ...Array.from({ length: accounts }, (_, i): [Uint8Array, Uint8Array] => [accountKey(i), Buffer.from(`${amount}`)]),
    ...Array.from({ length: clerks }, (_, i): [Uint8Array, Uint8Array] => [clerkKey(i), Buffer.from('0')]),
  ];
}

/** The number in a value; not a number when there is none, which equals no total. */
export function numberIn(value: Uint8Array | undefined): number {
  return value === undefined || value.length === 0 ? Number.NaN : Number(Buffer.from(value).toString());
}

/** What a clerk has done, over all crashes. */
export class Clerk {
  readonly number: number;
  /** Transfers that were acknowledged, or found done after a crash. */
  done = 0;
  /** Whether the answer to the last one was lost. */
  isInDoubt = false;
  private readonly prng: Prng;
  private readonly size: BankSize;

  constructor(number: number, prng: Prng, size: BankSize) {
    this.number = number;
    this.prng = prng;
    this.size = size;
  }

  get isFinished(): boolean {
    return this.done >= this.size.transfersPerClerk && !this.isInDoubt;
  }

  /**
   * Works until everything is done, or the store is gone.
   * @param told of each try that has to be made again
   */
  async work(attempt: Attempts, turn: () => Promise<void>, told: () => void): Promise<void> {
    while (!this.isFinished) {
      const from = this.prng.below(this.size.accounts);
      const to = (from + 1 + this.prng.below(this.size.accounts - 1)) % this.size.accounts;
      const result = await attempt(async (transaction) => this.transfer(transaction, from, to, turn));
      if (result === 'committed') this.done++;
      else if (result === 'again') told();
      else {
        this.isInDoubt = true;
        return;
      }
    }
  }

  private async transfer(
    transaction: BankTransaction,
    from: number,
    to: number,
    turn: () => Promise<void>,
  ): Promise<void> {
    const amount = 1 + (this.done % 7);
    const a = numberIn(await transaction.get(accountKey(from)));
    const b = numberIn(await transaction.get(accountKey(to)));
    await turn();
    await transaction.put(accountKey(from), Buffer.from(`${a - amount}`));
    await transaction.put(accountKey(to), Buffer.from(`${b + amount}`));
    await transaction.put(clerkKey(this.number), Buffer.from(`${this.done + 1}`));
  }

  /** After a crash: the count that was found decides about the transfer in doubt. Returns what is wrong with it. */
  settle(found: number): string | undefined {
    const most = this.done + (this.isInDoubt ? 1 : 0);
    if (!(found >= this.done && found <= most))
      return `clerk ${this.number} was told of ${this.done} transfers, ${this.isInDoubt ? 'one more in doubt' : 'none in doubt'}; ${found} are there`;
    this.done = found;
    this.isInDoubt = false;
    return undefined;
  }
}

/** What is wrong with a bank that is read whole. */
export interface BankObjection {
  readonly class: 'bank-total' | 'lost-acknowledged-write';
  readonly message: string;
}

/** Judges all rows of one moment; `clerks` are settled by it. Without clerks only the total is judged. */
export function judgeBank(
  rows: Iterable<readonly [Uint8Array, Uint8Array]>,
  size: BankSize,
  clerks: readonly Clerk[],
): BankObjection | undefined {
  const values = new Map<string, number>();
  for (const [key, value] of rows) values.set(Buffer.from(key).toString(), numberIn(value));
  let total = 0;
  for (let i = 0; i < size.accounts; i++) total += values.get(Buffer.from(accountKey(i)).toString()) ?? Number.NaN;
  const wanted = size.accounts * size.amount;
  if (total !== wanted) return { class: 'bank-total', message: `the accounts come to ${total} instead of ${wanted}` };
  for (const clerk of clerks) {
    const message = clerk.settle(values.get(Buffer.from(clerkKey(clerk.number)).toString()) ?? Number.NaN);
    if (message !== undefined) return { class: 'lost-acknowledged-write', message };
  }
  return undefined;
}
