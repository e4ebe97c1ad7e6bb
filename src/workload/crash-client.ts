/**
 * One client that runs a program on the engine over a simulated disk, and writes down what it was told: which commits
 * were acknowledged and how, which were refused, which it read back. That is all the judge knows; nothing comes from the
 * engine's own numbers.
 */
import { judgeRecovered, type CommitRecord, type RecoveredMap } from '../../spec/executable/durable-prefix.ts';
import { keyOfBytes } from '../../spec/executable/keys.ts';
import type { Write } from '../../spec/executable/ordered-map.ts';
import { writeOf } from '../../spec/executable/writes.ts';
import { ManualClock } from '../base/clock.ts';
import { isLightningError } from '../base/errors.ts';
import { decodeBytes } from '../contract/bytes-text.ts';
import type { BatchOperation, KeyRange, Operation, Program } from '../contract/operations.ts';
import {
  Engine,
  type EngineOptions,
  type Observer,
  type Transaction,
  type WriteOperation,
  toRange,
} from '../engine/index.ts';
import type { Vfs } from '../vfs/vfs.ts';

const OPEN_ATTEMPTS_MAX = 4;

/** What is wrong, as a failure class and in words. */
export interface CrashFailure {
  readonly class: string;
  readonly message: string;
}

/** A commit as its client knows it. */
type Commit = { writes: readonly Write[]; fate: CommitRecord['fate']; read: boolean };

/** Opens the engine on a disk, always the same way. */
export function openEngine(vfs: Vfs, program: Program, observe: Observer): Engine {
  const environment = { vfs, clock: new ManualClock(0), observe, newDatabaseId: () => new Uint8Array(16).fill(7) };
  return Engine.open(environment, program.options as Partial<EngineOptions>);
}

/** Everything that the engine shows. */
export function readAll(engine: Engine): RecoveredMap {
  const rows = new Map<string, Uint8Array>();
  const scan = engine.scan();
  while (scan.next()) rows.set(keyOfBytes(scan.current.key()), scan.current.value());
  return rows;
}

/** Judges what an engine shows against what its client was told. @param onUnknown called when there is no verdict */
export function judge(
  commits: readonly CommitRecord[],
  rows: RecoveredMap,
  onUnknown?: () => void,
): CrashFailure | undefined {
  const verdict = judgeRecovered(commits, rows);
  if (verdict.kind === 'unknown') onUnknown?.();
  return verdict.kind === 'failed' ? { class: verdict.class, message: verdict.message } : undefined;
}

function engineOperation(operation: BatchOperation): WriteOperation {
  if (operation.kind === 'put')
    return { type: 'put', key: decodeBytes(operation.key), value: decodeBytes(operation.value) };
  if (operation.kind === 'delete') return { type: 'delete', key: decodeBytes(operation.key) };
  return { type: 'clear', ...engineRange(operation.range) };
}

function engineRange(range: KeyRange): { start: Uint8Array; end: Uint8Array | undefined } {
  return toRange({
    ...(range.gte === undefined ? {} : { gte: decodeBytes(range.gte) }),
    ...(range.gt === undefined ? {} : { gt: decodeBytes(range.gt) }),
    ...(range.lte === undefined ? {} : { lte: decodeBytes(range.lte) }),
    ...(range.lt === undefined ? {} : { lt: decodeBytes(range.lt) }),
    ...(range.prefix === undefined ? {} : { prefix: decodeBytes(range.prefix) }),
  });
}

export class CrashClient {
  readonly commits: Commit[] = [];
  private readonly program: Program;
  private readonly vfs: Vfs;
  private readonly observe: Observer;
  private readonly acknowledgesSynced: boolean;
  private engine: Engine | undefined;
  private begun = 0;
  private readonly transactions = new Map<number, { transaction: Transaction; writes: Write[] }>();

  constructor(vfs: Vfs, program: Program, observe: Observer) {
    this.vfs = vfs;
    this.program = program;
    this.observe = observe;
    this.acknowledgesSynced = program.options['durability'] !== 'none';
  }

  /** Operations that have begun. */
  get operationsBegun(): number {
    return this.begun;
  }

  /** What the client knows at this moment; a copy. */
  knowledge(): CommitRecord[] {
    return this.commits.map((commit) => ({ ...commit }));
  }

  /** A short text that is equal exactly for equal knowledge. */
  signature(): string {
    let text = '';
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
      const failure = this.execute(operation);
      if (failure !== undefined) return failure;
      if (this.engine === undefined) return undefined;
      if (this.engine.poison !== undefined) {
        const reopened = this.reopen();
        if (reopened !== undefined) return reopened;
        if (this.engine === undefined) return undefined;
      }
    }
    return this.judgeLive();
  }

  /** Opens, a few times if a fault is in the way; without success the program is over. */
  private open(): CrashFailure | undefined {
    for (let attempt = 0; attempt < OPEN_ATTEMPTS_MAX; attempt++) {
      try {
        this.engine = openEngine(this.vfs, this.program, this.observe);
        return undefined;
      } catch (error) {
        const failure = this.unexpected(error);
        if (failure !== undefined) return failure;
      }
    }
    return undefined;
  }

  private reopen(): CrashFailure | undefined {
    const { engine } = this;
    this.engine = undefined;
    this.transactions.clear();
    try {
      engine?.close();
    } catch (error) {
      const failure = this.unexpected(error);
      if (failure !== undefined) return failure;
    }
    const failure = this.open();
    return failure ?? this.judgeLive();
  }

  /** What is readable must be some prefix with everything acknowledged, also without a power cut. */
  private judgeLive(): CrashFailure | undefined {
    if (this.engine === undefined || this.engine.poison !== undefined) return undefined;
    try {
      return judge(this.commits, readAll(this.engine));
    } catch (error) {
      return this.unexpected(error);
    }
  }

  /** Environment errors are the faults' doing; corruption, bugs and uncoded errors are not. */
  private unexpected(error: unknown): CrashFailure | undefined {
    if (!isLightningError(error)) {
      if (error instanceof Error && error.name === 'PowerCut') throw error;
      return { class: 'uncoded-error', message: String(error) };
    }
    if (error.errorClass === 'corruption' || error.errorClass === 'bug') {
      return { class: 'unexpected-error', message: `${error.code}: ${error.message}` };
    }
    return undefined;
  }

  private execute(operation: Operation): CrashFailure | undefined {
    const { engine } = this;
    if (engine === undefined) return undefined;
    try {
      // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- crash programs have no other kinds
      switch (operation.kind) {
        case 'put':
        case 'delete':
          return this.commit([writeOf(operation)], operation.sync, () => engine.commit([engineOperation(operation)]));
        case 'clear':
          return this.commit([writeOf(operation)], operation.sync, () => engine.commit([engineOperation(operation)]));
        case 'batch': {
          const operations = operation.operations.map(engineOperation);
          return this.commit(operation.operations.map(writeOf), operation.sync, () => engine.commit(operations));
        }
        case 'get':
          this.read(engine, operation.key);
          return undefined;
        case 'begin':
          this.transactions.set(operation.transaction, { transaction: engine.begin(), writes: [] });
          return undefined;
        case 'txGet':
          this.transactions.get(operation.transaction)?.transaction.get(decodeBytes(operation.key));
          return undefined;
        case 'txPut': {
          const open = this.transactions.get(operation.transaction);
          open?.transaction.write({
            type: 'put',
            key: decodeBytes(operation.key),
            value: decodeBytes(operation.value),
          });
          open?.writes.push(writeOf(operation));
          return undefined;
        }
        case 'commit': {
          const open = this.transactions.get(operation.transaction);
          this.transactions.delete(operation.transaction);
          if (open === undefined) return undefined;
          return this.commit(open.writes, operation.sync, () => engine.commitTransaction(open.transaction));
        }
        case 'sync':
          engine.sync();
          this.acknowledgeSync();
          return undefined;
        case 'flush':
          engine.flush();
          return undefined;
        case 'merge':
          engine.compact();
          return undefined;
        case 'collect':
          engine.collect();
          return undefined;
        case 'reopen':
          return this.reopen();
        default:
          return undefined;
      }
    } catch (error) {
      return this.unexpected(error);
    }
  }

  /** Appends, making room first, then syncs unless the program says not to; notes what the caller is told. */
  private commit(writes: readonly Write[], sync: boolean | undefined, append: () => number): CrashFailure | undefined {
    const commit: Commit = { writes, fate: 'indefinite', read: false };
    this.commits.push(commit);
    try {
      this.appendWithRoom(append);
      commit.fate = 'volatile';
      if (this.acknowledgesSynced && sync !== false) {
        commit.fate = 'indefinite';
        this.engine?.sync();
        commit.fate = 'volatile';
        this.acknowledgeSync();
      }
      return undefined;
    } catch (error) {
      if (isLightningError(error) && isDefinite(error.code) && commit.fate === 'indefinite') commit.fate = 'rejected';
      return this.unexpected(error);
    }
  }

  private appendWithRoom(append: () => number): void {
    for (;;) {
      try {
        append();
        return;
      } catch (error) {
        if (!isLightningError(error, 'LIGHTNING_BACKPRESSURE')) throw error;
        this.engine?.step();
      }
    }
  }

  private acknowledgeSync(): void {
    for (const commit of this.commits) if (commit.fate === 'volatile') commit.fate = 'synced';
  }

  private read(engine: Engine, key: Extract<Operation, { kind: 'get' }>['key']): void {
    const value = engine.get(decodeBytes(key));
    if (value === undefined || !this.acknowledgesSynced) return;
    const name = keyOfBytes(decodeBytes(key));
    const writer = this.commits.findLast((commit) =>
      commit.writes.some((w) => w.kind === 'put' && w.key === name && Buffer.compare(w.value, value) === 0),
    );
    if (writer !== undefined) writer.read = true;
  }
}

/** Codes that say "definitely not made". An fsync that fails after the append is reported as an I/O error of `sync`. */
function isDefinite(code: string): boolean {
  return [
    'LIGHTNING_DISK_FULL',
    'LIGHTNING_CONFLICT',
    'LIGHTNING_POISONED',
    'LIGHTNING_PERMISSION',
    'LIGHTNING_TOO_MANY_FILES',
  ].includes(code);
}
