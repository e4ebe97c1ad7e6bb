/**
 * The small scope, whole (bounded black-box crash testing, B3 and ACE, OSDI 2018): every program of up to n operations
 * out of {@link ALPHABET} over two keys, cut before every I/O step, and every state that each cut can leave.
 *
 * A cut inside an operation that is not the last falls on the same disk, with the same knowledge, as a cut inside the
 * last operation of the shorter program, so it is judged there. That, and equal disks recovered once, are all that is
 * left out. Nothing is drawn: the numbers of programs and of states are checked against formulas.
 */
import type { RecoveredMap } from '../spec/executable/durable-prefix.ts';
import type { Operation, Program } from '../src/contract/operations.ts';
import { EnumeratingChooser } from '../src/faults/chooser.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import type { DirectoryModel } from '../src/faults/names.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { CrashCase, Cut, Machine } from './crash-case.ts';
import { type CrashFailure, judge, type Knowledge } from '../src/workload/crash-knowledge.ts';
import { openEngine } from '../src/workload/crash-store.ts';
import type { ExplorerEvents, FoundFailure } from './crash-explorer.ts';
import { afterlife, RECOVERIES_DIFFER, type Recovery, recover, sameRows } from './crash-judge.ts';
import type { CrashClient } from '../src/workload/crash-client.ts';
import { clientOn } from './owed.ts';

/** What one operation can be. */
export const ALPHABET = ['put a', 'put b', 'delete a', 'delete b', 'batch', 'flush', 'merge', 'reopen'] as const;
type Letter = (typeof ALPHABET)[number];

const KEYS = { a: '61', b: '62' } as const;
const OPTIONS = { memtableBytes: 100_000, blockSizeBytes: 512, nodeTargetBytes: 512, runBlockBytes: 64 } as const;
/** A cut with more states than this would make the scope not whole; it is an error, never left out. */
const STATES_PER_CUT_MAX = 1_000_000;

/** How many programs have at most `length` operations: the sum of 8^i. */
export function programCount(length: number): number {
  return (ALPHABET.length ** (length + 1) - 1) / (ALPHABET.length - 1);
}

/** All of them, shortest first. @param valueBytes length of their values; beyond a sector their records tear */
export function* smallPrograms(length: number, valueBytes = 1): Generator<Program> {
  for (let count = 0; count <= length; count++) {
    for (let index = 0; index < ALPHABET.length ** count; index++) {
      const letters: Letter[] = [];
      for (let rest = index, n = 0; n < count; n++) {
        letters.push(ALPHABET[rest % ALPHABET.length]);
        rest = Math.floor(rest / ALPHABET.length);
      }
      yield { format: 1, options: OPTIONS, operations: letters.map((letter, n) => operationOf(letter, n, valueBytes)) };
    }
  }
}

/** Values are unique in their program, so that a read names its writer. */
function operationOf(letter: Letter, position: number, length: number): Operation {
  const value = (name: number) => ({ repeat: (position * 16 + name).toString(16).padStart(2, '0'), length });
  switch (letter) {
    case 'put a':
      return { kind: 'put', key: KEYS.a, value: value(0) };
    case 'put b':
      return { kind: 'put', key: KEYS.b, value: value(0) };
    case 'delete a':
      return { kind: 'delete', key: KEYS.a };
    case 'delete b':
      return { kind: 'delete', key: KEYS.b };
    case 'batch':
      return {
        kind: 'batch',
        operations: [
          { kind: 'put', key: KEYS.a, value: value(1) },
          { kind: 'put', key: KEYS.b, value: value(2) },
        ],
      };
    case 'flush':
    case 'merge':
    case 'reopen':
      return { kind: letter };
  }
}

/** What a whole scope came to. */
export interface ScopeResult {
  readonly programs: number;
  readonly cuts: number;
  /** Lists of answers walked, and what the formula says there are. */
  readonly states: number;
  readonly statesByFormula: number;
  readonly images: number;
  /** Recoveries of recoveries that were cut, each at every step, in every state; distinct by (disk, disk). */
  readonly statesInRecovery: number;
  readonly failure: FoundFailure | undefined;
  /** False when it was stopped. */
  readonly complete: boolean;
}

/** Walks every program of the scope under one directory model. */
export class SmallScope {
  private readonly machine: Machine;
  private readonly events: ExplorerEvents;
  private readonly recovered = new Map<string, Recovery>();
  private readonly examined = new Set<string>();
  private programs = 0;
  private cuts = 0;
  private states = 0;
  private statesByFormula = 0;
  private statesInRecovery = 0;
  private failure: FoundFailure | undefined;

  constructor(directoryModel: DirectoryModel, events: ExplorerEvents) {
    this.machine = { directoryModel, tearBytes: 512, faults: [] };
    this.events = events;
  }

  /** @param valueBytes length of values @param stop asked before each program */
  explore(length: number, valueBytes: number, stop: () => boolean): ScopeResult {
    let complete = true;
    for (const program of smallPrograms(length, valueBytes)) {
      if (stop()) {
        complete = false;
        break;
      }
      this.program(program);
      if (this.failure !== undefined) break;
    }
    const { programs, cuts, states, statesByFormula, statesInRecovery, failure } = this;
    const images = this.recovered.size;
    return { programs, cuts, states, statesByFormula, images, statesInRecovery, failure, complete };
  }

  private program(program: Program): void {
    this.programs++;
    const disk: SimulatedDisk = new SimulatedDisk({
      directoryModel: this.machine.directoryModel,
      tearBytes: this.machine.tearBytes,
      observer: ({ number }) => {
        if (client.operationsBegun === program.operations.length) this.cut(program, disk, client, number);
      },
    });
    const client = clientOn(disk, program);
    const failure = client.run();
    if (failure !== undefined) this.fail(failure, program, []);
    this.cut(program, disk, client, disk.steps + 1);
  }

  private cut(program: Program, disk: SimulatedDisk, client: CrashClient, step: number): void {
    if (this.failure !== undefined) return;
    this.cuts++;
    const expected = disk.crashStateCount();
    this.statesByFormula += expected;
    if (expected > STATES_PER_CUT_MAX) {
      this.fail({ class: 'scope-too-large', message: `${expected} states at one cut` }, program, []);
      return;
    }
    const knowledge = client.knowledge();
    const judged = new Set<string>();
    const chooser = new EnumeratingChooser();
    do {
      const image = disk.crashImage(chooser);
      this.states++;
      const hash = image.hash();
      if (judged.has(hash)) continue;
      judged.add(hash);
      this.events.count('cycles');
      const cut = { step, choices: [...chooser.choices] };
      const recovery = this.recovery(image, hash, program);
      const failure = 'failure' in recovery ? recovery.failure : judge(knowledge, recovery.rows);
      if (failure !== undefined) this.fail(failure, program, [cut]);
      else if ('rows' in recovery && !this.examined.has(hash)) {
        this.examined.add(hash);
        this.examine(image, program, recovery.rows, cut, knowledge);
      }
    } while (this.failure === undefined && chooser.next());
  }

  private recovery(image: DiskImage, hash: string, program: Program): Recovery {
    let recovery = this.recovered.get(hash);
    if (recovery === undefined) {
      recovery = recover(image, program, this.machine);
      this.recovered.set(hash, recovery);
    }
    return recovery;
  }

  /** Once for each disk: the life after its recovery, and that recovery cut before each step, in every state. */
  private examine(image: DiskImage, program: Program, rows: RecoveredMap, cut: Cut, knowledge: Knowledge): void {
    const problem = afterlife(image, program, this.machine, rows, knowledge);
    if (problem !== undefined) this.fail(problem, program, [cut]);
    const look = (disk: SimulatedDisk, step: number): void => {
      const chooser = new EnumeratingChooser();
      do {
        if (this.failure !== undefined) return;
        const again = disk.crashImage(chooser);
        this.statesInRecovery++;
        this.events.count('cycles in recovery');
        const recovery = this.recovery(again, again.hash(), program);
        const cuts = [cut, { step, choices: [...chooser.choices] }];
        if ('failure' in recovery) this.fail(recovery.failure, program, cuts);
        else if (!sameRows(rows, recovery.rows)) this.fail(RECOVERIES_DIFFER, program, cuts);
      } while (chooser.next());
    };
    const disk: SimulatedDisk = new SimulatedDisk({
      image: image.clone(),
      directoryModel: this.machine.directoryModel,
      tearBytes: this.machine.tearBytes,
      observer: ({ number }) => look(disk, number),
    });
    openEngine(disk, program, () => undefined);
    look(disk, disk.steps + 1);
  }

  private fail(failure: CrashFailure, program: Program, cuts: readonly Cut[]): void {
    const crashCase: CrashCase = { format: 1, program, machine: this.machine, cuts };
    this.failure ??= { ...failure, case: crashCase };
  }
}
