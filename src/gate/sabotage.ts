/**
 * The gate judged by itself: twelve ways to make a harness blind, each applied to the miniature stage, none of which may
 * pass. The untouched stage must pass, or every refusal would be worth nothing.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { LightningError } from '../base/errors.ts';
import { monotonicMilliseconds } from '../base/clock.ts';
import { readText, writeWhole } from '../report/files.ts';
import type { SabotageResult, SelfCheckResult, StageResult } from '../report/results.ts';
import { findSkips, judgeInventory } from '../report/test-inventory.ts';
import { runCampaign } from './campaign.ts';
import { type CatalogueEntry, findEntry } from './catalogue.ts';
import { silentObserver } from './display.ts';
import { Pool } from './pool.ts';
import type { StageSpecification } from './profile.ts';
import type { RunContext } from './stage-run.ts';

/** The stage that sabotages are tried on. Another stage can stand here, with a sabotage that edits its files. */
export const MINIATURE_STAGE: StageSpecification = {
  name: 'miniature',
  title: 'Miniature',
  question: 'Would the gate notice that it has gone blind?',
  file: 'src/gate/miniature/stage.ts',
  run: true,
  required: true,
  deterministic: true,
  seeded: true,
  budgetSeconds: 15,
  nullEditBudgetSeconds: 15,
  timeoutSeconds: 30,
  minimumCounts: { programs: 150, operations: 6_000, 'tests run on mutants': 1 },
  requiredChecks: ['scans agree with the map', 'mutants'],
  controls: { always: ['miniature-delete-forgets-value', 'miniature-scan-one-short'], draw: 0, minimum: 1 },
};

interface Sabotage {
  readonly name: string;
  readonly title: string;
  /** What the refusal must say; one for another reason would be luck. */
  readonly because: RegExp;
  /** A catalogue entry in force in every process, or something done to the evidence, or neither: then `inspect`. */
  readonly entry?: string;
  readonly tamper?: (path: string) => void;
  readonly inspect?: () => readonly string[];
}

const countsSchema = z.looseObject({ counts: z.record(z.string(), z.number()) });

function raiseCounts(path: string): void {
  const evidence = countsSchema.parse(JSON.parse(readText(path)));
  for (const name of Object.keys(evidence.counts)) evidence.counts[name] += 1_000_000;
  writeWhole(path, JSON.stringify(evidence));
}

function cutInHalf(path: string): void {
  const text = readText(path);
  writeWhole(path, text.slice(0, Math.floor(text.length / 2)));
}

/** Two test files that differ in one skip: the first must be accepted, the second must not. */
function inspectSkips(): readonly string[] {
  const inventory = { minimumTests: 2, skips: [] };
  const honest = "test('a', () => {});\ntest('b', () => {});\n";
  const skipping = honest.replace("test('b'", "test.skip('b'");
  const problems = (source: string): string[] => judgeInventory(inventory, { run: 2, skipped: findSkips(source) });
  if (problems(honest).length > 0) throw new LightningError('LIGHTNING_HARNESS', 'an honest test file is refused');
  return problems(skipping);
}

/** All twelve. */
export const SABOTAGES: readonly Sabotage[] = [
  {
    name: 'checker-says-ok',
    title: 'a checker that returns ok',
    because: /survived/,
    entry: 'sabotage-checker-says-ok',
  },
  { name: 'empty-generator', title: 'an empty generator', because: /operations: 0/, entry: 'sabotage-empty-generator' },
  { name: 'early-exit', title: 'a stage that exits 0 early', because: /^missing:/, entry: 'sabotage-early-exit' },
  { name: 'worker-dies', title: 'a worker that dies', because: /^harness:/, entry: 'sabotage-worker-dies' },
  {
    name: 'other-sources',
    title: 'evidence of other sources',
    because: /^other-sources:/,
    entry: 'sabotage-other-sources',
  },
  { name: 'edited-evidence', title: 'evidence edited by hand', because: /^edited:/, tamper: raiseCounts },
  { name: 'cut-evidence', title: 'evidence cut short', because: /^cut:/, tamper: cutInHalf },
  {
    name: 'zero-executions',
    title: 'zero executions',
    because: /^zero-executions:/,
    entry: 'sabotage-zero-executions',
  },
  {
    name: 'unlisted-skip',
    title: 'a test skipped without being listed',
    because: /unlisted skip/,
    inspect: inspectSkips,
  },
  {
    name: 'hook-not-inherited',
    title: 'a child without the module hook',
    because: /hook-not-in-force/,
    entry: 'sabotage-hook-not-inherited',
  },
  {
    name: 'pinned-seed',
    title: 'a pinned seed where fresh ones are promised',
    because: /does not depend on its seed/,
    entry: 'sabotage-pinned-seed',
  },
  {
    name: 'no-tests-per-mutant',
    title: 'zero tests per mutant',
    because: /mutants: 0, at least 1/,
    entry: 'sabotage-no-tests-per-mutant',
  },
];

/** What a self-check needs of the run it is part of. */
export interface SelfCheckOptions {
  readonly outDirectory: string;
  readonly signal: AbortSignal;
  readonly catalogue: readonly CatalogueEntry[];
  readonly seed: number;
  /** Sabotages to try; all by default. */
  readonly only?: readonly string[];
}

async function runMiniature(
  options: SelfCheckOptions,
  name: string,
  weaken: readonly CatalogueEntry[],
  tamper: ((path: string) => void) | undefined,
): Promise<StageResult> {
  const context: RunContext = {
    profile: 'self-check',
    outDirectory: join(options.outDirectory, 'self-check', name),
    signal: options.signal,
    weaken,
    observer: silentObserver,
  };
  const untouched = weaken.length === 0 && tamper === undefined;
  const controls = MINIATURE_STAGE.controls.always.map((bug) => findEntry(options.catalogue, bug));
  return runCampaign(context, (job) => job(), MINIATURE_STAGE, {
    seed: options.seed,
    controls: untouched ? controls : controls.slice(0, 1),
    nullEdit: untouched ? findEntry(options.catalogue, 'null-edit') : undefined,
    withBug: undefined,
    stopEarly: !untouched,
    ...(tamper === undefined ? {} : { tamper }),
  });
}

async function trySabotage(options: SelfCheckOptions, sabotage: Sabotage): Promise<SabotageResult> {
  const { name, title, because, entry, tamper, inspect } = sabotage;
  const weaken = entry === undefined ? [] : [findEntry(options.catalogue, entry)];
  const reasons = inspect?.() ?? (await reasonsAgainst(options, name, weaken, tamper));
  const refused = reasons.find((reason) => because.test(reason));
  const detail = refused ?? (reasons.length === 0 ? 'it passed' : `refused by luck: ${reasons.join('; ')}`);
  return { name, title, refused: refused !== undefined, detail: detail.split('\n')[0] };
}

/** Why the weakened stage does not pass; empty when it passes. */
async function reasonsAgainst(
  options: SelfCheckOptions,
  name: string,
  weaken: readonly CatalogueEntry[],
  tamper: ((path: string) => void) | undefined,
): Promise<readonly string[]> {
  const result = await runMiniature(options, name, weaken, tamper);
  return result.verdict === 'pass' && !result.broken ? [] : result.reasons;
}

/** Runs the untouched miniature stage and every sabotage, two at a time. */
export async function runSelfCheck(options: SelfCheckOptions): Promise<SelfCheckResult> {
  const start = monotonicMilliseconds();
  const pool = new Pool(2);
  const chosen = SABOTAGES.filter(({ name }) => options.only?.includes(name) ?? true);
  const [untouched, ...sabotages] = await Promise.all([
    pool.run(() => runMiniature(options, 'untouched', [], undefined)),
    ...chosen.map((sabotage) => pool.run(() => trySabotage(options, sabotage))),
  ]);
  return {
    untouchedPasses: untouched.verdict === 'pass' && !untouched.broken,
    untouchedDetail: untouched.reasons.join('; ') || 'it passes with both planted bugs caught',
    sabotages,
    durationSeconds: (monotonicMilliseconds() - start) / 1000,
  };
}
