/**
 * The detection benchmark: planted bugs one at a time, each under its own stage with a whole budget, each catch verified
 * by its replays. It measures the harness; the engine is as it is.
 */
import { join } from 'node:path';
import { systemClock } from '../base/clock.ts';
import type { Detection, DetectionRow } from '../report/detection.ts';
import type { Evidence } from '../report/evidence.ts';
import { removeTree } from '../report/files.ts';
import { hashSources } from '../report/sources-hash.ts';
import { deriveSeed } from './campaign.ts';
import { type CatalogueEntry, namesClass } from './catalogue.ts';
import { verifyCatch } from './control.ts';
import type { Profile, StageSpecification } from './profile.ts';
import { type RunContext, runStageProcess, stageProgram } from './stage-run.ts';

/** What is measured. */
export interface DetectionOptions {
  readonly profile: Profile;
  readonly entries: readonly CatalogueEntry[];
  readonly seed: number;
  /** Seconds of CPU within which each bug has to be found. */
  readonly budgetSeconds: number;
  readonly outDirectory: string;
  readonly signal: AbortSignal;
  readonly observer: RunContext['observer'];
  /** Told of each row as it is there. */
  readonly onRow: (row: DetectionRow) => void;
}

/** A stage has a budget in time that passes. On a machine that is busy with other things it gets less CPU than that. */
const WALL_FACTOR = 3;
/** Shrinking and replaying come on top. */
const TIMEOUT_FACTOR = 2;
/** Figures by which a stage tells finding from shrinking. */
export const CPU_UNTIL_FOUND = 'CPU until found';
/** The other one. */
export const CPU_OF_SHRINKING = 'CPU of shrinking';
const CYCLES: readonly string[] = ['cycles', 'small scope cycles', 'fault matrix cycles'];

/** Runs them one after another. */
export async function runDetection(options: DetectionOptions): Promise<Detection> {
  const { profile, outDirectory, signal, observer } = options;
  const context: RunContext = { profile: profile.profile, outDirectory, signal, weaken: [], observer };
  const rows: DetectionRow[] = [];
  for (const entry of options.entries) {
    const stage = profile.stages.find(({ name }) => name === entry.stage);
    if (stage === undefined || signal.aborted) continue;
    const row = await detect(context, stage, entry, options);
    rows.push(row);
    options.onRow(row);
  }
  removeTree(join(outDirectory, 'work'));
  const crash = profile.stages.find(({ name }) => name === 'crash');
  return {
    format: 'lightning-db detection',
    version: 1,
    day: new Date(systemClock.now()).toISOString().slice(0, 10),
    seed: options.seed,
    budgetSeconds: options.budgetSeconds,
    sourcesHash: crash === undefined ? '' : hashSources(stageProgram(crash)).hash,
    rows,
  };
}

async function detect(
  context: RunContext,
  { timeoutSeconds, ...rest }: StageSpecification,
  entry: CatalogueEntry,
  { seed, budgetSeconds }: DetectionOptions,
): Promise<DetectionRow> {
  const wallSeconds = budgetSeconds * WALL_FACTOR;
  const stage = {
    ...rest,
    budgetSeconds: wallSeconds,
    timeoutSeconds: Math.max(timeoutSeconds, wallSeconds * TIMEOUT_FACTOR),
  };
  const { name, component, recreates, difficulty } = entry;
  const about = { name, component, recreates, stage: stage.name, difficulty };
  const own = deriveSeed(seed, `detect ${name}`);
  const role = `detect-${name}`;
  const outcome = await runStageProcess(context, {
    role,
    stage,
    mode: 'run',
    seed: own,
    budgetSeconds: wallSeconds,
    planted: [entry],
  });
  const nothing = { class: '', cycles: null, cpuSeconds: 0, shrinkCpuSeconds: 0, operations: 0, sentence: '' };
  if ('refusal' in outcome) {
    return { ...about, ...nothing, outcome: 'broken', detail: `${outcome.refusal.reason}: ${outcome.refusal.detail}` };
  }
  const { evidence } = outcome;
  const cost = costOf(evidence);
  const failure = evidence.failures.find((candidate) => namesClass(entry, candidate.class));
  if (failure === undefined) {
    const other = evidence.failures.map((candidate) => `${candidate.class} (${candidate.message})`).join(', ');
    if (other !== '') return { ...about, ...nothing, ...cost, outcome: 'survived', detail: `reported as ${other}` };
    // A machine that is busy with other things gives less CPU than was meant: then nothing can be concluded.
    const spent = `${cost.cpuSeconds.toFixed(1)} s of CPU`;
    return cost.cpuSeconds < budgetSeconds
      ? { ...about, ...nothing, ...cost, outcome: 'broken', detail: `no verdict: the machine gave it only ${spent}` }
      : { ...about, ...nothing, ...cost, outcome: 'survived', detail: `nothing was reported in ${spent}` };
  }
  if (cost.cpuSeconds > budgetSeconds) {
    const detail = `found as ${failure.class}, but only after ${cost.cpuSeconds.toFixed(1)} s of CPU`;
    return { ...about, ...nothing, ...cost, outcome: 'survived', detail };
  }
  const verified = await verifyCatch(context, (job) => job(), stage, entry, own, failure.witness);
  return {
    ...about,
    ...cost,
    outcome: verified.outcome,
    class: failure.class,
    operations: failure.operations,
    sentence: failure.story.at(0) ?? '',
    detail: verified.detail,
  };
}

function costOf({ figures, counts, cpuSeconds }: Evidence) {
  const figure = (name: string): number | undefined => figures.find((one) => one.name === name)?.value;
  const counted = CYCLES.filter((name) => counts[name] !== undefined);
  return {
    cycles: counted.length === 0 ? null : counted.reduce((sum, name) => sum + counts[name], 0),
    cpuSeconds: figure(CPU_UNTIL_FOUND) ?? cpuSeconds,
    shrinkCpuSeconds: figure(CPU_OF_SHRINKING) ?? 0,
  };
}
