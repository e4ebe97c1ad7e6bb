/** One run of the gate: every stage of a profile, the self-check beside them, one verdict, one report. */
import { join, resolve } from 'node:path';
import { LightningError } from '../base/errors.ts';
import { monotonicMilliseconds, systemClock } from '../base/clock.ts';
import { Prng } from '../base/prng.ts';
import { makeDirectory, removeTree, writeWhole } from '../report/files.ts';
import { renderPage } from '../report/page.ts';
import type { GateReport, SelfCheckResult, StageResult } from '../report/results.ts';
import { newestDetection } from '../report/detection.ts';
import { packageVersion, sourceRoot } from '../report/sources-hash.ts';
import { headlineOf, judgeRun } from '../report/verdict.ts';
import { deriveSeed, runCampaign, unjudged } from './campaign.ts';
import { type CatalogueEntry, drawControls, findEntry, readCatalogue, staleness } from './catalogue.ts';
import { Pool } from './pool.ts';
import type { Profile, StageSpecification } from './profile.ts';
import { runSelfCheck } from './sabotage.ts';
import type { RunContext, RunObserver } from './stage-run.ts';

/** Processes at a time; stages are measured for two cores. */
const PROCESS_COUNT = 2;

/** What to run. */
export interface GateOptions {
  readonly profile: Profile;
  readonly outDirectory: string;
  /** The run's seed, from which every process gets its own. */
  readonly seed: number;
  /** Only the stage of this name. */
  readonly only: string | undefined;
  /** A planted bug in the clean campaign: the run must fail. */
  readonly withBug: string | undefined;
  /** A sabotage in every process: the run must not pass. */
  readonly weaken: string | undefined;
  readonly signal: AbortSignal;
  readonly observer: RunObserver;
}

interface Plan {
  readonly stage: StageSpecification;
  readonly skipped: string | undefined;
  readonly controls: readonly CatalogueEntry[];
}

function planStages(
  options: GateOptions,
  catalogue: readonly CatalogueEntry[],
  withBug: CatalogueEntry | undefined,
): Plan[] {
  const { profile, seed } = options;
  const only = options.only ?? withBug?.stage;
  if (only !== undefined && !profile.stages.some(({ name }) => name === only)) {
    const names = profile.stages.map(({ name }) => name).join(', ');
    throw new LightningError('LIGHTNING_NOT_FOUND', `no stage ${only} in the profile; there are ${names}`, { only });
  }
  return profile.stages.map((stage) => {
    const leftOut = only !== undefined && stage.name !== only;
    const skipped = leftOut ? 'not asked for' : stage.run ? undefined : `not part of the profile ${profile.profile}`;
    const prng = new Prng(deriveSeed(seed, `draw ${stage.name}`));
    const { always, draw } = stage.controls;
    const controls =
      skipped === undefined && withBug === undefined
        ? drawControls(catalogue, stage.name, always, draw, stage.budgetSeconds, prng)
        : [];
    return { stage, skipped, controls };
  });
}

/** About how many processes a run will start, for the display. */
export function expectedProcesses(options: Pick<GateOptions, 'profile' | 'only' | 'withBug'>): number {
  const stages = options.profile.stages.filter(({ name, run }) => (options.only ?? name) === name && run);
  if (options.withBug !== undefined) return 1;
  return stages.reduce((sum, { deterministic, seeded, nullEditBudgetSeconds, controls }) => {
    const repetitions = deterministic ? (seeded ? 3 : 2) : 0;
    const nullEdits = nullEditBudgetSeconds > 0 ? 1 : 0;
    return sum + 1 + repetitions + nullEdits + 3 * (controls.always.length + controls.draw);
  }, 0);
}

async function runStage(
  context: RunContext,
  pool: Pool,
  plan: Plan,
  options: GateOptions,
  nullEdit: CatalogueEntry,
  withBug: CatalogueEntry | undefined,
): Promise<StageResult> {
  if (plan.skipped !== undefined) return unjudged(plan.stage, 'not-run', plan.skipped);
  return runCampaign(context, (job) => pool.run(job), plan.stage, {
    seed: deriveSeed(options.seed, `stage ${plan.stage.name}`),
    controls: plan.controls,
    nullEdit,
    withBug,
    stopEarly: false,
  });
}

/**
 * Runs the gate and writes `verdict.json`, `index.html`, `evidence/` and `witnesses/` under the out directory.
 * @throws LightningError for names that do not exist and for stale planted bugs asked for by name
 */
export async function runGate(options: GateOptions): Promise<GateReport> {
  const start = monotonicMilliseconds();
  const startedAt = new Date(systemClock.now()).toISOString();
  const outDirectory = resolve(options.outDirectory);
  const catalogue = readCatalogue();
  const withBug = options.withBug === undefined ? undefined : findEntry(catalogue, options.withBug);
  const weaken = options.weaken === undefined ? [] : [findEntry(catalogue, options.weaken)];
  const nullEdit = findEntry(catalogue, 'null-edit');
  const stale = staleness([...(withBug === undefined ? [] : [withBug]), ...weaken]);
  if (stale !== undefined) throw new LightningError('LIGHTNING_STALE_PLANTED_BUG', stale);
  const plans = planStages(options, catalogue, withBug);
  makeDirectory(outDirectory);
  const { signal, observer } = options;
  const context: RunContext = { profile: options.profile.profile, outDirectory, signal, weaken, observer };
  const pool = new Pool(PROCESS_COUNT);
  // The longest first, so that no long stage is left alone at the end.
  const order = plans.toSorted((a, b) => b.stage.budgetSeconds - a.stage.budgetSeconds);
  const finished = await Promise.all(order.map((plan) => runStage(context, pool, plan, options, nullEdit, withBug)));
  const stages = plans.flatMap(({ stage }) => finished.filter(({ name }) => name === stage.name));
  const checked = options.profile.selfCheck && options.only === undefined && withBug === undefined;
  const selfCheck =
    checked && !signal.aborted
      ? await runSelfCheck({ outDirectory, signal, catalogue, seed: deriveSeed(options.seed, 'self-check') })
      : undefined;
  const report = assemble(options, startedAt, (monotonicMilliseconds() - start) / 1000, stages, selfCheck);
  removeTree(join(outDirectory, 'work'));
  removeTree(join(outDirectory, 'self-check'));
  writeReport(outDirectory, report);
  return report;
}

function assemble(
  options: GateOptions,
  startedAt: string,
  durationSeconds: number,
  stages: readonly StageResult[],
  selfCheck: SelfCheckResult | undefined,
): GateReport {
  const interrupted = options.signal.aborted;
  const { verdict, exitCode } = judgeRun(stages, selfCheck, interrupted);
  const subject = stages.find((stage) => stage.evidence !== undefined)?.evidence?.subject;
  const profile = options.profile.profile;
  return {
    format: 'lightning-db verdict',
    version: 1,
    profile,
    seed: options.seed,
    startedAt,
    durationSeconds,
    interrupted,
    subject: subject ?? { engine: 'lightning-db', version: packageVersion() },
    runtime: { node: process.version, platform: process.platform, architecture: process.arch },
    weaken: options.weaken,
    withBug: options.withBug,
    verdict,
    exitCode,
    headline: headlineOf({ profile, verdict, exitCode, stages, interrupted, selfCheck }),
    stages,
    selfCheck,
    detection: newestDetection(sourceRoot),
  };
}

/** Writes the verdict and the page drawn from it. */
export function writeReport(outDirectory: string, report: GateReport): void {
  writeWhole(join(outDirectory, 'verdict.json'), `${JSON.stringify(report, null, 2)}\n`);
  writeWhole(join(outDirectory, 'index.html'), renderPage(report));
}
