/** From rounds to figures: medians, ratios within the same round, and the targets they are held against. */
import { assert } from '../src/base/assert.ts';
import { median } from '../src/base/statistics.ts';

/** Of several rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One thing measured for several engines in interleaved rounds. */
export interface Figure {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  readonly engines: Readonly<Record<string, Spread & { readonly rounds: readonly number[] }>>;
  /** By peer: its value over ours in the same round; above 1 we need less. */
  readonly peerOverOurs: Readonly<Record<string, Spread>>;
}

/** A figure that was promised. */
export interface Target {
  readonly id: string;
  readonly text: string;
  readonly bound: number;
  readonly sense: 'at most' | 'at least' | 'below';
  /** `undefined`: not measured in this run, and `why` says why. */
  readonly actual: number | undefined;
  readonly why?: string;
  readonly holds: boolean | undefined;
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** Ratio of two series, round by round. */
export function ratioOf(above: readonly number[], below: readonly number[]): Spread {
  assert(above.length === below.length, 'ratios are taken within a round', above.length, below.length);
  return spreadOf(above.map((value, round) => value / below[round]));
}

/** Makes a figure from values by engine; `ours` is one of them. */
export function figureOf(
  id: string,
  title: string,
  unit: string,
  values: ReadonlyMap<string, readonly number[]>,
  ours: string,
): Figure {
  const own = values.get(ours);
  assert(own !== undefined, 'a figure holds our own engine', id);
  const engines: Record<string, Spread & { rounds: readonly number[] }> = {};
  const peerOverOurs: Record<string, Spread> = {};
  for (const [name, rounds] of values) {
    engines[name] = { ...spreadOf(rounds), rounds };
    if (name !== ours) peerOverOurs[name] = ratioOf(rounds, own);
  }
  return { id, title, unit, engines, peerOverOurs };
}

/** Holds a value against its bound. */
export function targetOf(
  id: string,
  text: string,
  sense: Target['sense'],
  bound: number,
  actual: number | undefined,
  why = 'not measured',
): Target {
  if (actual === undefined) return { id, text, bound, sense, actual, why, holds: undefined };
  const holds = sense === 'at least' ? actual >= bound : sense === 'below' ? actual < bound : actual <= bound;
  return { id, text, bound, sense, actual, holds };
}
