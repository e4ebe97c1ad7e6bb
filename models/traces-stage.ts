/**
 * The stage `traces`: a client drives the real engine without crashes, and what it does to its files and answers must be a
 * behaviour of both models, event by event. The first event that is no step names the failure class. Traces that were
 * tampered with must be refused.
 */
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { stageMain, type StageContext } from '../src/report/stage.ts';
import type { ModelName } from './configurations.ts';
import { toTla } from './trace-events.ts';
import type { TraceSetting } from './trace-module.ts';
import { type TracedRun, type TraceOptions, traceRun } from './trace-run.ts';
import { corrupted, dropped, swapped } from './trace-tamper.ts';
import { acceptsVariant, validateTrace } from './trace-validate.ts';

const ACTS = 40;
const HASHED_RUNS = 5;
/** The checker is the slow part: of so many runs the one whose actions were seen least is given to it. */
const RUNS_TO_CHOOSE_FROM = 40;
/** Runs that are judged however small the budget … */
const RUNS_AT_LEAST = 2;
/** … and so many at most while actions are missing. */
const RUNS_FOR_ACTIONS = 5;
const TAMPERED_ACTS = 16;
const CORRUPTED_MAX = 40;

/** Actions that runs without crashes must reach between them; the rest of the models' actions belong to recovery. */
const ACTIONS = {
  MVCC: `Put TransactionCommit Conflict SyncTo Publish Freeze Flush MergeStart MergeEnd OpenSnapshot Release ClockJumps
    Read`.split(/\s+/),
  WALRecovery: `Write SyncBegin SyncEnd Acknowledge RotateCreate RotateDirectoryFsync RotateName RotateSettle FlushWrite
    FlushFsync FlushEnter FlushName FlushSettle StructureNamed StructureSynced Delete`.split(/\s+/),
} as const satisfies Record<ModelName, readonly string[]>;

const MODELS = ['MVCC', 'WALRecovery'] as const;

const schema = z.object({
  format: z.literal(1),
  seed: z.number().int().nonnegative(),
  acts: z.number().int().min(1).max(10_000),
});
type Case = z.infer<typeof schema>;

interface Objection {
  readonly class: string;
  readonly message: string;
  /** The least number of acts after which the objection stands. */
  readonly acts: number;
}

function settingsOf(run: TracedRun): TraceSetting[] {
  const { segmentNumbers, first } = run.wal;
  return [{ model: 'WALRecovery', segments: segmentNumbers, first }, { model: 'MVCC' }];
}

const eventsOf = (run: TracedRun, setting: TraceSetting) => (setting.model === 'MVCC' ? run.mvcc : run.wal).events;

function actionsOf(run: TracedRun): Set<string> {
  return new Set(
    settingsOf(run).flatMap((setting) => eventsOf(run, setting).map(({ action }) => `${setting.model}.${action}`)),
  );
}

/** A run is a prefix of every longer one with its seed: so the last act that matters is found by halving. */
function actsUntil(options: TraceOptions, model: TraceSetting['model'], event: number): number {
  let low = 1;
  let high = options.acts;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (eventsOf(traceRun({ ...options, acts: middle }), { model }).length >= event) high = middle;
    else low = middle + 1;
  }
  return high;
}

/** What is wrong with a run; `undefined` when both models accept it. Unknown is said, and is no acceptance. */
async function judge(context: StageContext, options: TraceOptions, run: TracedRun): Promise<Objection | undefined> {
  const settings = settingsOf(run);
  const verdicts = await Promise.all(settings.map((setting) => validateTrace(setting, eventsOf(run, setting))));
  for (const [index, result] of verdicts.entries()) {
    const { model } = settings[index];
    context.count('traces');
    context.count('events', eventsOf(run, settings[index]).length);
    if (result.verdict === 'broken') throw new LightningError('LIGHTNING_HARNESS', result.reason);
    if (result.verdict === 'unknown') context.check(`a trace of ${model}`, 'unknown', result.reason);
    if (result.verdict !== 'rejected') continue;
    const message = `event ${result.at} is no step of ${model}: ${toTla(result.event)}`;
    const acts = actsUntil(options, model, result.at);
    return { class: `not-a-step:${model}.${result.event.action}`, message, acts };
  }
  if (run.error === undefined) return undefined;
  return { class: 'unexpected-error', message: String(run.error), acts: run.acts.length };
}

async function fail(context: StageContext, seed: number, acts: number, objection: Objection): Promise<void> {
  const run = traceRun({ seed, acts: objection.acts, crashes: false });
  await context.fail({
    class: objection.class,
    message: objection.message,
    case: { format: 1, seed, acts: objection.acts } satisfies Case,
    story: [...run.acts.map((act, index) => `${index + 1}. ${act}`), objection.message],
    operations: objection.acts,
    shrink: `the acts up to the event that the model refuses, of ${acts}`,
  });
}

/** Tampered variants of one run must all be refused. */
async function tamper(context: StageContext, run: TracedRun, random: Prng): Promise<void> {
  for (const drawn of settingsOf(run)) {
    const events = eventsOf(run, drawn);
    // A changed name of a segment must be one that the model knows.
    const segments = [...new Set(drawn.segments?.flatMap((segment) => [segment, segment + 1]))];
    const setting = { ...drawn, segments };
    const some = random.shuffle(corrupted(events)).slice(0, CORRUPTED_MAX);
    const variants = [...dropped(events), ...swapped(events), ...some];
    const accepted = await acceptsVariant(setting, events, variants);
    const name = `tampered traces of ${setting.model} are refused`;
    if (accepted === undefined) context.check(name, 'unknown', 'the checker could not judge them');
    else if (accepted) context.check(name, 'vacuous', 'a variant was accepted to its end');
    else {
      context.count('tampered traces', variants.length);
      context.check(name, 'pass', `${variants.length} with an event dropped, moved or changed`);
    }
  }
}

class TracesRun {
  private readonly context: StageContext;
  private readonly occurred = new Map<string, number>();
  private accepted = 0;

  constructor(context: StageContext) {
    this.context = context;
  }

  async all(): Promise<void> {
    const { context } = this;
    const random = new Prng(context.seed);
    let last: TraceOptions | undefined;
    while (!context.outOfBudget() || this.needsMore()) {
      const { options, run } = this.choose(random);
      const objection = await judge(context, options, run);
      if (objection !== undefined) {
        await fail(context, options.seed, options.acts, objection);
        return;
      }
      this.account(run);
      last = options;
      context.progress(`${++this.accepted} runs`, context.elapsedSeconds(), context.budgetSeconds);
    }
    // A prefix of an accepted run is accepted.
    if (last !== undefined) await tamper(context, traceRun({ ...last, acts: TAMPERED_ACTS }), random);
    for (const model of MODELS) {
      const missing = this.missingOf(model);
      const name = `runs are behaviours of ${model}`;
      if (missing.length > 0) context.check(name, 'vacuous', `no accepted trace has ${missing.join(', ')}`);
      else context.check(name, 'pass', `${ACTIONS[model].length} actions, each in an accepted trace`);
    }
    context.notTested('traces of runs with kills and power cuts');
  }

  private missingOf(model: ModelName): string[] {
    return ACTIONS[model].filter((action) => !this.occurred.has(`${model}.${action}`));
  }

  private needsMore(): boolean {
    if (this.accepted < RUNS_AT_LEAST) return true;
    return this.accepted < RUNS_FOR_ACTIONS && MODELS.some((model) => this.missingOf(model).length > 0);
  }

  private choose(random: Prng): { readonly options: TraceOptions; readonly run: TracedRun } {
    const candidates = Array.from({ length: RUNS_TO_CHOOSE_FROM }, () => {
      const options = { seed: random.below(2 ** 31), acts: ACTS, crashes: false };
      return { options, run: traceRun(options) };
    });
    const rarity = ({ run }: { readonly run: TracedRun }): number =>
      [...actionsOf(run)].reduce((sum, action) => sum + 1 / (1 + 20 * (this.occurred.get(action) ?? 0)), 0);
    // A run that ended in an error is looked at first.
    const failed = candidates.find(({ run }) => run.error !== undefined);
    return failed ?? candidates.reduce((best, one) => (rarity(one) > rarity(best) ? one : best));
  }

  private account(run: TracedRun): void {
    for (const action of actionsOf(run)) this.occurred.set(action, (this.occurred.get(action) ?? 0) + 1);
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
      const run = traceRun({ seed: random.below(2 ** 31), acts: ACTS, crashes: false });
      for (const event of [...run.mvcc.events, ...run.wal.events]) context.hash(toTla(event));
      context.count('traces', 2);
    }
  },
  async replay(context, json) {
    const parsed = schema.safeParse(json);
    if (!parsed.success) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a traced run of this version');
    const { seed, acts } = parsed.data;
    const options = { seed, acts, crashes: false };
    const objection = await judge(context, options, traceRun(options));
    if (objection !== undefined) await fail(context, seed, acts, objection);
  },
});
