/**
 * The programs of the properties stage: the workload generator's, with knobs so small that a few operations freeze
 * memtables, split nodes and merge runs, and with single slices of background work between the operations.
 */
import type { Prng } from '../src/base/prng.ts';
import type { BatchOperation, OpenOptions, Operation, Program } from '../src/contract/operations.ts';
import { LIGHTNING_CAPABILITIES } from '../src/drivers/lightning.ts';
import { generateProgram } from '../src/workload/programs.ts';
import { withoutDangling } from '../src/workload/shrink.ts';

/** Time that does not move the clock: one slice of background work (src/drivers/lightning-store.ts). */
export const BACKGROUND_SLICE: Operation = { kind: 'advanceClock', milliseconds: 0 };

/** Values of the knobs. Options that only the stage reads: `checkEvery`, `crashSeed`, `directoryModel`. */
function drawKnobs(prng: Prng): OpenOptions {
  return {
    durability: prng.pick(['commit', 'commit', 'interval', 'none']),
    memtableBytes: prng.pick([1, 300, 1000, 2000, 4000, 16_000]),
    blockSizeBytes: prng.pick([512, 512, 512, 1024, 4096]),
    nodeTargetBytes: prng.pick([512, 512, 512, 1024, 2048]),
    runBlockBytes: prng.pick([64, 128, 256, 1024]),
    runCountMax: prng.pick([1, 1, 2, 3]),
    frozenCountMax: prng.pick([1, 2, 4]),
    compression: prng.weighted([6, 1, 1]) === 0 ? 'none' : prng.pick(['deflate', 'zstd']),
    bloomBitsPerKey: prng.pick([1, 10]),
    cacheBytes: prng.pick([0, 2000, 20_000]),
    checkEvery: prng.pick([10, 25, 60]),
    crashSeed: prng.below(0x1_0000_0000),
    directoryModel: prng.pick(['strict', 'strict', 'journaled', 'ext4']),
  };
}

/** Programs with a tree of many nodes: loaded at once, thinned out range by range, merged in between. */
const BULK_PROBABILITY = 0.04;
const BULK_KEYS_MAX = 400;
const RANGE_KEYS_MAX = 60;

const bulkKey = (number: number): string => Buffer.from(`n${String(number).padStart(3, '0')}`).toString('hex');

/** The load and the thinning out, in order. */
function drawBulk(prng: Prng): Operation[] {
  const count = prng.between(60, BULK_KEYS_MAX);
  const length = prng.between(20, 250);
  const load = Array.from({ length: count }, (_, i): BatchOperation => ({
    kind: 'put',
    key: bulkKey(i),
    value: { repeat: i.toString(16).padStart(4, '0'), length },
  }));
  const operations: Operation[] = [{ kind: 'batch', operations: load }, { kind: 'merge' }];
  for (let round = prng.between(2, 8); round > 0; round--) {
    const from = prng.below(count);
    const range = { gte: bulkKey(from), lt: bulkKey(from + prng.between(1, RANGE_KEYS_MAX)) };
    const step = prng.between(2, 9);
    const thinned = load.flatMap((_, i) => (i % step === 0 ? [] : [bulkKey(i)]));
    operations.push(
      prng.chance(0.8)
        ? { kind: 'clear', range }
        : { kind: 'batch', operations: thinned.map((key) => ({ kind: 'delete', key })) },
      { kind: prng.pick(['merge', 'merge', 'flush', 'reopen']) },
    );
  }
  return operations;
}

/** Spreads operations over others, both in their order. */
function interleave(prng: Prng, operations: readonly Operation[], others: readonly Operation[]): Operation[] {
  const places = others.map(() => prng.below(operations.length + 1)).sort((a, b) => a - b);
  const mixed: Operation[] = [];
  let next = 0;
  for (let at = 0; at <= operations.length; at++) {
    while (next < others.length && places[next] === at) mixed.push(others[next++]);
    if (at < operations.length) mixed.push(operations[at]);
  }
  return mixed;
}

/** Draws one program. A function of the generator's state alone. */
export function drawStageProgram(prng: Prng): Program {
  const program = generateProgram(prng, {
    capabilities: { ...LIGHTNING_CAPABILITIES, crash: true },
    operations: prng.pick([12, 25, 50, 100, 200]),
    options: drawKnobs(prng),
    longMaterial: prng.chance(0.12),
  });
  const sliceProbability = prng.pick([0, 0.1, 0.4]);
  const drawn = prng.chance(BULK_PROBABILITY)
    ? withoutDangling(interleave(prng, program.operations, drawBulk(prng)))
    : program.operations;
  const operations = drawn.flatMap((operation) =>
    prng.chance(sliceProbability) ? [operation, BACKGROUND_SLICE] : [operation],
  );
  return { ...program, operations };
}
