/**
 * Runs the steps of a soak program on an engine, repetition after repetition, and checks what it reads on the way: the
 * lasting key has its last value, new keys are there until they are deleted.
 */
import { errnoOf, isLightningError, LightningError } from '../src/base/errors.ts';
import {
  Engine,
  type EngineStatistics,
  type Scan,
  type SnapshotView,
  type WriteOperation,
} from '../src/engine/index.ts';
import { NodeVfs } from '../src/vfs/node-vfs.ts';
import type { Step } from './soak-program.ts';
import { UnsyncedVfs } from './unsynced-vfs.ts';

/** Small, so that flushes, merges and the reuse of blocks come many times a second. */
const OPTIONS = {
  durability: 'none',
  memtableBytes: 32 * 1024,
  runCountMax: 2,
  nodeTargetBytes: 1024,
  blockSizeBytes: 512,
  cacheBytes: 64 * 1024,
} as const;

const LASTING = new Uint8Array([0]);
/** New keys begin with it. */
const NEW = 1;

/** A wrong answer; the soak is no longer about leaks then. */
function wrongAnswer(message: string): LightningError {
  return new LightningError('LIGHTNING_HARNESS', message, { class: 'wrong-read' });
}

export class SoakEngine {
  private engine: Engine;
  private readonly vfs: NodeVfs;
  private readonly snapshots: SnapshotView[] = [];
  private readonly scans: Scan[] = [];
  private newKeys: Uint8Array[] = [];
  private newCount = 0;
  private lastValue: Uint8Array | undefined;
  private written = 0;
  /** Reads, writes, scanned rows and commits so far. */
  operations = 0;

  /** @param synced whether fsyncs are made */
  constructor(directory: string, synced: boolean) {
    this.vfs = synced ? new NodeVfs(directory) : new UnsyncedVfs(directory);
    this.engine = this.open();
  }

  private open(): Engine {
    return Engine.open({ vfs: this.vfs }, OPTIONS);
  }

  get statistics(): EngineStatistics {
    return this.engine.statistics();
  }

  /** One repetition, and the tidying after it. */
  repeat(program: readonly Step[]): void {
    for (const step of program) this.run(step);
    this.tidy();
    this.verify();
  }

  close(): void {
    this.release();
    this.engine.close();
  }

  private run(step: Step): void {
    switch (step.kind) {
      case 'overwrite':
        for (let i = 0; i < step.times; i++) this.overwrite(step.bytes);
        return;
      case 'read':
        for (let i = 0; i < step.times; i++) this.read();
        return;
      case 'put-new':
        this.putNew(step.count, step.bytes);
        return;
      case 'delete-new':
        this.commit(this.newKeys.map((key) => ({ type: 'delete', key })));
        this.newKeys = [];
        return;
      case 'clear-new':
        this.commit([{ type: 'clear', start: new Uint8Array([NEW]), end: new Uint8Array([NEW + 1]) }]);
        this.newKeys = [];
        return;
      case 'open-snapshot':
        this.snapshots.push(this.engine.openSnapshot());
        return;
      case 'release-snapshot':
        this.releaseOne();
        return;
      case 'begin-scan':
        this.beginScan();
        return;
      case 'close-scan':
        this.scans.shift()?.close();
        return;
      case 'conflict':
        this.conflict();
        return;
      case 'abort':
        this.abort();
        return;
      case 'reopen':
        this.reopen();
        return;
      case 'flush':
      case 'compact':
      case 'collect':
        this.engine[step.kind]();
    }
  }

  private commit(operations: readonly WriteOperation[]): void {
    this.operations += Math.max(1, operations.length);
    for (;;) {
      try {
        this.engine.commit(operations);
        return;
      } catch (error) {
        if (!isLightningError(error, 'LIGHTNING_BACKPRESSURE')) throw error;
        this.engine.step();
      }
    }
  }

  private overwrite(bytes: number): void {
    const value = new Uint8Array(bytes).fill(this.written++ & 0xff);
    this.commit([{ type: 'put', key: LASTING, value }]);
    this.lastValue = value;
  }

  private putNew(count: number, bytes: number): void {
    const operations: WriteOperation[] = [];
    for (let i = 0; i < count; i++) {
      const key = new Uint8Array(8);
      key[0] = NEW;
      new DataView(key.buffer).setUint32(4, this.newCount++);
      this.newKeys.push(key);
      operations.push({ type: 'put', key, value: new Uint8Array(bytes).fill(i) });
    }
    this.commit(operations);
  }

  private beginScan(): void {
    const scan = this.engine.scan();
    if (scan.next()) this.operations++;
    this.scans.push(scan);
  }

  private conflict(): void {
    this.overwrite(8);
    const first = this.engine.begin();
    const second = this.engine.begin();
    const value = new Uint8Array(16).fill(this.written & 0xff);
    first.write({ type: 'put', key: LASTING, value });
    second.write({ type: 'put', key: LASTING, value: new Uint8Array(1) });
    this.engine.commitTransaction(first);
    this.lastValue = value;
    this.operations += 4;
    try {
      this.engine.commitTransaction(second);
    } catch (error) {
      if (isLightningError(error, 'LIGHTNING_CONFLICT')) return;
      throw error;
    }
    throw wrongAnswer('two transactions wrote the same key and both were committed');
  }

  private abort(): void {
    const transaction = this.engine.begin();
    transaction.write({ type: 'put', key: LASTING, value: new Uint8Array(2) });
    this.engine.abortTransaction(transaction);
    this.operations += 2;
  }

  private reopen(): void {
    this.release();
    this.engine.close();
    this.engine = this.open();
    this.operations++;
  }

  private releaseOne(): void {
    const oldest = this.snapshots.shift();
    if (oldest !== undefined) this.engine.releaseSnapshot(oldest);
  }

  private release(): void {
    while (this.scans.length > 0) this.scans.shift()?.close();
    while (this.snapshots.length > 0) this.releaseOne();
  }

  private tidy(): void {
    this.release();
    if (this.newKeys.length > 0) this.run({ kind: 'delete-new' });
    while (this.engine.step());
  }

  private read(): void {
    this.operations++;
    const value = this.engine.get(LASTING);
    const right =
      this.lastValue === undefined
        ? value === undefined
        : value !== undefined && Buffer.compare(value, this.lastValue) === 0;
    if (!right) throw wrongAnswer('the overwritten key does not have its last value');
  }

  private verify(): void {
    this.read();
    this.operations++;
    const scan = this.engine.scan();
    let rows = 0;
    while (scan.next()) rows++;
    if (rows !== (this.lastValue === undefined ? 0 : 1)) throw wrongAnswer(`${rows} keys are left of a repetition`);
  }
}

/** What an error of a run amounts to, as a failure class. */
export function classOf(error: unknown): string {
  if (isLightningError(error, 'LIGHTNING_HARNESS')) return 'wrong-read';
  return isLightningError(error) || errnoOf(error) !== undefined ? 'unexpected-error' : 'uncoded-error';
}
