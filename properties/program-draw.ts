/**
 * The programs of the properties stage: the workload generator's, with knobs so small that a few operations freeze
 * memtables, split nodes and merge runs, and with single slices of background work between the operations.
 */
import type { Prng } from '../src/base/prng.ts';
import type { OpenOptions, Operation, Program } from '../src/contract/operations.ts';
import { LIGHTNING_CAPABILITIES } from '../src/drivers/lightning.ts';
import { generateProgram } from '../src/workload/programs.ts';

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

/** Draws one program. A function of the generator's state alone. */
export function drawStageProgram(prng: Prng): Program {
  const program = generateProgram(prng, {
    capabilities: { ...LIGHTNING_CAPABILITIES, crash: true },
    operations: prng.pick([12, 25, 50, 100, 200]),
    options: drawKnobs(prng),
    longMaterial: prng.chance(0.12),
  });
  const sliceProbability = prng.pick([0, 0.1, 0.4]);
  const operations = program.operations.flatMap((operation) =>
    prng.chance(sliceProbability) ? [operation, BACKGROUND_SLICE] : [operation],
  );
  return { ...program, operations };
}
