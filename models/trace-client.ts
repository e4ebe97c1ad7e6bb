/** The client of a traced run: draws an act, carries it out, and logs what it asked and what it was told. */
import { fromText } from '../src/base/bytes.ts';
import type { ManualClock } from '../src/base/clock.ts';
import { isLightningError } from '../src/base/errors.ts';
import type { Prng } from '../src/base/prng.ts';
import type { Engine, SnapshotView, SyncTicket, Transaction, WriteOperation } from '../src/engine/index.ts';
import { type AskedWrite, type MvccTrace, TRACE_CLOCK_MAX, type TraceAnswer } from './trace-mvcc.ts';

/** What one act was, in words. */
export type Act = string;

const SNAPSHOTS_MAX = 3;
/** Commits after which an fsync that is under way is ended. */
const COMMITS_UNDER_SYNC_MAX = 2;

interface Surroundings {
  readonly random: Prng;
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
  readonly acts: Act[] = [];
  private readonly around: Surroundings;
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
    this.around.trace.clockSet(time);
  }

  /** What can be read of every key, at present and through every live snapshot. */
  answers(): TraceAnswer[] {
    const views = [undefined, ...this.snapshots, ...this.transactions.map(({ view }) => view)];
    return views.flatMap((view) => this.around.keys.map((key) => this.answer(key, view)));
  }

  private answer(key: string, view: SnapshotView | undefined): TraceAnswer {
    const value = this.engine?.get(fromText(key), view);
    return { key, view, value: value === undefined ? undefined : new TextDecoder().decode(value) };
  }

  /** One act, drawn. Errors of the engine that no client can foresee are thrown. */
  act(): void {
    const { engine } = this;
    if (engine === undefined) return;
    const drawn = this.around.random.below(100);
    if (drawn < 30) this.commit(engine);
    else if (drawn < 38) this.sync(engine);
    else if (drawn < 46) this.beginSync(engine);
    else if (drawn < 54) this.openSnapshot(engine);
    else if (drawn < 60) this.begin(engine);
    else if (drawn < 68) this.endOne(engine);
    else if (drawn < 76) this.commitTransaction(engine);
    else if (drawn < 86) this.readOne();
    else if (drawn < 90) this.setClock(this.around.clock.now() + 1 + this.around.random.below(2));
    else this.work(engine, drawn);
  }

  private note(act: Act): void {
    this.acts.push(act);
  }

  private drawWrite(): { operations: WriteOperation[]; asked: AskedWrite } {
    const { random, keys, clock } = this.around;
    const drawn = random.below(10);
    if (drawn === 0) {
      const operations: WriteOperation[] = [{ type: 'clear', start: new Uint8Array(0), end: undefined }];
      return { operations, asked: { kind: 'clear', keys, deadline: undefined, view: undefined } };
    }
    const count = 1 + random.below(2);
    const chosen = keys.filter((_, index) => (index + drawn) % keys.length < count);
    if (drawn < 3) {
      const operations = chosen.map((key): WriteOperation => ({ type: 'delete', key: fromText(key) }));
      return { operations, asked: { kind: 'delete', keys: chosen, deadline: undefined, view: undefined } };
    }
    const deadline = random.below(4) === 0 ? clock.now() + 1 + random.below(3) : undefined;
    const operations = chosen.map((key): WriteOperation => {
      const value = fromText(`v${this.nextValue++}`);
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
  private isDistinct(engine: Engine): boolean {
    const probe = engine.openSnapshot();
    engine.releaseSnapshot(probe);
    const live = [...this.snapshots, ...this.transactions.map(({ view }) => view)];
    return live.length < SNAPSHOTS_MAX && !live.some((one) => one.sequence === probe.sequence && one.now === probe.now);
  }

  private openSnapshot(engine: Engine): void {
    if (!this.isDistinct(engine)) return;
    this.note('open a snapshot');
    const view = engine.openSnapshot();
    this.snapshots.push(view);
    this.around.trace.opened(view);
  }

  private begin(engine: Engine): void {
    if (!this.isDistinct(engine)) return;
    this.note('begin');
    const transaction = engine.begin();
    this.transactions.push({ transaction, view: transaction.view });
    this.around.trace.opened(transaction.view);
  }

  private endOne(engine: Engine): void {
    const { random, trace } = this.around;
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
    const { random, trace } = this.around;
    if (this.transactions.length === 0) return;
    const [{ transaction, view }] = this.transactions.splice(random.below(this.transactions.length), 1);
    const { operations, asked } = this.drawWrite();
    this.note(`commit a transaction: ${asked.kind} ${asked.keys.join(' ')}`);
    for (const operation of operations) transaction.write(operation);
    try {
      this.append(engine, { ...asked, view }, () => engine.commitTransaction(transaction));
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_CONFLICT')) throw error;
      trace.conflicted(asked, view);
    }
  }

  private readOne(): void {
    const { random, keys, trace } = this.around;
    const key = keys[random.below(keys.length)];
    const view = random.below(2) === 0 ? this.snapshots[0] : this.transactions[0]?.view;
    this.note(`read ${key}`);
    trace.read(this.answer(key, view));
  }

  private work(engine: Engine, drawn: number): void {
    this.endSync();
    if (drawn === 98) {
      this.note('compact');
      engine.compact();
    } else if (drawn === 99) {
      this.note('collect');
      engine.collect();
    } else if (drawn > 95) {
      this.note('flush');
      engine.flush();
    } else {
      this.note('step');
      engine.step();
    }
  }
}
