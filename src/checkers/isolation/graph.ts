/**
 * The graph of dependencies that a level forbids to be circular, as compressed rows in typed arrays, and its strongly
 * connected components.
 *
 * Serializability: one node a transaction, circles of ww, wr and rw (Adya 1999, section 4.2). Snapshot isolation: two
 * nodes, the snapshot and the commit. ww and wr lead from a commit to a snapshot, rw from a snapshot to a commit; that is
 * acyclic exactly when (ww ∪ wr) ; rw? is (Cerone and Gotsman, "Analysing Snapshot Isolation", JACM 65(2), 2018, theorem
 * 10, without their session order, which real time contains). Read committed: ww and wr.
 * Real time is a chain of one node for each return: a transaction leads to its own return, the last return before a call
 * leads to the caller. That is linear and has the same circles as all its pairs.
 *
 * Components: Tarjan, "Depth-first search and linear graph algorithms" (SIAM J. Comput. 1(2), 1972), without recursion.
 */
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

/** Takes one arrow. */
type Emit = (from: number, to: number, label: number) => void;

/** Builds the graph in two passes over all arrows: count, then fill. */
export function buildGraph(prepared: Prepared, shape: GraphShape): Graph {
  const size = prepared.columns.count;
  const nodeCount = (shape.split ? 2 * size : size) + (shape.realTime === 'all' ? size : 0);
  const first = new Int32Array(nodeCount + 1);
  const emitAll = (emit: Emit): void => {
    emitVersions(prepared, shape, emit);
    if (shape.split) for (let t = 0; t < size; t++) emit(t, size + t, EDGE.within);
    if (shape.realTime === 'sessions') emitSessions(prepared, shape.split ? size : 0, emit);
    if (shape.realTime === 'all') emitTimes(prepared, shape.split ? size : 0, emit);
  };
  emitAll((from) => void first[from + 1]++);
  for (let node = 0; node < nodeCount; node++) first[node + 1] += first[node];
  const place = first.slice();
  const target = new Int32Array(first[nodeCount]);
  const label = new Int32Array(first[nodeCount]);
  emitAll((from, to, name) => {
    const at = place[from]++;
    target[at] = to;
    label[at] = name;
  });
  const timesFrom = shape.split ? 2 * size : size;
  return { nodeCount, first, target, label, transactionOf: (node) => (node >= timesFrom ? -1 : node % size) };
}

function emitVersions({ columns, versions, reads, order }: Prepared, shape: GraphShape, emit: Emit): void {
  const { writer } = versions;
  const { included, reader, version, predicate } = reads;
  const { next, more } = order;
  const commit = shape.split ? columns.count : 0;
  for (let v = 0; v < next.length; v++) {
    const from = writer[v];
    if (from < 0) continue;
    const to = next[v] < 0 ? from : writer[next[v]];
    if (to !== from) emit(commit + from, to, next[v] * 8 + EDGE.ww);
    for (const other of more.get(v) ?? []) {
      if (writer[other] !== from) emit(commit + from, writer[other], other * 8 + EDGE.ww);
    }
  }
  for (let i = 0; shape.reads && i < reader.length; i++) {
    const t = reader[i];
    const v = version[i];
    if (included[t] === 0) continue;
    if (writer[v] >= 0 && writer[v] !== t) emit(commit + writer[v], t, v * 8 + EDGE.wr);
    if (!shape.antiDependencies) continue;
    const kind = predicate[i] === 1 ? EDGE.predicate : EDGE.rw;
    if (next[v] >= 0 && writer[next[v]] !== t) emit(t, commit + writer[next[v]], next[v] * 8 + kind);
    for (const other of more.get(v)?.slice(0, SUCCESSORS_MAX) ?? []) {
      if (writer[other] !== t) emit(t, commit + writer[other], other * 8 + kind);
    }
  }
}

function emitSessions({ columns, reads }: Prepared, commit: number, emit: Emit): void {
  const { client, call, return: ends } = columns;
  const places = Array.from(reads.included.keys()).filter((t) => reads.included[t] === 1);
  places.sort((a, b) => call[a] - call[b]);
  const last = new Map<number, number>();
  for (const t of places) {
    const before = last.get(client[t]);
    if (before !== undefined) emit(commit + before, t, EDGE.time);
    if (ends[t] !== Infinity) last.set(client[t], t);
  }
}

/** How many of some sorted numbers are smaller. */
function countBelow(sorted: Float64Array, bound: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

function emitTimes({ columns, reads }: Prepared, commit: number, emit: Emit): void {
  const { count, call, return: ends } = columns;
  const base = commit + count;
  const returns = ends.filter((end, t) => reads.included[t] === 1 && end !== Infinity).sort();
  for (let i = 1; i < returns.length; i++) emit(base + i - 1, base + i, EDGE.time);
  for (let t = 0; t < count; t++) {
    if (reads.included[t] === 0) continue;
    if (ends[t] !== Infinity) emit(commit + t, base + countBelow(returns, ends[t]), EDGE.time);
    const before = countBelow(returns, call[t]);
    if (before > 0) emit(base + before - 1, t, EDGE.time);
  }
}

/** Components with two nodes or more; empty when the graph has no circle (no arrow leads to its own node). */
export function circularComponents({ nodeCount, first, target }: Graph): number[][] {
  const index = new Int32Array(nodeCount);
  const low = new Int32Array(nodeCount);
  const place = first.slice(0, nodeCount);
  const closed = new Uint8Array(nodeCount);
  const stack: number[] = [];
  const path: number[] = [];
  const components: number[][] = [];
  let counter = 0;
  for (let root = 0; root < nodeCount; root++) {
    if (index[root] !== 0) continue;
    path.push(root);
    while (path.length > 0) {
      const node = path[path.length - 1];
      if (index[node] === 0) {
        index[node] = low[node] = ++counter;
        stack.push(node);
      }
      let child = -1;
      while (place[node] < first[node + 1]) {
        const to = target[place[node]++];
        if (index[to] === 0) {
          child = to;
          break;
        }
        if (closed[to] === 0 && low[to] < low[node]) low[node] = low[to];
      }
      if (child >= 0) {
        path.push(child);
        continue;
      }
      path.pop();
      if (path.length > 0 && low[node] < low[path[path.length - 1]]) low[path[path.length - 1]] = low[node];
      if (low[node] !== index[node]) continue;
      const component: number[] = [];
      for (;;) {
        const member = stack.pop() ?? node;
        closed[member] = 1;
        component.push(member);
        if (member === node) break;
      }
      if (component.length > 1) components.push(component);
    }
  }
  return components;
}

/** Whether there is a circle. */
export function hasCycle(graph: Graph): boolean {
  return circularComponents(graph).length > 0;
}
