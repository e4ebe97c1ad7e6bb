/** Judges traced runs, and makes a run that a model refuses as short as it can be while the same action is refused. */
import { LightningError } from '../src/base/errors.ts';
import type { ModelName } from './configurations.ts';
import { explainRefusal } from './trace-explain.ts';
import { toTla } from './trace-events.ts';
import { type TracedRun, type TraceOptions, traceRun } from './trace-run.ts';
import { type Trace, validateTraces } from './trace-validate.ts';

/** Candidates that are given to the checker together. */
const SHRINK_BATCH = 8;
/** Candidates in all: each costs some hundredths of a second. */
const SHRINK_CANDIDATES_MAX = 400;
/** So many acts at most are tried two at a time. */
const PAIRS_ACTS_MAX = 20;

/** What is wrong with a run. */
export interface Objection {
  /** The failure class: `not-a-step:` with model and action, or `unexpected-error`. */
  readonly class: string;
  readonly message: string;
  /** The least number of its acts after which the objection stands. */
  readonly acts: number;
  /** The refused event; `undefined` for an error. */
  readonly refused: { readonly model: ModelName; readonly at: number } | undefined;
}

/** Both traces of a run. */
export function tracesOf(run: TracedRun): readonly Trace[] {
  const { segmentNumbers, first } = run.wal;
  return [
    { setting: { model: 'WALRecovery', segments: segmentNumbers, first }, events: run.wal.events },
    { setting: { model: 'MVCC' }, events: run.mvcc.events },
  ];
}

/** Judges runs in one process. @throws LightningError `LIGHTNING_HARNESS` when the checker could not */
export async function judgeRuns(runs: readonly TracedRun[]): Promise<readonly (Objection | undefined)[]> {
  const traces = runs.map(tracesOf);
  const verdicts = await validateTraces(traces.flat());
  let next = 0;
  return runs.map((run, index) => {
    let objection: Objection | undefined;
    for (const { setting } of traces[index]) {
      const verdict = verdicts[next++];
      if ('reason' in verdict) {
        throw new LightningError('LIGHTNING_HARNESS', `a trace of ${setting.model}: ${verdict.reason}`);
      }
      if (verdict.verdict !== 'rejected' || objection !== undefined) continue;
      const { at, event } = verdict;
      const refused = { model: setting.model, at };
      const message = `event ${at} is no step of ${setting.model}: ${toTla(event)}`;
      const acts = 1 + run.lengths.findIndex((lengths) => lengths[setting.model] >= at);
      objection = { class: `not-a-step:${setting.model}.${event.action}`, message, acts, refused };
    }
    if (objection === undefined && run.error !== undefined) {
      const acts = run.lengths.length;
      return { class: 'unexpected-error', message: String(run.error), acts, refused: undefined };
    }
    return objection;
  });
}

interface Failing {
  readonly options: TraceOptions;
  readonly objection: Objection;
}

/** The first of the candidates that fails in the same way, cut to the acts that matter. */
async function firstFailing(candidates: readonly TraceOptions[], failureClass: string): Promise<Failing | undefined> {
  const objections = await judgeRuns(candidates.map(traceRun));
  for (const [index, objection] of objections.entries()) {
    if (objection?.class !== failureClass) continue;
    const options = { ...candidates[index], acts: candidates[index].acts.slice(0, objection.acts) };
    return { options, objection };
  }
  return undefined;
}

/** Which acts a candidate leaves out: places in the list of acts. */
type Cut = readonly number[];

/** Pieces of one size, one after the other; of size 0 every two acts. */
function cutsOf(count: number, size: number): Cut[] {
  const places = Array.from({ length: count }, (_, place) => place);
  if (size === 0) return places.flatMap((first) => places.slice(first + 1).map((second) => [first, second]));
  return places.filter((place) => place % size === 0).map((from) => places.slice(from, from + size));
}

/** Leaves acts out, in ever smaller pieces and at last two at a time, while the objection keeps its class. */
export async function shrinkRun(options: TraceOptions, objection: Objection): Promise<Failing> {
  let best: Failing = { options: { ...options, acts: options.acts.slice(0, objection.acts) }, objection };
  let left = SHRINK_CANDIDATES_MAX;
  let size = Math.ceil(best.options.acts.length / 2);
  for (;;) {
    const { acts } = best.options;
    const cuts = size === 0 && acts.length > PAIRS_ACTS_MAX ? [] : cutsOf(acts.length, size);
    let found: Failing | undefined;
    for (let next = 0; next < cuts.length && found === undefined && left > 0; next += SHRINK_BATCH) {
      const batch = cuts.slice(next, next + SHRINK_BATCH);
      const without = batch.map((cut) => acts.filter((_, place) => !cut.includes(place)));
      left -= batch.length;
      found = await firstFailing(
        without.map((some) => ({ ...best.options, acts: some })),
        objection.class,
      );
    }
    if (found !== undefined) best = found;
    else if (size === 0 || left <= 0) return best;
    else size = size === 1 ? 0 : Math.ceil(size / 2);
    if (found !== undefined && size === 0) size = 1;
  }
}

/** Why a run is refused, in lines for a reader. */
export async function storyOf({ options, objection }: Failing): Promise<string[]> {
  const { refused } = objection;
  const run = traceRun({ ...options, watch: refused });
  const acts = run.story.map((act, index) => `${index + 1}. ${act}`);
  if (refused === undefined) return [...acts, objection.message];
  const trace = tracesOf(run).find(({ setting }) => setting.model === refused.model);
  if (trace === undefined) return [...acts, objection.message];
  return [...acts, ...(await explainRefusal(trace, refused.at, run.watched ?? {}))];
}
