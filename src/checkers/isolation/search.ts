/**
 * When the order of versions or the writer of a read is open: is there any execution that a level allows? Points are
 * placed one after another over a small store; a transaction is one point (serializable) or two, its snapshot and its
 * commit (snapshot isolation). Definitions: Crooks et al., "Seeing is Believing" (PODC 2017), in states.
 *
 * Depth first in the order of calls, with the states that led nowhere remembered whole (nothing rests on a hash), after
 * Lowe, "Testing for linearizability" (2017). A point is not placed when it takes away what somebody must still read or,
 * under snapshot isolation, what somebody in flight also writes. Past its bounds the answer is `undefined`.
 */
import type { GraphShape, Prepared } from './graph.ts';
import { ISOLATION_MEMORY_MAX, ISOLATION_STEPS_MAX } from './limits.ts';

const [WAITING, STARTED, COMMITTED] = [0, 1, 2];

interface Member {
  readonly place: number;
  readonly required: boolean;
  readonly call: number;
  readonly return: number;
  /** Each list: the versions of which one must be current. */
  readonly reads: (readonly [key: number, versions: readonly number[]])[];
  readonly writes: number[];
  readonly keys: number[];
}

/** Everything that can be placed, over dense numbers of keys. */
interface Board {
  readonly members: readonly Member[];
  readonly keyOf: Int32Array;
  readonly before: ReadonlyMap<number, readonly number[]>;
  readonly keyCount: number;
  readonly initial: Int32Array;
}

function boardOf({ transactions, table, reads, order }: Prepared): Board {
  const numbers = new Map([...table.keys.values()].map((key, i) => [key, i]));
  const keyOf = Int32Array.from(table.keyOf, (key) => numbers.get(key) ?? -1);
  const initial = Int32Array.from(table.keys.values(), (key) => key.initial);
  const byPlace = new Map<number, Member>();
  transactions.forEach(({ call, return: end }, place) => {
    const required = reads.included[place] === 1;
    if (!required && !reads.optional.has(place)) return;
    byPlace.set(place, { place, required, call, return: end, reads: [], writes: [], keys: [] });
  });
  reads.reader.forEach((t, i) => {
    byPlace.get(t)?.reads.push([keyOf[reads.version[i]], [reads.version[i]]]);
  });
  for (const { transaction, candidates } of reads.ambiguous) {
    byPlace.get(transaction)?.reads.push([keyOf[candidates[0]], candidates]);
  }
  table.writer.forEach((writer, version) => {
    const member = byPlace.get(writer);
    if (member === undefined || (table.intermediate.has(version) && table.keyOf[version].kind !== 'list')) return;
    member.writes.push(version);
    if (!member.keys.includes(keyOf[version])) member.keys.push(keyOf[version]);
  });
  const before = new Map<number, number[]>();
  order.next.forEach((to, from) => {
    for (const above of [...(to < 0 ? [] : [to]), ...(order.more.get(from) ?? [])]) {
      if (table.writer[from] >= 0) before.set(above, [...(before.get(above) ?? []), from]);
    }
  });
  const members = [...byPlace.values()].sort((a, b) => a.call - b.call);
  return { members, keyOf, before, keyCount: numbers.size, initial };
}

/** Read committed: whoever was read must come before; placing more never hurts, so no choice is ever taken back. */
export function someReadCommittedExecution(prepared: Prepared): boolean {
  const { members, before, initial } = boardOf(prepared);
  const placed = new Set<number>(initial);
  let left = members;
  for (;;) {
    const stuck = left.filter((member) => {
      const own = new Set(member.writes);
      const read = member.reads.every(([, versions]) => versions.some((version) => placed.has(version)));
      const ordered = member.writes.every((version) =>
        (before.get(version) ?? []).every((below) => own.has(below) || placed.has(below)),
      );
      if (!read || !ordered) return true;
      for (const version of member.writes) placed.add(version);
      return false;
    });
    if (!stuck.some((member) => member.required)) return true;
    if (stuck.length === left.length) return false;
    left = stuck;
  }
}

/** Whether some execution is allowed; `undefined` when the bounds were reached first. */
export function someExecution(prepared: Prepared, shape: GraphShape, steps = ISOLATION_STEPS_MAX): boolean | undefined {
  return new ExecutionSearch(boardOf(prepared), shape, steps).run();
}

interface Frame {
  /** The next member to try. */
  cursor: number;
  /** What was placed to come here. */
  readonly member: number;
  readonly overwritten: readonly number[];
}

class ExecutionSearch {
  private readonly board: Board;
  private readonly shape: GraphShape;
  private readonly status: Uint8Array;
  private readonly current: Int32Array;
  private readonly placed: Uint8Array;
  /** Required members that must still read a version, and have no other to read. */
  private readonly pendingReaders: Int32Array;
  private readonly writersInFlight: Int32Array;
  private readonly byReturn: readonly number[];
  private readonly dead = new Set<string>();
  private memory = 0;
  private stepsLeft: number;
  private requiredLeft: number;

  constructor(board: Board, shape: GraphShape, steps: number) {
    this.board = board;
    this.shape = shape;
    this.stepsLeft = steps;
    this.status = new Uint8Array(board.members.length);
    this.current = board.initial.slice();
    this.placed = new Uint8Array(board.keyOf.length);
    this.pendingReaders = new Int32Array(board.keyOf.length);
    this.writersInFlight = new Int32Array(board.keyCount);
    this.requiredLeft = board.members.filter((member) => member.required).length;
    for (const member of board.members) if (member.required) this.countReads(member, 1);
    const returning = board.members.flatMap(({ return: end }, i) => (end === Infinity ? [] : [i]));
    this.byReturn = returning.sort((a, b) => board.members[a].return - board.members[b].return);
  }

  run(): boolean | undefined {
    const frames: Frame[] = [{ cursor: 0, member: -1, overwritten: [] }];
    for (;;) {
      if (this.requiredLeft === 0) return true;
      const frame = frames[frames.length - 1];
      const next = this.nextMember(frame);
      if (this.stepsLeft <= 0 || this.memory > ISOLATION_MEMORY_MAX) return undefined;
      if (next >= 0) {
        frames.push(this.place(next));
        if (this.dead.has(this.stateKey())) frames[frames.length - 1].cursor = Infinity;
        continue;
      }
      if (frame.cursor !== Infinity) this.remember();
      frames.pop();
      if (frames.length === 0) return false;
      this.takeBack(frame);
    }
  }

  /** The next member that can be placed, or −1. */
  private nextMember(frame: Frame): number {
    const { members } = this.board;
    const until = this.shape.realTime === 'all' ? this.earliestReturn() : Infinity;
    while (frame.cursor < members.length) {
      const i = frame.cursor++;
      this.stepsLeft--;
      if (this.status[i] === COMMITTED) continue;
      if (this.status[i] === WAITING && members[i].call > until) break;
      if (this.status[i] === STARTED ? this.mayCommit(i) : this.mayStart(i)) return i;
    }
    return -1;
  }

  /** Whoever has returned by then must have committed before anybody called later starts. */
  private earliestReturn(): number {
    for (const i of this.byReturn) if (this.status[i] !== COMMITTED) return this.board.members[i].return;
    return Infinity;
  }

  private mayStart(i: number): boolean {
    const { reads } = this.board.members[i];
    if (!reads.every(([key, versions]) => versions.includes(this.current[key]))) return false;
    return this.shape.split || this.mayInstall(i);
  }

  private mayCommit(i: number): boolean {
    return this.board.members[i].keys.every((key) => this.writersInFlight[key] === 1) && this.mayInstall(i);
  }

  /** Nobody must still read what is overwritten, and what is known to lie below is there. */
  private mayInstall(i: number): boolean {
    const { keys, writes, reads, required } = this.board.members[i];
    const reading = required && this.status[i] === WAITING ? reads : [];
    for (const key of keys) {
      const version = this.current[key];
      const own = reading.filter(([, versions]) => versions.length === 1 && versions[0] === version).length;
      if (this.pendingReaders[version] > own) return false;
    }
    return writes.every((version) =>
      (this.board.before.get(version) ?? []).every((below) => this.placed[below] === 1 || writes.includes(below)),
    );
  }

  private countReads(member: Member, by: 1 | -1): void {
    for (const [, versions] of member.reads) if (versions.length === 1) this.pendingReaders[versions[0]] += by;
  }

  private place(i: number): Frame {
    const member = this.board.members[i];
    if (this.status[i] === WAITING) {
      if (member.required) this.countReads(member, -1);
      this.status[i] = STARTED;
      if (this.shape.split) {
        for (const key of member.keys) this.writersInFlight[key]++;
        return { cursor: 0, member: i, overwritten: [] };
      }
    } else for (const key of member.keys) this.writersInFlight[key]--;
    const overwritten = member.keys.map((key) => this.current[key]);
    for (const version of member.writes) {
      this.current[this.board.keyOf[version]] = version;
      this.placed[version] = 1;
    }
    this.status[i] = COMMITTED;
    if (member.required) this.requiredLeft--;
    return { cursor: 0, member: i, overwritten };
  }

  private takeBack({ member: i, overwritten }: Frame): void {
    const member = this.board.members[i];
    const committed = this.status[i] === COMMITTED;
    if (committed) {
      if (member.required) this.requiredLeft++;
      for (const version of member.writes) this.placed[version] = 0;
      member.keys.forEach((key, at) => (this.current[key] = overwritten[at]));
    }
    if (this.shape.split && committed) {
      this.status[i] = STARTED;
      for (const key of member.keys) this.writersInFlight[key]++;
      return;
    }
    if (this.shape.split) for (const key of member.keys) this.writersInFlight[key]--;
    this.status[i] = WAITING;
    if (member.required) this.countReads(member, 1);
  }

  private stateKey(): string {
    return `${this.status.join('')} ${this.current.join(' ')}`;
  }

  private remember(): void {
    const key = this.stateKey();
    this.dead.add(key);
    this.memory += key.length;
  }
}
