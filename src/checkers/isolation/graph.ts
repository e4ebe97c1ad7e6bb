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

/** Kinds of arrows. `within` leads from a transaction's snapshot to its commit, where those are two nodes. */
export const EDGE = { ww: 0, wr: 1, rw: 2, predicate: 3, within: 4, time: 5 } as const;

/**
 * Arrows of node n: places first[n] to first[n + 1]. The label is version × 8 + kind. Transactions are nodes by their place;
 * behind them stand moments of real time.
 */
export interface Graph {
  readonly nodeCount: number;
  readonly transactionCount: number;
  readonly first: Int32Array;
  readonly target: Int32Array;
  readonly label: Int32Array;
}

/** Which arrows of a graph a level forbids to be circular. */
export interface GraphShape {
  readonly antiDependencies: boolean;
  /** Snapshot and commit are two nodes. */
  readonly split: boolean;
  readonly realTime: boolean;
}

/** Takes an arrow. */
export type AddArrow = (from: number, to: number, label: number) => void;

/** The graph of all arrows, from which every level takes its own. */
export function buildGraph(prepared: Prepared): Graph {
  const { columns, versions, reads } = prepared;
  const room = versions.count + 2 * reads.reader.length + 3 * columns.count + 16;
  return sortArrows(2 * columns.count, columns.count, room, (add) => {
    addVersions(prepared, add);
    addTimes(prepared, add);
  });
}

/** All arrows one after another, then sorted by their nodes. */
export function sortArrows(
  nodeCount: number,
  transactionCount: number,
  room: number,
  addAll: (add: AddArrow) => void,
): Graph {
  const [from, to, why] = Array.from({ length: 3 }, () => new GrowingInts(room));
  addAll((node, other, label) => {
    from.push(node);
    to.push(other);
    why.push(label);
  });
  const arrows = from.length;
  const first = new Int32Array(nodeCount + 1);
  for (let arrow = 0; arrow < arrows; arrow++) first[from.room[arrow] + 1]++;
  for (let node = 0; node < nodeCount; node++) first[node + 1] += first[node];
  const place = first.slice();
  const [target, label] = [new Int32Array(arrows), new Int32Array(arrows)];
  for (let arrow = 0; arrow < arrows; arrow++) {
    const at = place[from.room[arrow]]++;
    target[at] = to.room[arrow];
    label[at] = why.room[arrow];
  }
  return { nodeCount, transactionCount, first, target, label };
}

function addVersions({ versions, reads, order }: Prepared, add: AddArrow): void {
  const { writer } = versions;
  const { included, reader, version, predicate } = reads;
  const { next, more } = order;
  for (let v = 0; v < next.length; v++) {
    const from = writer[v];
    if (from < 0 || next[v] < 0) continue;
    if (writer[next[v]] !== from) add(from, writer[next[v]], next[v] * 8 + EDGE.ww);
    if (more.size === 0) continue;
    for (const other of more.get(v) ?? []) {
      if (writer[other] !== from) add(from, writer[other], other * 8 + EDGE.ww);
    }
  }
  for (let i = 0; i < reader.length; i++) {
    const [t, v] = [reader[i], version[i]];
    if (included[t] === 0) continue;
    const from = writer[v];
    const above = next[v];
    if (from >= 0 && from !== t) add(from, t, v * 8 + EDGE.wr);
    if (above < 0) continue;
    const kind = predicate[i] === 1 ? EDGE.predicate : EDGE.rw;
    if (writer[above] !== t) add(t, writer[above], above * 8 + kind);
    if (more.size === 0) continue;
    for (const other of more.get(v)?.slice(0, SUCCESSORS_MAX) ?? []) {
      if (writer[other] !== t) add(t, writer[other], other * 8 + kind);
    }
  }
}

function addTimes({ columns, reads }: Prepared, add: AddArrow): void {
  const { count, call, return: ends } = columns;
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
  for (let i = 1; i < returns.length; i++) add(count + i - 1, count + i, EDGE.time);
  for (let t = 0; t < count; t++) {
    if (reads.included[t] === 0) continue;
    const returned = before(call[t]);
    if (returned > 0) add(count + returned - 1, t, EDGE.time);
    if (ends[t] !== Infinity) add(t, count + before(ends[t]), EDGE.time);
  }
}

/** Of each kind: whether it leads from a snapshot to a commit, where those are two nodes; others lead back. */
const LEAVES_SNAPSHOT: readonly boolean[] = [false, false, true, true, false, false];

/** By kind: whether a level looks at such arrows. */
export function kindsOf({ antiDependencies, realTime }: GraphShape): readonly boolean[] {
  return [true, true, antiDependencies, antiDependencies, true, realTime];
}

/**
 * Takes away nodes to which no arrow of a level leads, until none is left (Kahn, CACM 5(11), 1962). Where a transaction is
 * two nodes, its commit has the number `nodeCount` + place.
 * @returns by node the arrows that still lead to it: those above 0 are on a circle or behind one; `undefined` without one
 */
export function whatIsLeft(
  { nodeCount, transactionCount, first, target, label }: Graph,
  shape: GraphShape,
): Int32Array | undefined {
  const isWanted = kindsOf(shape);
  const commit = shape.split ? nodeCount : 0;
  const arriving = new Int32Array(commit === 0 ? nodeCount : nodeCount + transactionCount);
  for (let arrow = 0; arrow < target.length; arrow++) {
    const kind = label[arrow] & 7;
    if (isWanted[kind]) arriving[target[arrow] + (LEAVES_SNAPSHOT[kind] ? commit : 0)]++;
  }
  for (let t = 0; commit > 0 && t < transactionCount; t++) arriving[commit + t]++;
  const free = new Int32Array(arriving.length);
  let end = 0;
  for (let node = 0; node < arriving.length; node++) if (arriving[node] === 0) free[end++] = node;
  for (let at = 0; at < end; at++) {
    const isCommit = free[at] >= nodeCount;
    const node = isCommit ? free[at] - nodeCount : free[at];
    const isHalf = commit > 0 && node < transactionCount;
    for (let arrow = first[node]; arrow < first[node + 1]; arrow++) {
      const kind = label[arrow] & 7;
      if (!isWanted[kind] || (isHalf && LEAVES_SNAPSHOT[kind] === isCommit)) continue;
      const to = target[arrow] + (LEAVES_SNAPSHOT[kind] ? commit : 0);
      if (--arriving[to] === 0) free[end++] = to;
    }
    if (isHalf && !isCommit && --arriving[commit + node] === 0) free[end++] = commit + node;
  }
  return end < arriving.length ? arriving : undefined;
}
