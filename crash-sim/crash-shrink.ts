/**
 * Makes a failing case small, everything at once: operations and their order, options and values, faults and when they
 * strike, the number of cuts, and which writes survive each. The signature of the failure stays (crash-signature.ts).
 *
 * A shorter program has other steps and other states. So each candidate is first cut where the last case was, then
 * explored anew with fixed seeds; a fault that would no longer strike is aimed at the last call that it can meet.
 */
import { Prng } from '../src/base/prng.ts';
import type { Program } from '../src/contract/operations.ts';
import { FaultPlan, type PlannedFault } from '../src/faults/fault-plan.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { shrinkProgram } from '../src/workload/shrink.ts';
import { type CrashCase, type Cut, type Machine, signatureOf } from './crash-case.ts';
import { CrashExplorer, type Effort, type FoundFailure } from './crash-explorer.ts';
import { fasterFaults, plainerMachines, plainerOrders } from './crash-plainer.ts';
import { replayCase } from './crash-replay.ts';
import { keepMore } from './crash-shrink-choices.ts';
import { clientOn } from './owed.ts';

const SEEDS = 2;
const RUNS_MAX = 2000;
/** Earlier calls that a fault is aimed at when its own does not lead to the failure. */
const AIMS_MAX = 4;

/** A shrunk failure, and how it came about, in words. */
export interface ShrunkFailure {
  readonly failure: FoundFailure;
  readonly how: string;
}

/** Shrinks a found failure. @param outOfTime asked before each try */
export async function shrinkCase(first: FoundFailure, outOfTime: () => boolean): Promise<ShrunkFailure> {
  return new CrashShrinker(first, outOfTime).run();
}

class CrashShrinker {
  private best: FoundFailure;
  private readonly signature: string;
  private readonly first: FoundFailure;
  private readonly outOfTime: () => boolean;
  private runs = 0;

  constructor(first: FoundFailure, outOfTime: () => boolean) {
    this.first = first;
    this.best = first;
    this.signature = signatureOf(first);
    this.outOfTime = outOfTime;
  }

  async run(): Promise<ShrunkFailure> {
    let before: FoundFailure | undefined;
    while (before !== this.best && !this.spent()) {
      before = this.best;
      this.dropCuts();
      this.plainerMachine();
      await this.smallerProgram();
      this.plainerOrder();
    }
    const kept = keepMore(this.best.case, (tried) => !this.outOfTime() && this.fails(tried) !== undefined);
    this.best = this.fails(kept) ?? this.best;
    const operations = this.first.case.program.operations.length;
    const end = this.spent() ? '; its time was up' : '';
    return { failure: this.best, how: `${this.runs} candidates; ${operations} operations before${end}` };
  }

  private spent(): boolean {
    return this.runs >= RUNS_MAX || this.outOfTime();
  }

  /** Runs one case; what it shows when that is the same failure. */
  private fails(crashCase: CrashCase): FoundFailure | undefined {
    const failure = replayCase(crashCase);
    return failure !== undefined && signatureOf(failure) === this.signature
      ? { ...failure, case: crashCase }
      : undefined;
  }

  private take(found: FoundFailure | undefined): boolean {
    if (found !== undefined) this.best = found;
    return found !== undefined;
  }

  /** Fewer cuts in a row: any of them left out; else whatever a single cut finds. */
  private dropCuts(): void {
    for (let i = this.best.case.cuts.length - 1; i >= 0; i--) {
      const { cuts } = this.best.case;
      if (i >= cuts.length || cuts.length === 1) continue;
      this.runs++;
      this.take(this.fails({ ...this.best.case, cuts: cuts.toSpliced(i, 1) }));
    }
    if (this.best.case.cuts.length < 2) return;
    this.runs++;
    this.take(this.explore(this.best.case.program, this.best.case.machine, 1));
  }

  private plainerMachine(): void {
    for (let tries = 0, improved = true; improved && tries < 20; tries++) {
      improved = false;
      for (const machine of plainerMachines(this.best.case.machine)) {
        if (this.spent()) return;
        this.runs++;
        improved = this.take(this.search(this.best.case.program, machine));
        if (improved) break;
      }
    }
  }

  private async smallerProgram(): Promise<void> {
    await shrinkProgram(
      this.best.case.program,
      (program) => this.take(this.searchAimed(program, this.best.case.machine)),
      { runsMax: RUNS_MAX - this.runs, outOfTime: () => this.spent() },
    );
  }

  /** The steps of a transaction side by side, as far as the failure allows: what is interleaved then matters. */
  private plainerOrder(): void {
    for (const operations of plainerOrders(this.best.case.program.operations)) {
      if (this.spent()) return;
      this.runs++;
      this.take(this.searchAimed({ ...this.best.case.program, operations }, this.best.case.machine));
    }
  }

  /** With the faults as they are, and aimed at earlier calls: with operations gone their call has another number. */
  private searchAimed(program: Program, machine: Machine): FoundFailure | undefined {
    this.runs++;
    const strikes = (faults: readonly PlannedFault[]): number => {
      const disk = new SimulatedDisk({ ...machine, faults: new FaultPlan(faults) });
      clientOn(disk, program).run();
      return disk.faults.landed.length;
    };
    const found = this.search(program, machine);
    if (found !== undefined || machine.faults.length === 0) return found;
    let aims = 0;
    for (const faults of fasterFaults(machine.faults)) {
      if (aims === AIMS_MAX || this.spent()) return undefined;
      if (strikes(faults) === 0) continue;
      aims++;
      const aimed = this.search(program, { ...machine, faults });
      if (aimed !== undefined) return aimed;
    }
    return undefined;
  }

  /** The cuts of the best case where they fit; then every cut, and no more of them in a row than the best case has. */
  private search(program: Program, machine: Machine): FoundFailure | undefined {
    const { cuts } = this.best.case;
    if (cuts.length === 0) return this.fails({ format: 1, program, machine, cuts });
    return this.transplant(program, machine, cuts) ?? this.explore(program, machine, cuts.length);
  }

  private transplant(program: Program, machine: Machine, cuts: readonly Cut[]): FoundFailure | undefined {
    const [first, ...later] = cuts;
    const added = stepsOf(program, machine) - stepsOf(this.best.case.program, this.best.case.machine);
    for (const step of new Set([first.step, first.step + added])) {
      if (step < 1) continue;
      for (const choices of [first.choices, []]) {
        const found = this.fails({ format: 1, program, machine, cuts: [{ step, choices }, ...later] });
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  private explore(program: Program, machine: Machine, cutsMax: number): FoundFailure | undefined {
    const needsAfterlife = replayCase(this.best.case, { afterlife: false }) === undefined;
    const effort: Effort = {
      imagesPerStep: needsAfterlife ? 3 : 8,
      nestedShare: cutsMax > 1 ? 0.3 : 0,
      afterlifeShare: needsAfterlife ? 1 : 0,
    };
    for (let seed = 1; seed <= SEEDS && !this.outOfTime(); seed++) {
      const random = new Prng(seed);
      const found = new CrashExplorer(program, machine, random, effort, { count: () => undefined }).explore();
      if (found === undefined || found.case.cuts.length > cutsMax || signatureOf(found) !== this.signature) continue;
      const again = this.fails(found.case);
      if (again !== undefined) return again;
    }
    return undefined;
  }
}

/** Steps of a program without a cut; what it shows on the way does not matter here. */
function stepsOf(program: Program, machine: Machine): number {
  const disk = new SimulatedDisk({ ...machine, faults: new FaultPlan(machine.faults) });
  clientOn(disk, program).run();
  return disk.steps;
}
