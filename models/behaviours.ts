/**
 * Behaviours of MVCC that cover every edge of its state graph, as conformance vectors.
 *
 * A client sees a commit as one step: it is put, synced and published before it is answered. So of the graph those edges are
 * walked on which nothing comes between; a freeze goes with the flush after it. Every other step is one operation of a
 * client, and after it everybody who can read says what they see. What must be seen is computed here from the model's
 * history alone.
 */
import { assert } from '../src/base/assert.ts';
import type { Vector, VectorStep, VectorWrite } from '../src/workload/vectors.ts';
import { VECTOR_VERSION } from '../src/workload/vectors.ts';
import type { StateGraph } from './state-graph.ts';

interface Version {
  readonly keys: readonly string[];
  readonly kind: 'put' | 'delete' | 'clear';
  readonly seq: number;
}

interface Reader {
  readonly s: number;
  readonly now: number;
}

/** A state of MVCC.tla, as far as a client's view goes. */
interface MvccState {
  readonly log: readonly Version[];
  readonly durable: number;
  readonly published: number;
  readonly frozen: readonly unknown[];
  readonly runs: readonly unknown[];
  readonly live: readonly Reader[];
  readonly merge: { readonly running: boolean };
  readonly merges: number;
  readonly reopens: number;
}

/** Whether a client could stand here between two of its calls. */
function isQuiet({ log, published, durable, frozen, merge }: MvccState): boolean {
  return published === log.length && durable === log.length && frozen.length === 0 && !merge.running;
}

/** A path through the states, by index. */
type Path = readonly number[];

/**
 * Steps of a client from one quiet state to the next: one step of the model, and those that finish what it began.
 */
function clientSteps(states: readonly MvccState[], next: StateGraph['next'], from: number): Path[] {
  const paths: Path[] = [];
  const visit = (path: number[]): void => {
    const at = path[path.length - 1];
    if (path.length > 1 && isQuiet(states[at])) {
      paths.push(path);
      return;
    }
    for (const to of next[at]) {
      if (path.length > 1 && !finishes(states[at], states[to])) continue;
      visit([...path, to]);
    }
  };
  visit([from]);
  const byEnd = new Map<number, Path>();
  for (const path of paths) {
    const end = path[path.length - 1];
    const known = byEnd.get(end);
    if (known === undefined || path.length < known.length) byEnd.set(end, path);
  }
  return [...byEnd.values()];
}

/** Whether a step only finishes what was begun: the sync and publication of a commit, a flush, the end of a merge. */
function finishes(a: MvccState, b: MvccState): boolean {
  return (
    a.log.length === b.log.length &&
    a.frozen.length >= b.frozen.length &&
    a.merges === b.merges &&
    a.reopens === b.reopens &&
    a.live.length === b.live.length &&
    a.live.every((reader, i) => sameReader(reader, b.live[i]))
  );
}

/** The greatest version of a key at or before `s`, if it is a put. */
function read({ log }: MvccState, key: string, s: number): string | undefined {
  const version = log.findLast((one) => one.seq <= s && one.keys.includes(key));
  return version?.kind === 'put' ? valueOf(version) : undefined;
}

const valueOf = ({ seq }: Version): string => `v${seq}`;

function rowsAt(state: MvccState, keys: readonly string[], s: number): Record<string, string> {
  const rows: Record<string, string> = {};
  for (const key of keys) {
    const value = read(state, key, s);
    if (value !== undefined) rows[key] = value;
  }
  return rows;
}

const sameReader = (a: Reader, b: Reader): boolean => a.s === b.s && a.now === b.now;

class VectorWriter {
  readonly steps: VectorStep[] = [];
  private readonly states: readonly MvccState[];
  private readonly keys: readonly string[];
  /** Readers alive, by number; `commits` says whether it will end in a commit. */
  private readers: { readonly number: number; readonly reader: Reader; readonly isTransaction: boolean }[] = [];
  private count = 0;

  constructor(states: readonly MvccState[], keys: readonly string[]) {
    this.states = states;
    this.keys = keys;
  }

  /** @param rest the quiet states to come, from which one knows how a reader will end */
  step(from: number, to: number, rest: Path): void {
    const [a, b] = [this.states[from], this.states[to]];
    const opened = b.live.find((one) => !a.live.some((other) => sameReader(one, other)));
    const ended = a.live.find((one) => !b.live.some((other) => sameReader(one, other)));
    if (b.reopens > a.reopens) {
      this.readers = [];
      this.steps.push(['crash']);
    } else if (b.log.length > a.log.length) this.commit(b, ended);
    else if (opened !== undefined) this.open(opened, rest);
    else if (ended !== undefined) this.end(ended);
    else this.steps.push([b.merges > a.merges ? 'merge' : 'flush']);
    this.see(b);
  }

  private open(reader: Reader, rest: Path): void {
    const number = ++this.count;
    const isTransaction = this.commits(reader, rest);
    this.readers.push({ number, reader, isTransaction });
    this.steps.push([isTransaction ? 'begin' : 'snapshot', number]);
  }

  /** Whether the reader goes in the step in which the log grows. */
  private commits(reader: Reader, rest: Path): boolean {
    for (let i = 1; i < rest.length; i++) {
      const [a, b] = [this.states[rest[i - 1]], this.states[rest[i]]];
      if (b.live.some((one) => sameReader(one, reader))) continue;
      return b.reopens === a.reopens && b.log.length > a.log.length;
    }
    // One that lives on to the end will try.
    return true;
  }

  private end(reader: Reader): void {
    const { number, isTransaction } = this.take(reader);
    this.steps.push([isTransaction ? 'abort' : 'release', number]);
  }

  private take(reader: Reader): { readonly number: number; readonly isTransaction: boolean } {
    const found = this.readers.find((one) => sameReader(one.reader, reader));
    assert(found !== undefined, 'a reader that ends was opened');
    this.readers = this.readers.filter((one) => one !== found);
    return found;
  }

  private commit(after: MvccState, ended: Reader | undefined): void {
    const version = after.log[after.log.length - 1];
    const writes = writesOf(version);
    if (ended !== undefined) {
      this.steps.push(['commit', this.take(ended).number, writes, ['ok']]);
    } else this.steps.push(...writes);
  }

  private see(state: MvccState): void {
    this.steps.push(['see', 0, [rowsAt(state, this.keys, state.published)]]);
    for (const { number, reader } of this.readers) {
      this.steps.push(['see', number, [rowsAt(state, this.keys, reader.s)]]);
    }
  }

  /** Transactions that are left try to write the first key: the newest version decides. */
  finish(state: MvccState): void {
    let newest = state.log.findLast((one) => one.keys.includes(this.keys[0]))?.seq ?? 0;
    for (const { number, reader, isTransaction } of this.readers) {
      if (!isTransaction) continue;
      const loses = newest > reader.s;
      this.steps.push(['commit', number, [['put', this.keys[0], `last${number}`]], [loses ? 'conflict' : 'ok']]);
      if (!loses) newest = Infinity;
    }
  }
}

function writesOf(version: Version): VectorWrite[] {
  if (version.kind === 'clear') return [['clear']];
  return version.keys.map((key) => (version.kind === 'put' ? ['put', key, valueOf(version)] : ['delete', key]));
}

/**
 * Vectors whose steps together take every step that a client can take in the graph.
 * @param states of MVCC.tla, one key a commit
 * @returns the vectors and how many steps they cover
 */
export function coveringVectors(
  graph: StateGraph,
  states: readonly MvccState[],
  about: { readonly id: string; readonly about: string; readonly keys: readonly string[] },
): { readonly vectors: readonly Vector[]; readonly edges: number } {
  const steps = new Map<number, Path>();
  const uncovered = new Set<string>();
  const open = [0];
  while (open.length > 0) {
    const from = open.pop() ?? 0;
    if (steps.has(from)) continue;
    const ends = clientSteps(states, graph.next, from).map((path) => path[path.length - 1]);
    steps.set(from, ends);
    for (const to of ends) uncovered.add(`${from}>${to}`);
    open.push(...ends);
  }
  const edges = uncovered.size;
  const vectors: Vector[] = [];
  while (uncovered.size > 0) {
    const path = pathThrough(steps, uncovered);
    const writer = new VectorWriter(states, about.keys);
    for (let i = 1; i < path.length; i++) {
      uncovered.delete(`${path[i - 1]}>${path[i]}`);
      writer.step(path[i - 1], path[i], path.slice(i));
    }
    writer.finish(states[path[path.length - 1]]);
    const id = `${about.id}/${String(vectors.length + 1).padStart(4, '0')}`;
    vectors.push({ version: VECTOR_VERSION, id, about: about.about, steps: writer.steps });
  }
  return { vectors, edges };
}

/** From the first state on: always to an uncovered step if there is one near, until none can be reached. */
function pathThrough(steps: ReadonlyMap<number, Path>, uncovered: ReadonlySet<string>): number[] {
  const path = [0];
  const taken = new Set<string>();
  for (;;) {
    const further = shortestTo(steps, path[path.length - 1], (edge) => uncovered.has(edge) && !taken.has(edge));
    if (further === undefined) return path;
    for (const to of further) {
      taken.add(`${path[path.length - 1]}>${to}`);
      path.push(to);
    }
  }
}

function shortestTo(
  steps: ReadonlyMap<number, Path>,
  start: number,
  isWanted: (edge: string) => boolean,
): number[] | undefined {
  const before = new Map<number, number>([[start, -1]]);
  const queue = [start];
  for (const from of queue) {
    for (const to of steps.get(from) ?? []) {
      if (isWanted(`${from}>${to}`)) {
        const path = [to];
        for (let at = from; at !== start; at = before.get(at) ?? start) path.unshift(at);
        return path;
      }
      if (before.has(to)) continue;
      before.set(to, from);
      queue.push(to);
    }
  }
  return undefined;
}
