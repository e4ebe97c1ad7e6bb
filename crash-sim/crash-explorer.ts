/**
 * Cuts the power of one program everywhere, and judges what recovery makes of every state that the cut could leave.
 *
 * The program runs once. Before each of its I/O steps (and after the last) crash states of the disk are drawn, each is
 * recovered on a disk of its own, and what comes back is judged against what the client knew at that moment. Into some
 * recoveries, and the first write after them, the power is cut again.
 *
 * A cycle is one judged recovery of a distinct (program, cut, state). Equal disks are recovered once.
 */
import type { RecoveredMap } from '../spec/executable/durable-prefix.ts';
import { monotonicMilliseconds } from '../src/base/clock.ts';
import type { Prng } from '../src/base/prng.ts';
import type { Program } from '../src/contract/operations.ts';
import type { Observer } from '../src/engine/index.ts';
import { type Chooser, RandomChooser } from '../src/faults/chooser.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { CrashCase, Cut, Machine } from './crash-case.ts';
import { PhasedFaults } from './fault-phases.ts';
import {
  type CrashFailure,
  failureOf,
  isExcusedAtRest,
  judge,
  type Knowledge,
  settled,
} from '../src/workload/crash-knowledge.ts';
import { readAll } from '../src/workload/crash-store.ts';
import { afterlife, markerCommit, openStore, type Recovery, recover, writeMarker } from './crash-judge.ts';
import type { CrashClient } from '../src/workload/crash-client.ts';
import { clientOn } from './owed.ts';

/** Cuts in a row: the first, one in the recovery from it, and one in the recovery from that. */
const CUTS_MAX = 3;

/** How hard one program is looked at. */
export interface Effort {
  readonly imagesPerStep: number;
  /** Part of the recoveries that are cut again, everywhere. */
  readonly nestedShare: number;
  /** Part of the recoveries that are used, closed, examined and opened again. */
  readonly afterlifeShare: number;
}

/** What the explorer tells its owner, where it happens. */
export interface ExplorerEvents {
  count(name: string, by?: number): void;
  /** A disk was recovered that this program had not left before, and how long that took on the wall's clock. */
  recovered?(hash: string, milliseconds: number): void;
}

/** A failure and the case that shows it. */
export interface FoundFailure extends CrashFailure {
  readonly case: CrashCase;
}

export class CrashExplorer {
  private readonly program: Program;
  private readonly machine: Machine;
  private readonly random: Prng;
  private readonly effort: Effort;
  private readonly events: ExplorerEvents;
  private readonly chooser: Chooser;
  private readonly recovered = new Map<string, Recovery>();
  private readonly judged = new Set<string>();
  private structureChanges = 0;
  private found: FoundFailure | undefined;

  constructor(program: Program, machine: Machine, random: Prng, effort: Effort, events: ExplorerEvents) {
    this.program = program;
    this.machine = machine;
    this.random = random;
    this.effort = effort;
    this.events = events;
    this.chooser = new RandomChooser(random.fork());
  }

  /** The first failure, if there is one. */
  explore(): FoundFailure | undefined {
    const faults = new PhasedFaults(this.machine.faults);
    const disk: SimulatedDisk = new SimulatedDisk({
      directoryModel: this.machine.directoryModel,
      tearBytes: this.machine.tearBytes,
      faults,
      observer: ({ number, operation }) => {
        if (operation === 'rename') this.structureChanges++;
        this.cutHere(disk, client, number);
      },
    });
    const client = clientOn(disk, this.program, {
      observe: (step) => this.observe(step),
      onOperation: (name) => {
        faults.clientDoes = name;
        this.events.count(`operation ${name}`);
      },
    });
    const failure = client.run();
    for (const { name, phase } of faults.placed) this.events.count(`fault ${name} in ${phase}`);
    if (this.found === undefined && failure !== undefined) this.found = { ...failure, case: this.caseOf([]) };
    if (this.found === undefined) this.cutHere(disk, client, disk.steps + 1);
    return this.found;
  }

  private observe(step: Parameters<Observer>[0]): void {
    if (step === 'flush' || step === 'merge' || step === 'freeze' || step === 'recover')
      this.events.count(`engine ${step}`);
  }

  private caseOf(cuts: readonly Cut[]): CrashCase {
    return { format: 1, program: this.program, machine: this.machine, cuts };
  }

  private cutHere(disk: SimulatedDisk, client: CrashClient, step: number): void {
    const states = disk.isDurable ? 1 : this.effort.imagesPerStep;
    for (let i = 0; i < states && this.found === undefined; i++) {
      const image = disk.crashImage(this.chooser);
      const cut = { step, choices: [...this.chooser.choices] };
      this.examine(image, client.knowledge(), client.signature(), [cut]);
    }
  }

  private examine(image: DiskImage, knowledge: Knowledge, signature: string, cuts: readonly Cut[]): void {
    const now = knowledge.time.nowEarliest;
    const hash = image.hash();
    const cutName = `${cuts.map((cut) => cut.step).join('.')} ${hash} ${signature}`;
    if (this.judged.has(cutName)) return;
    this.judged.add(cutName);
    const at = `${hash} ${now}`;
    let recovery = this.recovered.get(at);
    if (recovery === undefined) {
      const start = monotonicMilliseconds();
      recovery = recover(image, this.program, this.machine, now);
      this.events.recovered?.(hash, monotonicMilliseconds() - start);
      this.recovered.set(at, recovery);
      this.events.count('images');
    }
    this.events.count('cycles');
    if (cuts.length > 1) this.events.count('cycles in recovery');
    if (cuts.length > 2) this.events.count('cycles in a recovery from a cut recovery');
    this.events.count(`cycles, ${this.machine.directoryModel} names`);
    if (this.structureChanges > 2) this.events.count('cycles after a structure change');
    if ('failure' in recovery && isExcusedAtRest(recovery.error, knowledge.owed)) {
      this.events.count('damage refused at opening');
      return;
    }
    const failure =
      'failure' in recovery
        ? recovery.failure
        : judge(knowledge, recovery.rows, () => this.events.count('unknown verdicts'));
    if (failure !== undefined) {
      this.found ??= { ...failure, case: this.caseOf(cuts) };
      return;
    }
    const nested = cuts.length < CUTS_MAX && this.random.chance(this.effort.nestedShare / cuts.length);
    if (nested) this.cutAgain(image, knowledge, cuts);
    if ('rows' in recovery && this.random.chance(this.effort.afterlifeShare)) {
      this.liveOn(image, recovery.rows, knowledge, cuts);
    }
  }

  /** Recovers once more and cuts the power before each step of the recovery and of the first write after it. */
  private cutAgain(image: DiskImage, knowledge: Knowledge, cuts: readonly Cut[]): void {
    let known = knowledge;
    let phase = 'o';
    const look = (disk: SimulatedDisk, step: number): void => {
      const states = disk.isDurable ? 1 : this.effort.imagesPerStep;
      for (let i = 0; i < states && this.found === undefined; i++) {
        const again = disk.crashImage(this.chooser);
        const cut = { step, choices: [...this.chooser.choices] };
        this.examine(again, known, phase + known.commits.length, [...cuts, cut]);
      }
    };
    const { directoryModel, tearBytes } = this.machine;
    const disk: SimulatedDisk = new SimulatedDisk({
      image: image.clone(),
      directoryModel,
      tearBytes,
      observer: ({ number }) => look(disk, number),
    });
    try {
      const store = openStore(disk, this.program, knowledge.time.nowEarliest);
      known = settled(knowledge, readAll(store.engine));
      phase = 'w';
      const marker = markerCommit();
      known = { ...known, commits: [...known.commits, marker] };
      writeMarker(store);
      marker.fate = 'synced';
    } catch (error) {
      // Only damage excuses a store that opened before and does not now, or does not take a write.
      if (!isExcusedAtRest(error, knowledge.owed)) this.found ??= { ...failureOf(error), case: this.caseOf(cuts) };
      return;
    }
    phase = 'a';
    look(disk, disk.steps + 1);
  }

  /** The points that are judged when the store goes on living (crash-judge.ts). */
  private liveOn(image: DiskImage, rows: RecoveredMap, knowledge: Knowledge, cuts: readonly Cut[]): void {
    const failure = afterlife(image, this.program, this.machine, rows, knowledge);
    this.events.count('stores used after recovery');
    if (failure !== undefined) this.found ??= { ...failure, case: this.caseOf(cuts) };
  }
}
