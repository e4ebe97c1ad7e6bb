/** Anomalies of isolation in English: findings of reads, forks, cycles, and what is left when every order contradicts. */
import { OUTCOME, valueOf } from '../../history/columns.ts';
import { buildGraph, type Graph, type Prepared } from '../isolation/graph.ts';
import { type CheckedLevel, type Refutation, SHAPES } from '../isolation/levels.ts';
import type { Finding } from '../isolation/reads.ts';
import { forEachVersion } from '../isolation/versions.ts';
import type { Anomaly, AnomalyName } from './anomaly.ts';
import { anomalyOfCycle, dependenciesOf, shortestCycle } from './cycle.ts';
import { levelGraph, type LevelShape } from './level-graph.ts';

/** All anomalies, each name once, unless reads are wrong by themselves: then all of those. */
export function anomaliesOf(prepared: Prepared, graph: Graph, refutations: readonly Refutation[]): readonly Anomaly[] {
  const found: Anomaly[] = [];
  const add = (anomaly: Anomaly | undefined): void => {
    if (anomaly !== undefined && !found.some(({ name }) => name === anomaly.name)) found.push(anomaly);
  };
  for (const { level, why } of refutations) {
    const shape = SHAPES[level];
    if (why === 'reads') return prepared.reads.findings.map((finding) => anomalyOfFinding(prepared, finding));
    if (why === 'fork') found.push(anomalyOfFork(prepared, prepared.order.forks[0]));
    else if (why === 'no-execution') add(explainNoOrder(prepared, level));
    else {
      if (level === 'read-committed') add(cycleOf(prepared, graph, { ...shape, writesAlone: true }, level));
      add(cycleOf(prepared, graph, shape, level));
      // A session that sees something older than before has a name of its own.
      if (level === 'strong-snapshot-isolation')
        add(cycleOf(prepared, graph, { ...shape, realTime: false, sessions: true }, level));
    }
  }
  return found;
}

/** What is wrong with a read by itself. */
function anomalyOfFinding(prepared: Prepared, finding: Finding): Anomaly {
  const { columns } = prepared;
  const [name, message, places] = tellFinding(prepared, finding);
  const transactions = [...new Set(places)].map((place) => columns.id[place]);
  return { name, message, transactions, cycle: [], refutes: 'read-committed' };
}

function tellFinding(
  prepared: Prepared,
  { why, key, cells, places }: Finding,
): [AnomalyName, string, readonly number[]] {
  const { columns, versions } = prepared;
  const name = columns.keys.at(key);
  const [seen, other] = cells.map((cell) => valueOf(columns, cell) ?? 'absent');
  const t = places.length === 0 ? '' : `T${columns.id[places[0]]}`;
  const writer = cells.length === 0 ? -1 : versions.writer[cells[0]];
  switch (why) {
    case 'not-own':
      return ['internal', `${t} wrote ${seen} to ${name} and then read ${other}`, places];
    case 'no-writer':
      return tellNoWriter(prepared, `${t} read ${seen} of ${name}`, cells[0], places[0]);
    case 'list-not-own': {
      const list = cells.map((cell) => valueOf(columns, cell)).join(' ');
      return ['internal', `${t} appended to ${name} and then read [${list}]`, places];
    }
    case 'list-fork': {
      const message = `of ${name} one list was read with ${seen} where another has ${other}, and neither begins the other`;
      return ['incompatible-order', message, places];
    }
    case 'list-gap': {
      const message = `a list of ${name} holds ${seen} of ${t} without what it appended before`;
      return ['incompatible-order', message, places];
    }
    case 'list-entry':
      if (writer >= 0 && columns.outcome[writer] === OUTCOME.failed) {
        return ['G1a', `a list of ${name} holds ${seen}, which T${columns.id[writer]} took back`, [writer]];
      }
      return ['wrong-read', `a list of ${name} holds ${seen}, which was not appended so often`, places];
    case 'row':
      return [
        'wrong-read',
        `${t} read a row ${name} that cannot be: outside its range, twice, absent, or never written`,
        places,
      ];
  }
}

/** Somebody wrote it, and yet nobody can have left it there for the transaction. */
function tellNoWriter(
  { columns, versions }: Prepared,
  what: string,
  cell: number,
  t: number,
): [AnomalyName, string, readonly number[]] {
  const writers: number[] = [];
  forEachVersion(versions, cell, (version) => {
    if (versions.writer[version] >= 0) writers.push(versions.writer[version]);
  });
  const failed = writers.find((writer) => columns.outcome[writer] === OUTCOME.failed);
  const other = writers.find((writer) => writer !== t);
  if (failed !== undefined) return ['G1a', `${what}, which T${columns.id[failed]} wrote and took back`, [failed, t]];
  if (other !== undefined) {
    return ['G1b', `${what}, which T${columns.id[other]} wrote only on its way to another value`, [other, t]];
  }
  if (writers.length > 0) return ['internal', `${what} before it wrote that itself`, [t]];
  return ['wrong-read', `${what}, which nobody wrote`, [t]];
}

/** Two transactions that read one version and both overwrote it. */
function anomalyOfFork(
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
function cycleOf(prepared: Prepared, graph: Graph, shape: LevelShape, level: CheckedLevel): Anomaly | undefined {
  const ofLevel = levelGraph(prepared, graph, shape);
  const arrows = shortestCycle(ofLevel);
  return arrows.length === 0 ? undefined : anomalyOfCycle(dependenciesOf(prepared, ofLevel, arrows), level);
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
function explainNoOrder(prepared: Prepared, level: CheckedLevel): Anomaly {
  const open = whatIsOpen(prepared);
  const likely = likeliest(prepared);
  const anomaly = cycleOf(likely, buildGraph(likely), SHAPES[level], level);
  if (anomaly === undefined) {
    const message = `no-order: ${open}, and every order and writer that could be contradicts ${level}.`;
    return { name: 'no-order', message, transactions: [], cycle: [], refutes: level };
  }
  const message = `${anomaly.message} (${open}; this is the likeliest choice, and every other contradicts ${level} too.)`;
  return { ...anomaly, message };
}

/** The versions of each wanted key that others can find, without the initial one. */
function versionsOfKeys({ columns, versions, order }: Prepared, wanted: Iterable<number>): Map<number, number[]> {
  const found = new Map<number, number[]>(Array.from(wanted, (key) => [key, []]));
  for (let version = 0; found.size > 0 && version < versions.count; version++) {
    if (order.installed[version] === 0 || versions.writer[version] < 0) continue;
    found.get(columns.cellKey[versions.cell[version]])?.push(version);
  }
  return found;
}

/** The likeliest choice where something is open, by the times of calls and returns. It proves nothing. */
function likeliest(prepared: Prepared): Prepared {
  const { columns, versions, reads, order } = prepared;
  const called = (version: number): number => {
    const writer = versions.writer[version];
    return writer < 0 ? -1 : columns.call[writer];
  };
  const next = order.next.slice();
  const more = new Map(order.more);
  for (const [key, installed] of versionsOfKeys(prepared, order.open)) {
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
