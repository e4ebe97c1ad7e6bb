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
  readonly realTime: boolean;
}

/** Takes an arrow. */
export type AddArrow = (from: number, to: number, label: number) => void;

/**
 * Builds the graph: all arrows one after another, then sorted by their nodes.
 * @param more adds arrows; the commit of transaction t is node `commit` + t
 */
export function buildGraph(
  prepared: Prepared,
  shape: GraphShape,
  more?: (add: AddArrow, commit: number) => void,
): Graph {
  const size = prepared.columns.count;
  const commit = shape.split ? size : 0;
  const moments = commit + size;
  const nodeCount = shape.realTime ? moments + size : moments;
  const room = prepared.versions.count + 2 * prepared.reads.reader.length + 4 * size + 16;
  const [from, to, label] = Array.from({ length: 3 }, () => new GrowingInts(room));
  const add: AddArrow = (node, other, why) => {
    from.push(node);
    to.push(other);
    label.push(why);
  };
  addVersions(prepared, shape, commit, add);
  if (shape.split) for (let t = 0; t < size; t++) add(t, commit + t, EDGE.within);
  if (shape.realTime) addTimes(prepared, commit, add);
  more?.(add, commit);
  const first = new Int32Array(nodeCount + 1);
  const arrows = from.length;
  for (let arrow = 0; arrow < arrows; arrow++) first[from.room[arrow] + 1]++;
  for (let node = 0; node < nodeCount; node++) first[node + 1] += first[node];
  const place = first.slice();
  const [target, labels] = [new Int32Array(arrows), new Int32Array(arrows)];
  for (let arrow = 0; arrow < arrows; arrow++) {
    const at = place[from.room[arrow]]++;
    target[at] = to.room[arrow];
    labels[at] = label.room[arrow];
  }
  const transactionOf = (node: number): number => (node >= moments ? -1 : node % size);
  return { nodeCount, first, target, label: labels, transactionOf };
}

function addVersions({ versions, reads, order }: Prepared, shape: GraphShape, commit: number, add: AddArrow): void {
  const { writer } = versions;
  const { included, reader, version, predicate } = reads;
  const { next, more } = order;
  for (let v = 0; v < next.length; v++) {
    const from = writer[v];
    if (from < 0 || next[v] < 0) continue;
    if (writer[next[v]] !== from) add(commit + from, writer[next[v]], next[v] * 8 + EDGE.ww);
    if (more.size === 0) continue;
    for (const other of more.get(v) ?? []) {
      if (writer[other] !== from) add(commit + from, writer[other], other * 8 + EDGE.ww);
    }
  }
  for (let i = 0; shape.reads && i < reader.length; i++) {
    const [t, v] = [reader[i], version[i]];
    if (included[t] === 0) continue;
    const from = writer[v];
    const above = next[v];
    if (from >= 0 && from !== t) add(commit + from, t, v * 8 + EDGE.wr);
    if (!shape.antiDependencies || above < 0) continue;
    const kind = predicate[i] === 1 ? EDGE.predicate : EDGE.rw;
    if (writer[above] !== t) add(t, commit + writer[above], above * 8 + kind);
    if (more.size === 0) continue;
    for (const other of more.get(v)?.slice(0, SUCCESSORS_MAX) ?? []) {
      if (writer[other] !== t) add(t, commit + writer[other], other * 8 + kind);
    }
  }
}

function addTimes({ columns, reads }: Prepared, commit: number, add: AddArrow): void {
  const { count, call, return: ends } = columns;
  const base = commit + count;
  const returns = ends.filter((end, t) => reads.included[t] === 1 && end !== Infinity).sort();
  let last = 0;
  /** How many returns lie before a moment; quick when it lies near the one asked for before. */
  function before(moment: number): number {
    let [low, high] = [last, last];
    for (let step = 1; low > 0 && returns[low - 1] >= moment; step *= 2) low = Math.max(0, low - step);
    for (let step = 1; high < returns.length && returns[high] < moment; step *= 2) {
      high = Math.min(returns.length, high + step);
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (returns[middle] < moment) low = middle + 1;
      else high = middle;
    }
    return (last = low);
  }
  for (let i = 1; i < returns.length; i++) add(base + i - 1, base + i, EDGE.time);
  for (let t = 0; t < count; t++) {
    if (reads.included[t] === 0) continue;
    const returned = before(call[t]);
    if (returned > 0) add(base + returned - 1, t, EDGE.time);
    if (ends[t] !== Infinity) add(commit + t, base + before(ends[t]), EDGE.time);
  }
}

/**
 * Whether there is a circle: nodes that nothing leads to are taken away until none is left (Kahn, CACM 5(11), 1962).
 * @param timed look at arrows of real time, too
 */
export function hasCycle({ nodeCount, first, target, label }: Graph, timed: boolean): boolean {
  const arriving = new Int32Array(nodeCount);
  for (let arrow = 0; arrow < target.length; arrow++) {
    if (timed || label[arrow] !== EDGE.time) arriving[target[arrow]]++;
  }
  const free = new Int32Array(nodeCount);
  let end = 0;
  for (let node = 0; node < nodeCount; node++) if (arriving[node] === 0) free[end++] = node;
  for (let at = 0; at < end; at++) {
    const node = free[at];
    for (let arrow = first[node]; arrow < first[node + 1]; arrow++) {
      if ((timed || label[arrow] !== EDGE.time) && --arriving[target[arrow]] === 0) free[end++] = target[arrow];
    }
  }
  return end < nodeCount;
}
