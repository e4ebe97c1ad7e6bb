/**
 * Makes a failing program small while it keeps failing in the same way: ranges of operations are deleted (delta
 * debugging, Zeller and Hildebrandt 2002), then keys, values, ranges and options are made plain, and again from the
 * start until nothing more can go. Deterministic: no randomness, no clock.
 */
import type { Operation, Program } from '../contract/operations.ts';
import { plainerKeys, plainerOperations, plainerOptions } from './plainer.ts';

/** Whether a smaller program still fails with the class of the first failure. */
export type StillFails = (program: Program) => Promise<boolean> | boolean;

/** When to stop. */
export interface ShrinkBudget {
  /** The most programs tried. */
  readonly runsMax: number;
  /** Asked before each try; for a limit in time that the caller measures. */
  readonly outOfTime?: () => boolean;
}

/** A shrunk program, and how it was reached. */
export interface ShrinkResult {
  readonly program: Program;
  readonly runs: number;
  /** False when the budget ended before nothing more could go. */
  readonly minimal: boolean;
}

/** Drops operations on snapshots and transactions that the program has not opened, or has ended. */
export function withoutDangling(operations: readonly Operation[]): readonly Operation[] {
  const open = new Set<string>();
  return operations.filter((operation) => {
    if (operation.kind === 'reopen' || operation.kind === 'crash') open.clear();
    if (!('snapshot' in operation) && !('transaction' in operation)) return true;
    const name = 'snapshot' in operation ? `s${operation.snapshot}` : `t${operation.transaction}`;
    if (operation.kind === 'openSnapshot' || operation.kind === 'begin') {
      open.add(name);
      return true;
    }
    const live = open.has(name);
    if (['releaseSnapshot', 'commit', 'abort'].includes(operation.kind)) open.delete(name);
    return live;
  });
}

/**
 * Shrinks a program that fails. `stillFails` is never asked about the given program itself.
 * @param stillFails must run each program from nothing and compare the class of the failure
 */
export async function shrinkProgram(
  program: Program,
  stillFails: StillFails,
  budget: ShrinkBudget,
): Promise<ShrinkResult> {
  return new Shrinker(program, stillFails, budget).shrink();
}

class Shrinker {
  private best: Program;
  private readonly stillFails: StillFails;
  private readonly budget: ShrinkBudget;
  /** A program whose point is a dangling identifier must be allowed to keep it. */
  private readonly repairs: boolean;
  private readonly tried = new Set<string>();
  private runs = 0;

  constructor(program: Program, stillFails: StillFails, budget: ShrinkBudget) {
    this.best = program;
    this.stillFails = stillFails;
    this.budget = budget;
    this.repairs = withoutDangling(program.operations).length === program.operations.length;
  }

  async shrink(): Promise<ShrinkResult> {
    let before: Program | undefined;
    while (before !== this.best && !this.spent()) {
      before = this.best;
      await this.cutTail();
      await this.deleteRanges();
      await this.makePlainer();
    }
    return { program: this.best, runs: this.runs, minimal: !this.spent() };
  }

  private spent(): boolean {
    return this.runs >= this.budget.runsMax || this.budget.outOfTime?.() === true;
  }

  /** Tries a candidate and keeps it when it still fails. */
  private async accepts(candidate: Program): Promise<boolean> {
    const operations = this.repairs ? withoutDangling(candidate.operations) : candidate.operations;
    const repaired: Program = { ...candidate, operations };
    const text = JSON.stringify(repaired);
    if (this.spent() || this.tried.has(text) || text === JSON.stringify(this.best)) return false;
    this.tried.add(text);
    this.runs++;
    if (!(await this.stillFails(repaired))) return false;
    this.best = repaired;
    return true;
  }

  private withOperations(operations: readonly Operation[]): Program {
    return { ...this.best, operations };
  }

  /** Most failures need nothing after a point: halves off the end first. */
  private async cutTail(): Promise<void> {
    let step = Math.ceil(this.best.operations.length / 2);
    while (step >= 1 && !this.spent()) {
      const { operations } = this.best;
      const shorter = await this.accepts(this.withOperations(operations.slice(0, operations.length - step)));
      if (!shorter) step = step === 1 ? 0 : Math.ceil(step / 2);
      else step = Math.min(step, this.best.operations.length);
    }
  }

  private async deleteRanges(): Promise<void> {
    for (
      let size = Math.ceil(this.best.operations.length / 2);
      size >= 1;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    ) {
      let at = 0;
      while (at < this.best.operations.length && !this.spent()) {
        const { operations } = this.best;
        const shorter = this.withOperations([...operations.slice(0, at), ...operations.slice(at + size)]);
        if (!(await this.accepts(shorter))) at += size;
      }
    }
  }

  private async makePlainer(): Promise<void> {
    for (const options of plainerOptions(this.best.options)) {
      await this.accepts({ ...this.best, options: options(this.best.options) });
    }
    for (const rename of plainerKeys(this.best.operations)) {
      await this.accepts(this.withOperations(rename(this.best.operations)));
    }
    for (let at = 0; at < this.best.operations.length && !this.spent(); at++) {
      let improved = true;
      while (improved && !this.spent() && at < this.best.operations.length) {
        improved = false;
        for (const operation of plainerOperations(this.best.operations[at])) {
          improved = await this.accepts(this.withOperations(this.best.operations.with(at, operation)));
          if (improved) break;
        }
      }
    }
  }
}
