/**
 * Runs one program on the engine over a simulated disk and holds it against the executable specification after every
 * step. A function of the program alone.
 */
import { ManualClock } from '../src/base/clock.ts';
import { isLightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { type BytesText, lengthOfText } from '../src/contract/bytes-text.ts';
import { CLOCK_START_MILLISECONDS } from '../src/contract/limits.ts';
import type { Operation, Program } from '../src/contract/operations.ts';
import { OK, type Outcome, type Row } from '../src/contract/outcomes.ts';
import { LIGHTNING_CAPABILITIES } from '../src/drivers/lightning.ts';
import { LightningStore } from '../src/drivers/lightning-store.ts';
import type { Engine, EngineStep } from '../src/engine/index.ts';
import { RandomChooser } from '../src/faults/chooser.ts';
import { DIRECTORY_MODELS } from '../src/faults/names.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { judgeRecovered } from '../spec/executable/durable-prefix.ts';
import { Interpreter } from '../spec/executable/interpreter.ts';
import { keyOfBytes } from '../spec/executable/keys.ts';
import { checkDisk, type CheckedStore, checkMemory, checkReads, type Objection } from './program-check.ts';

/** Told of what happens, where it happens. */
export interface RunWatch {
  count(name: string, by?: number): void;
  reached(situation: string): void;
}

/** For runs that nobody counts. */
export const UNWATCHED: RunWatch = { count: () => undefined, reached: () => undefined };

/** How a program went. */
export interface ProgramRun {
  /** Up to the end, or up to the operation that failed. */
  readonly outcomes: readonly Outcome[];
  /** `undefined`: everything agreed. */
  readonly objection: Objection | undefined;
  /** All that the store holds at the end. */
  readonly rows: readonly Row[];
  /** The disk after the clean close at the end. */
  readonly disk: SimulatedDisk;
}

/** Every store of this stage has this id, so that a run depends on its program alone. */
const DATABASE_ID = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
const STEPS_COUNTED: readonly EngineStep[] = ['freeze', 'flush', 'merge', 'collect', 'conflict'];
/** Keys that a cross-check asks for, of each length alike. */
const CHECKED_KEYS_MAX = 80;
/** I/O steps of background work, the first of which a power cut may strike. */
const CUT_STEPS_MAX = 14;

/** Every key that a program names, each once. */
function keysOf(program: Program): BytesText[] {
  const keys = new Map<string, BytesText>();
  const add = (key: BytesText): void => {
    if (lengthOfText(key) <= LIGHTNING_CAPABILITIES.keyBytesMax) keys.set(JSON.stringify(key), key);
  };
  for (const operation of program.operations) {
    if ('key' in operation) add(operation.key);
    if (operation.kind === 'batch') for (const step of operation.operations) if ('key' in step) add(step.key);
  }
  return [...keys.values()].slice(0, CHECKED_KEYS_MAX);
}

function numberOption(program: Program, name: string, otherwise: number): number {
  const value = program.options[name];
  return typeof value === 'number' ? value : otherwise;
}

/** Runs a program from an empty disk to a clean close. @param afterEach sees the disk after each operation */
export function runStoreProgram(
  program: Program,
  watch: RunWatch = UNWATCHED,
  afterEach?: (disk: SimulatedDisk) => void,
): ProgramRun {
  return new Runner(program, watch, afterEach).run();
}

class Runner {
  private readonly program: Program;
  private readonly watch: RunWatch;
  private readonly afterEach: ((disk: SimulatedDisk) => void) | undefined;
  private readonly crashes: Prng;
  private readonly checkEvery: number;
  private readonly outcomes: Outcome[] = [];
  private readonly checked: CheckedStore & {
    disk: SimulatedDisk;
    store: LightningStore;
    readonly snapshots: Set<number>;
    readonly transactions: Set<number>;
  };
  private turn = 0;
  private rowsAtEnd: readonly Row[] = [];

  constructor(program: Program, watch: RunWatch, afterEach: ((disk: SimulatedDisk) => void) | undefined) {
    this.program = program;
    this.watch = watch;
    this.afterEach = afterEach;
    this.crashes = new Prng(numberOption(program, 'crashSeed', 1));
    this.checkEvery = Math.max(1, numberOption(program, 'checkEvery', 1));
    const disk = this.newDisk();
    const store = new LightningStore(
      {
        vfs: disk,
        clock: new ManualClock(CLOCK_START_MILLISECONDS),
        newDatabaseId: () => DATABASE_ID,
        observe: (step) => this.observe(step),
        cutPower: () => this.cutPower(),
      },
      program.options,
    );
    const oracle = new Interpreter({ transactionSnapshotAt: 'begin', acknowledges: 'synced', readsAreDurable: false });
    this.checked = { store, oracle, disk, keys: keysOf(program), snapshots: new Set(), transactions: new Set() };
  }

  run(): ProgramRun {
    let objection: Objection | undefined;
    const { operations } = this.program;
    for (let at = 0; at < operations.length && objection === undefined; at++) {
      objection = this.guarded(() => this.step(operations[at], at));
      this.afterEach?.(this.checked.disk);
    }
    objection ??= this.guarded(() => this.finish());
    return { outcomes: this.outcomes, objection, rows: this.rowsAtEnd, disk: this.checked.disk };
  }

  private observe(step: EngineStep): void {
    if (STEPS_COUNTED.includes(step)) this.watch.count(`engine ${step}`);
  }

  private newDisk(image?: ReturnType<SimulatedDisk['currentImage']>): SimulatedDisk {
    const named = DIRECTORY_MODELS.find((model) => model === this.program.options['directoryModel']);
    return new SimulatedDisk({ directoryModel: named ?? 'strict', ...(image === undefined ? {} : { image }) });
  }

  /** An exception without a code is a failure of the engine; so is one with a code where none is an outcome. */
  private guarded(action: () => Objection | undefined): Objection | undefined {
    try {
      return action();
    } catch (error) {
      if (isLightningError(error)) return { class: 'unexpected-error', message: `${error.code}: ${error.message}` };
      const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      return { class: 'uncoded-error', message: text };
    }
  }

  private step(operation: Operation, at: number): Objection | undefined {
    this.watch.count('operations');
    this.watch.count(`operation ${operation.kind}`);
    if (operation.kind === 'reopen') {
      const objection = this.reopen();
      if (objection !== undefined) return objection;
    } else if (operation.kind === 'crash') {
      const objection = this.crash(operation);
      if (objection !== undefined) return objection;
    } else {
      const outcome = this.checked.store.execute(operation);
      this.outcomes.push(outcome);
      const mismatch = this.checked.oracle.judge(operation, outcome);
      if (mismatch !== undefined) return mismatch;
      this.follow(operation);
    }
    return (at + 1) % this.checkEvery === 0 ? this.check() : undefined;
  }

  private follow(operation: Operation): void {
    const { snapshots, transactions } = this.checked;
    if (operation.kind === 'openSnapshot') snapshots.add(operation.snapshot);
    if (operation.kind === 'releaseSnapshot') snapshots.delete(operation.snapshot);
    if (operation.kind === 'begin') transactions.add(operation.transaction);
    if (operation.kind === 'commit' || operation.kind === 'abort') transactions.delete(operation.transaction);
    if (operation.kind === 'reopen' || operation.kind === 'crash') {
      snapshots.clear();
      transactions.clear();
    }
  }

  private check(): Objection | undefined {
    const objection =
      checkReads(this.checked, this.turn++, (count) => this.watch.count('reads cross-checked', count)) ??
      checkMemory(this.checked) ??
      checkDisk(this.checked, true);
    this.watch.count('cross-checks');
    if (this.checked.store.engine.statistics().treeHeight > 2) this.watch.reached('tree of three levels');
    return objection;
  }

  /** A clean close makes everything durable, and leaves a disk on which nothing is wrong. */
  private reopen(): Objection | undefined {
    const { store, oracle } = this.checked;
    store.close();
    const objection = checkDisk(this.checked, false);
    if (objection !== undefined) return objection;
    const outcome = store.execute({ kind: 'reopen' });
    this.outcomes.push(outcome);
    this.watch.count('reopenings');
    oracle.apply({ kind: 'sync' }, OK);
    this.follow({ kind: 'reopen' });
    return oracle.judge({ kind: 'reopen' }, outcome);
  }

  /** The power goes, sometimes in the middle of background work, and some state that the disk model allows comes up. */
  private crash(operation: Operation): Objection | undefined {
    const { store, oracle } = this.checked;
    if (this.crashes.chance(0.6)) this.cutDuringWork(store.engine);
    const outcome = store.execute(operation);
    this.outcomes.push(outcome);
    const mismatch = oracle.judge(operation, outcome);
    if (mismatch !== undefined) return mismatch;
    this.watch.count('crash recoveries');
    this.follow(operation);
    const scan = store.execute({ kind: 'scan', range: {} });
    if (scan.kind !== 'rows') return { class: 'unexpected-error', message: 'the recovered store cannot be scanned' };
    const recovered = new Map(scan.rows.map(([key, value]) => [keyOfBytes(key), value]));
    const verdict = judgeRecovered(oracle.commits, recovered, oracle.time);
    if (verdict.kind === 'failed') return { class: verdict.class, message: verdict.message };
    if (verdict.kind === 'ok') oracle.adopt(verdict.included);
    return undefined;
  }

  private cutDuringWork(engine: Engine): void {
    const { disk } = this.checked;
    disk.cutAtStep(disk.steps + this.crashes.between(1, CUT_STEPS_MAX), this.crashes.pick(['before', 'middle']));
    const work = this.crashes.below(3);
    try {
      if (work === 0) engine.flush();
      else if (work === 1) engine.compact();
      else while (engine.step());
    } catch (error) {
      if (!isPowerCut(error)) throw error;
      this.watch.reached('power cut during background work');
    }
  }

  private cutPower(): SimulatedDisk {
    const { disk } = this.checked;
    if (!disk.isDurable) this.watch.reached('power cut with something pending');
    this.checked.disk = this.newDisk(disk.crashImage(new RandomChooser(this.crashes.fork())));
    return this.checked.disk;
  }

  private finish(): Objection | undefined {
    const objection = this.check();
    if (objection !== undefined) return objection;
    const all = this.checked.store.execute({ kind: 'scan', range: {} });
    if (all.kind === 'rows') this.rowsAtEnd = all.rows;
    this.checked.store.close();
    this.watch.count('programs');
    const { openFileCount } = this.checked.disk;
    if (openFileCount > 0) return { class: 'leak', message: `${openFileCount} files are open after the close` };
    return checkDisk(this.checked, false);
  }
}

/** An outcome as a short text, for the event hash. */
export function outcomeText(outcome: Outcome): string {
  if (outcome.kind === 'rows') return `rows ${outcome.rows.map(([k, v]) => `${k.length}:${v.length}`).join(' ')}`;
  if (outcome.kind === 'value') return `value ${Buffer.from(outcome.value.subarray(0, 16)).toString('hex')}`;
  return outcome.kind === 'error' ? outcome.code : outcome.kind;
}
