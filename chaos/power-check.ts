/** Power cuts of a real file system as a check of the stage, and as calibration of the simulated disk. */
import { join } from 'node:path';
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { toProgram } from '../src/contract/program-json.ts';
import type { Program } from '../src/contract/operations.ts';
import { removeTree } from '../src/report/files.ts';
import type { StageContext } from '../src/report/stage.ts';
import type { CrashFailure } from '../src/workload/crash-knowledge.ts';
import { generateCrashProgram } from '../src/workload/crash-programs.ts';
import { printProgram } from '../src/workload/print.ts';
import { callsOf } from './call-judge.ts';
import type { CallFault } from './call-vfs.ts';
import { askChild } from './child.ts';
import { namespaceForLoopDevice } from './namespaces.ts';
import type { PowerCase, PowerReport, PowerRequest } from './power-child.ts';
import { commandWorks, makeFolder, mountsBelow } from './real-files.ts';

const CHECK = 'power cut of ext4';
const MODEL = 'the simulated disk allows what ext4 left';
const CONTROL = 'control:power-cut-never-syncs';
const CHILD_SECONDS_MAX = 1800;

/** The case of a failure of this check. */
export const powerCaseSchema = z.object({
  check: z.literal('power'),
  program: z.unknown(),
  call: z.number().int().positive(),
});

/** Cuts by what there is to spend; each takes about a quarter of a second. */
function cutCount(budgetSeconds: number): number {
  if (budgetSeconds >= 600) return 400;
  return budgetSeconds >= 60 ? 40 : 3;
}

function missing(): string | undefined {
  const namespace = namespaceForLoopDevice();
  if ('unknown' in namespace) return namespace.unknown;
  if (!commandWorks('python3', '-c', 'import fcntl')) return 'python3, which asks ext4 to shut down, is not there';
  return undefined;
}

async function runCuts(context: StageContext, cases: readonly PowerCase[], fault?: CallFault): Promise<PowerReport> {
  const namespace = namespaceForLoopDevice();
  if ('unknown' in namespace) return { unknown: namespace.unknown, results: [] };
  const directory = join(context.workDirectory, 'power');
  removeTree(directory);
  makeFolder(directory);
  const request: PowerRequest = { directory, cases, ...(fault === undefined ? {} : { fault }) };
  const child = { program: 'power-child', request, prefix: namespace.prefix };
  const { report, end, timedOut } = await askChild<PowerReport>(child, CHILD_SECONDS_MAX);
  if (mountsBelow(directory) > 0) throw new LightningError('LIGHTNING_HARNESS', 'a mount is left', { directory });
  removeTree(directory);
  if (report !== undefined) return report;
  throw new LightningError('LIGHTNING_HARNESS', `the check ${CHECK}: the child said nothing`, {
    log: end.log,
    timedOut,
  });
}

function storyOf({ program, call }: PowerCase, failure: CrashFailure): string[] {
  return [
    ...printProgram(program),
    `ext4 is shut down before call ${call} of those that change files; unmount and mount again`,
    `open: ${failure.message}`,
  ];
}

async function report(context: StageContext, { program, call }: PowerCase, failure: CrashFailure): Promise<void> {
  await context.fail({
    ...failure,
    case: { check: 'power', program, call },
    story: storyOf({ program, call }, failure),
    operations: program.operations.length,
  });
}

/** A store whose fsyncs do nothing must lose what it acknowledged. */
async function runControl(context: StageContext): Promise<void> {
  const put = (key: string) => ({ kind: 'put', key, value: '01' }) as const;
  const program: Program = { format: 1, options: {}, operations: [put('61'), put('62'), put('63')] };
  const { results } = await runCuts(context, [{ program, call: callsOf(program) }], 'never-syncs');
  const failure = results.at(0)?.failure;
  const isCaught = failure?.class === 'lost-acknowledged-write';
  const detail = isCaught ? `found as ${failure.class}: ${failure.message}` : 'it lost nothing, so the cut is none';
  context.check(CONTROL, isCaught ? 'pass' : 'vacuous', detail);
}

/** The check: its control, then cuts. Without root, loop devices or python3 it is unknown, and says why. */
export async function runPowerCheck(context: StageContext): Promise<void> {
  const reason = context.outOfBudget() ? 'the budget ended before it began' : missing();
  if (reason !== undefined) {
    for (const name of [CHECK, MODEL, CONTROL]) context.check(name, 'unknown', reason);
    return;
  }
  const start = context.elapsedSeconds();
  await runControl(context);
  const prng = new Prng(context.seed);
  const cases = Array.from({ length: cutCount(context.budgetSeconds) }, (): PowerCase => {
    const program = generateCrashProgram(prng);
    return { program, call: prng.between(1, callsOf(program)) };
  });
  const { unknown, results } = await runCuts(context, cases);
  if (unknown !== undefined) {
    for (const name of [CHECK, MODEL]) context.check(name, 'unknown', unknown);
    return;
  }
  context.figure('power cut of ext4 check', context.elapsedSeconds() - start, 's');
  context.count('power cuts of a real file system', results.length);
  for (const { index, failure } of results) {
    if (failure === undefined) continue;
    context.check(CHECK, 'fail', failure.message);
    await report(context, cases[index], failure);
    return;
  }
  context.check(
    CHECK,
    'pass',
    `${results.length} times shut down in the middle of a program; nothing that was acknowledged as durable was lost`,
  );
  const outside = results.filter(({ allowed }) => allowed === 'no');
  const listed = results.filter(({ allowed }) => allowed === 'yes').length;
  context.count('real states that the simulated disk allows', listed);
  if (outside.length > 0) {
    const { program, call } = cases[outside[0].index];
    const detail = `${outside.length} of ${results.length} are none of its states; the first before call ${call} of ${JSON.stringify(program)}`;
    context.check(MODEL, 'vacuous', detail);
    return;
  }
  const many = results.length - listed;
  const more = many === 0 ? '' : `; ${many} more where it allows too many to list`;
  context.check(
    MODEL,
    listed > 0 ? 'pass' : 'unknown',
    `${listed} states that ext4 left are among those of the model ext4${more}`,
  );
}

/** Runs a saved case again. @throws LightningError `LIGHTNING_UNSUPPORTED_FORMAT` */
export async function replayPower(context: StageContext, saved: z.infer<typeof powerCaseSchema>): Promise<void> {
  const reason = missing();
  const one = { program: toProgram(saved.program), call: saved.call };
  const { unknown, results } = reason === undefined ? await runCuts(context, [one]) : { unknown: reason, results: [] };
  if (unknown !== undefined) context.check(CHECK, 'unknown', unknown);
  const failure = results.at(0)?.failure;
  if (failure !== undefined) await report(context, one, failure);
}
