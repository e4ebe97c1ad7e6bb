/**
 * The graph of dependencies that a level forbids to be circular, as compressed rows in typed arrays.
 *
 * Serializability: one node a transaction, circles of ww, wr and rw (Adya 1999, section 4.2). Snapshot isolation: two
 * nodes, the snapshot and the commit. ww and wr lead from a commit to a snapshot, rw from a snapshot to a commit; that is
 * acyclic exactly when (ww ∪ wr) ; rw? is (Cerone and Gotsman, "Analysing Snapshot Isolation", JACM 65(2), 2018, theorem
 * 10, without their session order, which real time contains). Read committed: ww and wr.
 * Real time is a chain of one node for each return: a transaction leads to its own return, the last return before a call
 * leads to the caller. That is linear and has the same circles as all its pairs.
 */
import { GrowingInts } from '../../base/growing.ts';
import type { HistoryColumns } from '../../history/columns.ts';
import { SUCCESSORS_MAX } from '../limits.ts';
import type { VersionOrder } from './order.ts';
import type { Reads } from './reads.ts';
import type { CheckedLevel } from './transactions.ts';
import type { Versions } from './versions.ts';

/** A history after versions, reads and orders. */
export interface Prepared {
  readonly columns: HistoryColumns;
  readonly versions: Versions;
  readonly reads: Reads;
  readonly order: VersionOrder;
}

/** Kinds of arrows; `within` leads from a transaction's snapshot to its commit. */
export const EDGE = { ww: 0, wr: 1, rw: 2, predicate: 3, within: 4, time: 5 } as const;

/** Arrows of node n: places first[n] to first[n + 1]. The label is version × 8 + kind. */
export interface Graph {
  readonly nodeCount: number;
  readonly first: Int32Array;
  readonly target: Int32Array;
  readonly label: Int32Array;
  /** Place of the transaction of a node; −1 for moments of real time. */
  transactionOf(node: number): number;
}

/** What a graph is made of. */
export interface GraphShape {
  readonly reads: boolean;
  readonly antiDependencies: boolean;
  /** Snapshot and commit are two nodes. */
  readonly split: boolean;
  /** `sessions`: only between transactions of one client. */
  readonly realTime: 'none' | 'sessions' | 'all';
}

/** The graph of each level. */
export const SHAPES: Readonly<Record<CheckedLevel, GraphShape>> = {
  'read-committed': { reads: true, antiDependencies: false, split: false, realTime: 'none' },
  'snapshot-isolation': { reads: true, antiDependencies: true, split: true, realTime: 'none' },
  'strong-snapshot-isolation': { reads: true, antiDependencies: true, split: true, realTime: 'all' },
  serializable: { reads: true, antiDependencies: true, split: false, realTime: 'none' },
  'strict-serializable': { reads: true, antiDependencies: true, split: false, realTime: 'all' },
};

/** Builds the graph: all arrows one after another, then sorted by their nodes. */
export function buildGraph(prepared: Prepared, shape: GraphShape): Graph {
  const size = prepared.columns.count;
  const timesFrom = shape.split ? 2 * size : size;
  const room = prepared.versions.count + 2 * prepared.reads.reader.length + 4 * size + 16;
  const arrows = new Arrows(shape.realTime === 'all' ? timesFrom + size : timesFrom, room);
  addVersions(prepared, shape, arrows);
  if (shape.split) for (let t = 0; t < size; t++) arrows.add(t, size + t, EDGE.within);
  if (shape.realTime === 'sessions') addSessions(prepared, shape.split ? size : 0, arrows);
  if (shape.realTime === 'all') addTimes(prepared, shape.split ? size : 0, arrows);
  return { ...arrows.sorted(), transactionOf: (node) => (node >= timesFrom ? -1 : node % size) };
}

class Arrows {
  private readonly from: GrowingInts;
  private readonly to: GrowingInts;
  private readonly label: GrowingInts;
  private readonly first: Int32Array;

  constructor(nodeCount: number, room: number) {
    this.from = new GrowingInts(room);
    this.to = new GrowingInts(room);
    this.label = new GrowingInts(room);
    this.first = new Int32Array(nodeCount + 1);
  }

  add(from: number, to: number, label: number): void {
    this.from.push(from);
    this.to.push(to);
    this.label.push(label);
    this.first[from + 1]++;
  }

  sorted(): Omit<Graph, 'transactionOf'> {
    const { first } = this;
    const [from, to, label] = [this.from.room, this.to.room, this.label.room];
    const nodeCount = first.length - 1;
    for (let node = 0; node < nodeCount; node++) first[node + 1] += first[node];
    const place = first.slice();
    const target = new Int32Array(this.from.length);
    const labels = new Int32Array(this.from.length);
    for (let arrow = 0; arrow < target.length; arrow++) {
      const at = place[from[arrow]]++;
      target[at] = to[arrow];
      labels[at] = label[arrow];
    }
    return { nodeCount, first, target, label: labels };
  }
}

function addVersions({ columns, versions, reads, order }: Prepared, shape: GraphShape, arrows: Arrows): void {
  const { writer } = versions;
  const { included, reader, version, predicate } = reads;
  const { next, more } = order;
  const commit = shape.split ? columns.count : 0;
  for (let v = 0; v < next.length; v++) {
    const from = writer[v];
    if (from < 0) continue;
    const to = next[v] < 0 ? from : writer[next[v]];
    if (to !== from) arrows.add(commit + from, to, next[v] * 8 + EDGE.ww);
    for (const other of more.get(v) ?? []) {
      if (writer[other] !== from) arrows.add(commit + from, writer[other], other * 8 + EDGE.ww);
    }
  }
  for (let i = 0; shape.reads && i < reader.length; i++) {
    const t = reader[i];
    const v = version[i];
    if (included[t] === 0) continue;
    const from = writer[v];
    const above = next[v];
    if (from >= 0 && from !== t) arrows.add(commit + from, t, v * 8 + EDGE.wr);
    if (!shape.antiDependencies || above < 0) continue;
    const kind = predicate[i] === 1 ? EDGE.predicate : EDGE.rw;
    const to = writer[above];
    if (to !== t) arrows.add(t, commit + to, above * 8 + kind);
    if (more.size === 0) continue;
    for (const other of more.get(v)?.slice(0, SUCCESSORS_MAX) ?? []) {
      if (writer[other] !== t) arrows.add(t, commit + writer[other], other * 8 + kind);
    }
  }
}

function addSessions({ columns, reads }: Prepared, commit: number, arrows: Arrows): void {
  const { client, call, return: ends } = columns;
  const places = Array.from(reads.included.keys()).filter((t) => reads.included[t] === 1);
  places.sort((a, b) => call[a] - call[b]);
  const last = new Map<number, number>();
  for (const t of places) {
    const before = last.get(client[t]);
    if (before !== undefined) arrows.add(commit + before, t, EDGE.time);
    if (ends[t] !== Infinity) last.set(client[t], t);
  }
}

/** Counts how many of some sorted numbers are smaller than a bound; quick when a bound lies near the one before it. */
class Rank {
  private readonly sorted: Float64Array;
  private last = 0;

  constructor(sorted: Float64Array) {
    this.sorted = sorted;
  }

  of(bound: number): number {
    const { sorted } = this;
    let low = this.last;
    let high = low;
    for (let step = 1; low > 0 && sorted[low - 1] >= bound; step *= 2) low = Math.max(0, low - step);
    for (let step = 1; high < sorted.length && sorted[high] < bound; step *= 2)
      high = Math.min(sorted.length, high + step);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle] < bound) low = middle + 1;
      else high = middle;
    }
    this.last = low;
    return low;
  }
}

function addTimes({ columns, reads }: Prepared, commit: number, arrows: Arrows): void {
  const { count, call, return: ends } = columns;
  const base = commit + count;
  const returns = ends.filter((end, t) => reads.included[t] === 1 && end !== Infinity).sort();
  const rank = new Rank(returns);
  for (let i = 1; i < returns.length; i++) arrows.add(base + i - 1, base + i, EDGE.time);
  for (let t = 0; t < count; t++) {
    if (reads.included[t] === 0) continue;
    const before = rank.of(call[t]);
    if (before > 0) arrows.add(base + before - 1, t, EDGE.time);
    if (ends[t] !== Infinity) arrows.add(commit + t, base + rank.of(ends[t]), EDGE.time);
  }
}

/** Whether there is a circle: nodes that nothing leads to are taken away until none is left (Kahn, CACM 5(11), 1962). */
export function hasCycle({ nodeCount, first, target }: Graph): boolean {
  const arriving = new Int32Array(nodeCount);
  for (const to of target) arriving[to]++;
  const free = new Int32Array(nodeCount);
  let end = 0;
  for (let node = 0; node < nodeCount; node++) if (arriving[node] === 0) free[end++] = node;
  for (let at = 0; at < end; at++) {
    const node = free[at];
    for (let arrow = first[node]; arrow < first[node + 1]; arrow++) {
      if (--arriving[target[arrow]] === 0) free[end++] = target[arrow];
    }
  }
  return end < nodeCount;
}
