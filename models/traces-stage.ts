/**
 * The stage `traces`: a client drives the real engine, with kills and power cuts and without, and what it does to its files
 * and answers must be a behaviour of both models, event by event. The first event that is no step names the failure class.
 * Short runs come first, until each action of the models was seen; then long ones. Traces that were tampered with must be
 * refused.
 */
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { stageMain, type StageContext } from '../src/report/stage.ts';
import type { ModelName } from './configurations.ts';
import { findTlc } from './tlc-runner.ts';
import { toTla, type TraceEvent, type TraceValue } from './trace-events.ts';
import { type Failing, judgeRuns, type Objection, shrinkRun, storyOf, tracesOf } from './trace-judge.ts';
import { ACTS_MAX, firstActs, type TracedRun, type TraceOptions, traceRun } from './trace-run.ts';
import { STEP_RULES } from './trace-steps.ts';
import { blindly, corrupted, dropped, settledPrefix, swapped } from './trace-tamper.ts';
import { judgeVariants, type Trace, validateWithTlc } from './trace-validate.ts';

const SHORT_ACTS = 60;
const HASHED_RUNS = 5;
/** Runs that one process of the checker judges. */
const BATCH = 4;
/** Short runs that are judged however small the budget … */
const BATCHES_AT_LEAST = 1;
/** … and so many batches at most while actions are missing. */
const BATCHES_FOR_ACTIONS = 6;
/** The runs of a batch are the best of so many: the ones whose actions were seen least. */
const RUNS_TO_CHOOSE_FROM = 30;
const TAMPERED_SEED = 3;

/** How much a profile does besides. */
interface Plan {
  /** Long runs, each with so many events of either model at least. */
  readonly longRuns: number;
  readonly longEvents: number;
  /** Events of one trace that TLC is asked about; 0 for none. */
  readonly tlcEvents: number;
  /** Events of the trace that is tampered with in every way, and changed values at most. */
  readonly tamperedEvents: number;
  readonly changesMax: number;
  /** Changed values of a long trace. */
  readonly longChanges: number;
}

const SMALL: Plan = {
  longRuns: 0,
  longEvents: 1000,
  tlcEvents: 0,
  tamperedEvents: 28,
  changesMax: 120,
  longChanges: 0,
};
const LARGE: Plan = {
  longRuns: 25,
  longEvents: 1000,
  tlcEvents: 10_000,
  tamperedEvents: 60,
  changesMax: Infinity,
  longChanges: 300,
};
const PLANS: Readonly<Record<string, Plan>> = { ci: LARGE, release: LARGE };
const TLC_SECONDS = 300;

const MODELS = ['MVCC', 'WALRecovery'] as const satisfies readonly ModelName[];

/** Every action of a model. A process that is killed again before it did anything is no action of its own. */
const ACTIONS: Readonly<Record<ModelName, readonly string[]>> = {
  MVCC: STEP_RULES.MVCC.map(({ action }) => action),
  WALRecovery: STEP_RULES.WALRecovery.map(({ action }) => action).filter((action) => action !== 'KilledAgain'),
};

const schema = z.object({
  format: z.literal(2),
  seed: z.number().int().nonnegative(),
  acts: z
    .array(
      z
        .number()
        .int()
        .nonnegative()
        .max(ACTS_MAX - 1),
    )
    .max(10_000),
  crashes: z.boolean(),
});
type Case = z.infer<typeof schema>;

const TORN = 'PowerCut that tears a record';
const LOST = 'PowerCut that loses a record';

/** Situations that must be met besides, since they are what recovery is there for. */
const SITUATIONS: Readonly<Record<ModelName, readonly string[]>> = { MVCC: [], WALRecovery: [TORN, LOST] };

/** The actions of both traces, and the situations. */
function actionsOf(run: TracedRun): Set<string> {
  const names = tracesOf(run).flatMap(({ setting, events }) =>
    events.flatMap((event) => [event.action, ...situationsIn(event)].map((name) => `${setting.model}.${name}`)),
  );
  return new Set(names);
}

function situationsIn({ torn, lost }: TraceEvent): string[] {
  const isSome = (set: TraceValue | undefined): boolean => set instanceof Set && set.size > 0;
  return [...(isSome(torn) ? [TORN] : []), ...(isSome(lost) ? [LOST] : [])];
}

async function fail(context: StageContext, options: TraceOptions, found: Objection): Promise<void> {
  await report(context, await shrinkRun(options, found), options.acts.length);
}

async function report(context: StageContext, shrunk: Failing, actsBefore: number): Promise<void> {
  const { seed, acts, crashes } = shrunk.options;
  await context.fail({
    class: shrunk.objection.class,
    message: shrunk.objection.message,
    case: { format: 2, seed, acts: [...acts], crashes } satisfies Case,
    story: await storyOf(shrunk),
    operations: acts.length,
    shrink: `from ${actsBefore} acts`,
  });
}

/** A run of as many acts as it takes to have so many events of both models. */
function longRun(seed: number, crashes: boolean, events: number): { options: TraceOptions; run: TracedRun } {
  for (let count = events; ; count *= 2) {
    const run = traceRun({ seed, acts: firstActs(count), crashes });
    const enough = run.lengths.findIndex((lengths) => MODELS.every((model) => lengths[model] >= events));
    if (enough < 0 && run.error === undefined) continue;
    const acts = firstActs(enough < 0 ? run.lengths.length : enough + 1);
    return { options: { seed, acts, crashes }, run: traceRun({ seed, acts, crashes }) };
  }
}

class TracesRun {
  private readonly context: StageContext;
  private readonly plan: Plan;
  private readonly random: Prng;
  private readonly occurred = new Map<string, number>();
  private longTraces: readonly Trace[] = [];

  constructor(context: StageContext) {
    this.context = context;
    this.plan = PLANS[context.profile] ?? SMALL;
    this.random = new Prng(context.seed);
  }

  async all(): Promise<void> {
    const { context } = this;
    for (let batches = 0; this.needsShort(batches) || (this.plan.longRuns === 0 && !context.outOfBudget()); batches++) {
      if (!(await this.judge(this.chooseShort()))) return;
      context.progress(`${batches + 1} batches of runs`, context.elapsedSeconds(), context.budgetSeconds);
    }
    if (!(await this.long())) return;
    await this.tamper();
    for (const model of MODELS) {
      const missing = this.missingOf(model);
      const name = `runs are behaviours of ${model}`;
      if (missing.length > 0) context.check(name, 'vacuous', `no accepted trace has ${missing.join(', ')}`);
      else context.check(name, 'pass', `${ACTIONS[model].length} actions, each in an accepted trace`);
    }
    await this.askTlc();
  }

  private missingOf(model: ModelName): string[] {
    return [...ACTIONS[model], ...SITUATIONS[model]].filter((action) => !this.occurred.has(`${model}.${action}`));
  }

  private needsShort(batches: number): boolean {
    if (batches < BATCHES_AT_LEAST) return true;
    return batches < BATCHES_FOR_ACTIONS && MODELS.some((model) => this.missingOf(model).length > 0);
  }

  private chooseShort(): TraceOptions[] {
    const candidates = Array.from({ length: RUNS_TO_CHOOSE_FROM }, (_, index) => {
      const options = { seed: this.random.below(2 ** 31), acts: firstActs(SHORT_ACTS), crashes: index % 3 > 0 };
      const run = traceRun(options);
      const rarity = [...actionsOf(run)].reduce((sum, one) => sum + 1 / (1 + 20 * (this.occurred.get(one) ?? 0)), 0);
      // A run that ended in an error is looked at first.
      return { options, rarity: run.error === undefined ? rarity : Infinity };
    });
    candidates.sort((a, b) => b.rarity - a.rarity);
    return candidates.slice(0, BATCH).map(({ options }) => options);
  }

  /** Whether both models accept all of these runs; the first one refused is reported. */
  private async judge(batch: readonly TraceOptions[]): Promise<boolean> {
    const { context } = this;
    const runs = batch.map(traceRun);
    const objections = await judgeRuns(runs);
    for (const [index, run] of runs.entries()) {
      for (const { events } of tracesOf(run)) {
        context.count('traces');
        context.count('events', events.length);
        if (events.length >= this.plan.longEvents) context.count(`traces of ${this.plan.longEvents} events`);
      }
      const objection = objections[index];
      if (objection !== undefined) {
        await fail(context, batch[index], objection);
        return false;
      }
      if (batch[index].crashes) context.count('runs with crashes');
      for (const action of actionsOf(run)) this.occurred.set(action, (this.occurred.get(action) ?? 0) + 1);
    }
    return true;
  }

  private async long(): Promise<boolean> {
    const { longRuns, longEvents } = this.plan;
    for (let index = 0; index < longRuns; index++) {
      const { options, run } = longRun(this.random.below(2 ** 31), index % 3 > 0, longEvents);
      if (!(await this.judge([options]))) return false;
      this.longTraces = tracesOf(run);
      this.context.progress(`${index + 1} long runs`, index + 1, longRuns);
    }
    return true;
  }

  /** Tampered variants must all be refused: in every way those of a short trace, some values of a long one. */
  private async tamper(): Promise<void> {
    const { context, plan, random } = this;
    const short = traceRun({ seed: TAMPERED_SEED, acts: firstActs(SHORT_ACTS), crashes: true });
    for (const whole of tracesOf(short)) {
      const events = settledPrefix(whole.events, plan.tamperedEvents);
      const changes = random.shuffle(corrupted(events)).slice(0, plan.changesMax);
      const drops = dropped(events);
      const swaps = swapped(events);
      const blind = blindly([...drops, ...swaps]);
      const verdict = await judgeVariants({ ...whole, events }, [...drops, ...swaps, ...changes], blind);
      const { model } = whole.setting;
      const name = `tampered traces of ${model} are refused`;
      if (!verdict.judged) context.check(name, 'unknown', verdict.reason);
      else if (verdict.accepted !== undefined)
        context.check(name, 'vacuous', `accepted: ${toTla({ ...verdict.accepted })}`);
      else {
        context.count('tampered traces', drops.length + swaps.length + changes.length);
        const counts = `${drops.length} with an event dropped, ${swaps.length} with two exchanged, ${changes.length} with a value changed`;
        const alone = `without the events' numbers the model alone refuses ${verdict.refusedBlindly} of ${blind.length}`;
        context.check(name, verdict.refusedBlindly * 2 > blind.length ? 'pass' : 'vacuous', `${counts}; ${alone}`);
      }
    }
    for (const trace of this.longTraces) await this.tamperLong(trace);
  }

  private async tamperLong({ setting, events: all }: Trace): Promise<void> {
    const { context, plan, random } = this;
    const events = settledPrefix(all, plan.longEvents);
    const changes = random.shuffle(corrupted(events)).slice(0, plan.longChanges);
    const drops = random.shuffle(dropped(events)).slice(0, plan.longChanges);
    const swaps = random.shuffle(swapped(events, 50)).slice(0, plan.longChanges);
    const verdict = await judgeVariants({ setting, events }, [...drops, ...swaps, ...changes], []);
    const name = `a long tampered trace of ${setting.model} is refused`;
    if (!verdict.judged) context.check(name, 'unknown', verdict.reason);
    else if (verdict.accepted !== undefined)
      context.check(name, 'vacuous', `accepted: ${toTla({ ...verdict.accepted })}`);
    else {
      context.count('tampered traces', drops.length + swaps.length + changes.length);
      context.check(
        name,
        'pass',
        `${changes.length} values changed, ${swaps.length} pairs exchanged, ${drops.length} events dropped`,
      );
    }
  }

  /** The authority's word on long traces. */
  private async askTlc(): Promise<void> {
    const { context, plan } = this;
    if (plan.tlcEvents === 0) return;
    const installation = await findTlc();
    const { run } = longRun(this.random.below(2 ** 31), true, plan.tlcEvents);
    for (const { setting, events } of tracesOf(run)) {
      const name = `TLC accepts ${plan.tlcEvents} events of ${setting.model}`;
      const trace = { setting, events: events.slice(0, plan.tlcEvents) };
      const verdict = await validateWithTlc(trace, installation, context.workDirectory, TLC_SECONDS);
      if (verdict.verdict === 'accepted')
        context.check(name, 'pass', `a run with crashes, of ${run.lengths.length} acts`);
      else if (verdict.verdict === 'rejected')
        context.check(name, 'fail', `event ${verdict.at}: ${toTla(verdict.event)}`);
      else context.check(name, verdict.verdict === 'unknown' ? 'unknown' : 'fail', verdict.reason);
    }
  }
}

await stageMain({
  name: 'traces',
  deterministic: true,
  async run(context) {
    if (!context.hashOnly) {
      await new TracesRun(context).all();
      return;
    }
    const random = new Prng(context.seed);
    for (let index = 0; index < HASHED_RUNS; index++) {
      const run = traceRun({ seed: random.below(2 ** 31), acts: firstActs(SHORT_ACTS), crashes: index % 2 === 0 });
      for (const event of [...run.mvcc.events, ...run.wal.events]) context.hash(toTla(event));
      context.count('traces', 2);
    }
  },
  async replay(context, json) {
    const parsed = schema.safeParse(json);
    if (!parsed.success) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a traced run of this version');
    const { seed, acts, crashes } = parsed.data;
    const options = { seed, acts, crashes };
    const [objection] = await judgeRuns([traceRun(options)]);
    if (objection !== undefined) await report(context, { options, objection }, acts.length);
  },
});
