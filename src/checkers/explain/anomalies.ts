/** Anomalies of isolation in English: findings of reads, forks, cycles, and what is left when every order contradicts. */
import { type HistoryColumns, valueOf } from '../../history/columns.ts';
import { buildGraph, type GraphShape, type Prepared, SHAPES } from '../isolation/graph.ts';
import { versionsOfKeys } from '../isolation/order.ts';
import type { Finding } from '../isolation/reads.ts';
import type { Anomaly, CheckedLevel } from '../isolation/transactions.ts';
import { anomalyOfCycle, dependenciesOf, shortestCycle } from './cycle.ts';

const STORIES: Readonly<
  Record<Finding['why'], (key: string, shown: readonly string[], ids: readonly string[]) => string>
> = {
  'not-own': (key, [own, seen], [t]) => `${t} wrote ${own} to ${key} and then read ${seen}`,
  'taken-back': (key, [seen], [by, t]) => `${t} read ${seen} of ${key}, which ${by} wrote and took back`,
  'on-its-way': (key, [seen], [by, t]) =>
    `${t} read ${seen} of ${key}, which ${by} wrote only on its way to another value`,
  'before-itself': (key, [seen], [t]) => `${t} read ${seen} of ${key} before it wrote that itself`,
  nobody: (key, [seen], [t]) => `${t} read ${seen} of ${key}, which nobody wrote`,
  'list-not-own': (key, list, [t]) => `${t} appended to ${key} and then read [${list.join(' ')}]`,
  'list-fork': (key, [first, second]) =>
    `two lists were read of ${key}, one with ${first} where the other has ${second}: neither begins the other`,
  'list-too-often': (key, [element]) => `a list of ${key} holds ${element}, which was not appended so often`,
  'list-taken-back': (key, [element], [by]) => `a list of ${key} holds ${element}, which ${by} took back`,
  'list-gap': (key, [element], [by]) => `a list of ${key} holds ${element} of ${by} without what it appended before`,
  row: (key, _, [t]) => `${t} read a row ${key} that cannot be: outside its range, twice, or never written`,
};

/** What is wrong with a read by itself. */
export function anomalyOfFinding(columns: HistoryColumns, { name, why, key, cells, places }: Finding): Anomaly {
  const shown = cells.map((cell) => valueOf(columns, cell) ?? 'absent');
  const transactions = places.map((place) => columns.id[place]);
  const message = STORIES[why](
    columns.keys.at(key),
    shown,
    transactions.map((id) => `T${id}`),
  );
  return { name, message, transactions, cycle: [], refutes: 'read-committed' };
}

/** Two transactions that read one version and both overwrote it. */
export function anomalyOfFork(
  { columns, versions }: Prepared,
  [from, first, second]: readonly [number, number, number],
): Anomaly {
  const key = columns.keys.at(columns.cellKey[versions.cell[from]]);
  const idOf = (version: number): number => columns.id[versions.writer[version]];
  const arrow = (a: number, b: number): Anomaly['cycle'][number] => ({
    from: idOf(a),
    to: idOf(b),
    kind: 'rw',
    predicate: false,
    session: false,
    key,
    value: valueOf(columns, versions.cell[b]),
  });
  const ids = [idOf(first), idOf(second)];
  const read = valueOf(columns, versions.cell[from]) ?? 'absent';
  const message = `lost-update: T${ids[0]} and T${ids[1]} both read ${read} of ${key} and both overwrote it.`;
  const cycle = [arrow(first, second), arrow(second, first)];
  return { name: 'lost-update', message, transactions: ids, cycle, refutes: 'snapshot-isolation' };
}

/** The shortest cycle of a graph, if it has one. */
export function cycleOf(prepared: Prepared, shape: GraphShape, level: CheckedLevel): Anomaly | undefined {
  const graph = buildGraph(prepared, shape);
  const arrows = shortestCycle(graph);
  return arrows.length === 0 ? undefined : anomalyOfCycle(dependenciesOf(prepared, graph, arrows), level);
}

/** What is not certain, in words. */
export function whatIsOpen({ columns, order, reads }: Prepared): string {
  const keys = order.open.slice(0, 3).map((key) => columns.keys.at(key));
  const parts: string[] = [];
  if (keys.length > 0)
    parts.push(`the order of versions of ${order.open.length} keys (${keys.join(', ')}) is not known`);
  if (reads.ambiguous.length > 0) parts.push(`${reads.ambiguous.length} reads have several possible writers`);
  return parts.join(' and ');
}

/** No execution remains: the cycle of the likeliest choice, when it has one. */
export function explainNoOrder(prepared: Prepared, level: CheckedLevel): Anomaly {
  const open = whatIsOpen(prepared);
  const anomaly = cycleOf(likeliest(prepared), SHAPES[level], level);
  if (anomaly === undefined) {
    const message = `no-order: ${open}, and every order and writer that could be contradicts ${level}.`;
    return { name: 'no-order', message, transactions: [], cycle: [], refutes: level };
  }
  const message = `${anomaly.message} (${open}; this is the likeliest choice, and every other contradicts ${level} too.)`;
  return { ...anomaly, message };
}

/** The likeliest choice where something is open, by the times of calls and returns. It proves nothing. */
function likeliest({ columns, versions, reads, order }: Prepared): Prepared {
  const called = (version: number): number => {
    const writer = versions.writer[version];
    return writer < 0 ? -1 : columns.call[writer];
  };
  const next = order.next.slice();
  const more = new Map(order.more);
  for (const [key, installed] of versionsOfKeys(columns, versions, order.installed, order.open)) {
    const seen = new Map<number, number>();
    for (let at = reads.longestFrom[key]; at < reads.longestEnd[key]; at++) {
      seen.set(columns.elements[at], at - reads.longestEnd[key]);
    }
    const rank = (version: number): number => seen.get(version) ?? columns.return[versions.writer[version]];
    const sorted = installed.toSorted((a, b) => rank(a) - rank(b) || a - b);
    let last = columns.absent[key];
    for (const version of [...sorted, -1]) {
      next[last] = version;
      more.delete(last);
      last = version;
    }
  }
  const guessed = reads.ambiguous.map(({ transaction, candidates, predicate }) => {
    const before = candidates.filter((version) => called(version) < columns.return[transaction]);
    const version = before.reduce((a, b) => (called(b) > called(a) ? b : a), candidates[0]);
    return { transaction, version, predicate: Number(predicate) };
  });
  const all = {
    ...reads,
    reader: Int32Array.from([...reads.reader, ...guessed.map(({ transaction }) => transaction)]),
    version: Int32Array.from([...reads.version, ...guessed.map(({ version }) => version)]),
    predicate: Int32Array.from([...reads.predicate, ...guessed.map(({ predicate }) => predicate)]),
  };
  return { columns, versions, reads: all, order: { ...order, next, more } };
}
