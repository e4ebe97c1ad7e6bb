/** The small scope whole, under each directory model, as a campaign of its own: every program, every cut, every state. */
import { monotonicMilliseconds } from '../src/base/clock.ts';
import { type DirectoryModel, DIRECTORY_MODELS } from '../src/faults/names.ts';
import type { FoundFailure } from './crash-explorer.ts';
import { programCount, type ScopeResult, SmallScope } from './small-scope.ts';

/** What it came to under one model. */
export interface ModelScope extends Omit<ScopeResult, 'failure'> {
  readonly directoryModel: DirectoryModel;
  readonly programsByFormula: number;
}

/** What it came to. */
export interface ScopeCampaign {
  readonly scope: 'small';
  /** Operations of the longest programs. */
  readonly length: number;
  /** Judged states: those of first cuts, and those of cuts in the recovery from them. */
  readonly cycles: number;
  readonly images: number;
  readonly violations: readonly FoundFailure[];
  readonly seconds: number;
  readonly models: readonly ModelScope[];
  /** Whether every model was walked to its end, with as many programs and states as the formulas say. */
  readonly complete: boolean;
}

/** What is asked for. */
export interface ScopeOptions {
  readonly length: number;
  readonly directoryModel: DirectoryModel | undefined;
  readonly secondsMax: number;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

/** Walks the scope in this process; it ends at the first failure. */
export function runScopeCampaign(options: ScopeOptions): ScopeCampaign {
  const start = monotonicMilliseconds();
  const seconds = (): number => (monotonicMilliseconds() - start) / 1000;
  const models: ModelScope[] = [];
  const violations: FoundFailure[] = [];
  const wanted = options.directoryModel === undefined ? DIRECTORY_MODELS : [options.directoryModel];
  for (const directoryModel of wanted) {
    let programs = 0;
    const stop = (): boolean => {
      if (programs++ % 100 === 0)
        options.onProgress(`${directoryModel} names, ${programs - 1} programs, ${seconds().toFixed(0)} s`);
      return options.signal.aborted || seconds() > options.secondsMax;
    };
    const scope = new SmallScope(directoryModel, { count: () => undefined });
    const { failure, ...result } = scope.explore(options.length, 1, stop);
    models.push({ directoryModel, programsByFormula: programCount(options.length), ...result });
    if (failure !== undefined) violations.push(failure);
    if (failure !== undefined || !result.complete) break;
  }
  const sum = (of: (model: ModelScope) => number): number => models.reduce((total, model) => total + of(model), 0);
  return {
    scope: 'small',
    length: options.length,
    cycles: sum(({ states, statesInRecovery }) => states + statesInRecovery),
    images: sum(({ images }) => images),
    violations,
    seconds: seconds(),
    models,
    complete: models.length === wanted.length && models.every(isWhole),
  };
}

function isWhole(model: ModelScope): boolean {
  return model.complete && model.programs === model.programsByFormula && model.states === model.statesByFormula;
}
