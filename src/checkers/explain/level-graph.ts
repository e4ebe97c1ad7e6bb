/** The graph of one level alone, with snapshots and commits as nodes where the level splits them: to look for its circles. */
import {
  type AddArrow,
  EDGE,
  type Graph,
  type GraphShape,
  kindsOf,
  type Prepared,
  sortArrows,
  whatIsLeft,
} from '../isolation/graph.ts';

/** What of a graph is wanted. */
export interface LevelShape extends GraphShape {
  /** Without: who read what, too. */
  readonly writesAlone?: boolean;
  /** Real time between transactions of one client alone. */
  readonly sessions?: boolean;
}

/** A graph whose nodes are transactions, snapshots and commits, or moments. */
export interface LevelGraph extends Graph {
  /** Place of the transaction of a node; −1 for moments of real time. */
  transactionOf(node: number): number;
}

/** The arrows of a level that may be part of a circle. */
export function levelGraph(prepared: Prepared, graph: Graph, shape: LevelShape): LevelGraph {
  const { nodeCount, transactionCount: size, first, target, label } = graph;
  const isWanted = kindsOf(shape).map((is, kind) => is && !(shape.writesAlone === true && kind === EDGE.wr));
  const commit = shape.split ? nodeCount : 0;
  const nodes = commit === 0 ? nodeCount : nodeCount + size;
  // Real time holds the order of each session, and more.
  const left = whatIsLeft(graph, { ...shape, realTime: shape.realTime || shape.sessions === true });
  const sorted = sortArrows(nodes, size, 1024, (addAll) => {
    const add: AddArrow = (from, to, why) => {
      if (left !== undefined && left[from] > 0 && left[to] > 0) addAll(from, to, why);
    };
    for (let node = 0; node < nodeCount; node++) {
      const half = node < size ? commit : 0;
      for (let arrow = first[node]; arrow < first[node + 1]; arrow++) {
        const kind = label[arrow] & 7;
        const anti = kind === EDGE.rw || kind === EDGE.predicate;
        if (isWanted[kind]) add(anti ? node : half + node, anti ? commit + target[arrow] : target[arrow], label[arrow]);
      }
      if (half > 0) add(node, half + node, EDGE.within);
    }
    if (shape.sessions === true) addSessions(prepared, add, commit);
  });
  const isMoment = (node: number): boolean => node >= size && node < nodeCount;
  return { ...sorted, transactionOf: (node) => (isMoment(node) ? -1 : node < size ? node : node - nodeCount) };
}

function addSessions({ columns, reads }: Prepared, add: AddArrow, commit: number): void {
  const { client, call, return: ends } = columns;
  const places = Array.from(reads.included.keys()).filter((t) => reads.included[t] === 1);
  places.sort((a, b) => call[a] - call[b]);
  const last = new Map<number, number>();
  for (const t of places) {
    const before = last.get(client[t]);
    if (before !== undefined) add(commit + before, t, EDGE.time);
    if (ends[t] !== Infinity) last.set(client[t], t);
  }
}
