/**
 * The machine under a counterexample that is replayed: the real engine on a disk in memory. Where the counterexample stops
 * the machine inside a call, every moment of that call and every disk that a power cut can leave is tried, one run after
 * another, so that the state which the counterexample describes is among them.
 */
import { fromText } from '../src/base/bytes.ts';
import { ManualClock } from '../src/base/clock.ts';
import type { Finding } from '../src/database/verify/finding.ts';
import { verifyOpenStore } from '../src/database/verify/verify-store.ts';
import { Engine, type EngineOptions, type EngineStep } from '../src/engine/index.ts';
import { Chooser, type Question } from '../src/faults/chooser.ts';
import { FaultPlan } from '../src/faults/fault-plan.ts';
import { PowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { type FileStep, RecordingVfs } from './trace-recorder.ts';

/** All moments and disks of a program, one after another: `do { … } while (moments.next())`. */
export class Moments extends Chooser {
  private path: number[] = [];
  private readonly optionCounts: number[] = [];
  private depth = 0;
  private keptHalf = 0;
  private readonly seen = new Set<string>();

  /** One of so many; 0 is tried first. */
  pick(optionCount: number): number {
    if (this.depth === this.path.length) {
      this.path.push(0);
      this.optionCounts.push(optionCount);
    }
    return this.path[this.depth++];
  }

  /** A torn write keeps its first or its last half, a file that was growing its old or its new size: other tears say the same. */
  protected decide(question: Question, optionCount: number, index: number, total: number): number {
    if (question === 'sector') {
      if (index === 0) this.keptHalf = this.pick(2);
      return index * 2 < total === (this.keptHalf === 0) ? 1 : 0;
    }
    if (question === 'size') return this.pick(2) * (optionCount - 1);
    return this.pick(optionCount);
  }

  /** Whether a situation was met before, in another run. */
  isKnown(situation: string): boolean {
    if (this.seen.has(situation)) return true;
    this.seen.add(situation);
    return false;
  }

  /** Goes to the next run; `false` when all have been made. */
  next(): boolean {
    this.path = this.path.slice(0, this.depth);
    this.optionCounts.length = this.path.length;
    this.depth = 0;
    for (let last = this.path.length - 1; last >= 0; last--) {
      if (++this.path[last] < this.optionCounts[last]) return true;
      this.path.pop();
      this.optionCounts.pop();
    }
    return false;
  }
}

/** A disk and the engine on it, or none after a stop. */
export class ReplayMachine {
  readonly clock = new ManualClock(1);
  private readonly options: Partial<EngineOptions>;
  private readonly moments: Moments;
  private disk: SimulatedDisk;
  private vfs: RecordingVfs;
  private opened: Engine | undefined;
  private mayStop = false;
  /** Told of each change of a file, and of each step of the engine. */
  onFile: (step: FileStep) => void = () => undefined;
  onStep: (step: EngineStep, value: number) => void = () => undefined;

  /** @param faults that strike until the first power cut */
  constructor(options: Partial<EngineOptions>, moments = new Moments(), faults = new FaultPlan()) {
    this.options = options;
    this.moments = moments;
    this.disk = new SimulatedDisk({ syncCompletion: 'manual', faults });
    this.vfs = new RecordingVfs(this.disk, this.onVfs);
  }

  private readonly onVfs = (step: FileStep): void => {
    this.onFile(step);
    // A file and its first bytes appear together.
    if (step.operation !== 'create') this.stopHere();
  };

  private stopHere(): void {
    if (!this.mayStop || this.moments.pick(2) === 0) return;
    this.vfs.stop();
    throw new PowerCut(0, 'before');
  }

  /** The engine that runs. */
  get engine(): Engine {
    if (this.opened === undefined) throw new PowerCut(0, 'before');
    return this.opened;
  }

  /** Whether a process runs. */
  get isRunning(): boolean {
    return this.opened !== undefined;
  }

  /** Segments that are in the folder. */
  segments(): string[] {
    return this.disk.list('').filter((name) => name.startsWith('wal-'));
  }

  /** Makes everything that is on the disk durable: the models begin on a disk that has nothing pending. */
  settle(): void {
    this.disk.syncDirectory('');
  }

  open(): void {
    const newDatabaseId = (): Uint8Array => new Uint8Array(16).fill(7);
    const observe = (step: EngineStep, value: number): void => this.onStep(step, value);
    this.opened = Engine.open({ vfs: this.vfs, clock: this.clock, observe, newDatabaseId }, this.options);
  }

  /** Carries out a call inside which the machine may stop, or behind it. */
  untilStopped(call: () => void): void {
    this.mayStop = true;
    try {
      this.stopHere();
      call();
    } catch (error) {
      if (!this.vfs.isStopped) throw error;
    } finally {
      this.mayStop = false;
    }
  }

  completeSyncs(): void {
    this.disk.completeSyncs();
  }

  /** The process ends; what it wrote is there for the next one. */
  kill(): void {
    this.vfs.stop();
    this.opened = undefined;
    this.vfs = new RecordingVfs(this.disk, this.onVfs);
  }

  /** The power is cut. @returns whether what is left, with this knowledge, is new */
  cut(knowledge: string): boolean {
    const image = this.disk.crashImage(this.moments);
    this.disk = new SimulatedDisk({ image, syncCompletion: 'manual' });
    this.kill();
    return !this.moments.isKnown(`${knowledge} ${image.hash()}`);
  }

  /** What an examination of every file finds. */
  findings(): readonly Finding[] {
    return verifyOpenStore(this.engine, this.disk);
  }

  /** The value of a key as text, at present. */
  read(key: string): string | undefined {
    const value = this.engine.get(fromText(key));
    return value === undefined ? undefined : new TextDecoder().decode(value);
  }
}
