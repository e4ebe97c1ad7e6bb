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
  type BrokenConfiguration,
  brokenConfigurations,
  brokenPath,
  isIncluded,
  type ModelName,
  modelPath,
  type PassingConfiguration,
  passingConfigurations,
  passingPath,
  tierOf,
} from './configurations.ts';
import { judgeControl, judgePassing } from './judge.ts';
import { runTlaChecker } from './tla-checker-runner.ts';
import { findTlc, runTlc, type TlcInstallation } from './tlc-runner.ts';

const PROCESSES_AT_ONCE = 2;
/** The least time one check gets, however small the budget. */
const TIME_LIMIT_SECONDS_MIN = 60;

type Checker = 'tla-checker' | 'tlc';

const caseSchema = z.object({
  model: z.enum(['MVCC', 'WALRecovery']),
  configuration: z.string(),
  checker: z.enum(['tla-checker', 'tlc']),
});

/** Runs `work` over `items`, two at a time; stops taking new ones after a failure was reported. */
async function inPairs<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]);
  };
  await Promise.all(Array.from({ length: PROCESSES_AT_ONCE }, worker));
}

class ModelsRun {
  private readonly context: StageContext;
  private readonly tlc: TlcInstallation;
  /** Distinct states by configuration, as tla-checker counted them. */
  private readonly states = new Map<string, number>();
  private failed = false;

  constructor(context: StageContext, tlc: TlcInstallation) {
    this.context = context;
    this.tlc = tlc;
  }

  async all(): Promise<void> {
    const tier = tierOf(this.context.profile);
    const passing = passingConfigurations.filter((configuration) => isIncluded(configuration.tier, tier));
    const broken = brokenConfigurations.filter((configuration) => isIncluded(configuration.tier, tier));
    const safety = passing.filter((configuration) => !configuration.liveness);
    // The two largest of smoke run side by side, then the small ones.
    await inPairs(
      safety.filter((one) => one.tier === 'smoke'),
      (one) => this.checkPassing(one, 'tla-checker', false),
    );
    await inPairs(
      broken.filter((one) => !one.liveness),
      (one) => this.control(one, 'tla-checker', one.tier !== 'smoke'),
    );
    await inPairs(
      safety.filter((one) => one.tier !== 'smoke'),
      (one) => this.checkPassing(one, 'tla-checker', true),
    );
    await inPairs(passing, (one) => this.checkPassing(one, 'tlc', true));
    const tlcControls = broken.filter((one) => one.liveness || tier !== 'smoke');
    await inPairs(tlcControls, (one) => this.control(one, 'tlc', true));
    const points = [...this.states.values()].sort((a, b) => a - b).map((count, index) => [index + 1, count] as const);
    if (points.length > 0) this.context.series('distinct states', points, 'configuration', 'distinct states');
    for (const [name, count] of this.states) this.context.figure(`states of ${name}`, count, 'states');
    if (tier !== 'release')
      this.context.notTested(`the models' larger configurations (profile ${this.context.profile})`);
    this.context.notTested('behaviours past the bounds written in each configuration file');
  }

  private async ask(checker: Checker, model: ModelName, configurationPath: string): Promise<CheckOutcome> {
    const left = this.context.budgetSeconds - this.context.elapsedSeconds();
    const request = {
      modelPath: modelPath(model),
      configurationPath,
      timeLimitSeconds: Math.ceil(Math.max(TIME_LIMIT_SECONDS_MIN, left)),
      workDirectory: this.context.workDirectory,
    };
    return checker === 'tlc' ? runTlc(request, this.tlc) : runTlaChecker(request);
  }

  /** The outcome, or unknown when the budget has no room for a check that may be left out. */
  private async askWithin(checker: Checker, model: ModelName, path: string, optional: boolean): Promise<CheckOutcome> {
    if (this.failed) return { verdict: 'unknown', reason: 'not run after a failure' };
    if (checker === 'tlc' && !this.tlc.available) return { verdict: 'unknown', reason: this.tlc.reason };
    if (optional && this.context.outOfBudget()) return { verdict: 'unknown', reason: 'the budget ran out before it' };
    this.context.progress(`${checker}: ${path.replace(/^.*models./, '')}`);
    return this.ask(checker, model, path);
  }

  private async checkPassing(one: PassingConfiguration, checker: Checker, optional: boolean): Promise<void> {
    const outcome = await this.askWithin(checker, one.model, passingPath(one.name), optional);
    const judged = judgePassing(outcome, one.distinctStates, checker === 'tlc' ? this.states.get(one.name) : undefined);
    this.context.check(`${checker}:${one.name}`, judged.verdict, judged.detail);
    if (outcome.verdict === 'pass') {
      this.context.count('configurations');
      this.context.count('states', outcome.distinctStates);
      if (checker === 'tla-checker') this.states.set(one.name, outcome.distinctStates);
    }
    if (judged.verdict === 'fail' && !this.failed) {
      this.failed = true;
      await reportCounterexample(
        this.context,
        { model: one.model, configuration: one.name, checker },
        outcome,
        judged.detail,
      );
    }
  }

  private async control(one: BrokenConfiguration, checker: Checker, optional: boolean): Promise<void> {
    const outcome = await this.askWithin(checker, one.model, brokenPath(one.name), optional);
    const judged = judgeControl(outcome, one.violates);
    const name = checker === 'tlc' ? `control:${one.name}:tlc` : `control:${one.name}`;
    this.context.check(name, judged.verdict, judged.detail);
    if (outcome.verdict === 'violated') this.context.count('counterexamples');
    if (judged.verdict === 'pass') this.context.reached(`${one.violates} of ${one.model} seen to fail`);
  }
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
    else await new ModelsRun(context, await findTlc()).all();
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
