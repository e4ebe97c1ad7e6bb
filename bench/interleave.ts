/**
 * Slices of engines in turn, A B C D A B C D …, each charged with the CPU time of the whole process, threads included,
 * from its beginning until the process has become quiet: an engine pays for its background work and its garbage.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { cpuSeconds, monotonicMilliseconds } from '../src/base/clock.ts';
import { LightningError } from '../src/base/errors.ts';
import type { BenchStore } from './store.ts';

const WINDOW_MILLISECONDS = 10;
/** A process that waits for a timer uses less than this part of a processor. */
const QUIET_PART = 0.1;
const QUIET_WAIT_MILLISECONDS_MAX = 60_000;

const collectGarbage = garbageCollector();

function garbageCollector(): (options: { type: 'minor' | 'major' }) => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Waits until no thread of this process works any more. */
export async function untilQuiet(store: BenchStore): Promise<void> {
  await store.settle();
  const begin = monotonicMilliseconds();
  for (;;) {
    const cpu = cpuSeconds();
    const wall = monotonicMilliseconds();
    await pause(WINDOW_MILLISECONDS);
    const now = monotonicMilliseconds();
    if ((cpuSeconds() - cpu) * 1000 < (now - wall) * QUIET_PART) return;
    if (now - begin > QUIET_WAIT_MILLISECONDS_MAX) {
      throw new LightningError('LIGHTNING_IO', 'background work does not end, so nobody can be charged for it');
    }
  }
}

/** CPU seconds of `work`, of the background work it leaves, and of collecting its short-lived garbage. */
export async function charged(store: BenchStore, work: () => unknown): Promise<number> {
  const before = cpuSeconds();
  await work();
  collectGarbage({ type: 'minor' });
  await untilQuiet(store);
  return cpuSeconds() - before;
}

/** Something measured round by round. */
export interface Contender {
  readonly name: string;
  readonly store: BenchStore;
}

/**
 * Runs `slice` for each contender in turn, `warmUps` uncounted rounds and then `rounds`.
 * @param slice does the work of one round, `round` counting from 0, warm-ups included
 * @returns CPU seconds by contender and round
 */
export async function interleaved(
  contenders: readonly Contender[],
  rounds: number,
  warmUps: number,
  slice: (contender: Contender, round: number) => unknown,
): Promise<Map<string, number[]>> {
  const seconds = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  collectGarbage({ type: 'major' });
  for (let round = 0; round < warmUps + rounds; round++) {
    for (const contender of contenders) {
      const used = await charged(contender.store, () => slice(contender, round));
      if (round >= warmUps) seconds.get(contender.name)?.push(used);
    }
  }
  return seconds;
}
