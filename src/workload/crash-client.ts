/**
 * One client that runs a program on a store over some disk, and writes down what it was told: which commits were
 * acknowledged and how, which were refused, which it read back, which backups were made. That is all the judge knows.
 *
 * Every call is made in the order of the program, and nothing happens besides: `advanceClock` lets one slice of waiting
 * work be done, and a backup that is under way goes on by a slice after each operation.
 */
import { inRange, keyOfBytes, keyOfText, rangeOf } from '../../spec/executable/keys.ts';
import type { Write } from '../../spec/executable/ordered-map.ts';
import type { RecoveredMap } from '../../spec/executable/durable-prefix.ts';
import { writeOf } from '../../spec/executable/writes.ts';
import { ManualClock } from '../base/clock.ts';
import { isLightningError } from '../base/errors.ts';
import { decodeBytes } from '../contract/bytes-text.ts';
import type { BatchOperation, KeyRange, Operation, Program, ScanRange } from '../contract/operations.ts';
import type { BackupReport } from '../database/backup/backup.ts';
import type { DatabaseTransaction } from '../database/transaction.ts';
import { type Observer, type ScanOptions, type WriteOperation, toRange } from '../engine/index.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { indexProblem } from './crash-indexes.ts';
import {
  type CrashFailure,
  failureOf,
  isExcused,
  judge,
  type Knowledge,
  type Owed,
  settled,
} from './crash-knowledge.ts';
import { ReadJudge, type ReadRow } from './crash-reads.ts';
import { CRASH_CLOCK_START, CrashStore, readAll } from './crash-store.ts';
import type { SnapshotView } from '../engine/snapshots.ts';

const OPEN_ATTEMPTS_MAX = 4;

/** A commit as its client knows it. */
type Commit = { -readonly [K in keyof Knowledge['commits'][number]]: Knowledge['commits'][number][K] };
type Backup = { -readonly [K in keyof Knowledge['backups'][number]]: Knowledge['backups'][number][K] };

/** A transaction, and what it has written so far. */
interface OpenTransaction {
  readonly transaction: DatabaseTransaction;
  readonly writes: Write[];
}

/** What a client is told besides its program. */
export interface ClientSurroundings {
  /** What the store owes at this moment; without faults: everything. */
  readonly owed?: () => Owed;
  /** Told before each operation, and of `open`, `close` and `judge`. */
  readonly onOperation?: (name: string) => void;
  /** Told of each error that the store gave. */
  readonly onError?: (error: unknown) => void;
}

function engineOperation(operation: BatchOperation): WriteOperation {
  if (operation.kind === 'clear') return { type: 'clear', ...toRange(boundsOf(operation.range)) };
  const key = decodeBytes(operation.key);
  if (operation.kind === 'delete') return { type: 'delete', key };
  const { deadline } = operation;
  const value = decodeBytes(operation.value);
  return deadline === undefined ? { type: 'put', key, value } : { type: 'put', key, value, deadline };
}

function boundsOf(range: KeyRange): ScanOptions {
  const bounds: Record<string, Uint8Array> = {};
  for (const name of ['gte', 'gt', 'lte', 'lt', 'prefix'] as const) {
    const bound = range[name];
    if (bound !== undefined) bounds[name] = decodeBytes(bound);
  }
  return bounds;
}

function scanOptions({ reverse, limit, ...range }: ScanRange): ScanOptions {
  return {
    ...boundsOf(range),
    ...(reverse === undefined ? {} : { reverse }),
    ...(limit === undefined ? {} : { limit }),
  };
}

export class CrashClient {
  private commits: Commit[] = [];
  private backups: Backup[] = [];
  private readonly program: Program;
  private readonly vfs: Vfs;
  private readonly observe: Observer;
  private readonly around: ClientSurroundings;
  private readonly clock = new ManualClock(CRASH_CLOCK_START);
  private readonly isCommitMode: boolean;
  private readonly reads: ReadJudge;
  private store: CrashStore | undefined;
  private begun = 0;
  private groups = 0;
  private latestTime = CRASH_CLOCK_START;
  private readonly transactions = new Map<number, OpenTransaction>();
  private readonly snapshots = new Map<number, { readonly view: SnapshotView; readonly rows: RecoveredMap }>();
  private backupTask: { readonly slices: Generator<number, BackupReport>; readonly known: Backup } | undefined;

  constructor(vfs: Vfs, program: Program, observe: Observer, around: ClientSurroundings = {}) {
    this.vfs = vfs;
    this.program = program;
    this.observe = observe;
    this.around = around;
    this.isCommitMode = (program.options['durability'] ?? 'commit') === 'commit';
    this.reads = new ReadJudge(!this.isCommitMode);
  }

  /** Operations that have begun. */
  get operationsBegun(): number {
    return this.begun;
  }

  private owed(): Owed {
    return this.around.owed?.() ?? 'everything';
  }

  /** What the client knows at this moment; a copy. */
  knowledge(): Knowledge {
    return {
      commits: this.commits.map((commit) => ({ ...commit })),
      time: { nowEarliest: this.clock.now(), nowLatest: this.latestTime },
      owed: this.owed(),
      backups: this.backups.map((backup) => ({ ...backup })),
    };
  }

  /** A short text that is equal exactly for equal knowledge. */
  signature(): string {
    let text = `${this.clock.now()}`;
    for (const { fate, read } of this.commits) text += fate.charAt(0) + (read ? '!' : '');
    return text;
  }

  /**
   * Runs the whole program.
   * @returns the first failure that shows without a power cut
   * @throws PowerCut when the disk loses power
   */
  run(): CrashFailure | undefined {
    const problem = this.open();
    if (problem !== undefined) return problem;
    for (const operation of this.program.operations) {
      this.begun++;
      this.around.onOperation?.(operation.kind);
      const failure = this.execute(operation) ?? this.backupSlice();
      if (failure !== undefined) return failure;
      if (this.store === undefined) return undefined;
      if (this.store.engine.poison !== undefined) {
        const reopened = this.reopen();
        if (reopened !== undefined) return reopened;
        if (this.store === undefined) return undefined;
      }
    }
    return this.finishBackup() ?? this.judgeLive();
  }

  /** Opens, a few times if a fault is in the way; without success the program is over. */
  private open(): CrashFailure | undefined {
    for (let attempt = 0; attempt < OPEN_ATTEMPTS_MAX; attempt++) {
      this.around.onOperation?.('open');
      try {
        this.store = new CrashStore(this.vfs, this.program, this.observe, this.clock);
        return undefined;
      } catch (error) {
        const failure = this.unexpected(error);
        if (failure !== undefined) return failure;
      }
    }
    return undefined;
  }

  private reopen(): CrashFailure | undefined {
    const { store } = this;
    this.store = undefined;
    this.transactions.clear();
    this.snapshots.clear();
    this.backupTask?.slices.return(undefined as never);
    this.backupTask = undefined;
    this.around.onOperation?.('close');
    try {
      store?.close();
    } catch (error) {
      const failure = this.unexpected(error);
      if (failure !== undefined) return failure;
    }
    return this.open() ?? this.judgeLive(true);
  }

  /** What is readable must be some prefix with everything owed, also without a power cut. */
  private judgeLive(isFresh = false): CrashFailure | undefined {
    if (this.store === undefined || this.store.engine.poison !== undefined) return undefined;
    this.around.onOperation?.('judge');
    try {
      const rows = readAll(this.store.engine);
      const failure = judge(this.knowledge(), rows) ?? this.judgeIndexes(rows);
      if (failure !== undefined) return failure;
      if (isFresh) this.commits = settled(this.knowledge(), rows).commits.map((commit) => ({ ...commit }));
      return undefined;
    } catch (error) {
      return this.unexpected(error);
    }
  }

  private judgeIndexes(rows: RecoveredMap): CrashFailure | undefined {
    if (this.program.options['indexes'] !== true || this.store === undefined) return undefined;
    const problem = indexProblem(this.store.engine, rows);
    return problem === undefined ? undefined : { class: 'index-differs', message: problem };
  }

  /** Environment errors are the faults' doing; bugs and uncoded errors are not, and corruption only after damage. */
  private unexpected(error: unknown): CrashFailure | undefined {
    if (error instanceof Error && error.name === 'PowerCut') throw error;
    this.around.onError?.(error);
    return isExcused(error, this.owed()) ? undefined : failureOf(error);
  }

  private execute(operation: Operation): CrashFailure | undefined {
    const { store } = this;
    if (store === undefined) return undefined;
    try {
      switch (operation.kind) {
        case 'put':
        case 'delete':
        case 'clear':
          return this.commit([writeOf(operation)], operation.sync, () => store.append([engineOperation(operation)]));
        case 'batch': {
          const operations = operation.operations.map(engineOperation);
          return this.commit(operation.operations.map(writeOf), operation.sync, () => store.append(operations));
        }
        case 'get':
          return this.get(store, operation.key);
        case 'scan':
          return this.scan(store, operation.range);
        case 'sync':
          store.engine.sync();
          this.acknowledgeSync();
          return undefined;
        case 'flush':
          store.engine.flush();
          return undefined;
        case 'merge':
          store.engine.compact();
          return undefined;
        case 'collect':
          store.engine.collect();
          return undefined;
        case 'reopen':
          return this.finishBackup() ?? this.reopen();
        case 'advanceClock':
          this.clock.advance(operation.milliseconds);
          this.latestTime = Math.max(this.latestTime, this.clock.now());
          store.engine.step();
          return undefined;
        case 'backup':
          return this.finishBackup() ?? this.beginBackup(store, operation.incremental === true);
        case 'openSnapshot':
        case 'snapshotGet':
        case 'snapshotScan':
        case 'releaseSnapshot':
          return this.atSnapshot(store, operation);
        case 'begin':
        case 'txGet':
        case 'txScan':
        case 'txPut':
        case 'txDelete':
        case 'txClear':
        case 'commit':
        case 'abort':
          return this.inTransaction(store, operation);
        case 'crash':
          // Where the power is cut is for whoever owns the disk to say.
          return undefined;
      }
    } catch (error) {
      return this.unexpected(error);
    }
  }

  private inTransaction(
    store: CrashStore,
    operation: Extract<Operation, { transaction: number }>,
  ): CrashFailure | undefined {
    if (operation.kind === 'begin') {
      const transaction = store.transactions.begin({ isolation: operation.isolation ?? 'snapshot' });
      this.transactions.set(operation.transaction, { transaction, writes: [] });
      return undefined;
    }
    const open = this.transactions.get(operation.transaction);
    if (open === undefined) return undefined;
    const { transaction, writes } = open;
    switch (operation.kind) {
      case 'txGet':
        transaction.getSync(decodeBytes(operation.key));
        return undefined;
      case 'txScan':
        for (const row of transaction.scanSync(scanOptions(operation.range))) void row;
        return undefined;
      case 'txPut': {
        const options = operation.deadline === undefined ? {} : { deadline: operation.deadline };
        transaction.put(decodeBytes(operation.key), decodeBytes(operation.value), options);
        break;
      }
      case 'txDelete':
        transaction.delete(decodeBytes(operation.key));
        break;
      case 'txClear':
        transaction.clear(boundsOf(operation.range));
        break;
      case 'abort':
        this.transactions.delete(operation.transaction);
        transaction.abort();
        return undefined;
      case 'commit':
        this.transactions.delete(operation.transaction);
        return this.commit(writes.filter(isRecorded), operation.sync, () => transaction.commitSync());
    }
    writes.push(writeOf(operation));
    return undefined;
  }

  private atSnapshot(
    { engine }: CrashStore,
    operation: Extract<Operation, { snapshot: number }>,
  ): CrashFailure | undefined {
    if (operation.kind === 'openSnapshot') {
      const rows = readAll(engine);
      this.snapshots.set(operation.snapshot, { view: engine.openSnapshot(), rows });
      return judge(this.knowledge(), rows);
    }
    const open = this.snapshots.get(operation.snapshot);
    if (open === undefined) return undefined;
    if (operation.kind === 'releaseSnapshot') {
      this.snapshots.delete(operation.snapshot);
      engine.releaseSnapshot(open.view);
    } else if (operation.kind === 'snapshotGet') {
      const found = engine.get(decodeBytes(operation.key), open.view);
      const expected = open.rows.get(keyOfText(operation.key));
      const isSame = found === expected || (found && expected && Buffer.compare(found, expected) === 0);
      if (isSame !== true)
        return { class: 'wrong-read', message: 'a snapshot shows another value than when it was made' };
    }
    return undefined;
  }

  /** Appends, then syncs if the program says so; notes what the caller is told. */
  private commit(writes: readonly Write[], sync: boolean | undefined, append: () => void): CrashFailure | undefined {
    const commit: Commit = { writes: [...writes], fate: 'indefinite', read: false, group: 0 };
    // Nothing written is nothing that could show the loss of what stands before it.
    if (writes.length > 0) this.commits.push(commit);
    try {
      append();
      commit.fate = 'volatile';
      if (this.isCommitMode ? sync !== false : sync === true) {
        commit.fate = 'indefinite';
        this.store?.engine.sync();
        commit.fate = 'volatile';
        this.acknowledgeSync();
      }
      return undefined;
    } catch (error) {
      if (isLightningError(error) && isDefinite(error.code) && commit.fate === 'indefinite') commit.fate = 'rejected';
      return this.unexpected(error);
    }
  }

  private acknowledgeSync(): void {
    // A commit of nothing is no record, and its sync is none: nothing vouches for the group before it.
    const hasRecord = this.commits.some(({ fate, writes }) => fate === 'volatile' && writes.length > 0);
    const group = hasRecord ? this.groups + 1 : this.groups;
    for (const commit of this.commits) {
      if (commit.fate !== 'volatile') continue;
      commit.fate = 'synced';
      commit.group = group;
      this.groups = group;
    }
  }

  private get(store: CrashStore, text: Extract<Operation, { kind: 'get' }>['key']): CrashFailure | undefined {
    const key = decodeBytes(text);
    const value = store.engine.get(key);
    this.noteRead(keyOfBytes(key), value);
    return this.reads.get(this.knowledge(), keyOfBytes(key), value);
  }

  private scan(store: CrashStore, range: ScanRange): CrashFailure | undefined {
    const rows: ReadRow[] = [];
    const scan = store.engine.scan(scanOptions(range));
    while (scan.next()) {
      const key = keyOfBytes(scan.current.key());
      if (key < '\xff\xff') rows.push([key, scan.current.value()]);
    }
    for (const [key, value] of rows) this.noteRead(key, value);
    const isWhole = range.limit === undefined;
    return this.reads.scan(this.knowledge(), rangeOf(range), rows, range.reverse === true, isWhole);
  }

  /** In mode `commit` what was read is durable. */
  private noteRead(key: string, value: Uint8Array | undefined): void {
    if (value === undefined || !this.isCommitMode) return;
    const writer = this.commits.findLast((commit) =>
      commit.writes.some((w) => w.kind === 'put' && w.key === key && Buffer.compare(w.value, value) === 0),
    );
    if (writer !== undefined) writer.read = true;
  }

  private beginBackup(store: CrashStore, incremental: boolean): CrashFailure | undefined {
    const slices = store.backup(incremental);
    // Its first slice syncs: every commit so far is in it.
    const { commits, time } = this.knowledge();
    const known: Backup = { number: undefined, commits, time };
    this.backupTask = { slices, known };
    this.backups.push(known);
    const failure = this.backupSlice();
    if (this.backupTask !== undefined) this.acknowledgeSync();
    return failure;
  }

  /** A slice of the backup that is under way. */
  private backupSlice(): CrashFailure | undefined {
    const task = this.backupTask;
    if (task === undefined) return undefined;
    this.around.onOperation?.('backup');
    try {
      const next = task.slices.next();
      if (next.done === true) {
        task.known.number = next.value.number;
        this.backupTask = undefined;
      }
      return undefined;
    } catch (error) {
      this.backupTask = undefined;
      return this.unexpected(error);
    }
  }

  private finishBackup(): CrashFailure | undefined {
    let failure: CrashFailure | undefined;
    while (this.backupTask !== undefined) failure ??= this.backupSlice();
    return failure;
  }
}

/** Codes that say "definitely not made". An fsync that fails after the append is reported as an I/O error of `sync`. */
function isDefinite(code: string): boolean {
  return [
    'LIGHTNING_DISK_FULL',
    'LIGHTNING_CONFLICT',
    'LIGHTNING_NOT_UNIQUE',
    'LIGHTNING_POISONED',
    'LIGHTNING_PERMISSION',
    'LIGHTNING_TOO_MANY_FILES',
  ].includes(code);
}

/** Whether a transaction has a write in its record: clears of no key are left out. */
function isRecorded(write: Write): boolean {
  return write.kind !== 'clear' || inRange(write.range.low, write.range);
}
