/**
 * Two results of the bench held against each other: what has become slower. Speed is a ratio to peers within a round, so
 * results of two machines or two days compare. A figure counts as slower when against most peers the median ratio fell by
 * more than `SLOWER_PART`, and nearly every round of now lies below nearly every round of then.
 *
 * The second condition is the statistic of Mann and Whitney (1947): the share of pairs (then, now) in which now is less. At
 * nine rounds each a share of 0.85 comes by chance in fewer than one of 150 comparisons, and against most peers at once
 * more seldom still. What is not measured in both results is said to be missing, and is never called sound.
 */
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { median } from '../src/base/statistics.ts';
import type { Figure } from './figures.ts';
import { type BenchResult, RESULT_FORMAT } from './run.ts';

const SLOWER_PART = 0.1;
const PAIRS_SHARE = 0.85;

/** What is compared of a result. */
export type Comparable = Pick<BenchResult, 'ours'> & { readonly figures: readonly Figure[] };

const spread = z.object({ median: z.number(), min: z.number(), max: z.number() });
const savedSchema = z.object({
  format: z.literal(RESULT_FORMAT),
  ours: z.string(),
  plan: z.object({ name: z.string() }),
  figures: z.array(
    z.object({
      id: z.string(),
      title: z.string(),
      unit: z.string(),
      engines: z.record(z.string(), spread.extend({ rounds: z.array(z.number().positive()).min(1) })),
      peerOverOurs: z.record(z.string(), spread),
    }),
  ),
});

/** One figure then and now, by peer. */
export interface Comparison {
  readonly id: string;
  readonly title: string;
  readonly verdict: 'slower' | 'not slower' | 'missing';
  readonly peers: Readonly<Record<string, { readonly was: number; readonly is: number; readonly isSlower: boolean }>>;
}

/**
 * Reads a saved result.
 * @param plan name of the plan that it must have had: figures of the quick one are not for comparing with full ones
 * @throws LightningError `LIGHTNING_UNSUPPORTED_FORMAT`
 */
export function parseSaved(text: string, plan: string): Comparable {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'the earlier result is not JSON');
  }
  const parsed = savedSchema.safeParse(value);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', `the earlier result, ${path.join('.')}: ${message}`);
  }
  if (parsed.data.plan.name !== plan) {
    const problem = `the earlier result is of the plan ${parsed.data.plan.name}, this run of ${plan}`;
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', problem);
  }
  return parsed.data;
}

function ratios(figure: Figure, ours: string, peer: string): number[] {
  const own = figure.engines[ours].rounds;
  return figure.engines[peer].rounds.map((value, round) => value / own[round]);
}

function isSlower(was: readonly number[], is: readonly number[]): boolean {
  const less = was.flatMap((then) => is.map((now): number => (now < then ? 1 : now === then ? 0.5 : 0)));
  const share = less.reduce((sum, one) => sum + one, 0) / less.length;
  return share >= PAIRS_SHARE && median(is) < median(was) * (1 - SLOWER_PART);
}

/** Holds each figure of `earlier` against the same of `now`. */
export function compareResults(earlier: Comparable, now: Comparable): Comparison[] {
  return earlier.figures.map((was) => {
    const { id, title } = was;
    const is = now.figures.find((figure) => figure.id === id);
    const both = Object.keys(was.peerOverOurs).filter((peer) => is?.peerOverOurs[peer] !== undefined);
    if (is === undefined || both.length === 0) return { id, title, verdict: 'missing', peers: {} };
    const peers = Object.fromEntries(
      both.map((peer) => {
        const [then, today] = [ratios(was, earlier.ours, peer), ratios(is, now.ours, peer)];
        return [peer, { was: median(then), is: median(today), isSlower: isSlower(then, today) }];
      }),
    );
    const slower = Object.values(peers).filter((peer) => peer.isSlower).length;
    return { id, title, verdict: slower * 2 > both.length ? 'slower' : 'not slower', peers };
  });
}

/** As lines, the worst first. */
export function comparisonLines(comparisons: readonly Comparison[]): string {
  const order = ['slower', 'missing', 'not slower'];
  const sorted = comparisons.toSorted((a, b) => order.indexOf(a.verdict) - order.indexOf(b.verdict));
  const lines = sorted.map(({ title, verdict, peers }) => {
    const ofPeers = Object.entries(peers).map(([peer, { was, is }]) => `${peer} ${was.toFixed(2)} → ${is.toFixed(2)}`);
    return `  ${verdict.padEnd(10)}  ${title}${ofPeers.length === 0 ? '' : `: over ${ofPeers.join(', ')}`}`;
  });
  return ['against the earlier result, ratios of CPU to peers:', ...lines].join('\n');
}
