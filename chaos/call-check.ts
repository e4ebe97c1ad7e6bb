/**
 * Kills at chosen system calls: programs of the crash campaigns on real directories, in processes that are killed at a
 * call that is chosen before, and some again in the recovery from it. The same judge as for power cuts looks at what
 * another process then finds; and what lies there is held against the simulated disk, byte by byte.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import type { Program } from '../src/contract/operations.ts';
import { toProgram } from '../src/contract/program-json.ts';
import { removeTree } from '../src/report/files.ts';
import type { StageContext } from '../src/report/stage.ts';
import type { CrashFailure } from '../src/workload/crash-knowledge.ts';
import { generateCrashProgram } from '../src/workload/crash-programs.ts';
import { printProgram } from '../src/workload/print.ts';
import { shrinkProgram } from '../src/workload/shrink.ts';
import type { CallMessage, CallRequest, CallStore } from './call-child.ts';
import { callsOf } from './call-judge.ts';
import type { CallFault, StopMoment } from './call-vfs.ts';
import { Child, type ChildEnd } from './child.ts';
import { makeFolder } from './real-files.ts';

const CHECK = 'kill at chosen calls';
/** Stores of one process: its start costs more than all of them. */
const STORES_PER_PROCESS = 16;
/** Share of the stage's budget, and the least and most that is done whatever the budget is. */
const BUDGET_SHARE = 0.2;
/** The same where there is time for thousands. */
const LARGE_BUDGET_SECONDS = 60;
const LARGE_BUDGET_SHARE = 0.5;
const CYCLES_MIN = 16;
const CYCLES_MAX = 20_000;
const RECOVERY_CALLS_MAX = 24;
const CHILD_SECONDS_MAX = 120;
const SHRINK_RUNS_MAX = 24;
const SHRINK_SECONDS = 15;

/** One cycle; plain JSON. */
export interface CallCase {
  readonly check: 'calls';
  readonly program: Program;
  readonly call: number;
  readonly moment: StopMoment;
  /** The call of its recovery at which the next process is killed. */
  readonly recoveryCall?: number;
}

/** The case of a failure of this check. */
export const callCaseSchema = z.object({
  check: z.literal('calls'),
  program: z.unknown(),
  call: z.number().int().positive(),
  moment: z.enum(['before', 'half']),
  recoveryCall: z.number().int().positive().optional(),
});

interface Cycle {
  readonly failure: CrashFailure | undefined;
  readonly difference: string;
  readonly isCompared: boolean;
}

/** Runs one process over stores, and listens; `killed` when SIGKILL ended it. */
async function runProcess(
  request: CallRequest,
  onMessage: (message: CallMessage) => void,
): Promise<ChildEnd & { readonly killed: boolean }> {
  const child = new Child<CallMessage>({ program: 'call-child', request, onMessage });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill();
  }, CHILD_SECONDS_MAX * 1000);
  const end = await child.ended;
  clearTimeout(timer);
  const killed = end.signal === 'SIGKILL';
  if (timedOut || (!killed && end.code !== 0)) {
    throw new LightningError('LIGHTNING_HARNESS', `a process of the check ${CHECK} did not do its work`, {
      log: end.log,
    });
  }
  return { ...end, killed };
}

/** Runs a batch of cycles; the kills that there were are counted by `onKill`. */
async function runBatch(
  cases: readonly CallCase[],
  folder: string,
  onKill: () => void,
  fault?: CallFault,
): Promise<Cycle[]> {
  removeTree(folder);
  const cheats = fault === undefined ? {} : { fault };
  let stores = cases.map(({ program, call, moment }, index): CallStore => {
    const directory = join(folder, String(index));
    makeFolder(directory);
    return { directory, program, call, moment, knowledge: '', isUntouched: true };
  });
  const failures = new Map<number, CrashFailure>();
  const run = async (task: 'run' | 'recover', indexes: readonly number[]): Promise<void> => {
    if (indexes.length === 0) return;
    const request = { task, stores: indexes.map((index) => stores[index]), ...cheats };
    const end = await runProcess(request, (message) => {
      if (message.kind !== 'stopped' && message.kind !== 'ended') return;
      const index = indexes[message.index];
      stores = stores.with(index, { ...stores[index], knowledge: message.knowledge });
      if (message.kind === 'ended' && message.failure !== undefined) failures.set(index, message.failure);
    });
    if (end.killed) onKill();
  };
  await run('run', [...stores.keys()]);
  const again = [...cases.entries()].flatMap(([index, { recoveryCall }]) =>
    recoveryCall === undefined || stores[index].knowledge === '' ? [] : [{ index, recoveryCall }],
  );
  for (const { index, recoveryCall } of again) {
    stores = stores.with(index, { ...stores[index], call: recoveryCall, moment: 'before', isUntouched: false });
  }
  await run(
    'recover',
    again.map(({ index }) => index),
  );
  const silent = stores.findIndex(({ knowledge }) => knowledge === '');
  if (silent >= 0) throw new LightningError('LIGHTNING_HARNESS', `store ${silent} was not run`);
  const judged: Cycle[] = [];
  await runProcess({ task: 'judge', stores }, (message) => {
    if (message.kind !== 'judged') return;
    const { index, failure, difference, isCompared } = message;
    judged[index] = { failure: failures.get(index) ?? failure, difference, isCompared };
  });
  if (judged.filter(Boolean).length !== cases.length)
    throw new LightningError('LIGHTNING_HARNESS', 'not all was judged');
  removeTree(folder);
  return judged;
}

function drawCase(prng: Prng): CallCase {
  const program = generateCrashProgram(prng);
  const call = prng.between(1, callsOf(program));
  const moment = prng.chance(0.2) ? 'half' : 'before';
  const again = prng.chance(0.3) ? { recoveryCall: prng.between(1, RECOVERY_CALLS_MAX) } : {};
  return { check: 'calls', program, call, moment, ...again };
}

function storyOf({ program, call, moment, recoveryCall }: CallCase, failure: CrashFailure): string[] {
  const where = moment === 'half' ? `in the middle of call ${call}` : `before call ${call}`;
  return [
    ...printProgram(program),
    `SIGKILL ${where} of those that change files`,
    ...(recoveryCall === undefined ? [] : [`open again; SIGKILL before call ${recoveryCall} of the recovery`]),
    `open in another process: ${failure.message}`,
  ];
}

async function reportFailure(context: StageContext, found: CallCase, failure: CrashFailure): Promise<void> {
  context.check(CHECK, 'fail', failure.message);
  let best = { crashCase: found, failure };
  const folder = join(context.workDirectory, 'calls-shrink');
  const end = context.elapsedSeconds() + SHRINK_SECONDS;
  const distance = callsOf(found.program) - found.call;
  await shrinkProgram(
    found.program,
    async (program) => {
      const call = callsOf(program) - distance;
      if (call < 1) return false;
      const crashCase = { ...found, program, call };
      const [cycle] = await runBatch([crashCase], folder, () => undefined);
      if (cycle.failure?.class !== failure.class) return false;
      best = { crashCase, failure: cycle.failure };
      return true;
    },
    { runsMax: SHRINK_RUNS_MAX, outOfTime: () => context.elapsedSeconds() > end },
  );
  await context.fail({
    ...best.failure,
    case: best.crashCase,
    story: storyOf(best.crashCase, best.failure),
    operations: best.crashCase.program.operations.length,
  });
}

/** A store that keeps acknowledged writes in the process must be found by the same check. */
async function runControl(context: StageContext): Promise<void> {
  const put = (key: string) => ({ kind: 'put', key, value: '01' }) as const;
  const program: Program = {
    format: 1,
    options: { durability: 'none' },
    operations: [put('61'), put('62'), put('63')],
  };
  const crashCase: CallCase = { check: 'calls', program, call: callsOf(program), moment: 'before' };
  const [{ failure, difference }] = await runBatch(
    [crashCase],
    join(context.workDirectory, 'calls-control'),
    () => undefined,
    'holds-writes',
  );
  const isCaught = failure?.class === 'lost-acknowledged-write' && difference !== '';
  const detail = isCaught
    ? `found as ${failure.class}: ${failure.message}; ${difference}`
    : `not found as lost-acknowledged-write; ${failure?.class ?? 'nothing was found'}; ${difference}`;
  context.check('control:kill-holds-writes', isCaught ? 'pass' : 'vacuous', detail);
}

/** The check: its control, then cycles as its share of the budget allows. */
export async function runCallCheck(context: StageContext): Promise<void> {
  await runControl(context);
  const prng = new Prng(context.seed);
  const start = context.elapsedSeconds();
  let cycles = 0;
  let kills = 0;
  let compared = 0;
  let differing = '';
  const { budgetSeconds } = context;
  const seconds = budgetSeconds * (budgetSeconds < LARGE_BUDGET_SECONDS ? BUDGET_SHARE : LARGE_BUDGET_SHARE);
  const isEnough = (): boolean =>
    cycles >= CYCLES_MAX || (cycles >= CYCLES_MIN && context.elapsedSeconds() - start > seconds);
  while (!isEnough() && !context.outOfBudget()) {
    const cases = Array.from({ length: STORES_PER_PROCESS }, () => drawCase(prng));
    const results = await runBatch(cases, join(context.workDirectory, 'calls'), () => {
      kills++;
      context.count('SIGKILLs at chosen calls');
    });
    for (const [index, { failure, difference, isCompared }] of results.entries()) {
      if (failure !== undefined) return reportFailure(context, cases[index], failure);
      cycles++;
      context.count('stores recovered after a kill at a chosen call');
      if (cases[index].recoveryCall !== undefined) context.count('stores killed again in recovery');
      if (isCompared) compared++;
      if (difference !== '') differing = `before call ${cases[index].call}: ${difference}`;
    }
    context.progress(CHECK, cycles);
  }
  context.figure('kill at chosen calls check', context.elapsedSeconds() - start, 's');
  const model = 'the simulated disk shows what a process sees';
  if (differing !== '') context.check(model, 'vacuous', differing);
  else context.check(model, compared > 0 ? 'pass' : 'unknown', `${compared} stores, byte by byte as simulated`);
  const detail = `${cycles} stores, each left at a call of its own by ${kills} processes that were killed, opened and judged by others. A kill loses nothing that the operating system has, so this shows recovery and atomicity, not durability: that is shown by the stage of power cuts`;
  context.check(CHECK, cycles >= CYCLES_MIN ? 'pass' : 'unknown', detail);
}

/** Runs a saved case again. @throws LightningError `LIGHTNING_UNSUPPORTED_FORMAT` */
export async function replayCall(context: StageContext, saved: z.infer<typeof callCaseSchema>): Promise<void> {
  const { call, moment, recoveryCall } = saved;
  const again = recoveryCall === undefined ? {} : { recoveryCall };
  const crashCase: CallCase = { check: 'calls', program: toProgram(saved.program), call, moment, ...again };
  const [{ failure }] = await runBatch([crashCase], join(context.workDirectory, 'calls'), () =>
    context.count('SIGKILLs at chosen calls'),
  );
  if (failure === undefined) return;
  await context.fail({
    ...failure,
    case: crashCase,
    story: storyOf(crashCase, failure),
    operations: crashCase.program.operations.length,
  });
}
