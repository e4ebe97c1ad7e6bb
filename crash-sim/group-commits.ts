/** Runs several clients of one database on the simulated disk, and cuts the power before each step (group-program.ts). */
import { type CommitRecord, judgeRecovered } from '../spec/executable/durable-prefix.ts';
import { keyOfBytes } from '../spec/executable/keys.ts';
import type { Write } from '../spec/executable/ordered-map.ts';
import { ManualClock } from '../src/base/clock.ts';
import { isLightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { Database } from '../src/database/index.ts';
import { Engine } from '../src/engine/index.ts';
import { RandomChooser } from '../src/faults/chooser.ts';
import { FaultPlan } from '../src/faults/fault-plan.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { type CrashFailure, failureOf } from '../src/workload/crash-knowledge.ts';
import { readAll } from '../src/workload/crash-store.ts';
import type { GroupMove, GroupProgram } from './group-program.ts';

type Commit = { -readonly [K in keyof CommitRecord]: CommitRecord[K] };

const OPTIONS = {
  blockSizeBytes: 512,
  nodeTargetBytes: 512,
  runBlockBytes: 64,
  runCountMax: 2,
  cacheBytes: 0,
} as const;
const IMAGES_PER_STEP = 3;
/** Enough for a promise to go on through everything that awaits it. */
const MICROTASKS = 8;
/** Turns of the event loop that a run may take to its end. */
const TURNS_MAX = 200;

/** What a run counted, and its first failure. */
export interface GroupResult {
  readonly failure: CrashFailure | undefined;
  readonly cycles: number;
  readonly commits: number;
  /** Cuts while an fsync was under way and a later commit was in the log already. */
  readonly cutsDuringSync: number;
}

/** Runs one program; `seed` draws what survives each cut. */
export async function runGroup(program: GroupProgram, seed: number): Promise<GroupResult> {
  return new GroupRun(program, seed).run();
}

class GroupRun {
  private readonly program: GroupProgram;
  private readonly chooser: RandomChooser;
  private readonly disk: SimulatedDisk;
  private readonly commits: Commit[] = [];
  private failure: CrashFailure | undefined;
  private cycles = 0;
  private cutsDuringSync = 0;
  private serial = 0;
  private underWay = 0;

  constructor(program: GroupProgram, seed: number) {
    this.program = program;
    this.chooser = new RandomChooser(new Prng(seed));
    const { directoryModel, failedSync } = program;
    const faults = new FaultPlan(
      failedSync === 0
        ? []
        : [
            {
              when: { path: 'wal-*', nth: failedSync, times: 1 },
              effect: { operation: 'sync', error: 'EIO', survivors: 'every other sector' },
            },
          ],
    );
    this.disk = new SimulatedDisk({
      directoryModel,
      faults,
      syncCompletion: 'manual',
      observer: () => this.cutHere(),
    });
  }

  async run(): Promise<GroupResult> {
    const { memtableBytes } = this.program;
    const clock = new ManualClock(1000);
    const database = Database.openOn(this.disk, { ...OPTIONS, memtableBytes, clock, random: () => 0 });
    for (const move of this.program.moves) {
      if (this.failure !== undefined) break;
      // Promises go on at `yield` and `turn` alone.
      if (move.kind === 'yield') for (let i = 0; i < MICROTASKS; i++) await Promise.resolve();
      else if (move.kind === 'turn') await new Promise(setImmediate);
      else this.move(database, move);
    }
    await this.end(database);
    const { failure, cycles, cutsDuringSync } = this;
    return { failure, cycles, commits: this.commits.length, cutsDuringSync };
  }

  private move(database: Database, move: Exclude<GroupMove, { kind: 'yield' | 'turn' }>): void {
    switch (move.kind) {
      case 'put': {
        const value = this.value(move.length);
        this.watch([this.put(move.key, value)], database.put(keyBytes(move.key), value));
        return;
      }
      case 'delete':
        this.watch([{ kind: 'delete', key: keyOfBytes(keyBytes(move.key)) }], database.delete(keyBytes(move.key)));
        return;
      case 'transaction':
        this.transaction(database, move.keys);
        return;
      case 'get':
        this.read(move.key, database);
        return;
      case 'sync':
        database.sync().catch((error: unknown) => this.refused(error));
        return;
      case 'complete':
        this.disk.completeSyncs();
        return;
    }
  }

  private transaction(database: Database, keys: readonly [number, number]): void {
    if (database.isClosed) return;
    try {
      const transaction = database.begin();
      const writes = [...new Set(keys)].map((key) => {
        const value = this.value(8);
        transaction.put(keyBytes(key), value);
        return this.put(key, value);
      });
      this.watch(writes, transaction.commit());
    } catch (error) {
      this.refused(error);
    }
  }

  private value(length: number): Uint8Array {
    const serial = ++this.serial;
    return Buffer.alloc(Math.max(2, length), Buffer.from([serial >> 8, serial & 0xff]));
  }

  private put(key: number, value: Uint8Array): Write {
    return { kind: 'put', key: keyOfBytes(keyBytes(key)), value, deadline: Infinity };
  }

  /** A commit in the order of the calls, and what its client is told of it. */
  private watch(writes: readonly Write[], told: Promise<void>): void {
    const commit: Commit = { writes, fate: 'volatile', read: false };
    this.commits.push(commit);
    this.underWay++;
    told.then(
      () => {
        this.underWay--;
        commit.fate = 'synced';
      },
      (error: unknown) => {
        this.underWay--;
        commit.fate = isLightningError(error, 'LIGHTNING_INDEFINITE') ? 'volatile' : 'rejected';
        this.refused(error);
      },
    );
  }

  /** What is read is durable: nothing is readable before its fsync. */
  private read(key: number, database: Database): void {
    try {
      const found = database.getSync(keyBytes(key));
      if (found === undefined) return;
      const writer = this.commits.find(({ writes }) =>
        writes.some((write) => write.kind === 'put' && Buffer.compare(write.value, found) === 0),
      );
      if (writer !== undefined) writer.read = true;
      else this.fail({ class: 'wrong-read', message: 'a value that nobody wrote' });
    } catch (error) {
      this.refused(error);
    }
  }

  /** Environment errors are the fault's doing. */
  private refused(error: unknown): void {
    if (!isLightningError(error) || error.errorClass === 'corruption' || error.errorClass === 'bug')
      this.fail(failureOf(error));
  }

  private fail(failure: CrashFailure): void {
    this.failure ??= failure;
  }

  private cutHere(): void {
    if (this.failure !== undefined) return;
    if (this.disk.pendingSyncCount > 0) this.cutsDuringSync++;
    for (let i = 0; i < (this.disk.isDurable ? 1 : IMAGES_PER_STEP); i++) {
      const image = this.disk.crashImage(this.chooser);
      this.cycles++;
      try {
        const clock = new ManualClock(1000);
        const rows = readAll(Engine.open({ vfs: new SimulatedDisk({ image }), clock }));
        const verdict = judgeRecovered(this.commits, rows);
        if (verdict.kind === 'failed') this.fail({ class: verdict.class, message: verdict.message });
      } catch (error) {
        this.fail(failureOf(error));
      }
    }
  }

  /** Lets everything under way end, and closes. */
  private async end(database: Database): Promise<void> {
    for (let i = 0; i < TURNS_MAX && this.underWay > 0; i++) {
      this.disk.completeSyncs();
      await new Promise(setImmediate);
    }
    if (this.underWay > 0) this.fail({ class: 'hang', message: `${this.underWay} commits are never answered` });
    try {
      database.closeSync();
    } catch (error) {
      this.refused(error);
    }
    this.disk.completeSyncs();
    await new Promise(setImmediate);
    this.cutHere();
  }
}

function keyBytes(key: number): Uint8Array {
  return Uint8Array.of(0x61 + key);
}
