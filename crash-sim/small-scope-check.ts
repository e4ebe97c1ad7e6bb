/** The small scope as checks of the stage: each directory model by itself, records within a sector and across two. */
import { cpuSeconds } from '../src/base/clock.ts';
import { DIRECTORY_MODELS } from '../src/faults/names.ts';
import type { StageContext } from '../src/report/stage.ts';
import type { FoundFailure } from './crash-explorer.ts';
import { programCount, type ScopeResult, SmallScope } from './small-scope.ts';

/** Longer values reach over a sector, so their records tear. */
const TORN_VALUE_BYTES = 700;

/** How long programs are, by what there is to spend; at most half of it. Measured: 3 takes 7 s of CPU. */
export function scopeLength(budgetSeconds: number): number {
  if (budgetSeconds >= 600) return 4;
  return budgetSeconds >= 60 ? 3 : 2;
}

/** Walks all of it; returns the first failure. */
export function checkSmallScope(context: StageContext, length: number): FoundFailure | undefined {
  // Of the processor's time: what a busy machine takes is not this one's.
  const cpuEnd = cpuSeconds() + context.budgetSeconds / 2;
  for (const model of DIRECTORY_MODELS) {
    const counts = { count: (name: string, by = 1): void => context.count(`small scope ${name}`, by) };
    const stop = (): boolean => {
      context.progress(`small scope, ${model} names`, context.elapsedSeconds(), context.budgetSeconds);
      return !context.hashOnly && cpuSeconds() > cpuEnd;
    };
    const whole = new SmallScope(model, counts).explore(length, 1, stop);
    const torn =
      (whole.failure ?? whole.complete)
        ? new SmallScope(model, counts).explore(length - 1, TORN_VALUE_BYTES, stop)
        : whole;
    const failure = whole.failure ?? torn.failure;
    if (context.hashOnly) context.hash(JSON.stringify([whole.states, whole.images, torn.states, torn.images]));
    if (failure !== undefined) return failure;
    checkCounts(context, model, [
      { result: whole, length },
      { result: torn, length: length - 1 },
    ]);
  }
  return undefined;
}

function checkCounts(
  context: StageContext,
  model: string,
  parts: readonly { readonly result: ScopeResult; readonly length: number }[],
): void {
  const name = `small scope, ${model} names`;
  const words: string[] = [];
  for (const { result, length } of parts) {
    const { programs, cuts, states, statesByFormula, images, statesInRecovery } = result;
    if (!result.complete) {
      context.check(name, 'unknown', `the budget ended after ${programs} of ${programCount(length)} programs`);
      return;
    }
    if (programs !== programCount(length) || states !== statesByFormula) {
      const text = `${programs} programs and ${states} states walked, by formula ${programCount(length)} and ${statesByFormula}`;
      context.check(name, 'vacuous', text);
      return;
    }
    context.count('small scope programs', programs);
    context.count('small scope states', states);
    words.push(
      `up to ${length} operations: ${programs} programs, ${cuts} cuts, ${states} states, ${statesInRecovery} in recovery, ${images} disks`,
    );
  }
  context.check(name, 'pass', `${words.join('; ')}; as many as the formulas say`);
}
