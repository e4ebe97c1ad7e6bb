/** The client of a traced run: draws an act, carries it out, and logs what it asked and what it was told. */
import { fromText } from '../src/base/bytes.ts';
import type { ManualClock } from '../src/base/clock.ts';
import { isLightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import type { Engine, SnapshotView, SyncTicket, Transaction, WriteOperation } from '../src/engine/index.ts';
import { type AskedWrite, type MvccTrace, TRACE_CLOCK_MAX, type TraceAnswer, type TraceView } from './trace-mvcc.ts';

const SNAPSHOTS_MAX = 3;
const LONG_VALUE_BYTES = 1200;
/** Commits after which an fsync that is under way is ended. */
const COMMITS_UNDER_SYNC_MAX = 2;

/** What one run leaves out or does more of: a run that does all of it at once meets few things often. */
export interface Swarm {
  readonly weights: readonly number[];
  readonly clears: boolean;
  readonly deletes: boolean;
  readonly deadlines: boolean;
}

const ACTS = {
  commit: 30,
  sync: 8,
  beginSync: 8,
  openSnapshot: 8,
  begin: 6,
  endOne: 8,
  commitTransaction: 8,
  readOne: 10,
  advanceClock: 4,
  step: 8,
  flush: 3,
  compact: 1,
  collect: 1,
} as const;
type ActName = keyof typeof ACTS;
const ACT_NAMES = Object.keys(ACTS) as readonly ActName[];

/** Each act but the commit is left out, tripled, or as it is. */
export function drawSwarm(random: Prng): Swarm {
  const weights = ACT_NAMES.map((name) => (name === 'commit' ? 1 : [0, 1, 1, 3][random.below(4)]) * ACTS[name]);
  return { weights, clears: random.chance(0.7), deletes: random.chance(0.7), deadlines: random.chance(0.7) };
}

interface Surroundings {
  readonly swarm: Swarm;
  readonly clock: ManualClock;
  readonly trace: MvccTrace;
  readonly keys: readonly string[];
  /** Weight at which a commit freezes the memtable first; no fsync may then be under way: the model has one at a time. */
  readonly memtableBytes: number;
}

interface OpenTransaction {
  readonly transaction: Transaction;
  readonly view: SnapshotView;
}

/** Acts on whatever engine it is given last. */
export class TraceClient {
  /** What it did, in words. */
  readonly story: string[] = [];
  private readonly around: Surroundings;
  private random = new Prng(0);
  private engine: Engine | undefined;
  private completeSyncs: () => void = () => undefined;
  private snapshots: SnapshotView[] = [];
  private transactions: OpenTransaction[] = [];
  private ticket: SyncTicket | undefined;
  private nextValue = 1;
  private pendingSinceTicket = 0;

  constructor(around: Surroundings) {
    this.around = around;
  }

  /** Goes on with this engine; snapshots and transactions of another have ended. */
  use(engine: Engine, completeSyncs: () => void): void {
    this.engine = engine;
    this.completeSyncs = completeSyncs;
    this.snapshots = [];
    this.transactions = [];
    this.ticket = undefined;
  }

  setClock(time: number): void {
    if (time === this.around.clock.now() || time > TRACE_CLOCK_MAX) return;
    this.around.clock.set(time);
    this.around.trace.clockSet(time, this.present().now);
  }

  /** What a snapshot taken now would be. */
  private present(): TraceView {
    const probe = this.engine?.openSnapshot();
    if (probe === undefined) return { sequence: 0, now: 0 };
    this.engine?.releaseSnapshot(probe);
    return { sequence: probe.sequence, now: probe.now };
  }

  /** What can be read of every key, at present and through every live snapshot. */
  answers(): TraceAnswer[] {
    const { trace } = this.around;
    const live = [...this.snapshots, ...this.transactions.map(({ view }) => view)].filter((view) => trace.isLive(view));
    return [undefined, ...live].flatMap((view) => this.around.keys.map((key) => this.answer(key, view)));
  }

  private answer(key: string, view: SnapshotView | undefined): TraceAnswer {
    const value = this.engine?.get(fromText(key), view);
    return { key, view, value: value === undefined ? undefined : new TextDecoder().decode(value) };
  }

  /** One act, drawn. Errors of the engine that no client can foresee are thrown. */
  act(random: Prng): void {
    const { engine } = this;
    if (engine === undefined) return;
    this.random = random;
    const name = ACT_NAMES[random.weighted(this.around.swarm.weights)];
    if (name === 'readOne') this.readOne();
    else if (name === 'advanceClock') this.setClock(this.around.clock.now() + 1 + random.below(2));
    else if (name === 'step' || name === 'flush' || name === 'compact' || name === 'collect') this.work(engine, name);
    else this[name](engine);
  }

  note(act: string): void {
    this.story.push(act);
  }

  private drawWrite(): { operations: WriteOperation[]; asked: AskedWrite } {
    const { keys, clock, swarm } = this.around;
    const { random } = this;
    const drawn = random.below(10);
    if (drawn === 0 && swarm.clears) {
      const operations: WriteOperation[] = [{ type: 'clear', start: new Uint8Array(0), end: undefined }];
      return { operations, asked: { kind: 'clear', keys, deadline: undefined, view: undefined } };
    }
    const count = 1 + random.below(2);
    const chosen = keys.filter((_, index) => (index + drawn) % keys.length < count);
    if (drawn < 3 && swarm.deletes) {
      const operations = chosen.map((key): WriteOperation => ({ type: 'delete', key: fromText(key) }));
      return { operations, asked: { kind: 'delete', keys: chosen, deadline: undefined, view: undefined } };
    }
    const deadline = random.below(4) === 0 && swarm.deadlines ? clock.now() + 1 + random.below(3) : undefined;
    const operations = chosen.map((key): WriteOperation => {
      // A record that lies across sectors can be torn.
      const value = fromText(`v${this.nextValue++}`.padEnd(random.below(4) === 0 ? LONG_VALUE_BYTES : 0, '.'));
      return deadline === undefined
        ? { type: 'put', key: fromText(key), value }
        : { type: 'put', key: fromText(key), value, deadline };
    });
    return { operations, asked: { kind: 'put', keys: chosen, deadline, view: undefined } };
  }

  private commit(engine: Engine): void {
    const { operations, asked } = this.drawWrite();
    this.note(`commit ${asked.kind} ${asked.keys.join(' ')}`);
    this.append(engine, asked, () => engine.commit(operations));
  }

  private append(engine: Engine, asked: AskedWrite, call: () => void): void {
    if (this.pendingSinceTicket++ >= COMMITS_UNDER_SYNC_MAX) this.endSync();
    if (this.ticket !== undefined && engine.statistics().memtableBytes >= this.around.memtableBytes) this.endSync();
    for (;;) {
      this.around.trace.ask(asked);
      try {
        call();
        return;
      } catch (error) {
        if (!isLightningError(error, 'LIGHTNING_BACKPRESSURE')) throw error;
        this.endSync();
        engine.step();
      } finally {
        this.around.trace.ask(undefined);
      }
    }
  }

  private sync(engine: Engine): void {
    this.note('sync');
    this.endSync();
    engine.sync();
  }

  private beginSync(engine: Engine): void {
    this.note('begin or end an fsync that overlaps');
    if (this.ticket !== undefined) {
      this.endSync();
      return;
    }
    const ticket = engine.syncBegin();
    if (ticket === undefined) return;
    this.ticket = ticket;
    this.pendingSinceTicket = 0;
    ticket.wal.file.syncAsync((error) => engine.syncEnd(ticket, error));
  }

  private endSync(): void {
    if (this.ticket === undefined) return;
    this.ticket = undefined;
    this.completeSyncs();
  }

  /** The model keeps snapshots as a set: two alike would be one. */
  private isDistinct(): boolean {
    const probe = this.present();
    const live = [...this.snapshots, ...this.transactions.map(({ view }) => view)];
    return live.length < SNAPSHOTS_MAX && !live.some((one) => one.sequence === probe.sequence && one.now === probe.now);
  }

  private openSnapshot(engine: Engine): void {
    if (!this.isDistinct()) return;
    this.note('open a snapshot');
    const view = engine.openSnapshot();
    this.snapshots.push(view);
    this.around.trace.opened(view);
  }

  private begin(engine: Engine): void {
    if (!this.isDistinct()) return;
    this.note('begin');
    const transaction = engine.begin();
    this.transactions.push({ transaction, view: transaction.view });
    this.around.trace.opened(transaction.view);
  }

  private endOne(engine: Engine): void {
    const { trace } = this.around;
    const { random } = this;
    if (this.snapshots.length > 0 && random.below(2) === 0) {
      this.note('release a snapshot');
      const [view] = this.snapshots.splice(random.below(this.snapshots.length), 1);
      engine.releaseSnapshot(view);
      trace.released(view);
    } else if (this.transactions.length > 0 && random.below(4) === 0) {
      this.note('abort');
      const [{ transaction, view }] = this.transactions.splice(random.below(this.transactions.length), 1);
      engine.abortTransaction(transaction);
      trace.released(view);
    }
  }

  private commitTransaction(engine: Engine): void {
    const { trace } = this.around;
    if (this.transactions.length === 0) return;
    const one = this.transactions[this.random.below(this.transactions.length)];
    const { transaction, view } = one;
    const { operations, asked } = this.drawWrite();
    this.note(`commit a transaction: ${asked.kind} ${asked.keys.join(' ')}`);
    for (const operation of operations) transaction.write(operation);
    try {
      // Its snapshot is live until the record is written.
      this.append(engine, { ...asked, view }, () => engine.commitTransaction(transaction));
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_CONFLICT')) throw error;
      trace.conflicted(asked, view, this.keysOf(transaction.operations()));
    }
    this.transactions = this.transactions.filter((other) => other !== one);
  }

  private keysOf(operations: readonly WriteOperation[]): readonly string[] {
    return operations.flatMap((one) => (one.type === 'clear' ? this.around.keys : [new TextDecoder().decode(one.key)]));
  }

  private readOne(): void {
    const { keys, trace } = this.around;
    const view = this.random.below(2) === 0 ? this.snapshots[0] : this.transactions[0]?.view;
    this.note(view === undefined ? 'read' : 'read at a snapshot');
    trace.read(keys.map((key) => this.answer(key, view)));
  }

  private work(engine: Engine, name: 'step' | 'flush' | 'compact' | 'collect'): void {
    this.endSync();
    this.note(name);
    engine[name]();
  }
}
