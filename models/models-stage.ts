/**
 * The stage of the models. Every passing configuration must pass with at least its pinned number of states in both
 * checkers; every broken one must violate the invariant it is made for: those are the live negative controls. The
 * profile's own checks by tla-checker always run; what the budget has no room for is unknown, never passed.
 */
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { type StageContext, stageMain } from '../src/report/stage.ts';
import { type CheckOutcome, describeTrace } from './check-outcome.ts';
import {
  brokenConfigurations,
  brokenPath,
  MODELS,
  modelPath,
  passingConfigurations,
  passingPath,
  tierOf,
} from './configurations.ts';
import { judgeControl, judgePassing } from './judge.ts';
import { type ModelRow, runModels } from './model-runs.ts';
import { WITHOUT_GUARD } from './replay-guards.ts';
import { replayConfiguration } from './replays.ts';
import { runTlaChecker } from './tla-checker-runner.ts';
import { findTlc, runTlc } from './tlc-runner.ts';

/** The least time one check gets, however small the budget. */
const TIME_LIMIT_SECONDS_MIN = 60;

const caseSchema = z.object({
  model: z.enum(MODELS),
  configuration: z.string(),
  checker: z.enum(['tla-checker', 'tlc']),
  /** Whether it is the engine that is judged: the counterexample of a broken configuration is replayed against it. */
  engine: z.boolean().optional(),
});

async function runStage(context: StageContext): Promise<void> {
  const states = new Map<string, number>();
  await runModels({
    tier: tierOf(context.profile),
    checkers: ['tla-checker', 'tlc'],
    tlc: await findTlc(),
    workDirectory: context.workDirectory,
    wants: () => true,
    timeLimitSeconds: () =>
      Math.ceil(Math.max(TIME_LIMIT_SECONDS_MIN, context.budgetSeconds - context.elapsedSeconds())),
    outOfBudget: () => context.outOfBudget(),
    onProgress: (text) => context.progress(text),
    onRow: async (row) => {
      noteRow(context, row);
      if (row.checker === 'tla-checker' && row.violates !== undefined) await replay(context, row);
      if (row.outcome.verdict === 'pass' && row.checker === 'tla-checker' && row.violates === undefined) {
        states.set(row.name, row.outcome.distinctStates);
      }
      if (row.judged.verdict !== 'fail') return;
      const { model, name: configuration, checker } = row;
      await reportCounterexample(context, { model, configuration, checker }, row.outcome, row.judged.detail);
    },
  });
  const points = [...states.values()].sort((a, b) => a - b).map((count, index) => [index + 1, count] as const);
  if (points.length > 0) context.series('distinct states', points, 'configuration', 'distinct states');
  for (const [name, count] of states) context.figure(`states of ${name}`, count, 'states');
  if (tierOf(context.profile) !== 'release') {
    context.notTested(`the models' larger configurations (profile ${context.profile})`);
  }
  context.notTested('behaviours past the bounds written in each configuration file');
  context.notTested(`on the engine, what corresponds to none of its guards: ${Object.keys(WITHOUT_GUARD).join(', ')}`);
}

/**
 * The counterexample against the real engine, which must answer as the correct model; past the smallest tier also against
 * the engine without the guard, which must break the named invariant.
 */
async function replay(context: StageContext, { name, model, outcome }: ModelRow): Promise<void> {
  const configuration = brokenConfigurations.find((one) => one.name === name);
  if (configuration === undefined || outcome.verdict !== 'violated') return;
  const alsoWithout = tierOf(context.profile) !== 'smoke' && !context.hashOnly;
  const row = await replayConfiguration(configuration, outcome.trace, alsoWithout);
  if (row === undefined) return;
  const { broke, runs, without, guard, violates } = row;
  context.count('replays');
  context.check(`engine:${name}`, broke === undefined ? 'pass' : 'fail', broke ?? `kept in ${runs} runs`);
  if (alsoWithout) {
    context.check(
      `engine without ${guard}:${name}`,
      without === undefined ? 'vacuous' : 'pass',
      without ?? 'not broken',
    );
    if (without !== undefined) context.count('replays without a guard');
  }
  if (broke === undefined) return;
  await context.fail({
    class: `replayed:${model}.${violates}`,
    message: `the counterexample of ${name}, replayed against the engine: ${broke}`,
    case: { model, configuration: name, checker: 'tla-checker', engine: true },
    story: row.calls,
    operations: row.calls.length,
    shrink: 'the shortest counterexample of the model',
  });
}

async function replayOnEngine(context: StageContext, name: string): Promise<void> {
  const configuration = brokenConfigurations.find((one) => one.name === name);
  if (configuration === undefined)
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'no such configuration', {});
  const outcome = await runTlaChecker({
    modelPath: modelPath(configuration.model),
    configurationPath: brokenPath(name),
    timeLimitSeconds: Math.max(TIME_LIMIT_SECONDS_MIN, context.budgetSeconds),
    workDirectory: context.workDirectory,
  });
  const { model, violates } = configuration;
  const judged = judgeControl(outcome, violates, configuration.steps);
  await replay(context, { name, model, checker: 'tla-checker', violates, outcome, judged, seconds: 0 });
}

function noteRow(context: StageContext, { name, model, checker, violates, outcome, judged }: ModelRow): void {
  if (violates === undefined) {
    context.check(`${checker}:${name}`, judged.verdict, judged.detail);
    if (outcome.verdict !== 'pass') return;
    context.count('configurations');
    context.count('states', outcome.distinctStates);
    return;
  }
  context.check(`control:${name}${checker === 'tlc' ? ':tlc' : ''}`, judged.verdict, judged.detail);
  if (outcome.verdict === 'violated') context.count('counterexamples');
  if (judged.verdict === 'pass') context.reached(`${violates} of ${model} seen to fail`);
}

async function reportCounterexample(
  context: StageContext,
  replayable: z.infer<typeof caseSchema>,
  outcome: CheckOutcome,
  detail: string,
): Promise<void> {
  const trace = outcome.verdict === 'violated' ? outcome.trace : [];
  await context.fail({
    class: 'counterexample',
    message: `${replayable.configuration} by ${replayable.checker}: ${detail}`,
    case: replayable,
    story: describeTrace(trace),
    operations: Math.max(0, trace.length - 1),
    shrink: 'breadth-first search: no shorter counterexample exists',
  });
}

async function hashOnly(context: StageContext): Promise<void> {
  for (const one of brokenConfigurations.filter(({ name }) => name.endsWith('.PublishReserved'))) {
    const outcome = await runTlaChecker({
      modelPath: modelPath(one.model),
      configurationPath: brokenPath(one.name),
      timeLimitSeconds: TIME_LIMIT_SECONDS_MIN,
      workDirectory: context.workDirectory,
    });
    context.hash(one.name);
    context.hash(outcome.verdict);
    if (outcome.verdict === 'violated') {
      context.hash(outcome.invariant);
      for (const line of describeTrace(outcome.trace)) context.hash(line);
    }
    context.count('configurations');
  }
}

await stageMain({
  name: 'models',
  deterministic: true,
  async run(context) {
    if (context.hashOnly) await hashOnly(context);
    else await runStage(context);
  },
  async replay(context, caseJson) {
    const parsed = caseSchema.safeParse(caseJson);
    if (parsed.success && parsed.data.engine === true) {
      await replayOnEngine(context, parsed.data.configuration);
      return;
    }
    const known = passingConfigurations.find(({ name }) => parsed.success && name === parsed.data.configuration);
    if (!parsed.success || known === undefined) {
      throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a case of the models', {});
    }
    const request = {
      modelPath: modelPath(known.model),
      configurationPath: passingPath(known.name),
      timeLimitSeconds: Math.max(TIME_LIMIT_SECONDS_MIN, context.budgetSeconds),
      workDirectory: context.workDirectory,
    };
    const { checker } = parsed.data;
    const byTlaChecker = known.tlcAlone ? undefined : await runTlaChecker(request);
    const outcome =
      checker === 'tlc' || byTlaChecker === undefined ? await runTlc(request, await findTlc()) : byTlaChecker;
    // A saved case may also be a disagreement between the two.
    const other = checker === 'tlc' && byTlaChecker?.verdict === 'pass' ? byTlaChecker.distinctStates : undefined;
    const judged = judgePassing(outcome, known.distinctStates, other);
    if (judged.verdict === 'fail') await reportCounterexample(context, parsed.data, outcome, judged.detail);
    else if (judged.verdict !== 'pass') context.check(`${checker}:${known.name}`, judged.verdict, judged.detail);
  },
});
