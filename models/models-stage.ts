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
import { judgePassing } from './judge.ts';
import { type ModelRow, runModels } from './model-runs.ts';
import { runTlaChecker } from './tla-checker-runner.ts';
import { findTlc, runTlc } from './tlc-runner.ts';

/** The least time one check gets, however small the budget. */
const TIME_LIMIT_SECONDS_MIN = 60;

const caseSchema = z.object({
  model: z.enum(MODELS),
  configuration: z.string(),
  checker: z.enum(['tla-checker', 'tlc']),
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
    const byTlaChecker = known.liveness ? undefined : await runTlaChecker(request);
    const outcome =
      checker === 'tlc' || byTlaChecker === undefined ? await runTlc(request, await findTlc()) : byTlaChecker;
    // A saved case may also be a disagreement between the two.
    const other = checker === 'tlc' && byTlaChecker?.verdict === 'pass' ? byTlaChecker.distinctStates : undefined;
    const judged = judgePassing(outcome, known.distinctStates, other);
    if (judged.verdict === 'fail') await reportCounterexample(context, parsed.data, outcome, judged.detail);
    else if (judged.verdict !== 'pass') context.check(`${checker}:${known.name}`, judged.verdict, judged.detail);
  },
});
