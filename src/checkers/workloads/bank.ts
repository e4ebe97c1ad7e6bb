/**
 * The bank: money moves between accounts, and every read of all of them must find the same total (Kingsbury's bank test;
 * here the original engine ended at 1960 of 2000).
 */
import type { Cell, History } from '../../history/history.ts';
import { type HistoryVerdict, invalid, unknown, valid } from '../verdict.ts';

/** The accounts and what they hold together. */
export interface Bank {
  readonly accounts: readonly string[];
  readonly total: number;
  /** The amount in a value; by default the decimal number before a `#`, so that values can be made unique behind it. */
  readonly amountOf?: (value: string) => number;
}

function defaultAmount(value: string): number {
  return Number(value.split('#', 1)[0]);
}

/** The total that a read of all accounts found; `undefined` when it did not read all of them. */
function totalOf(cells: readonly Cell[], bank: Bank): number | undefined {
  const values = new Map(cells.map((cell) => [cell.key, cell.value]));
  if (!bank.accounts.every((account) => values.has(account))) return undefined;
  const amountOf = bank.amountOf ?? defaultAmount;
  let total = 0;
  for (const account of bank.accounts) {
    const value = values.get(account);
    // An account that is absent or unreadable makes the total not a number, which equals no total.
    total += typeof value === 'string' ? amountOf(value) : NaN;
  }
  return total;
}

/**
 * Every complete read of all accounts, and the final state, sum to the total.
 * @param final all accounts as they are at the end, after a reopening where that matters
 */
export function checkBank(history: History, bank: Bank, final?: readonly Cell[]): HistoryVerdict {
  let complete = 0;
  for (const operation of history.operations) {
    if (operation.outcome !== 'ok') continue;
    const total = totalOf(operation.reads, bank);
    if (total === undefined) continue;
    complete++;
    if (total !== bank.total) {
      return invalid('bank-total', `a read of all accounts found ${total} instead of ${bank.total}`, [operation.id]);
    }
  }
  if (final !== undefined) {
    const total = totalOf(final, bank);
    if (total !== bank.total) {
      return invalid('bank-total', `the accounts end at ${String(total)} instead of ${bank.total}`, []);
    }
  }
  if (complete === 0 && final === undefined) return unknown('no operation read all accounts');
  return valid(complete);
}
