/**
 * Counterexamples of GroupCommit.tla, replayed against the real group commit on the real engine. What clients are told is
 * held against what every power cut leaves. One fsync with a single commit runs inline; where the counterexample has
 * something happen while it runs, a second commit is beside it, so that it overlaps.
 */
import { fromText } from '../src/base/bytes.ts';
import { isLightningError } from '../src/base/errors.ts';
import { GroupCommit } from '../src/database/group-commit.ts';
import { FaultPlan } from '../src/faults/fault-plan.ts';
import { Moments, ReplayMachine } from './replay-disk.ts';
import { type Observed, type Replay } from './replay-verdict.ts';
import type { ModelState } from './state-graph.ts';

/** A state of GroupCommit.tla, as far as its steps are told from it. */
export interface GroupState {
  readonly answer: Readonly<Record<string, string>>;
  readonly calls: readonly string[];
  readonly log: readonly string[];
  readonly blocked: readonly string[];
  readonly waiting: readonly string[];
  readonly ticket: number;
  readonly published: number;
  readonly seen: number;
  readonly room: number;
  readonly failures: number;
  readonly phase: string;
}

type Call =
  | { readonly call: 'submit'; readonly operation: string }
  | { readonly call: 'round' | 'sync-ends' | 'sync-fails' | 'make-room' | 'unblock' | 'read' | 'close' | 'cut' };

const COMPANION = 'beside';
const VALUE_BYTES = 4000;
/** Of a commit's weight in the memtable, what the last one that fits may leave over. */
const SPARE_BYTES = 2000;
/** Turns of the event loop after which nothing is left to do. */
const TURNS = 4;

function callOf(a: GroupState, b: GroupState): Call | undefined {
  if (b.phase !== a.phase) return { call: b.phase === 'closed' ? 'close' : 'cut' };
  if (b.calls.length > a.calls.length) return { call: 'submit', operation: b.calls[b.calls.length - 1] };
  if (b.log.length > a.log.length) return { call: 'unblock' };
  if (b.room > a.room) return { call: 'make-room' };
  if (b.ticket > 0 && a.ticket === 0) return { call: 'round' };
  if (b.ticket === 0 && a.ticket > 0) return { call: b.failures > a.failures ? 'sync-fails' : 'sync-ends' };
  return b.seen > a.seen ? { call: 'read' } : undefined;
}

/** The calls of a counterexample. */
export function groupCalls(states: readonly GroupState[]): Call[] {
  const calls: Call[] = [];
  for (let i = 1; i < states.length; i++) {
    const [a, b] = [states[i - 1], states[i]];
    const call = callOf(a, b);
    if (call === undefined) continue;
    const after = states.at(i + 1);
    const isAlone = call.call === 'round' && a.waiting.length === 1;
    if (isAlone && after !== undefined && after.ticket > 0) calls.push({ call: 'submit', operation: COMPANION });
    calls.push(call);
  }
  if (states[states.length - 1].phase !== 'cut') calls.push({ call: 'cut' });
  return calls;
}

interface Settings {
  readonly calls: readonly Call[];
  readonly room: number;
  readonly moments: Moments;
  /** Fsyncs of segments before the first round. */
  readonly syncsBefore: number;
}

class GroupRun {
  private readonly settings: Settings;
  private readonly machine: ReplayMachine;
  private readonly group: GroupCommit;
  private readonly faults: FaultPlan;
  private readonly called: string[] = [];
  private readonly order: string[] = [];
  private readonly seen = new Set<string>();
  private readonly answers = new Map<string, string>();
  private wakeUnblock: (() => void)[] = [];
  private readonly observed: Observed[] = [];
  private isCut = false;
  /** Fsyncs of segments so far. */
  syncs = 0;

  constructor(settings: Settings) {
    const { room, moments, calls, syncsBefore } = settings;
    this.settings = settings;
    const rounds = calls.filter(({ call }) => call === 'round' || call === 'sync-fails');
    const failing = rounds.findIndex(({ call }) => call === 'sync-fails');
    const survivors = failing < 0 || moments.pick(2) === 0 ? 'none' : 'all';
    const when = { path: 'wal-*', nth: syncsBefore + failing, times: 1 };
    this.faults = new FaultPlan(
      failing < 0 || syncsBefore === 0 ? [] : [{ when, effect: { operation: 'sync', error: 'EIO', survivors } }],
    );
    const memtableBytes = (room - 1) * VALUE_BYTES + SPARE_BYTES;
    this.machine = new ReplayMachine({ memtableBytes, frozenCountMax: 1 }, moments, this.faults);
    this.machine.onFile = ({ operation, path }) => {
      if (!path.startsWith('wal-')) return;
      if (operation === 'sync') this.syncs++;
      if (operation === 'write' && !this.isCut && this.faults.landed.length > 0) {
        this.see(['NothingAfterPoison'], `${path} is written after a failed fsync`);
      }
    };
    this.machine.open();
    const { engine } = this.machine;
    // A full memtable that waits to be frozen: from the next commit on, the room is what one memtable takes.
    engine.commit([{ type: 'put', key: fromText('before'), value: fromText('.'.repeat(memtableBytes)) }]);
    engine.sync();
    this.machine.settle();
    this.group = new GroupCommit(engine, {
      lastError: undefined,
      poke: () => undefined,
      nextTurn: async () => new Promise((resolve) => void this.wakeUnblock.push(resolve)),
    });
  }

  private see(invariants: readonly string[], text: string): void {
    for (const invariant of invariants) {
      if (!this.observed.some((one) => one.invariant === invariant)) this.observed.push({ invariant, text });
    }
  }

  async run(): Promise<readonly Observed[]> {
    const { calls } = this.settings;
    for (const [index, one] of calls.entries()) {
      try {
        if (one.call === 'submit') this.submit(one.operation);
        else this.carryOut(one.call);
      } catch (error) {
        if (!isLightningError(error, 'LIGHTNING_ASSERTION')) throw error;
        this.see(['TypeOK'], error.message);
        break;
      }
      // Commits that are submitted one after the other share an fsync; what is read is read before the next one begins.
      const isQuick = one.call === 'submit' && calls.at(index + 1)?.call !== 'cut';
      if (!isQuick && one.call !== 'read') await this.turns();
      this.compareOrder();
    }
    return this.observed;
  }

  private carryOut(call: Exclude<Call['call'], 'submit'>): void {
    const { machine } = this;
    if (call === 'sync-ends' || call === 'sync-fails') machine.completeSyncs();
    else if (call === 'make-room') while (machine.engine.statistics().frozenCount > 0) machine.engine.step();
    else if (call === 'unblock') for (const wake of this.wakeUnblock.splice(0)) wake();
    else if (call === 'read') this.read();
    else if (call === 'close') {
      machine.engine.close();
      this.group.settleAfterClose();
    } else if (call === 'cut') {
      this.compareDoubts();
      this.isCut = true;
      this.cut();
    }
  }

  private async turns(): Promise<void> {
    for (let i = 0; i < TURNS; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  }

  private submit(operation: string): void {
    const { engine } = this.machine;
    this.called.push(operation);
    this.answers.set(operation, 'pending');
    const append = (): number => {
      const value = fromText(operation.padEnd(VALUE_BYTES, '.'));
      const sequence = engine.commit([{ type: 'put', key: fromText(operation), value }]);
      this.order.push(operation);
      return sequence;
    };
    this.group.submit(append, true).then(
      () => this.answers.set(operation, 'resolved'),
      (error: unknown) => {
        const cause = error instanceof Error ? error.cause : undefined;
        if (isLightningError(cause, 'LIGHTNING_ASSERTION')) this.see(['TypeOK'], cause.message);
        this.answers.set(operation, isLightningError(error, 'LIGHTNING_INDEFINITE') ? 'indefinite' : 'definite');
      },
    );
  }

  private read(): void {
    for (const operation of this.called) if (this.machine.read(operation) !== undefined) this.seen.add(operation);
  }

  private compareOrder(): void {
    const { order, called } = this;
    const { written, durableSequence } = this.machine.isRunning
      ? this.machine.engine
      : { written: 0, durableSequence: 0 };
    if (durableSequence > written)
      this.see(['TypeOK'], `commit ${durableSequence} is durable, and ${written} is the last`);
    if (new Set(order).size < order.length) this.see(['OnceOnly'], `appended in the order ${order.join(' ')}`);
    const places = order.map((operation) => called.indexOf(operation));
    if (places.some((place, i) => i > 0 && place < places[i - 1])) {
      this.see(['CallsAreInOrder'], `called ${called.join(' ')}, appended ${order.join(' ')}`);
    }
    const last = Math.max(-1, ...places);
    const passed = called.find((one, i) => i < last && !order.includes(one) && this.answers.get(one) !== 'definite');
    if (passed !== undefined) this.see(['NobodyOvertakes'], `${called[last]} passed ${passed}, which waits for room`);
  }

  private compareDoubts(): void {
    if (this.faults.landed.length > 0) return;
    for (const [operation, answer] of this.answers) {
      if (answer === 'indefinite') this.see(['DoubtHasACause'], `${operation} is in doubt, and no fsync has failed`);
    }
  }

  /** The power is cut, and what comes back is held against what was told. */
  private cut(): void {
    const { machine, answers, seen } = this;
    const { durableSequence } = machine.engine;
    const knowledge = [...answers].join(' ');
    if (!machine.cut(`${knowledge} ${[...seen].join(' ')}`)) return;
    try {
      machine.open();
    } catch (error) {
      if (!isLightningError(error)) throw error;
      this.see(['CutKeepsPromises', 'ResolvedIsDurable', 'DurableIsOnDisk'], `opening is refused: ${error.message}`);
      return;
    }
    const { published } = machine.engine;
    if (published < durableSequence) {
      this.see(['DurableIsOnDisk'], `${durableSequence} were believed to be durable, ${published} came back`);
    }
    for (const [operation, answer] of answers) {
      const isThere = machine.read(operation) !== undefined;
      if (answer === 'resolved' && !isThere) {
        this.see(['ResolvedIsDurable', 'CutKeepsPromises'], `${operation} resolved, and did not come back`);
      }
      if (answer === 'definite' && isThere) {
        this.see(['DefiniteIsAbsent', 'CutKeepsPromises'], `${operation} was told not to be there, and came back`);
      }
      if (seen.has(operation) && !isThere) {
        this.see(['ReadIsDurable', 'CutKeepsPromises'], `${operation} was read, and did not come back`);
      }
    }
  }
}

/** Fsyncs of segments before the first commit of a program. */
function syncsBefore(settings: Omit<Settings, 'syncsBefore'>): number {
  return new GroupRun({ ...settings, moments: new Moments(), syncsBefore: 0 }).syncs + 1;
}

/** Replays one counterexample. @param wanted the invariant that it violates in the model */
export async function replayGroup(states: readonly ModelState[], wanted: string): Promise<Replay> {
  const typed = states as unknown as readonly GroupState[];
  const calls = groupCalls(typed);
  const companions = calls.filter((one) => one.call === 'submit' && one.operation === COMPANION).length;
  const room = typed[0].room + companions;
  const moments = new Moments();
  const observed = new Map<string, Observed>();
  const settings = { calls, room, moments, syncsBefore: syncsBefore({ calls, room, moments }) };
  let runs = 0;
  do {
    runs++;
    for (const one of await new GroupRun(settings).run())
      observed.set(one.invariant, observed.get(one.invariant) ?? one);
  } while (!observed.has(wanted) && moments.next());
  const said = calls.map((one) => (one.call === 'submit' ? `submit ${one.operation}` : one.call));
  return { calls: said, runs, observed: [...observed.values()] };
}
