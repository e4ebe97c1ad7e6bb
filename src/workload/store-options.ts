/**
 * Knobs of the store that a program runs with, as a plain record: small enough that a program of a hundred operations
 * freezes memtables, splits nodes and merges runs. A driver takes what it knows and ignores the rest.
 */
import type { Prng } from '../base/prng.ts';
import type { OpenOptions } from '../contract/operations.ts';

/** Values that each knob is drawn from. The first is the plainest: what shrinking goes back to. */
export const STORE_KNOBS: Readonly<Record<string, readonly (string | number)[]>> = {
  durability: ['commit', 'interval', 'none'],
  memtableBytes: [4096, 200, 1000, 20_000, 1_000_000],
  blockSizeBytes: [4096, 512, 1024],
  nodeTargetBytes: [4096, 256, 512, 2048],
  runBlockBytes: [4096, 64, 512, 16_384],
  runCountMax: [4, 1, 2, 8],
  frozenCountMax: [2, 1, 4],
  compression: ['none', 'deflate', 'zstd'],
  bloomBitsPerKey: [10, 1],
  cacheBytes: [1_000_000, 0, 3000],
  blobBytes: [65_536, 2, 2, 200],
};

/** Draws a value for some of the knobs; the rest stay with the engine's defaults. `fixed` is not drawn. */
export function drawStoreOptions(prng: Prng, fixed: OpenOptions = {}): OpenOptions {
  const options: Record<string, string | number | boolean> = {};
  const few = prng.chance(0.2);
  for (const [name, values] of Object.entries(STORE_KNOBS)) {
    const tiny = name === 'memtableBytes' || name === 'blockSizeBytes' || name === 'nodeTargetBytes';
    if (prng.chance(few ? 0.1 : tiny ? 0.9 : 0.5)) options[name] = prng.pick(values);
  }
  return { ...options, ...fixed };
}
