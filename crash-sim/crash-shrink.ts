/**
 * Makes a failing case small: operations, options, faults, and which writes survived. The class of the failure stays.
 *
 * A shorter program has other steps and other states, so each candidate is explored anew, with a fixed seed; what is
 * found in it replaces the cuts of the case.
 */
import { Prng } from '../src/base/prng.ts';
import type { Program } from '../src/contract/operations.ts';
import { shrinkProgram } from '../src/workload/shrink.ts';
import type { CrashCase, Machine } from './crash-case.ts';
import { CrashExplorer, type Effort, type FoundFailure } from './crash-explorer.ts';
import { replayCase } from './crash-replay.ts';

const EFFORT: Effort = { imagesPerStep: 10, nestedShare: 0.3, afterlifeShare: 0.3 };
const EXPLORATIONS = 2;
const RUNS_MAX = 400;

function search(program: Program, machine: Machine, wanted: string): FoundFailure | undefined {
  for (let seed = 1; seed <= EXPLORATIONS; seed++) {
    const found = new CrashExplorer(program, machine, new Prng(seed), EFFORT, { count: () => undefined }).explore();
    if (found?.class === wanted && replayCase(found.case)?.class === wanted) return found;
  }
  return undefined;
}

/** @param outOfTime asked before each try */
export async function shrinkCase(
  first: FoundFailure,
  outOfTime: () => boolean,
): Promise<{ failure: FoundFailure; how: string }> {
  let best = first;
  let runs = 0;
  const result = await shrinkProgram(
    best.case.program,
    (program) => {
      const found = search(program, best.case.machine, first.class);
      if (found !== undefined) best = found;
      return found !== undefined;
    },
    { runsMax: RUNS_MAX, outOfTime },
  );
  runs += result.runs;
  for (const machine of plainerMachines(best.case.machine)) {
    if (outOfTime()) break;
    runs++;
    const found = search(best.case.program, machine, first.class);
    if (found !== undefined) best = found;
  }
  best = shrinkChoices(best, outOfTime);
  return { failure: best, how: `${runs} explorations; ${first.case.program.operations.length} operations before` };
}

function* plainerMachines(machine: Machine): Generator<Machine> {
  if (machine.faults.length > 0) yield { ...machine, faults: [] };
  if (machine.faults.length > 1) for (const fault of machine.faults) yield { ...machine, faults: [fault] };
  if (machine.directoryModel !== 'journaled') yield { ...machine, directoryModel: 'journaled' };
}

/** Lets as many pending writes survive as the failure allows: what is lost in the story then matters. */
function shrinkChoices(failure: FoundFailure, outOfTime: () => boolean): FoundFailure {
  let best: CrashCase = failure.case;
  for (const [c, cut] of best.cuts.entries()) {
    for (let i = 0; i < cut.choices.length && !outOfTime(); i++) {
      const { choices } = best.cuts[c];
      if (choices[i] === 1) continue;
      const tried = { ...best, cuts: best.cuts.with(c, { step: cut.step, choices: choices.with(i, 1) }) };
      if (replayCase(tried)?.class === failure.class) best = tried;
    }
  }
  return { ...failure, case: best };
}
