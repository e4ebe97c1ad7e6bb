/**
 * One program against a database with limits, on a simulated disk. Judged: what is refused is refused with its code and
 * leaves nothing behind, reads go on, nothing passes a limit, and nothing is refused that has room. What there should be
 * comes from a plain map and from sums over what the program did, never from the engine's own figures.
 */
import { ManualClock } from '../src/base/clock.ts';
import { isLightningError } from '../src/base/errors.ts';
import { CLOCK_START_MILLISECONDS } from '../src/contract/limits.ts';
import { Database, type DatabaseTransaction } from '../src/database/index.ts';
import { QuotaVfs } from '../src/database/limits/quota-vfs.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { Count } from './case-part.ts';
import type { LimitProgram, LimitStep } from './limit-programs.ts';
import type { Objection } from './program-check.ts';

/** The bounds that spec/semantics.md gives. */
const KEY_BYTES_MAX = 65_535;
/** What the log, a run or a page adds to a row, and a file has besides its rows. */
const FRAMING_BYTES = 4096;
/** A transaction counts so much for each entry besides its bytes (spec/semantics.md). */
const ENTRY_BYTES = 64;

/** Small enough that programs of a few steps meet every limit. */
const ENGINE = {
  durability: 'none',
  memtableBytes: 20_000,
  frozenCountMax: 2,
  blockSizeBytes: 512,
  nodeTargetBytes: 512,
  runCountMax: 2,
  cacheBytes: 10_000,
} as const;
/** For programs about memory: nothing is flushed by itself before the limit is near. */
const ROOMY = { ...ENGINE, memtableBytes: 400_000, frozenCountMax: 8, blobBytes: 1_000_000 } as const;

interface Open {
  readonly transaction: DatabaseTransaction;
  readonly writes: Map<string, string | undefined>;
  bytes: number;
}

class Wrong extends Error {
  readonly objection: Objection;

  constructor(objectionClass: string, message: string) {
    super(message);
    this.objection = { class: objectionClass, message };
  }
}

/** Runs a program; `undefined` when nothing is wrong. */
export async function runLimitProgram(program: LimitProgram, count: Count): Promise<Objection | undefined> {
  const world = new World(program, count);
  try {
    for (const step of program.steps) world.step(step);
    world.judgeEnd();
    return undefined;
  } catch (error) {
    if (error instanceof Wrong) return error.objection;
    if (!isLightningError(error)) throw error;
    return { class: 'unexpected-error', message: `${error.code}: ${error.message}` };
  } finally {
    world.close();
  }
}

class World {
  private readonly program: LimitProgram;
  private readonly count: Count;
  private readonly disk = new SimulatedDisk();
  private quotaBytes: number | undefined;
  private database: Database;
  /** By key, of each value what {@link summaryOf} says. */
  private readonly rows = new Map<string, string>();
  private readonly open = new Map<number, Open>();
  private serial = 0;
  /** Bytes of keys and values put since memtables were flushed for the last time. */
  private unflushedBytes = 0;

  constructor(program: LimitProgram, count: Count) {
    this.program = program;
    this.count = count;
    this.quotaBytes = program.limits.quotaBytes;
    this.database = this.opened();
  }

  private opened(): Database {
    const { memoryBytesMax, transactionCountMax, transactionBytesMax, freeBytesMin } = this.program.limits;
    // A disk of which so much is left, if the program wants one.
    const { quotaBytes } = this;
    const left = (): number => (quotaBytes ?? 0) + (freeBytesMin ?? 0) - this.usedBytes();
    const files =
      freeBytesMin === undefined ? this.disk : new QuotaVfs(this.disk, { quotaBytes: undefined, freeBytesMin }, left);
    return Database.openOn(files, {
      ...(memoryBytesMax === undefined ? ENGINE : ROOMY),
      clock: new ManualClock(CLOCK_START_MILLISECONDS),
      ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
      ...(transactionCountMax === undefined ? {} : { transactionCountMax }),
      ...(transactionBytesMax === undefined ? {} : { transactionBytesMax }),
      ...(quotaBytes === undefined || freeBytesMin !== undefined ? {} : { quotaBytes }),
    });
  }

  close(): void {
    this.database.closeSync();
  }

  step(step: LimitStep): void {
    this.count('operations under limits');
    switch (step.kind) {
      case 'put':
        this.put(keyOf(step), this.valueOf(step.size));
        break;
      case 'delete':
        this.delete(keyOf(step));
        break;
      case 'begin':
        this.begin(step.transaction);
        break;
      case 'txPut':
        this.txPut(step.transaction, keyOf(step), this.valueOf(step.size));
        break;
      case 'commit':
        this.end(step.transaction, true);
        break;
      case 'abort':
        this.end(step.transaction, false);
        break;
      case 'flush':
      case 'compact':
        this.maintain(step.kind);
        break;
      case 'reopen':
        if (step.quotaTimes !== undefined && this.quotaBytes !== undefined) this.quotaBytes *= step.quotaTimes;
        this.reopen();
        break;
    }
    this.judgeRows();
    this.judgeSpace();
  }

  /** Bytes of all files but the lock. */
  private usedBytes(): number {
    let sum = 0;
    for (const name of this.disk.list('')) {
      if (name === 'LOCK') continue;
      const file = this.disk.open(name, 'read');
      sum += file.size();
      file.close();
    }
    return sum;
  }

  private valueOf(size: number): string {
    return `v${++this.serial} `.padEnd(size, '.').slice(0, Math.max(size, 8));
  }

  /** Bytes in memory that certainly count, of what the program wrote. */
  private get heldBytes(): number {
    let sum = this.unflushedBytes;
    for (const { bytes } of this.open.values()) sum += bytes;
    return sum;
  }

  private put(key: string, value: string): void {
    const bytes = key.length + value.length;
    const limit = this.program.limits.memoryBytesMax;
    const isTooMuch = limit !== undefined && this.heldBytes + bytes > limit;
    const done = this.write(bytes, () => this.database.putSync(bytesOf(key), bytesOf(value)), [[key, value]]);
    if (done && isTooMuch) throw new Wrong('limit-passed', `${this.heldBytes} bytes are held in memory of ${limit}`);
  }

  private delete(key: string): void {
    this.write(key.length, () => this.database.deleteSync(bytesOf(key)), [[key, undefined]]);
  }

  /** Carries a write out; a refusal must be one of those that the limits give a reason for. Returns whether it was made. */
  private write(bytes: number, work: () => void, changes: readonly (readonly [string, string | undefined])[]): boolean {
    const usedBefore = this.usedBytes();
    const tooLong = changes.some(([key]) => key.length > KEY_BYTES_MAX);
    try {
      work();
    } catch (error) {
      if (!isLightningError(error)) throw error;
      this.judgeRefusal(error.code, bytes, usedBefore, tooLong);
      return false;
    }
    if (tooLong) throw new Wrong('limit-passed', `a key of more than ${KEY_BYTES_MAX} bytes was accepted`);
    this.count('writes under limits');
    this.unflushedBytes += bytes;
    for (const [key, value] of changes) this.apply(key, value);
    return true;
  }

  private apply(key: string, value: string | undefined): void {
    if (value === undefined) this.rows.delete(key);
    else this.rows.set(key, summaryOf(bytesOf(value)));
  }

  private judgeRefusal(code: string, bytes: number, usedBefore: number, tooLong: boolean): void {
    this.count(`refused with ${code}`);
    if (code === 'LIGHTNING_KEY_TOO_LARGE' && tooLong) return;
    if (code === 'LIGHTNING_CONFLICT') return;
    const { memoryBytesMax } = this.program.limits;
    if (code === 'LIGHTNING_DISK_FULL' && this.quotaBytes !== undefined) {
      // With memtables full it has to wait for a flush, which needs space of its own.
      const waiting = this.unflushedBytes > ENGINE.memtableBytes ? this.unflushedBytes : 0;
      if (usedBefore + bytes + waiting + FRAMING_BYTES > this.quotaBytes) return;
      throw new Wrong('needless-refusal', `a write of ${bytes} with ${usedBefore} of ${this.quotaBytes} bytes used`);
    }
    if (code === 'LIGHTNING_LIMIT' && memoryBytesMax !== undefined) {
      // Cache and framing count too; with all of that it must be near the limit, or have been since memory was freed.
      if (2 * (this.heldBytes + bytes) + ENGINE.cacheBytes > 0.5 * memoryBytesMax) return;
      throw new Wrong('needless-refusal', `a write of ${bytes} with ${this.heldBytes} of ${memoryBytesMax} bytes held`);
    }
    throw new Wrong('needless-refusal', `a write of ${bytes} bytes was refused with ${code}`);
  }

  private begin(id: number): void {
    if (this.open.has(id)) return;
    const limit = this.program.limits.transactionCountMax ?? Infinity;
    try {
      const transaction = this.database.begin();
      if (this.open.size >= limit) throw new Wrong('limit-passed', `${this.open.size + 1} transactions of ${limit}`);
      this.open.set(id, { transaction, writes: new Map(), bytes: 0 });
    } catch (error) {
      if (!isLightningError(error)) throw error;
      this.count(`transactions refused with ${error.code}`);
      if (error.code === 'LIGHTNING_LIMIT' && this.open.size >= limit) return;
      throw new Wrong('needless-refusal', `the ${this.open.size + 1}th transaction was refused with ${error.code}`);
    }
  }

  private txPut(id: number, key: string, value: string): void {
    const open = this.open.get(id);
    if (open === undefined) return;
    const limit = this.program.limits.transactionBytesMax ?? Infinity;
    const bytes = open.bytes + key.length + value.length + ENTRY_BYTES;
    try {
      open.transaction.put(bytesOf(key), bytesOf(value));
    } catch (error) {
      if (!isLightningError(error)) throw error;
      this.count(`refused in a transaction with ${error.code}`);
      if (error.code === 'LIGHTNING_KEY_TOO_LARGE' && key.length > KEY_BYTES_MAX) return;
      if (error.code !== 'LIGHTNING_LIMIT' || bytes <= limit)
        throw new Wrong('needless-refusal', `a transaction with ${bytes} bytes got ${error.code}`);
      // It is over, and nothing of it is left.
      this.open.delete(id);
      return;
    }
    if (key.length > KEY_BYTES_MAX)
      throw new Wrong('limit-passed', `a transaction took a key of ${key.length} bytes, more than ${KEY_BYTES_MAX}`);
    if (bytes > limit) throw new Wrong('limit-passed', `a transaction holds ${bytes} of ${limit} bytes`);
    open.bytes = bytes;
    open.writes.set(key, value);
  }

  private end(id: number, commits: boolean): void {
    const open = this.open.get(id);
    if (open === undefined) return;
    this.open.delete(id);
    if (!commits) return open.transaction.abort();
    // What the transaction held is written now.
    this.write(open.bytes, () => open.transaction.commitSync(), [...open.writes]);
  }

  /** A flush or merge may find no space; then nothing has changed, and it can be tried again. */
  private maintain(kind: 'flush' | 'compact'): void {
    try {
      if (kind === 'flush') this.database.flushSync();
      else this.database.compactSync();
      this.unflushedBytes = 0;
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_DISK_FULL') || this.quotaBytes === undefined) throw error;
      this.count('flushes and merges without space');
    }
  }

  private reopen(): void {
    for (const { transaction } of this.open.values()) transaction.abort();
    this.open.clear();
    this.database.closeSync();
    this.database = this.opened();
    this.count('openings under limits');
  }

  private judgeRows(): void {
    let found: Map<string, string>;
    try {
      found = new Map([...this.database.scanSync()].map(([key, value]) => [textOf(key), summaryOf(value)]));
      const [first] = this.rows.keys();
      if (first !== undefined) this.database.getSync(bytesOf(first));
    } catch (error) {
      if (!isLightningError(error)) throw error;
      throw new Wrong('read-refused', `reading got ${error.code}: ${error.message}`);
    }
    for (const [key, value] of this.rows)
      if (found.get(key) !== value) throw new Wrong('wrong-read', `${short(key)} is not what was put last`);
    for (const key of found.keys())
      if (!this.rows.has(key)) throw new Wrong('wrong-read', `${short(key)} is there and should not be`);
  }

  /** The quota with its reserve for flushes and merges, and what is never refused: a manifest, the head of a segment. */
  private judgeSpace(): void {
    if (this.quotaBytes === undefined) return;
    const used = this.usedBytes();
    if (used <= this.quotaBytes * 1.125 + FRAMING_BYTES) return;
    throw new Wrong('limit-passed', `${used} bytes are used of ${this.quotaBytes}`);
  }

  /** With everything ended and flushed, and four times the space, there is room again. */
  judgeEnd(): void {
    for (const id of [...this.open.keys()]) this.end(id, false);
    if (this.quotaBytes !== undefined) this.quotaBytes = 4 * this.quotaBytes + this.usedBytes();
    const { memoryBytesMax } = this.program.limits;
    if (memoryBytesMax === undefined) this.reopen();
    else this.maintain('flush');
    if (!this.write(8, () => this.database.putSync(bytesOf('end'), bytesOf('the end')), [['end', 'the end']]))
      throw new Wrong('never-recovers', 'a small write is refused though there is room');
    this.judgeRows();
  }
}

function keyOf({ key, keyBytes = 0 }: { readonly key: number; readonly keyBytes?: number | undefined }): string {
  return `k${String(key).padStart(3, '0')}`.padEnd(keyBytes, '-');
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

/** Values begin with a number of their own: that and the length tell them apart. */
function summaryOf(value: Uint8Array): string {
  return `${textOf(value.subarray(0, 12))} of ${value.length}`;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function short(key: string): string {
  return key.length > 20 ? `${key.slice(0, 8)}… of ${key.length} bytes` : key;
}
