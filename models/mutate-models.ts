/**
 * Asks what notices each fault of model-mutants.ts. A guard that is gone must be noticed by the passing configurations of
 * its module (smoke ones), an invariant that is TRUE by the broken configurations made for it.
 */
import { join } from 'node:path';
import { makeDirectory, readText, writeWhole } from '../src/report/files.ts';
import type { CheckOutcome } from './check-outcome.ts';
import { parseConfigurationFile } from './configuration-file.ts';
import {
  brokenConfigurations,
  brokenPath,
  type Module,
  modelPath,
  passingConfigurations,
  passingPath,
} from './configurations.ts';
import { type ModelMutant, mutantsOf } from './model-mutants.ts';
import { runTlaChecker } from './tla-checker-runner.ts';

/** What became of one mutant. */
export interface MutantResult {
  readonly model: Module;
  readonly kind: ModelMutant['kind'];
  readonly definition: string;
  readonly text: string;
  readonly line: number;
  /** `counted`: no invariant broke, but the number of states is another one. */
  readonly fate: 'violated' | 'control lost' | 'cannot be evaluated' | 'did not end' | 'counted' | 'survived';
  /** Which invariant, which configuration, how many states. */
  readonly by: string;
}

/** How mutants are asked about. */
export interface MutationSettings {
  readonly models: readonly Module[];
  readonly workDirectory: string;
  readonly timeLimitSeconds: number;
  readonly onResult: (result: MutantResult, done: number, all: number) => void;
}

/** Asks about all mutants of the modules, two at a time, in the order of the files. */
export async function mutateModels(settings: MutationSettings): Promise<readonly MutantResult[]> {
  makeDirectory(settings.workDirectory);
  const all = settings.models.flatMap((model) =>
    mutantsOf(readText(modelPath(model)), invariantsOf(model)).map((mutant) => ({ model, mutant })),
  );
  const results: MutantResult[] = [];
  let next = 0;
  let done = 0;
  const worker = async (): Promise<void> => {
    while (next < all.length) {
      const index = next++;
      const { model, mutant } = all[index];
      const path = join(settings.workDirectory, `${model}-${index}.tla`);
      writeWhole(path, mutant.source);
      const fate = await (mutant.kind === 'guard'
        ? withoutGuard(model, path, settings)
        : withoutInvariant(model, mutant.definition, path, settings));
      const { kind, definition, text, line } = mutant;
      results[index] = { model, kind, definition, text, line, ...fate };
      settings.onResult(results[index], ++done, all.length);
    }
  };
  await Promise.all([worker(), worker()]);
  return results;
}

/** The invariants that the module's configurations list. */
function invariantsOf(model: Module): ReadonlySet<string> {
  const paths = passingConfigurations.filter((one) => one.model === model).map(({ name }) => passingPath(name));
  return new Set(paths.flatMap((path) => parseConfigurationFile(readText(path)).invariants));
}

type Fate = Pick<MutantResult, 'fate' | 'by'>;

async function withoutGuard(model: Module, path: string, settings: MutationSettings): Promise<Fate> {
  const mine = passingConfigurations.filter((one) => one.model === model && !one.liveness && one.tier === 'smoke');
  const counted: string[] = [];
  for (const { name, distinctStates } of mine) {
    const outcome = await ask(path, passingPath(name), settings);
    if (outcome.verdict === 'violated') return { fate: 'violated', by: `${outcome.invariant} (${name})` };
    if (outcome.verdict === 'broken') return { fate: 'cannot be evaluated', by: outcome.reason.slice(0, 100) };
    if (outcome.verdict === 'unknown') return { fate: 'did not end', by: `${name}: ${outcome.reason}` };
    if (outcome.distinctStates !== distinctStates) {
      counted.push(`${name}: ${outcome.distinctStates} states, not ${distinctStates}`);
    }
  }
  return counted.length > 0 ? { fate: 'counted', by: counted.join('; ') } : { fate: 'survived', by: '' };
}

async function withoutInvariant(
  model: Module,
  invariant: string,
  path: string,
  settings: MutationSettings,
): Promise<Fate> {
  const mine = brokenConfigurations.filter((one) => one.model === model && one.violates === invariant);
  for (const { name } of mine) {
    const outcome = await ask(path, brokenPath(name), settings);
    if (outcome.verdict === 'broken') return { fate: 'cannot be evaluated', by: outcome.reason.slice(0, 100) };
    const isLost = outcome.verdict === 'pass' || (outcome.verdict === 'violated' && outcome.invariant !== invariant);
    if (isLost) return { fate: 'control lost', by: name };
  }
  return { fate: 'survived', by: '' };
}

async function ask(path: string, configuration: string, settings: MutationSettings): Promise<CheckOutcome> {
  return runTlaChecker({
    modelPath: path,
    configurationPath: configuration,
    timeLimitSeconds: settings.timeLimitSeconds,
    workDirectory: settings.workDirectory,
  });
}

/** The list, as text: what noticed each mutant, survivors first. */
export function mutationLines(results: readonly MutantResult[]): string[] {
  const rank = (one: MutantResult): number => ['survived', 'counted', 'did not end'].indexOf(one.fate);
  const sorted = results.toSorted((a, b) => (rank(a) < 0 ? 9 : rank(a)) - (rank(b) < 0 ? 9 : rank(b)));
  const counts = Map.groupBy(results, ({ fate }) => fate);
  return [
    `${results.length} mutants of the models: ${[...counts].map(([fate, list]) => `${list.length} ${fate}`).join(', ')}`,
    ...sorted.map(
      ({ model, definition, text, line, fate, by }) =>
        `${fate.padEnd(20)} ${model}:${line} ${definition}: ${text}${by === '' ? '' : `  [${by}]`}`,
    ),
  ];
}
