/**
 * Everything the gate does with one stage: the clean campaign, the null edit, the repetition of one seed in another
 * process, the live negative controls; then the judgement.
 */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { monotonicMilliseconds } from '../base/clock.ts';
import { fileExists, readText, writeWhole } from '../report/files.ts';
import type {
  ControlResult,
  NullEditResult,
  RepetitionResult,
  StageCollected,
  StageResult,
} from '../report/results.ts';
import { judgeStage } from '../report/verdict.ts';
import type { CatalogueEntry } from './catalogue.ts';
import { runControl, type Scheduler } from './control.ts';
import type { StageSpecification } from './profile.ts';
import { type RunContext, type RunOutcome, type RunRequest, runStageProcess, stageProgram } from './stage-run.ts';

/** How a campaign is run. */
export interface CampaignOptions {
  readonly seed: number;
  readonly controls: readonly CatalogueEntry[];
  readonly nullEdit: CatalogueEntry | undefined;
  /** A planted bug in the clean campaign itself: shows what a failing run looks like. No controls then. */
  readonly withBug: CatalogueEntry | undefined;
  /** Ends at the first thing that keeps the stage from passing. */
  readonly stopEarly: boolean;
  readonly tamper?: (path: string) => void;
}

/** A seed that depends on the run's seed and on what it is for, from 0 to 2^48 − 1. */
export function deriveSeed(seed: number, purpose: string): number {
  return createHash('sha256').update(`${seed} ${purpose}`).digest().readUIntLE(0, 6);
}

const NOTHING: StageCollected = {
  evidence: undefined,
  refusal: undefined,
  repetition: { outcome: 'not-promised', detail: '' },
  nullEdit: { outcome: 'not-run', detail: '' },
  controls: [],
};

function demandsOf(stage: StageSpecification) {
  return {
    required: stage.required,
    minimumCounts: stage.minimumCounts,
    minimumControls: stage.controls.minimum,
    requiredChecks: stage.requiredChecks,
  };
}

function aboutStage(stage: StageSpecification, seed: number) {
  const { name, title, question, required, budgetSeconds } = stage;
  return { name, title, question, required, budgetSeconds, seed, durationSeconds: 0, replays: [] as string[] };
}

/** A stage that was not judged, and why. */
export function unjudged(
  stage: StageSpecification,
  status: 'missing' | 'not-run' | 'interrupted',
  reason: string,
): StageResult {
  const nothing = { ...NOTHING, broken: false, unknownChecks: 0, minimums: [] };
  return { ...aboutStage(stage, 0), ...nothing, status, verdict: 'unknown', reasons: [reason] };
}

async function repeat(context: RunContext, schedule: Scheduler, stage: StageSpecification, seed: number) {
  const hashRun = (role: string, hashedSeed: number): Promise<RunOutcome> =>
    schedule(() =>
      runStageProcess(context, {
        role,
        stage,
        mode: 'hash',
        seed: hashedSeed,
        budgetSeconds: stage.budgetSeconds,
        planted: [],
      }),
    );
  const other = deriveSeed(seed, 'another seed');
  const outcomes = await Promise.all([
    hashRun('hash-1', seed),
    hashRun('hash-2', seed),
    ...(stage.seeded ? [hashRun('hash-other', other)] : []),
  ]);
  const hashes: string[] = [];
  for (const outcome of outcomes) {
    if ('refusal' in outcome) return { outcome: 'broken', detail: outcome.refusal.detail } satisfies RepetitionResult;
    hashes.push(outcome.evidence.eventHash);
  }
  const [first, second, third] = hashes;
  if (first === '') return { outcome: 'broken', detail: 'nothing was hashed' } satisfies RepetitionResult;
  const short = (hash: string): string => hash.slice(0, 12);
  const result = (outcome: RepetitionResult['outcome'], detail: string): RepetitionResult => ({ outcome, detail });
  if (first !== second) return result('differs', `${short(first)} and ${short(second)} for seed ${seed}`);
  if (first === third) return result('ignores-seed', `${short(first)} for the seeds ${seed} and ${other}`);
  const elsewhere = stage.seeded ? `, ${short(third)} for another` : '';
  return result('repeats', `${short(first)} twice for seed ${seed}${elsewhere}`);
}

function judgeNull(outcome: RunOutcome): NullEditResult {
  if ('refusal' in outcome)
    return { outcome: 'broken', detail: `${outcome.refusal.reason}: ${outcome.refusal.detail}` };
  const { evidence } = outcome;
  if (evidence.failures.length > 0) return { outcome: 'failed', detail: evidence.failures[0].message };
  const { applied, processes } = evidence.edits;
  return { outcome: 'passed', detail: `edits applied: ${applied}, in processes and threads: ${processes}` };
}

/** Keeps a witness under the run's folder, where the replay command names it, and its picture beside it. */
function keepWitness(context: RunContext, stage: string, source: string, prefix: string): string {
  const kept = join(context.outDirectory, 'witnesses', `${stage}.${prefix}${basename(source)}`);
  if (fileExists(source)) writeWhole(kept, readText(source));
  if (fileExists(`${source}.html`)) writeWhole(pictureOf(kept), readText(`${source}.html`));
  return kept;
}

function pictureOf(witness: string): string {
  return `${witness}.html`;
}

async function collect(
  context: RunContext,
  schedule: Scheduler,
  stage: StageSpecification,
  options: CampaignOptions,
): Promise<StageCollected> {
  const base = { stage, seed: options.seed, mode: 'run' as const };
  const start = (request: RunRequest): Promise<RunOutcome> => schedule(() => runStageProcess(context, request));
  const planted = options.withBug === undefined ? [] : [options.withBug];
  const tamper = options.tamper === undefined ? {} : { tamper: options.tamper };
  const clean = await start({ ...base, role: 'clean', budgetSeconds: stage.budgetSeconds, planted, ...tamper });
  if ('refusal' in clean) return { ...NOTHING, refusal: clean.refusal };
  const cleanOnly: StageCollected = { ...NOTHING, evidence: clean.evidence };
  if (options.withBug !== undefined || clean.evidence.failures.length > 0) return cleanOnly;
  if (options.stopEarly) {
    const soFar = judgeStage(cleanOnly, { ...demandsOf(stage), minimumControls: 0 });
    if (soFar.verdict !== 'pass') return cleanOnly;
  }
  const controls = Promise.all(
    options.controls.map((entry) =>
      runControl(context, schedule, stage, entry, deriveSeed(options.seed, `control ${entry.name}`)),
    ),
  );
  const repetition: Promise<RepetitionResult> = stage.deterministic
    ? repeat(context, schedule, stage, options.seed)
    : Promise.resolve(NOTHING.repetition);
  const { nullEdit: entry } = options;
  const nullEdit: Promise<NullEditResult> =
    entry === undefined || stage.nullEditBudgetSeconds === 0
      ? Promise.resolve(NOTHING.nullEdit)
      : start({ ...base, role: 'null-edit', budgetSeconds: stage.nullEditBudgetSeconds, planted: [entry] }).then(
          judgeNull,
        );
  return {
    evidence: clean.evidence,
    refusal: undefined,
    repetition: await repetition,
    nullEdit: await nullEdit,
    controls: await controls,
  };
}

/** A bug planted on purpose that nobody noticed is a survivor like any other. */
function survivorOf(entry: CatalogueEntry): ControlResult {
  return {
    name: entry.name,
    component: entry.component,
    recreates: entry.recreates,
    failureClass: [entry.failureClass].flat().join(' or '),
    difficulty: entry.difficulty,
    outcome: 'survived',
    detail: 'the campaign with the bug in it reported nothing',
    secondsToKill: undefined,
    operations: 0,
    story: [],
    witness: '',
    cleanEngineFails: false,
  };
}

/** Runs and judges one stage. */
export async function runCampaign(
  context: RunContext,
  schedule: Scheduler,
  stage: StageSpecification,
  options: CampaignOptions,
): Promise<StageResult> {
  if (!fileExists(stageProgram(stage))) return unjudged(stage, 'missing', `there is no ${stage.file}`);
  const start = monotonicMilliseconds();
  let collected = await collect(context, schedule, stage, options);
  if (context.signal.aborted && collected.evidence === undefined) {
    return unjudged(stage, 'interrupted', 'the run was interrupted before the stage had evidence');
  }
  const replays: string[] = [];
  const pictures: string[] = [];
  const suffix = options.withBug === undefined ? '' : ` --with-bug ${options.withBug.name}`;
  for (const failure of collected.evidence?.failures ?? []) {
    const witness = keepWitness(context, stage.name, failure.witness, '');
    replays.push(`lightning-db replay ${witness}${suffix}`);
    if (fileExists(pictureOf(witness))) pictures.push(`witnesses/${basename(pictureOf(witness))}`);
  }
  const controls = collected.controls.map((control) => {
    if (control.witness === '') return control;
    const witness = keepWitness(context, stage.name, control.witness, `${control.name}.`);
    if (control.cleanEngineFails) replays.push(`lightning-db replay ${witness}`);
    return { ...control, witness };
  });
  const survivors = options.withBug !== undefined && collected.evidence?.failures.length === 0;
  collected = { ...collected, controls: survivors ? [survivorOf(options.withBug)] : controls };
  const demands = demandsOf(stage);
  const judgement = judgeStage(collected, options.withBug === undefined ? demands : { ...demands, minimumControls: 0 });
  return {
    ...aboutStage(stage, options.seed),
    ...collected,
    ...judgement,
    status: 'judged',
    durationSeconds: (monotonicMilliseconds() - start) / 1000,
    replays,
    pictures,
  };
}
