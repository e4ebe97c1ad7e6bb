/** Clients that share fsyncs as a check of the stage: programs until a part of the budget is spent, failures made small. */
import { cpuSeconds } from '../src/base/clock.ts';
import type { Prng } from '../src/base/prng.ts';
import type { StageContext } from '../src/report/stage.ts';
import { type GroupResult, runGroup } from './group-commits.ts';
import {
  drawGroupProgram,
  type GroupCase,
  type GroupProgram,
  parseGroupCase,
  printGroupProgram,
} from './group-program.ts';

const HASHED_PROGRAMS = 4;
const PROGRAMS_MIN = 60;
const BUDGET_PART = 0.08;
const SHRINK_CPU_SECONDS = 10;
const SHRINK_SEEDS = 3;
const CHECK = 'commits that share an fsync';

/** Runs programs; @returns whether one failed, which has been reported then */
export async function checkGroups(context: StageContext, random: Prng): Promise<boolean> {
  const end = context.elapsedSeconds() + context.budgetSeconds * BUDGET_PART;
  let cuts = 0;
  let n = 0;
  const isDue = (): boolean =>
    context.hashOnly ? n < HASHED_PROGRAMS : n < PROGRAMS_MIN || context.elapsedSeconds() < end;
  for (; isDue(); n++) {
    const program = drawGroupProgram(random);
    const seed = random.below(2 ** 31);
    const result = await runGroup(program, seed);
    cuts += result.cutsDuringSync;
    context.count('group programs');
    context.count('group cycles', result.cycles);
    context.count('group commits', result.commits);
    context.count('group cuts while an fsync was under way', result.cutsDuringSync);
    if (context.hashOnly) context.hash(JSON.stringify([program, result]));
    if (result.failure === undefined) continue;
    await report(context, { kind: 'group', seed, program }, result);
    return true;
  }
  if (!context.hashOnly)
    context.check(
      CHECK,
      cuts > 0 ? 'pass' : 'vacuous',
      `${n} programs of several clients, cut before each step, ${cuts} times while an fsync was under way`,
    );
  return false;
}

/** Runs a saved case again. */
export async function replayGroup(context: StageContext, json: unknown): Promise<void> {
  const saved = parseGroupCase(json);
  const { failure } = await runGroup(saved.program, saved.seed);
  if (failure !== undefined) await context.fail({ ...failure, ...told(saved, failure.message) });
}

function told(saved: GroupCase, message: string): { case: GroupCase; story: string[]; operations: number } {
  const story = [...printGroupProgram(saved.program), `recovery: ${message}`];
  return { case: saved, story, operations: saved.program.moves.length };
}

async function report(context: StageContext, first: GroupCase, { failure }: GroupResult): Promise<void> {
  if (failure === undefined) return;
  const cpuEnd = cpuSeconds() + SHRINK_CPU_SECONDS;
  let best = first;
  let runs = 0;
  const fails = async (program: GroupProgram): Promise<boolean> => {
    for (let seed = first.seed; seed < first.seed + SHRINK_SEEDS; seed++) {
      runs++;
      const again = await runGroup(program, seed);
      if (again.failure?.class !== failure.class) continue;
      best = { kind: 'group', seed, program };
      return true;
    }
    return false;
  };
  for (let size = Math.ceil(first.program.moves.length / 2); size >= 1 && cpuSeconds() < cpuEnd;) {
    let smaller = false;
    for (let at = best.program.moves.length - size; at >= 0 && cpuSeconds() < cpuEnd; at--) {
      const { program } = best;
      smaller = (await fails({ ...program, moves: program.moves.toSpliced(at, size) })) || smaller;
    }
    if (!smaller) size = size === 1 ? 0 : Math.ceil(size / 2);
  }
  for (const plainer of [{ failedSync: 0 }, { memtableBytes: 100_000 }, { directoryModel: 'journaled' as const }]) {
    await fails({ ...best.program, ...plainer });
  }
  const { failure: last } = await runGroup(best.program, best.seed);
  await context.fail({
    class: failure.class,
    message: last?.message ?? failure.message,
    ...told(best, last?.message ?? failure.message),
    shrink: `${runs} runs; ${first.program.moves.length} moves before`,
  });
}
