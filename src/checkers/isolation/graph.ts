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
import type { VersionOrder } from './order.ts';
import type { ReadTable } from './reads.ts';
import { SUCCESSORS_MAX } from './limits.ts';
import type { CheckedLevel, RecordedTransaction } from './transactions.ts';
import type { VersionTable } from './versions.ts';

/** A history after versions, reads and orders. */
export interface Prepared {
  readonly transactions: readonly RecordedTransaction[];
  readonly table: VersionTable;
  readonly reads: ReadTable;
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
  const size = prepared.transactions.length;
  const nodeCount = (shape.split ? 2 * size : size) + (shape.realTime === 'all' ? size : 0);
  const first = new Int32Array(nodeCount + 1);
  const times = shape.realTime === 'all' ? timeline(prepared) : undefined;
  emitAll(prepared, shape, times, (from) => void first[from + 1]++);
  for (let node = 0; node < nodeCount; node++) first[node + 1] += first[node];
  const place = first.slice();
  const target = new Int32Array(first[nodeCount]);
  const label = new Int32Array(first[nodeCount]);
  emitAll(prepared, shape, times, (from, to, name) => {
    const at = place[from]++;
    target[at] = to;
    label[at] = name;
  });
  const timesFrom = shape.split ? 2 * size : size;
  return { nodeCount, first, target, label, transactionOf: (node) => (node >= timesFrom ? -1 : node % size) };
}

function emitAll(
  { transactions, table, reads, order }: Prepared,
  shape: GraphShape,
  times: Timeline | undefined,
  emit: Emit,
): void {
  const { writer } = table;
  const { included, reader, version, predicate } = reads;
  const { next, more } = order;
  const commit = shape.split ? transactions.length : 0;
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
    const kind = predicate[i] ? EDGE.predicate : EDGE.rw;
    if (next[v] >= 0 && writer[next[v]] !== t) emit(t, commit + writer[next[v]], next[v] * 8 + kind);
    for (const other of more.get(v)?.slice(0, SUCCESSORS_MAX) ?? []) {
      if (writer[other] !== t) emit(t, commit + writer[other], other * 8 + kind);
    }
  }
  if (shape.split) for (let t = 0; t < commit; t++) emit(t, commit + t, EDGE.within);
  if (shape.realTime === 'sessions') emitSessions(transactions, included, commit, emit);
  if (times !== undefined) emitTimes(transactions, included, times, commit, emit);
}

function emitSessions(
  transactions: readonly RecordedTransaction[],
  included: Uint8Array,
  commit: number,
  emit: Emit,
): void {
  const places = [...transactions.keys()].filter((t) => included[t] === 1);
  places.sort((a, b) => transactions[a].call - transactions[b].call);
  const last = new Map<number, number>();
  for (const t of places) {
    const before = last.get(transactions[t].client);
    if (before !== undefined) emit(commit + before, t, EDGE.time);
    if (transactions[t].return !== Infinity) last.set(transactions[t].client, t);
  }
}

/** Places of the transactions that count and returned, in the order of their returns. */
interface Timeline {
  readonly places: readonly number[];
  readonly returns: Float64Array;
}

function timeline({ transactions, reads }: Prepared): Timeline {
  const places: number[] = [];
  for (let t = 0; t < transactions.length; t++) {
    if (reads.included[t] === 1 && transactions[t].return !== Infinity) places.push(t);
  }
  places.sort((a, b) => transactions[a].return - transactions[b].return);
  return { places, returns: Float64Array.from(places, (t) => transactions[t].return) };
}

function emitTimes(
  transactions: readonly RecordedTransaction[],
  included: Uint8Array,
  { places, returns }: Timeline,
  commit: number,
  emit: Emit,
): void {
  const base = commit + transactions.length;
  for (let i = 0; i < places.length; i++) {
    emit(commit + places[i], base + i, EDGE.time);
    if (i > 0) emit(base + i - 1, base + i, EDGE.time);
  }
  for (let t = 0; t < transactions.length; t++) {
    if (included[t] === 0) continue;
    const { call } = transactions[t];
    let low = 0;
    let high = returns.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (returns[middle] < call) low = middle + 1;
      else high = middle;
    }
    if (low > 0) emit(base + low - 1, t, EDGE.time);
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
