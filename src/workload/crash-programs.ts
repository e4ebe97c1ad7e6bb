/**
 * Programs for crash campaigns: up to twenty-four operations over few keys, with every option of the store drawn so small
 * that a flush, a merge or a manifest swap happens within them. Values are unique, so that a read names its writer; some
 * are longer than a sector, so that their records tear.
 */
import type { Prng } from '../base/prng.ts';
import type { BatchOperation, IsolationLevel, OpenOptions, Operation, Program } from '../contract/operations.ts';
import { CRASH_CLOCK_START } from './crash-store.ts';

const OPERATIONS_MAX = 24;
const KINDS = [
  'put',
  'delete',
  'batch',
  'clear',
  'get',
  'scan',
  'sync',
  'flush',
  'merge',
  'collect',
  'reopen',
  'begin',
  'in transaction',
  'commit',
  'snapshot',
  'clock',
  'backup',
] as const;
const BASE_WEIGHTS = [10, 3, 5, 1, 2, 0.5, 2, 3, 2, 1, 2, 2, 4, 2, 1.5, 2, 0.7];
const LEVELS: readonly IsolationLevel[] = ['snapshot', 'serializable', 'read-committed'];

/** Hexadecimal text of a number in a field of `width` bytes. */
function hex(value: number, width: number): string {
  return value.toString(16).padStart(width * 2, '0');
}

class Generator {
  private readonly random: Prng;
  private readonly isWide: boolean;
  private readonly keyCount: number;
  private readonly weights: number[];
  private readonly durability: 'commit' | 'interval' | 'none';
  private readonly withDeadlines: number;
  private serial = 0;
  private identity = 0;
  private clock = CRASH_CLOCK_START;
  private transactions: number[] = [];
  private snapshots: number[] = [];

  constructor(random: Prng) {
    this.random = random;
    // Many keys and large batches, now and then: trees of several levels.
    this.isWide = random.chance(0.06);
    this.keyCount = this.isWide ? random.between(40, 120) : random.between(1, 8);
    this.durability = random.pick(['commit', 'commit', 'commit', 'none', 'interval']);
    this.withDeadlines = random.pick([0, 0, 0.3]);
    // Swarm testing (Groce and others 2012): each program leaves some kinds out and favours others.
    this.weights = BASE_WEIGHTS.map((weight, i) =>
      i > 0 && random.chance(0.4) ? 0 : weight * random.pick([1, 1, 2, 5]),
    );
  }

  program(operationsMax: number): Program {
    const operations: Operation[] = [];
    const count = this.random.between(1, operationsMax);
    while (operations.length < count) operations.push(this.step());
    return { format: 1, options: this.options(), operations };
  }

  /** Mostly what the mode does by itself: to wait for the sync, or not to. */
  private sync(): { sync?: boolean } {
    if (this.random.chance(0.85)) return {};
    return { sync: this.durability !== 'commit' };
  }

  private step(): Operation {
    switch (KINDS[this.random.weighted(this.weights)]) {
      case 'put':
        return { kind: 'put', key: this.key(), value: this.value(), ...this.deadline(), ...this.sync() };
      case 'delete':
        return { kind: 'delete', key: this.key(), ...this.sync() };
      case 'batch':
        return { kind: 'batch', operations: this.batch(), ...this.sync() };
      case 'clear':
        return { kind: 'clear', range: this.range(), ...this.sync() };
      case 'get':
        return { kind: 'get', key: this.key() };
      case 'scan':
        return { kind: 'scan', range: { ...this.range(), ...(this.random.chance(0.3) ? { reverse: true } : {}) } };
      case 'sync':
        return { kind: 'sync' };
      case 'flush':
        return { kind: 'flush' };
      case 'merge':
        return { kind: 'merge' };
      case 'collect':
        return { kind: 'collect' };
      case 'reopen':
        this.transactions = [];
        this.snapshots = [];
        return { kind: 'reopen' };
      case 'begin':
        return this.begin();
      case 'in transaction':
        return this.inTransaction(
          this.transactions.at(-1) === undefined ? undefined : this.random.pick(this.transactions),
        );
      case 'commit':
        return this.end();
      case 'snapshot':
        return this.snapshot();
      case 'clock':
        return this.advance();
      case 'backup':
        return { kind: 'backup', ...(this.random.chance(0.6) ? { incremental: true } : {}) };
    }
  }

  private begin(): Operation {
    const transaction = ++this.identity;
    this.transactions.push(transaction);
    return { kind: 'begin', transaction, isolation: this.random.pick(LEVELS) };
  }

  private inTransaction(transaction: number | undefined): Operation {
    if (transaction === undefined) return this.begin();
    switch (this.random.weighted([2, 1, 4, 2, 0.5])) {
      case 0:
        return { kind: 'txGet', transaction, key: this.key() };
      case 1:
        return { kind: 'txScan', transaction, range: this.range() };
      case 2:
        return { kind: 'txPut', transaction, key: this.key(), value: this.value(), ...this.deadline() };
      case 3:
        return { kind: 'txDelete', transaction, key: this.key() };
      default:
        return { kind: 'txClear', transaction, range: this.range() };
    }
  }

  private end(): Operation {
    const transaction = this.transactions.shift();
    if (transaction === undefined) return this.begin();
    return this.random.chance(0.9) ? { kind: 'commit', transaction, ...this.sync() } : { kind: 'abort', transaction };
  }

  private snapshot(): Operation {
    const [snapshot] = this.snapshots;
    if (snapshot === undefined || (this.snapshots.length < 3 && this.random.chance(0.3))) {
      this.snapshots.push(++this.identity);
      return { kind: 'openSnapshot', snapshot: this.identity };
    }
    if (this.random.chance(0.7)) return { kind: 'snapshotGet', snapshot, key: this.key() };
    this.snapshots.shift();
    return { kind: 'releaseSnapshot', snapshot };
  }

  /** Time passes, or only a slice of waiting work is done; now and then the clock is put back. */
  private advance(): Operation {
    const milliseconds = this.random.pick([0, 0, 1, 10, 100, -10]);
    this.clock += milliseconds;
    return { kind: 'advanceClock', milliseconds };
  }

  private batch(): BatchOperation[] {
    return Array.from({ length: this.isWide ? this.random.between(10, 40) : this.random.between(2, 4) }, () =>
      this.random.chance(this.isWide && this.random.chance(0.3) ? 0 : 0.75)
        ? { kind: 'put', key: this.key(), value: this.value(), ...this.deadline() }
        : { kind: 'delete', key: this.key() },
    );
  }

  private deadline(): { deadline?: number } {
    if (!this.random.chance(this.withDeadlines)) return {};
    return { deadline: this.clock + this.random.pick([0, 1, 5, 50, 1000]) };
  }

  private range(): { gte?: string; lt?: string } {
    return this.random.chance(0.3) ? {} : { gte: this.key(), lt: this.key() };
  }

  private key(): string {
    return hex(this.random.below(this.keyCount), 1);
  }

  /** A unique value of some bytes, or of more than a sector. */
  private value(): { readonly repeat: string; readonly length: number } {
    const length = this.random.chance(this.isWide ? 0.03 : 0.25)
      ? this.random.between(500, 2500)
      : this.random.between(2, 60);
    return { repeat: hex(++this.serial, 2), length };
  }

  /** Knobs: memtables of one commit, nodes of one sector, slices of one entry. */
  private options(): OpenOptions {
    const { random } = this;
    return {
      durability: this.durability,
      memtableBytes: random.pick([1, 300, 2000, 100_000]),
      blockSizeBytes: 512,
      nodeTargetBytes: this.isWide ? 256 : random.pick([512, 1024]),
      runBlockBytes: random.pick([64, 512]),
      runCountMax: random.pick([1, 2, 4]),
      frozenCountMax: random.pick([1, 2]),
      sliceBytes: random.pick([1, 1, 65_536]),
      compression: random.pick(['none', 'none', 'none', 'none', 'deflate', 'deflate', 'zstd']),
      bloomBitsPerKey: 10,
      cacheBytes: random.pick([0, 10_000]),
      ...(random.chance(0.25) ? { indexes: true } : {}),
      ...(random.chance(0.25) ? { blobBytes: random.pick([20, 20, 400]) } : {}),
    };
  }
}

/** Draws a program of so many operations at most. */
export function generateCrashProgram(random: Prng, operationsMax = OPERATIONS_MAX): Program {
  return new Generator(random).program(operationsMax);
}
