/**
 * Carries out the operation language on the ordered map and says, for every operation, which outcomes an engine may
 * give. Pure: no I/O, no clock but the one that the program moves.
 *
 * Several outcomes are allowed in one case only: after the clock ran backwards a deadline between the clock and the
 * latest time it ever showed may count as passed or not (rule 10 of spec/semantics.md: `now` is the greater of the clock
 * and a persisted time that the specification cannot see).
 */
import { CLOCK_START_MILLISECONDS } from '../../src/contract/limits.ts';
import { type BytesText, lengthOfText } from '../../src/contract/bytes-text.ts';
import type { Operation, OperationKind, ScanRange } from '../../src/contract/operations.ts';
import { ABSENT, CONFLICT, errorOutcome, OK, type Outcome } from '../../src/contract/outcomes.ts';
import { Backups } from './backups.ts';
import type { CommitRecord, RecoveryTime } from './durable-prefix.ts';
import { entriesIn, entriesSeenBy, type IndexEntry, type IndexRule, makesTwins, racesForValue } from './indexes.ts';
import { bytesOfKey, type Key, keyOfBytes, keyOfText, type Range, rangeOf } from './keys.ts';
import { OrderedMap, rowsIn, type State, valueIn, type Write } from './ordered-map.ts';
import { type Mismatch, mismatchOf, sameResult } from './same-result.ts';
import { writeOf } from './writes.ts';
import {
  beginTransaction,
  mustConflict,
  type Snapshot,
  stateSeenBy,
  type Transaction,
  withRead,
  withWrite,
} from './transactions.ts';

/** Bounds and habits of the engine under test that its driver states openly. */
export interface InterpreterOptions {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  readonly transactionSnapshotAt: 'begin' | 'first-read';
  /** What a plain acknowledged write survives; a write with `sync`, and everything before a `sync`, is `synced`. */
  readonly acknowledges: 'volatile' | 'synced';
  /** Whether a value that was read is promised to survive a power cut (durability `commit`). */
  readonly readsAreDurable: boolean;
  /** Indexes that are declared. */
  readonly indexes: readonly IndexRule[];
}

/** Defaults: the bounds of the reference engine in durability `commit`. */
export const REFERENCE_OPTIONS: InterpreterOptions = {
  keyBytesMax: 65_535,
  valueBytesMax: 16 * 1024 * 1024,
  transactionSnapshotAt: 'first-read',
  acknowledges: 'synced',
  readsAreDurable: true,
  indexes: [],
};

const NOT_UNIQUE: Outcome = errorOutcome('LIGHTNING_NOT_UNIQUE');
const READS_OF_A_KEY: ReadonlySet<OperationKind> = new Set(['get', 'snapshotGet', 'txGet']);
const READS_OF_A_RANGE: ReadonlySet<OperationKind> = new Set(['scan', 'snapshotScan', 'txScan']);

/** What a plain write changes; nothing for other operations. */
function writesOf(operation: Operation): readonly Write[] {
  if (operation.kind === 'batch') return operation.operations.map(writeOf);
  return operation.kind === 'put' || operation.kind === 'delete' || operation.kind === 'clear'
    ? [writeOf(operation)]
    : [];
}

/** The executable specification of one store. */
export class Interpreter {
  private readonly options: InterpreterOptions;
  private map = new OrderedMap();
  private clock = CLOCK_START_MILLISECONDS;
  private latestClock = CLOCK_START_MILLISECONDS;
  private readonly snapshots = new Map<number, Snapshot>();
  private readonly transactions = new Map<number, Transaction>();
  private readonly backups = new Backups();
  private records: CommitRecord[] = [];
  /** Position in `records` of the commit of each sequence, less one. */
  private positions: number[] = [];

  constructor(options: Partial<InterpreterOptions> = {}) {
    this.options = { ...REFERENCE_OPTIONS, ...options };
  }

  /** The commits so far, in order, and what was said of them: what {@link judgeRecovered} wants. */
  get commits(): readonly CommitRecord[] {
    return this.records;
  }

  /** The time at which a recovered map is read. */
  get time(): RecoveryTime {
    return { nowEarliest: this.clock, nowLatest: this.latestClock };
  }

  /** Everything in the store now. */
  get state(): State {
    return this.map.stateAt(this.map.sequence);
  }

  /** The outcomes allowed for an operation, the plainest first. Changes nothing. */
  allowed(operation: Operation): readonly Outcome[] {
    const refusal = this.refusal(operation);
    if (refusal !== undefined) return [refusal];
    if (operation.kind === 'commit') {
      return this.commitsAllowed(this.transaction(operation.transaction));
    }
    const writes = writesOf(operation);
    if (writes.length > 0) return this.uniqueAllowed(writes);
    const [state, at] = this.seenBy(operation);
    if ('key' in operation && READS_OF_A_KEY.has(operation.kind)) return this.reads(state, at, operation.key);
    if ('range' in operation && READS_OF_A_RANGE.has(operation.kind)) return this.scans(state, at, operation.range);
    return [OK];
  }

  /** S33: a plain commit is refused where it gives a value of a unique index to a second row. */
  private uniqueAllowed(writes: readonly Write[]): readonly Outcome[] {
    const { indexes } = this.options;
    const twins = this.timesToTry(this.state, this.present()).map((now) =>
      makesTwins(this.state, writes, indexes, now),
    );
    return [...(twins.includes(false) ? [OK] : []), ...(twins.includes(true) ? [NOT_UNIQUE] : [])];
  }

  private commitsAllowed(transaction: Transaction): readonly Outcome[] {
    const races = racesForValue(transaction, this.map, this.options.indexes);
    if (mustConflict(transaction, this.map) || races) {
      // Which of two reasons is found first is left open.
      const others = this.uniqueAllowed(transaction.writes).filter(({ kind }) => kind === 'error');
      return [CONFLICT, ...others];
    }
    return this.uniqueAllowed(transaction.writes);
  }

  /** Whether a transaction may read without anything becoming of it: no snapshot is taken by that, nothing is validated. */
  readsFreely(id: number): boolean {
    const { isolation, snapshot } = this.transaction(id);
    return isolation === 'read-committed' || (isolation !== 'serializable' && snapshot !== undefined);
  }

  /** The entries of a declared index, at every time that makes a difference; seen from the present, a snapshot or a transaction. */
  entriesAllowed(name: string, from: { readonly snapshot?: number; readonly transaction?: number }): IndexEntry[][] {
    const rule = this.options.indexes.find((index) => index.name === name);
    if (rule === undefined) return [];
    if (from.transaction !== undefined) {
      const transaction = this.transaction(from.transaction);
      const at = transaction.snapshot ?? this.present();
      const base = this.map.stateAt(at.sequence);
      const seen = stateSeenBy(transaction, this.map, this.present());
      // Its own writes have deadlines too.
      const times = new Set([...this.timesToTry(base, at), ...this.timesToTry(seen, at)]);
      return [...times].map((now) => entriesSeenBy(base, seen, rule, now));
    }
    const at = (from.snapshot === undefined ? undefined : this.snapshots.get(from.snapshot)) ?? this.present();
    const state = this.map.stateAt(at.sequence);
    return this.timesToTry(state, at).map((now) => entriesIn(state, rule, now));
  }

  /**
   * The state that a restore of a backup gives, of its own commits or up to the commit `toCommit`; backups count from 1.
   * `undefined`: the restore must be refused.
   */
  restored(backup: number, toCommit?: number): State | undefined {
    return this.backups.restored(this.map, backup, toCommit);
  }

  /** Moves on by an operation and what the engine made of it. */
  apply(operation: Operation, outcome: Outcome): void {
    const done = outcome.kind !== 'error';
    switch (operation.kind) {
      case 'put':
      case 'delete':
      case 'clear':
        this.record([writeOf(operation)], operation.sync === true, outcome);
        return;
      case 'batch':
        this.record(operation.operations.map(writeOf), operation.sync === true, outcome);
        return;
      case 'commit': {
        const transaction = this.transactions.get(operation.transaction);
        if (transaction === undefined) return;
        this.transactions.delete(operation.transaction);
        if (outcome.kind !== 'conflict') this.record(transaction.writes, operation.sync === true, outcome);
        return;
      }
      case 'abort':
        this.transactions.delete(operation.transaction);
        return;
      case 'openSnapshot':
        if (done) this.snapshots.set(operation.snapshot, this.present());
        return;
      case 'releaseSnapshot':
        this.snapshots.delete(operation.snapshot);
        return;
      case 'begin': {
        const at = this.options.transactionSnapshotAt === 'begin' ? this.present() : undefined;
        if (done) this.transactions.set(operation.transaction, beginTransaction(operation.isolation ?? 'snapshot', at));
        return;
      }
      case 'txGet':
        this.change(operation.transaction, done, (t) => withRead(t, { key: keyOfText(operation.key) }, this.present()));
        return;
      case 'txScan': {
        const range = rangeOf(operation.range);
        this.change(operation.transaction, done, (t) => withRead(t, { range }, this.present()));
        return;
      }
      case 'txPut':
      case 'txDelete':
      case 'txClear':
        this.change(operation.transaction, done, (t) => withWrite(t, writeOf(operation)));
        return;
      case 'get':
        if (done && this.options.readsAreDurable) this.markRead([keyOfText(operation.key)]);
        return;
      case 'scan':
        if (outcome.kind === 'rows' && this.options.readsAreDurable) {
          this.markRead(outcome.rows.map(([key]) => keyOfBytes(key)));
        }
        return;
      case 'sync':
        if (done) this.records = this.records.map((r) => (r.fate === 'volatile' ? { ...r, fate: 'synced' } : r));
        return;
      case 'reopen':
      case 'crash':
        this.snapshots.clear();
        this.transactions.clear();
        return;
      case 'advanceClock':
        this.clock += operation.milliseconds;
        this.latestClock = Math.max(this.latestClock, this.clock);
        return;
      case 'snapshotGet':
      case 'snapshotScan':
      case 'flush':
      case 'merge':
      case 'collect':
        return;
      case 'backup':
        if (done) this.backups.begin(this.map);
        return;
    }
  }

  /**
   * Holds an outcome against the specification and moves on.
   * @param tolerated errors that are no mismatch (a full disk on purpose); a definite one had no effect, an indefinite
   *   one leaves a commit of unknown outcome, which only {@link adopt} resolves
   */
  judge(operation: Operation, outcome: Outcome, tolerated?: (outcome: Outcome) => boolean): Mismatch | undefined {
    const allowed = this.allowed(operation);
    this.apply(operation, outcome);
    if (allowed.some((one) => sameResult(one, outcome))) return undefined;
    if (outcome.kind === 'error' && tolerated?.(outcome) === true) return undefined;
    return mismatchOf(operation, outcome, allowed);
  }

  /** Goes on from a recovered state: of the commits so far exactly these happened, and they are durable now. */
  adopt(included: readonly number[]): void {
    this.records = included.map((position) => ({ writes: this.records[position].writes, fate: 'synced', read: true }));
    this.map = new OrderedMap();
    for (const record of this.records) this.map.commit(record.writes);
    this.positions = this.records.map((_, position) => position);
    this.snapshots.clear();
    this.transactions.clear();
  }

  /** The state an operation reads, and the point from which it reads it. */
  private seenBy(operation: Operation): readonly [State, Snapshot] {
    if ('snapshot' in operation) {
      const snapshot = this.snapshots.get(operation.snapshot) ?? this.present();
      return [this.map.stateAt(snapshot.sequence), snapshot];
    }
    if ('transaction' in operation) {
      const transaction = this.transaction(operation.transaction);
      const present = this.present();
      return [stateSeenBy(transaction, this.map, present), transaction.snapshot ?? present];
    }
    return [this.state, this.present()];
  }

  private present(): Snapshot {
    return { sequence: this.map.sequence, nowEarliest: this.clock, nowLatest: this.latestClock };
  }

  /** Only after {@link refusal}; an unknown transaction has nothing to be late for. */
  private transaction(id: number): Transaction {
    return this.transactions.get(id) ?? beginTransaction('snapshot', undefined);
  }

  private change(id: number, done: boolean, step: (transaction: Transaction) => Transaction): void {
    const transaction = this.transactions.get(id);
    if (done && transaction !== undefined) this.transactions.set(id, step(transaction));
  }

  private record(writes: readonly Write[], sync: boolean, outcome: Outcome): void {
    if (writes.length === 0) return;
    if (outcome.kind === 'error') {
      this.records.push({ writes, fate: outcome.definite ? 'rejected' : 'indefinite', read: false });
      return;
    }
    const fate = sync
      ? 'synced'
      : ((outcome.kind === 'ok' ? outcome.durability : undefined) ?? this.options.acknowledges);
    this.positions.push(this.records.length);
    this.records.push({ writes, fate, read: false });
    this.map.commit(writes);
  }

  /** A read returned what the newest commit of each of these keys left there, so that commit has been seen. */
  private markRead(keys: readonly Key[]): void {
    for (const key of keys) {
      const sequence = this.map.newestOf(key);
      if (sequence === 0) continue;
      const position = this.positions[sequence - 1];
      const record = this.records[position];
      if (record.fate !== 'synced' && !record.read) this.records[position] = { ...record, read: true };
    }
  }

  /** The coded error that an operation must get whatever the data are. */
  private refusal(operation: Operation): Outcome | undefined {
    if ('snapshot' in operation && operation.kind !== 'openSnapshot' && !this.snapshots.has(operation.snapshot)) {
      return errorOutcome('LIGHTNING_SNAPSHOT_CLOSED');
    }
    if ('transaction' in operation && operation.kind !== 'begin' && !this.transactions.has(operation.transaction)) {
      return errorOutcome('LIGHTNING_TRANSACTION_CLOSED');
    }
    const steps = operation.kind === 'batch' ? operation.operations : [operation];
    for (const step of steps) {
      if ('key' in step && lengthOfText(step.key) > this.options.keyBytesMax) {
        return errorOutcome('LIGHTNING_KEY_TOO_LARGE');
      }
      if ('value' in step && lengthOfText(step.value) > this.options.valueBytesMax) {
        return errorOutcome('LIGHTNING_VALUE_TOO_LARGE');
      }
    }
    return undefined;
  }

  private reads(state: State, at: Snapshot, key: BytesText): readonly Outcome[] {
    const text = keyOfText(key);
    return this.timesToTry(state, at).map((now) => {
      const value = valueIn(state, text, now);
      return value === undefined ? ABSENT : { kind: 'value', value };
    });
  }

  private scans(state: State, at: Snapshot, bounds: ScanRange): readonly Outcome[] {
    const range: Range = rangeOf(bounds);
    return this.timesToTry(state, at).map((now) => ({
      kind: 'rows',
      rows: rowsIn(state, range, now, bounds.reverse, bounds.limit).map(([key, value]) => [bytesOfKey(key), value]),
    }));
  }

  /** Every time that makes a difference: normally one. */
  private timesToTry(state: State, at: Snapshot): readonly number[] {
    if (at.nowEarliest === at.nowLatest) return [at.nowEarliest];
    const times = new Set([at.nowEarliest]);
    for (const { deadline } of state.values()) {
      if (deadline > at.nowEarliest && deadline <= at.nowLatest) times.add(deadline);
    }
    return [...times].sort((a, b) => a - b);
  }
}
