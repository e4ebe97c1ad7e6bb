/**
 * Small random histories of transactions from simulated stores of several strengths, to try isolation checkers on: what a
 * store of a level makes is valid at that level by construction; mutations of it mostly are not.
 */
import type { Prng } from '../base/prng.ts';
import type { Access, RecordedTransaction, TransactionalHistory } from '../history/transactions.ts';
import type { HistoryOutcome } from '../history/history.ts';

/** How a simulated store isolates, strongest first. `uncommitted` writes in place, `forked` replicates late. */
export const STORE_STRENGTHS = ['serializable', 'snapshot', 'forked', 'committed', 'uncommitted'] as const;

/** One of {@link STORE_STRENGTHS}. */
export type StoreStrength = (typeof STORE_STRENGTHS)[number];

/** The shape of a history. */
export interface TransactionShape {
  readonly strength: StoreStrength;
  readonly clients: number;
  readonly transactions: number;
  readonly keys: readonly string[];
  readonly accessesMin: number;
  readonly accessesMax: number;
  /** Share of transactions that only read. */
  readonly readerShare: number;
  /** Share of accesses that read, in the others. */
  readonly readShare: number;
  readonly lists: boolean;
  /** Each write of a register follows a read of its key. */
  readonly readsFirst: boolean;
  readonly deleteShare: number;
  readonly rangeShare: number;
  readonly unknownShare: number;
  readonly failedShare: number;
  /** Tell the order of versions; only without deletions, and never of a store that writes in place. */
  readonly tellOrder: boolean;
}

/** Draws a shape: 2 to 5 clients, 1 to 3 keys. Some are narrow, so that rare anomalies are not rare. */
export function drawTransactionShape(prng: Prng, transactionsMax = 5): TransactionShape {
  const lists = prng.chance(0.25);
  const deleteShare = !lists && prng.chance(0.3) ? 0.3 : 0;
  const shape: TransactionShape = {
    strength: prng.pick(STORE_STRENGTHS),
    clients: prng.between(2, 5),
    transactions: prng.between(2, transactionsMax),
    keys: ['a', 'b', 'c'].slice(0, prng.between(1, 3)),
    accessesMax: prng.between(2, 4),
    accessesMin: 1,
    lists,
    readsFirst: prng.chance(0.5),
    readerShare: prng.pick([0, 0, 0.5]),
    readShare: prng.pick([0.3, 0.5, 0.7]),
    deleteShare,
    rangeShare: lists || prng.chance(0.6) ? 0 : 0.4,
    unknownShare: prng.pick([0, 0, 0.2]),
    failedShare: prng.pick([0, 0, 0.2]),
    tellOrder: !lists && deleteShare === 0 && prng.chance(0.3),
  };
  return { ...shape, ...narrowed(prng, transactionsMax) };
}

/** Shapes in which long forks, sessions that go back, and circular writes are likely. */
function narrowed(prng: Prng, transactionsMax: number): Partial<TransactionShape> {
  const calm = { deleteShare: 0, rangeShare: 0, unknownShare: 0, failedShare: 0, tellOrder: false };
  const keys = ['a', 'b'];
  switch (prng.weighted([60, 15, 10, 15])) {
    case 1:
      return {
        ...calm,
        strength: 'forked',
        keys,
        transactions: transactionsMax,
        accessesMin: 2,
        accessesMax: 3,
        readerShare: 0.6,
        readShare: 0,
        readsFirst: true,
      };
    case 2:
      return { ...calm, strength: 'forked', keys: ['a'], clients: 2, readerShare: 0.6, readsFirst: true };
    case 3:
      return { ...calm, strength: 'uncommitted', keys, lists: true, accessesMax: 3, readShare: 0.2, readsFirst: false };
    default:
      return {};
  }
}

type Value = string | null | readonly string[];

interface Running {
  readonly id: number;
  readonly client: number;
  readonly call: number;
  readonly accesses: Access[];
  readonly snapshot: ReadonlyMap<string, Value>;
  readonly snapshotCommits: number;
  readonly own: Map<string, Value>;
  readonly reader: boolean;
  left: number;
  end: { readonly outcome: HistoryOutcome } | undefined;
}

/** Runs clients on a simulated store, one step at a time at random. */
export function simulateTransactions(prng: Prng, shape: TransactionShape): TransactionalHistory {
  return new SimulatedStore(prng, shape).run();
}

class SimulatedStore {
  private readonly prng: Prng;
  private readonly shape: TransactionShape;
  private readonly state = new Map<string, Value>();
  private readonly commits: { readonly writes: ReadonlyMap<string, Value>; readonly reads: ReadonlySet<string> }[] = [];
  private readonly orders = new Map<string, string[]>();
  private readonly finished: RecordedTransaction[] = [];
  private events = 0;
  private nextId = 0;
  private nextValue = 0;

  constructor(prng: Prng, shape: TransactionShape) {
    this.prng = prng;
    this.shape = shape;
  }

  run(): TransactionalHistory {
    const running = new Map<number, Running>();
    while (this.nextId < this.shape.transactions || running.size > 0) {
      const client = this.prng.below(this.shape.clients);
      const current = running.get(client);
      if (current === undefined) {
        if (this.nextId < this.shape.transactions) running.set(client, this.begin(client));
      } else if (current.left > 0) {
        current.left--;
        this.access(current);
      } else if (current.end === undefined) current.end = { outcome: this.commit(current) };
      else {
        const { outcome } = current.end;
        const end = outcome === 'unknown' ? Infinity : this.events++;
        const { id, call, accesses } = current;
        this.finished.push({ id, client, outcome, call, return: end, accesses });
        running.delete(client);
      }
    }
    const transactions = this.finished.sort((a, b) => a.call - b.call);
    const told = this.shape.tellOrder && this.shape.strength !== 'uncommitted';
    return told && !this.hasUnknown() ? { transactions, versionOrders: this.orders } : { transactions };
  }

  private hasUnknown(): boolean {
    return this.finished.some(({ outcome }) => outcome === 'unknown');
  }

  private begin(client: number): Running {
    // A late replica: one key is seen as it was some commits ago.
    const snapshot = new Map(this.state);
    if (this.shape.strength === 'forked' && this.commits.length > 0) {
      for (const key of this.prng.pick(this.commits).writes.keys()) {
        const behind = this.commits.findLastIndex(({ writes }) => writes.has(key));
        const older = this.commits.slice(0, behind).findLast(({ writes }) => writes.has(key));
        if (older === undefined) snapshot.delete(key);
        else snapshot.set(key, older.writes.get(key) ?? null);
      }
    }
    return {
      id: this.nextId++,
      client,
      call: this.events++,
      accesses: [],
      snapshot,
      snapshotCommits: this.commits.length,
      own: new Map(),
      reader: this.prng.chance(this.shape.readerShare),
      left: this.prng.between(this.shape.accessesMin, this.shape.accessesMax),
      end: undefined,
    };
  }

  private see(running: Running, key: string): Value {
    if (running.own.has(key)) return running.own.get(key) ?? null;
    const latest = this.shape.strength === 'committed' || this.shape.strength === 'uncommitted';
    return (latest ? this.state : running.snapshot).get(key) ?? null;
  }

  private access(running: Running): void {
    const { prng, shape } = this;
    const key = prng.pick(shape.keys);
    if (prng.chance(shape.rangeShare)) {
      const rows = shape.keys.flatMap((name) => {
        const value = this.see(running, name);
        return typeof value === 'string' ? [{ key: name, value }] : [];
      });
      running.accesses.push({ kind: 'range', from: '', to: null, rows });
    } else if (running.reader || prng.chance(shape.readShare)) this.read(running, key);
    else {
      const seen = running.accesses.some((access) => access.kind !== 'range' && access.key === key);
      if (shape.readsFirst && !seen) this.read(running, key);
      this.write(running, key);
    }
  }

  private read(running: Running, key: string): void {
    const value = this.see(running, key);
    if (this.shape.lists) {
      const elements = Array.isArray(value) ? (value as string[]) : [];
      running.accesses.push({ kind: 'list', key, elements });
    } else running.accesses.push({ kind: 'read', key, value: typeof value === 'string' ? value : null });
  }

  private write(running: Running, key: string): void {
    const name = `v${this.nextValue++}`;
    let value: Value = this.prng.chance(this.shape.deleteShare) ? null : name;
    if (this.shape.lists) {
      const before = this.see(running, key);
      value = [...(Array.isArray(before) ? (before as string[]) : []), name];
      running.accesses.push({ kind: 'append', key, element: name });
    } else running.accesses.push({ kind: 'write', key, value: value as string | null });
    if (this.shape.strength === 'uncommitted') this.state.set(key, value);
    else running.own.set(key, value);
  }

  private commit(running: Running): HistoryOutcome {
    const { prng, shape } = this;
    if (prng.chance(shape.failedShare) || this.conflicts(running)) return 'failed';
    const unknown = prng.chance(shape.unknownShare);
    if (unknown && prng.chance(0.5)) return 'unknown';
    const reads = new Set(running.accesses.flatMap((a) => (a.kind === 'range' ? shape.keys : [a.key])));
    const writes = new Map<string, Value>();
    for (const [key, value] of running.own) {
      const appended = running.accesses.flatMap((a) => (a.kind === 'append' && a.key === key ? [a.element] : []));
      const now = this.state.get(key);
      const kept = shape.strength === 'committed' && Array.isArray(now) ? [...(now as string[]), ...appended] : value;
      this.state.set(key, kept);
      writes.set(key, kept);
      if (typeof kept === 'string') this.orders.set(key, [...(this.orders.get(key) ?? []), kept]);
    }
    this.commits.push({ writes, reads });
    return unknown ? 'unknown' : 'ok';
  }

  private conflicts(running: Running): boolean {
    const { strength } = this.shape;
    const later = this.commits.slice(running.snapshotCommits);
    if (strength === 'snapshot') return later.some(({ writes }) => [...running.own.keys()].some((k) => writes.has(k)));
    if (strength !== 'serializable') return false;
    const touched = running.accesses.flatMap((a) => (a.kind === 'range' ? this.shape.keys : [a.key]));
    return later.some(({ writes }) => touched.some((key) => writes.has(key)));
  }
}

/** The history with one read changed to another value that was written to its key, or to absent. */
export function withChangedRead(prng: Prng, history: TransactionalHistory): TransactionalHistory {
  const places = history.transactions.flatMap((transaction, t) =>
    transaction.accesses.flatMap((access, a) => (access.kind === 'read' || access.kind === 'list' ? [[t, a]] : [])),
  );
  if (places.length === 0) return history;
  const [t, a] = prng.pick(places);
  const transaction = history.transactions[t];
  const access = transaction.accesses[a];
  let changed = access;
  if (access.kind === 'list') {
    const lists = history.transactions.flatMap(({ accesses }) =>
      accesses.flatMap((other) => (other.kind === 'list' && other.key === access.key ? [other.elements] : [])),
    );
    const elements = prng.chance(0.4) ? [...access.elements].reverse() : prng.pick([[], ...lists]);
    changed = { ...access, elements };
  } else if (access.kind === 'read') {
    const values = history.transactions.flatMap(({ accesses }) =>
      accesses.flatMap((other) => (other.kind === 'write' && other.key === access.key ? [other.value] : [])),
    );
    changed = { ...access, value: prng.chance(0.06) ? 'nobody' : prng.pick([null, ...values]) };
  }
  const accesses = transaction.accesses.with(a, changed);
  return { ...history, transactions: history.transactions.with(t, { ...transaction, accesses }) };
}
