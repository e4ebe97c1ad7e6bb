/**
 * The soak stage, in short: programs that leave everything as it was are repeated in a watched process, and nothing may
 * grow. Two programs are drawn, one of which closes and opens the store again and again; a third run has leaks of exactly
 * their budgets planted beside the engine, and they must be found.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { type StageContext, stageMain } from '../src/report/stage.ts';
import { growing, probe, type ProbeResult } from './leak-probe.ts';
import type { SoakRequest } from './soak-child.ts';
import { describeGrowth, type Metric, METRIC_NAMES, METRICS } from './soak-metrics.ts';
import { describeProgram, drawProgram, programSchema, shrinkSteps, type Step } from './soak-program.ts';

/** Shares of the budget: the programs run one after the other, the control beside the first. */
const PROGRAM_SHARE = 0.33;
/** A shorter run decides nothing, whatever the budget. */
const PROGRAM_SECONDS_MIN = 3;
/** Measurements below which an interval would be too wide to decide. */
const MEASUREMENTS_MIN = 60;
/** What shrinking may take, budget or not: without it the story would be no story. */
const SHRINK_SECONDS_MAX = 20;
/** Series that do not depend on the garbage collector: a number of measurements is enough for their judgement. */
const EXACT: readonly Metric[] = METRIC_NAMES.filter((name) => name !== 'heap');
/**
 * A small program fills a memtable in tens of repetitions, and files shrink again only when runs have been merged: with
 * 24 measurements a healthy store that was just filling up was called leaking.
 */
const EXACT_MEASUREMENTS = 300;
const HEAP_SECONDS = 3;
const PLANTED: readonly Metric[] = ['heap', 'descriptors', 'disk'];
const CONTROL_TRIES = 2;

const caseSchema = z.object({
  program: programSchema,
  metric: z.enum(['heap', 'descriptors', 'disk', 'log', 'versions', 'files', 'snapshots']).nullable(),
  class: z.string(),
});
type Case = z.infer<typeof caseSchema>;

let runs = 0;

function requestOf(context: StageContext, program: readonly Step[], seconds: number): SoakRequest {
  const directory = join(context.workDirectory, `soak-${++runs}`);
  return {
    directory,
    program,
    seconds,
    measurementsMin: MEASUREMENTS_MIN,
    synced: false,
    repetitionsPerMeasurement: 1,
  };
}

/** Runs a small program for as long as the judgement of `metric` needs (none: until it fails). */
function probeShortly(context: StageContext, program: readonly Step[], metric: Metric | null): Promise<ProbeResult> {
  const exact = metric !== null && EXACT.includes(metric);
  const request = requestOf(context, program, exact ? 2 * HEAP_SECONDS : HEAP_SECONDS);
  return exact ? probe({ ...request, measurementsMax: EXACT_MEASUREMENTS }, EXACT_MEASUREMENTS) : probe(request);
}

function failsAlike(result: ProbeResult, wanted: Pick<Case, 'metric' | 'class'>): boolean {
  if (wanted.metric === null) return result.failure?.class === wanted.class;
  return result.failure === undefined && result.growth.get(wanted.metric)?.verdict === 'grows';
}

function countRun(context: StageContext, result: ProbeResult): void {
  context.count('operations', result.operations);
  context.count('repetitions', result.repetitions);
  context.count('measurements', result.measurements);
}

async function reportFailure(context: StageContext, saved: Case, message: string, shrink: string): Promise<void> {
  const { program } = saved;
  const story = [...describeProgram(program), message];
  const failure = { class: saved.class, message, case: saved, story, operations: program.length };
  await context.fail(shrink === '' ? failure : { ...failure, shrink });
}

/** Shrinks a program that leaks or fails, and reports it. */
async function reportShrunk(
  context: StageContext,
  program: readonly Step[],
  wanted: Pick<Case, 'metric' | 'class'>,
  message: string,
): Promise<void> {
  const until = context.elapsedSeconds() + SHRINK_SECONDS_MAX;
  let tries = 0;
  const smallest = await shrinkSteps(
    program,
    async (candidate) => {
      tries++;
      context.progress('shrinking', tries);
      return failsAlike(await probeShortly(context, candidate, wanted.metric), wanted);
    },
    () => context.elapsedSeconds() > until,
  );
  const shrink = `${program.length} steps became ${smallest.length} in ${tries} runs`;
  await reportFailure(context, { ...wanted, program: [...smallest] }, message, shrink);
}

/** Runs one drawn program; reports what grows. Returns whether nothing was reported. */
async function judgeProgram(context: StageContext, name: string, program: readonly Step[]): Promise<boolean> {
  const seconds = Math.max(PROGRAM_SECONDS_MIN, context.budgetSeconds * PROGRAM_SHARE);
  context.progress(`${name}: ${program.length} steps, repeated`);
  const result = await probe(requestOf(context, program, seconds));
  countRun(context, result);
  if (result.failure !== undefined) {
    const { class: failureClass, error } = result.failure;
    context.check(`leaks: ${name}`, 'fail', error);
    await reportShrunk(context, program, { metric: null, class: failureClass }, error.split('\n')[0]);
    return false;
  }
  for (const metric of METRIC_NAMES) {
    const growth = result.growth.get(metric);
    if (growth === undefined) continue;
    const verdict = { flat: 'pass', grows: 'fail', undecided: 'unknown' } as const;
    const detail = `${METRICS[metric].title}: ${describeGrowth(metric, growth)}`;
    context.check(`${metric}: ${name}`, verdict[growth.verdict], detail);
    if (metric === 'heap' || metric === 'disk') {
      const points = result.series.get(metric)?.samples ?? [];
      context.series(`${METRICS[metric].title}, ${name}`, points, 'operations', METRICS[metric].unit);
    }
  }
  const exact = EXACT.find((metric) => result.growth.get(metric)?.verdict === 'grows');
  const leaking = exact ?? growing(result).at(0);
  const growth = leaking === undefined ? undefined : result.growth.get(leaking);
  if (leaking === undefined || growth === undefined) return true;
  const message = `${METRICS[leaking].title}: ${describeGrowth(leaking, growth)}`;
  await reportShrunk(context, program, { metric: leaking, class: 'leak' }, message);
  return false;
}

/** Leaks of exactly their budgets, planted beside the engine, must be found, and nothing else. */
async function judgeControl(context: StageContext, program: readonly Step[]): Promise<void> {
  const seconds = Math.max(PROGRAM_SECONDS_MIN, context.budgetSeconds * PROGRAM_SHARE);
  const leak = { heap: METRICS.heap.budget, descriptors: METRICS.descriptors.budget, disk: METRICS.disk.budget };
  let missing = PLANTED;
  let found: Metric[] = [];
  let isUndecided = false;
  for (let attempt = 0; attempt < CONTROL_TRIES && missing.length > 0; attempt++) {
    const result = await probe({ ...requestOf(context, program, seconds), leak }, Infinity);
    context.count('operations with planted leaks', result.operations);
    found = growing(result);
    isUndecided = PLANTED.some((metric) => result.growth.get(metric)?.verdict === 'undecided');
    missing = PLANTED.filter((metric) => result.growth.get(metric)?.verdict !== 'grows');
  }
  const detail =
    missing.length === 0
      ? `planted growth of exactly the budget was found in ${found.join(', ')}`
      : `planted growth of exactly the budget was not found in ${missing.join(', ')}`;
  // Undecided is what a machine too slow for enough measurements gives; called flat, a leak was overlooked.
  const shortfall = isUndecided ? 'unknown' : 'vacuous';
  context.check('control:planted-leaks', missing.length === 0 ? 'pass' : shortfall, detail);
}

await stageMain({
  name: 'soak',
  deterministic: false,
  async run(context) {
    context.notTested('a process that runs for days: `lightning-db soak --duration 24h` does that');
    context.notTested('iterators that are dropped without being closed: they keep their versions, as documented');
    context.notTested('the asynchronous face: the engine beneath it is driven, without fsyncs');
    const prng = new Prng(context.seed);
    const staying = drawProgram(prng, false);
    const reopening = drawProgram(prng, true);
    const control = judgeControl(context, staying);
    const isFlat = await judgeProgram(context, 'one opening', staying);
    await control;
    if (isFlat) await judgeProgram(context, 'reopening', reopening);
  },
  async replay(context, caseJson) {
    const parsed = caseSchema.safeParse(caseJson);
    if (!parsed.success) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a case of this stage');
    const saved = parsed.data;
    const result = await probeShortly(context, saved.program, saved.metric);
    countRun(context, result);
    if (!failsAlike(result, saved)) return;
    const growth = saved.metric === null ? undefined : result.growth.get(saved.metric);
    const message =
      saved.metric === null || growth === undefined
        ? (result.failure?.error ?? saved.class)
        : `${METRICS[saved.metric].title}: ${describeGrowth(saved.metric, growth)}`;
    await reportFailure(context, saved, message, '');
  },
});
