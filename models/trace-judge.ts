/** Judges traced runs, and makes a run that a model refuses as short as it can be while the same action is refused. */
import { LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import type { ModelName } from './configurations.ts';
import { explainRefusal } from './trace-explain.ts';
import { toTla } from './trace-events.ts';
import { firstActs, type TracedRun, type TraceOptions, traceRun } from './trace-run.ts';
import { type Rejection, type Trace, validateTraces } from './trace-validate.ts';

/** Candidates in all: each costs up to a tenth of a second. */
const SHRINK_CANDIDATES_MAX = 200;
/** So few acts are read at a glance. */
const SHORT_ACTS_MAX = 5;
/** So many are left out two by two. */
const PAIRS_ACTS_MAX = 12;
/** More than these are too many, and so many other runs of as many acts are tried. */
const LONG_ACTS_MIN = 8;
const OTHER_RUNS = 200;

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

function classOf(model: ModelName, action: string): string {
  return `not-a-step:${model}.${action}`;
}

function objectionOf(run: TracedRun, model: ModelName, { at, event }: Rejection): Objection {
  return {
    class: classOf(model, event.action),
    message: `event ${at} is no step of ${model}: ${toTla(event)}`,
    acts: 1 + run.lengths.findIndex((lengths) => lengths[model] >= at),
    refused: { model, at },
  };
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
      objection = objectionOf(run, setting.model, verdict);
    }
    if (objection === undefined && run.error !== undefined) {
      const acts = run.lengths.length;
      return { class: 'unexpected-error', message: String(run.error), acts, refused: undefined };
    }
    return objection;
  });
}

/** A run that fails, and how. */
export interface Failing {
  readonly options: TraceOptions;
  readonly objection: Objection;
}

/**
 * Which of the candidates fail in the same way, cut to the acts that matter, in their order. Only the trace that was refused
 * is asked about.
 */
async function failingOf(
  candidates: readonly TraceOptions[],
  old: Objection,
): Promise<readonly (Failing | undefined)[]> {
  const model = old.refused?.model;
  const asked = candidates.map((options) => {
    const run = traceRun(options);
    const trace = tracesOf(run).find(({ setting }) => setting.model === model);
    const mayFail = trace?.events.some(({ action }) => old.class === classOf(trace.setting.model, action)) === true;
    return { options, run, trace: mayFail ? trace : undefined };
  });
  const verdicts = await validateTraces(asked.flatMap(({ trace }) => trace ?? []));
  let next = 0;
  return asked.map(({ options, run, trace }) => {
    const verdict = trace === undefined ? undefined : verdicts[next++];
    if (verdict?.verdict !== 'rejected' || trace === undefined) return undefined;
    const objection = objectionOf(run, trace.setting.model, verdict);
    if (objection.class !== old.class) return undefined;
    return { options: { ...options, acts: options.acts.slice(0, objection.acts) }, objection };
  });
}

/** Which acts are left out together: large pieces, one act at a time, or every two. */
const CUTS = {
  pieces: (acts: readonly number[]) => [2, 4, 8].flatMap((parts) => piecesOf(acts, Math.ceil(acts.length / parts))),
  singles: (acts: readonly number[]) => piecesOf(acts, 1),
  pairs: (acts: readonly number[]) =>
    acts.length > PAIRS_ACTS_MAX
      ? []
      : acts.flatMap((first, place) => acts.slice(place + 1).map((second) => [first, second])),
} as const satisfies Record<string, (acts: readonly number[]) => (readonly number[])[]>;

function piecesOf(acts: readonly number[], size: number): number[][] {
  return Array.from({ length: Math.ceil(acts.length / size) }, (_, piece) =>
    acts.slice(piece * size, (piece + 1) * size),
  );
}

/** Leaves acts out while the objection keeps its class, until few are left or none can go. */
async function withoutActs(failing: Failing): Promise<Failing> {
  let best = failing;
  let way: keyof typeof CUTS = 'pieces';
  // Acts of which each alone could go: perhaps all can.
  let removable: readonly number[] = [];
  for (let left = SHRINK_CANDIDATES_MAX; left > 0 && best.options.acts.length > SHORT_ACTS_MAX;) {
    const { acts } = best.options;
    const cuts = [...(removable.length > 1 ? [removable] : []), ...CUTS[way](acts)].slice(0, left);
    left -= cuts.length;
    const candidates = cuts.map((cut) => ({ ...best.options, acts: acts.filter((act) => !cut.includes(act)) }));
    const found = await failingOf(candidates, failing.objection);
    removable = cuts.flatMap((cut, index) => (cut.length === 1 && found[index] !== undefined ? cut : []));
    best = shortest([best, ...found]);
    if (best.options.acts.length < acts.length) way = best.options.acts.length > PAIRS_ACTS_MAX ? 'pieces' : 'singles';
    else if (way === 'pieces') way = 'singles';
    else if (way === 'singles') way = 'pairs';
    else break;
  }
  return best;
}

function shortest([first, ...others]: readonly [Failing, ...(Failing | undefined)[]]): Failing {
  return others.reduce<Failing>(
    (least, one) => (one !== undefined && one.options.acts.length < least.options.acts.length ? one : least),
    first,
  );
}

/**
 * Makes a failing run short: acts are left out, and where that does not go far enough, other runs are drawn that are short
 * from the start. An error that no model refused is only cut to the acts before it.
 */
export async function shrinkRun(options: TraceOptions, objection: Objection): Promise<Failing> {
  let best = await withoutActs({ options: { ...options, acts: options.acts.slice(0, objection.acts) }, objection });
  if (best.options.acts.length > LONG_ACTS_MIN && objection.refused !== undefined) {
    const random = new Prng(options.seed);
    const others = Array.from({ length: OTHER_RUNS }, (): TraceOptions => {
      return { seed: random.below(2 ** 31), acts: firstActs(LONG_ACTS_MIN), crashes: options.crashes };
    });
    const short = shortest([best, ...(await failingOf(others, objection))]);
    if (short !== best) best = await withoutActs(short);
  }
  // Both models have the last word.
  const [whole] = await judgeRuns([traceRun(best.options)]);
  return whole?.class === objection.class ? best : { options, objection };
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
