/** The anomalies of the literature, written down as small histories (histories.json), each with the name it must get. */
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Prng } from '../../src/base/prng.ts';
import { type Access, type RecordedTransaction, type TransactionalHistory } from '../../src/history/transactions.ts';
import { ISOLATION_LEVELS } from '../../src/checkers/isolation/levels.ts';
import { readText } from '../../src/report/files.ts';

const value = z.string().nullable();
const access = z.union([
  z.tuple([z.enum(['read', 'write']), z.string(), value]),
  z.tuple([z.literal('append'), z.string(), z.string()]),
  z.tuple([z.literal('list'), z.string(), z.array(z.string())]),
  z.tuple([z.literal('range'), z.string(), value, z.record(z.string(), z.string())]),
]);
const schema = z.array(
  z.object({
    name: z.string(),
    source: z.string(),
    expect: z.string().nullable(),
    strongest: z.array(z.enum(ISOLATION_LEVELS)),
    transactions: z.array(
      z.object({
        client: z.number(),
        outcome: z.enum(['ok', 'failed', 'unknown']),
        call: z.number(),
        return: z.number().default(Infinity),
        accesses: z.array(access),
      }),
    ),
    versionOrders: z.record(z.string(), z.array(z.string())).optional(),
  }),
);

/** One history with the name of its anomaly (`null`: none) and the strongest levels that it does not refute. */
export interface NamedHistory {
  readonly name: string;
  readonly expect: string | null;
  readonly strongest: readonly string[];
  readonly history: TransactionalHistory;
}

function accessOf(tuple: z.infer<typeof access>): Access {
  if (tuple[0] === 'append') return { kind: 'append', key: tuple[1], element: tuple[2] };
  if (tuple[0] === 'list') return { kind: 'list', key: tuple[1], elements: tuple[2] };
  if (tuple[0] === 'range') {
    const rows = Object.entries(tuple[3]).map(([key, cell]) => ({ key, value: cell }));
    return { kind: 'range', from: tuple[1], to: tuple[2], rows };
  }
  return { kind: tuple[0], key: tuple[1], value: tuple[2] };
}

/** All of them. */
export function namedHistories(): readonly NamedHistory[] {
  const path = fileURLToPath(new URL('histories.json', import.meta.url));
  return schema.parse(JSON.parse(readText(path))).map(({ name, expect, strongest, transactions, versionOrders }) => {
    const recorded = transactions.map((transaction, id) => ({
      ...transaction,
      id,
      accesses: transaction.accesses.map(accessOf),
    }));
    const orders = versionOrders === undefined ? {} : { versionOrders: new Map(Object.entries(versionOrders)) };
    return { name, expect, strongest, history: { transactions: recorded, ...orders } };
  });
}

/** The same transactions at other times: each client keeps its order, everything else is drawn. */
export function withOtherTimes(prng: Prng, history: TransactionalHistory): TransactionalHistory {
  const waiting = new Map<number, RecordedTransaction[]>();
  for (const transaction of history.transactions) {
    waiting.set(transaction.client, [...(waiting.get(transaction.client) ?? []), transaction]);
  }
  const open = new Map<number, number>();
  const transactions: RecordedTransaction[] = [];
  for (let event = 0; waiting.size > 0; event++) {
    const client = prng.pick([...waiting.keys()]);
    const [next, ...rest] = waiting.get(client) ?? [];
    const call = open.get(client);
    if (call === undefined) {
      open.set(client, event);
      continue;
    }
    transactions.push({ ...next, call, return: next.outcome === 'unknown' ? Infinity : event });
    open.delete(client);
    if (rest.length === 0) waiting.delete(client);
    else waiting.set(client, rest);
  }
  return { ...history, transactions: transactions.sort((a, b) => a.call - b.call) };
}
