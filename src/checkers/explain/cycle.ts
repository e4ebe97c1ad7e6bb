/**
 * The shortest cycle of a graph, in dependencies between transactions, its name in the literature, and its story.
 *
 * Names: Adya 1999, section 4.2 and 5.3 (G0, G1c, G-single, G2-item, G2); Berenson et al., "A Critique of ANSI SQL
 * Isolation Levels" (SIGMOD 1995), lost update; Sovran et al., "Transactional Storage for Geo-Replicated Systems"
 * (SOSP 2011), long fork: anti-dependencies that are not adjacent; Terry et al., "Session Guarantees for Weakly
 * Consistent Replicated Data" (PDIS 1994), monotonic reads and read your writes.
 * Search: breadth first from every node of a component, arrows without length (within a transaction, along the chain of
 * real time) first.
 */
import { valueOf } from '../../history/columns.ts';
import { EDGE, type Prepared } from '../isolation/graph.ts';
import type { CheckedLevel } from '../isolation/levels.ts';
import { CYCLE_STEPS_MAX } from '../limits.ts';
import type { Anomaly, AnomalyName, Dependency } from './anomaly.ts';
import { circularComponents } from './components.ts';
import type { LevelGraph } from './level-graph.ts';

/** The shortest cycle of the components, as places of arrows in the graph; empty when there is none. */
export function shortestCycle(graph: LevelGraph): number[] {
  const components = circularComponents(graph).sort((a, b) => a.length - b.length);
  const state: CycleSearch = {
    graph,
    component: new Int32Array(graph.nodeCount),
    distance: new Int32Array(graph.nodeCount),
    arrivedBy: new Int32Array(graph.nodeCount),
    cameFrom: new Int32Array(graph.nodeCount),
    stamp: new Int32Array(graph.nodeCount),
    stepsLeft: CYCLE_STEPS_MAX,
  };
  let best: number[] = [];
  let bestLength = Infinity;
  let stamp = 0;
  components.forEach((members, i) => {
    for (const member of members) state.component[member] = i + 1;
  });
  for (const members of components) {
    for (const root of members) {
      if (graph.transactionOf(root) < 0 || (state.stepsLeft < 0 && best.length > 0)) continue;
      const found = cycleThrough(state, root, ++stamp, bestLength);
      if (found === undefined) continue;
      best = found.arrows;
      bestLength = found.length;
    }
  }
  return best;
}

interface CycleSearch {
  readonly graph: LevelGraph;
  readonly component: Int32Array;
  readonly distance: Int32Array;
  readonly arrivedBy: Int32Array;
  readonly cameFrom: Int32Array;
  readonly stamp: Int32Array;
  stepsLeft: number;
}

function isFree({ label, transactionOf }: LevelGraph, from: number, arrow: number): boolean {
  return label[arrow] === EDGE.within || (label[arrow] === EDGE.time && transactionOf(from) < 0);
}

function cycleThrough(
  state: CycleSearch,
  root: number,
  stamp: number,
  bestLength: number,
): { arrows: number[]; length: number } | undefined {
  const { graph, component, distance, arrivedBy, cameFrom } = state;
  let layer = [root];
  distance[root] = 0;
  state.stamp[root] = stamp;
  let nearest: { arrow: number; from: number; length: number } | undefined;
  for (let length = 0; layer.length > 0 && length < bestLength && nearest === undefined; length++) {
    const further: number[] = [];
    for (let i = 0; i < layer.length; i++) {
      const node = layer[i];
      if (distance[node] !== length) continue;
      for (let arrow = graph.first[node]; arrow < graph.first[node + 1]; arrow++) {
        state.stepsLeft--;
        const to = graph.target[arrow];
        if (component[to] !== component[root]) continue;
        const free = isFree(graph, node, arrow);
        const reached = free ? length : length + 1;
        if (to === root) {
          if (nearest === undefined || reached < nearest.length) nearest = { arrow, from: node, length: reached };
          continue;
        }
        if (state.stamp[to] === stamp && distance[to] <= reached) continue;
        state.stamp[to] = stamp;
        distance[to] = reached;
        arrivedBy[to] = arrow;
        cameFrom[to] = node;
        (free ? layer : further).push(to);
      }
    }
    layer = further;
  }
  if (nearest === undefined || nearest.length >= bestLength) return undefined;
  const arrows = [nearest.arrow];
  for (let node = nearest.from; node !== root; node = cameFrom[node]) arrows.push(arrivedBy[node]);
  return { arrows: arrows.reverse(), length: nearest.length };
}

/** The arrows between transactions, real time joined to one arrow. */
export function dependenciesOf(prepared: Prepared, graph: LevelGraph, arrows: readonly number[]): Dependency[] {
  const { columns, versions } = prepared;
  const kinds = ['ww', 'wr', 'rw', 'rw', 'within', 'time'] as const;
  const steps = arrows.map((arrow, i) => {
    const before = arrows[(i + arrows.length - 1) % arrows.length];
    return { kind: kinds[graph.label[arrow] & 7], arrow, from: graph.target[before], to: graph.target[arrow] };
  });
  // Begin with an arrow that leaves a transaction, so that no stretch of real time is cut in two.
  const begin = steps.findIndex(({ kind, from }) => kind !== 'within' && graph.transactionOf(from) >= 0);
  const found: Dependency[] = [];
  let timeFrom = -1;
  for (const { kind, arrow, from, to } of [...steps.slice(begin), ...steps.slice(0, begin)]) {
    if (kind === 'within') continue;
    if (graph.transactionOf(from) >= 0) timeFrom = graph.transactionOf(from);
    const place = graph.transactionOf(to);
    if (place < 0) continue;
    const cell = versions.cell[graph.label[arrow] >> 3];
    const timed = kind === 'time';
    found.push({
      from: columns.id[timeFrom],
      to: columns.id[place],
      kind,
      predicate: (graph.label[arrow] & 7) === EDGE.predicate,
      session: timed && columns.client[timeFrom] === columns.client[place],
      key: timed ? '' : columns.keys.at(columns.cellKey[cell]),
      value: timed ? null : valueOf(columns, cell),
    });
  }
  return found;
}

/** The name of a cycle. */
export function nameOfCycle(cycle: readonly Dependency[]): AnomalyName {
  const kinds = cycle.map(({ kind }) => kind);
  if (kinds.includes('time')) return nameInTime(cycle);
  const rw = kinds.filter((kind) => kind === 'rw').length;
  if (rw === 0) return kinds.includes('wr') ? 'G1c' : 'G0';
  const oneKey = cycle.every(({ key }) => key === cycle[0].key);
  if (rw === 1) return oneKey && !kinds.includes('wr') ? 'lost-update' : 'G-single';
  if (!kinds.some((kind, i) => kind === 'rw' && kinds[(i + 1) % kinds.length] === 'rw')) return 'long-fork';
  return cycle.some(({ predicate }) => predicate) ? 'G2' : 'G2-item';
}

/** A session: after a read of a version, or a write, the same client finds an older one. */
function nameInTime(cycle: readonly Dependency[]): AnomalyName {
  const at = cycle.findIndex(({ kind }) => kind === 'time');
  const [session, ...rest] = [...cycle.slice(at), ...cycle.slice(0, at)];
  if (!session.session || rest.length === 0 || rest[0].kind !== 'rw') return 'real-time';
  const [read, ...above] = rest;
  if (above.some(({ key }) => key !== read.key)) return 'real-time';
  const last = above.at(-1);
  const written = last?.kind === 'wr' ? above.slice(0, -1) : above;
  if (written.some(({ kind }) => kind !== 'ww')) return 'real-time';
  return last?.kind === 'wr' ? 'monotonic-reads' : 'read-your-writes';
}

function tell({ from, to, kind, key, value, predicate, session }: Dependency): string {
  const shown = value ?? 'its deletion';
  if (kind === 'ww') return `T${to} wrote ${shown} to ${key} over what T${from} had written`;
  if (kind === 'wr') return `T${to} read ${shown} of ${key}, which T${from} had written`;
  if (kind === 'time') return `T${from} had returned before T${to} was called${session ? ' by the same client' : ''}`;
  const how = predicate ? 'read a range' : 'read the key';
  return `T${from} ${how} and did not see ${value === null ? 'the deletion' : value} that T${to} wrote to ${key}`;
}

/** A cycle as an anomaly with its story. */
export function anomalyOfCycle(cycle: readonly Dependency[], refutes: CheckedLevel): Anomaly {
  const name = nameOfCycle(cycle);
  const transactions = cycle.map(({ from }) => from);
  const round = [...transactions, transactions[0]].map((id) => `T${id}`).join(' < ');
  const message = `${name}: ${round}, which cannot be. ${cycle.map(tell).join('; ')}.`;
  return { name, message, transactions, cycle, refutes };
}
