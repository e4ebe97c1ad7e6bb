/** Generated programs as the stage runs them: each on a machine of its own, cut everywhere, its events counted. */
import { Prng } from '../src/base/prng.ts';
import type { StageContext } from '../src/report/stage.ts';
import { generateCrashProgram } from '../src/workload/crash-programs.ts';
import { CrashExplorer, type Effort, type FoundFailure } from './crash-explorer.ts';
import { generateMachine } from './crash-machines.ts';

const EFFORT: Effort = { imagesPerStep: 2, nestedShare: 0.01, afterlifeShare: 0.1 };
/** The first ones are short, so that what they find is a short story before anybody shrinks it. */
const SHORT_PROGRAMS = 100;
const SHORT_PROGRAM_OPERATIONS_MAX = 6;

/** Generated programs, one after another; the seed of the stage decides them. */
export class CrashPrograms {
  readonly random: Prng;
  /** Recoveries that were judged. */
  cycles = 0;
  private readonly context: StageContext;
  private count = 0;

  constructor(context: StageContext) {
    this.context = context;
    this.random = new Prng(context.seed);
  }

  /** Runs them while `isDue` of the number of those that were run; returns the first failure. */
  run(isDue: (count: number) => boolean): FoundFailure | undefined {
    const { context, random } = this;
    for (; isDue(this.count); this.count++) {
      const program = generateCrashProgram(
        random,
        this.count < SHORT_PROGRAMS ? SHORT_PROGRAM_OPERATIONS_MAX : undefined,
      );
      const machine = generateMachine(random);
      const events = { count: (name: string, by = 1): void => this.note(name, by) };
      const failure = new CrashExplorer(program, machine, random.fork(), EFFORT, events).explore();
      context.count('programs');
      if (context.hashOnly) context.hash(JSON.stringify({ program, machine, failure: failure?.class ?? '' }));
      if (this.count % 50 === 0)
        context.progress(`${this.cycles} cycles`, context.elapsedSeconds(), context.budgetSeconds);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  private note(name: string, by: number): void {
    const { context } = this;
    context.count(name, by);
    if (name === 'cycles') this.cycles += by;
    if (context.hashOnly) context.hash(name);
  }
}
