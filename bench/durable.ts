/**
 * Latency of a durable put over the least that durability costs: a bare append of as many bytes and an fdatasync, in the
 * same folder, put by put in turn.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { monotonicMilliseconds } from '../src/base/clock.ts';
import { median } from '../src/base/statistics.ts';
import { ratioOf, type Spread, spreadOf } from './figures.ts';
import { BareLog, type Workspace } from './ground.ts';
import { makeRows, ROW_BYTES } from './material.ts';
import type { Plan } from './plan.ts';
import type { BenchEngine, BenchStore } from './store.ts';

/** Framing of one put in our log; the bare append writes as many bytes as our record has. */
const RECORD_FRAMING_BYTES = 31;

/** Durable puts of one engine through one kind of call. p50 in microseconds. */
export interface DurableFigure {
  readonly engine: string;
  readonly call: 'synchronous' | 'asynchronous';
  readonly p50: Spread;
  /** p50 over the bare append's p50, round by round. */
  readonly overBare: Spread;
}

export interface DurableFigures {
  readonly bareP50: Spread;
  readonly appendBytes: number;
  readonly puts: readonly DurableFigure[];
}

interface Runner {
  readonly engine: string;
  readonly call: DurableFigure['call'];
  readonly store: BenchStore;
  readonly put: (row: number) => void | Promise<void>;
  readonly p50s: number[];
}

/** Not on a medium whose fsync means nothing: that is the caller's to refuse. */
export async function measureDurable(
  engines: readonly BenchEngine[],
  space: Workspace,
  plan: Plan,
): Promise<DurableFigures> {
  const rows = makeRows((plan.durableRounds + 1) * plan.durablePuts, 'random', plan.seed);
  const runners: Runner[] = [];
  const settings = { durable: true, cacheBytes: plan.cacheBytes, writeBufferBytes: plan.writeBufferBytes };
  for (const engine of engines) {
    for (const call of ['synchronous', 'asynchronous'] as const) {
      const store = await engine.open(space.folder(), settings);
      const putEach = call === 'asynchronous' ? store.putEachAwaited : store.putEach.bind(store);
      // An engine whose only call is asynchronous has no synchronous one, and the other way round.
      if (putEach === undefined || (call === 'synchronous' && engine.putIsAsynchronous)) {
        await store.close();
        continue;
      }
      const put = (row: number): void | Promise<void> => putEach({ rows, from: row, to: row + 1 });
      runners.push({ engine: engine.name, call, store, put, p50s: [] });
    }
  }
  const bare = new BareLog(join(space.folder(), 'bare.log'));
  const record = randomBytes(ROW_BYTES + RECORD_FRAMING_BYTES);
  const takers = [{ put: () => bare.append(record), p50s: new Array<number>() }, ...runners];
  for (let round = 0; round <= plan.durableRounds; round++) {
    const times = await oneRound(takers, round * plan.durablePuts, plan.durablePuts);
    // The first round warms up.
    if (round > 0) for (const [at, taker] of takers.entries()) taker.p50s.push(median(times[at]));
  }
  bare.close();
  for (const { store } of runners) await store.close();
  const bareP50s = takers[0].p50s;
  return {
    bareP50: spreadOf(bareP50s),
    appendBytes: record.length,
    puts: runners.map(({ engine, call, p50s }) => ({
      engine,
      call,
      p50: spreadOf(p50s),
      overBare: ratioOf(p50s, bareP50s),
    })),
  };
}

/** Rows from `first` on, one put of each taker after the other. Returns microseconds by taker. */
async function oneRound(
  takers: readonly { readonly put: (row: number) => void | Promise<void> }[],
  first: number,
  count: number,
): Promise<number[][]> {
  const times = takers.map((): number[] => []);
  for (let i = 0; i < count; i++) {
    for (let turn = 0; turn < takers.length; turn++) {
      // Another one begins each time: what an fsync costs depends on what the file system did just before.
      const at = (i + turn * stride(i, takers.length)) % takers.length;
      const started = monotonicMilliseconds();
      const pending = takers[at].put(first + i);
      if (pending !== undefined) await pending;
      times[at].push((monotonicMilliseconds() - started) * 1000);
    }
  }
  return times;
}

/** Forwards and backwards by turns, so that nobody always comes after the same one. */
function stride(i: number, takers: number): number {
  return i % 2 === 0 ? 1 : takers - 1;
}
