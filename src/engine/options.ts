/** Options of the engine, their defaults, bounds and checks. */
import { LightningError } from '../base/errors.ts';
import { BLOCK_SIZE_BYTES_MAX, BLOCK_SIZE_BYTES_MIN } from './limits.ts';
import type { Compression } from './types.ts';

/** When a commit is acknowledged (spec/durability.md): after its fsync, or after its write. */
export type Durability = 'commit' | 'interval' | 'none';

/** Everything that can be set. All have defaults. */
export interface EngineOptions {
  /** Default `commit`. `interval` and `none` differ only in who calls `sync`. */
  readonly durability: Durability;
  /** Unit of allocation in `tree.db`, a power of two; fixed when a store is created. Default 4096. */
  readonly blockSizeBytes: number;
  /** Packed size that tree nodes aim at; rounded up to blocks. Default 16 KiB. */
  readonly nodeTargetBytes: number;
  /** Packed size that nodes of a run aim at; rounded up to 64 bytes. Default 16 KiB. */
  readonly runBlockBytes: number;
  /** A memtable of this weight is frozen. Default 16 MiB. */
  readonly memtableBytes: number;
  /** Frozen memtables at which commits are refused until one is flushed. Default 2. */
  readonly frozenCountMax: number;
  /** Runs at which a merge is due; twice as many stop flushing. Default 4. */
  readonly runCountMax: number;
  /** Work of one `step` of a flush, in bytes of keys and values; 1 makes every entry a step. Default 64 KiB. */
  readonly sliceBytes: number;
  /** Weight of the block cache. Default 32 MiB. */
  readonly cacheBytes: number;
  /** How leaves of runs and tree are compressed. Default `none`. */
  readonly compression: Compression;
  /** Default 10, about 1 % false positives. */
  readonly bloomBitsPerKey: number;
  /** Refuse to open a missing store instead of creating it. Default true: create. */
  readonly createIfMissing: boolean;
  /** Refuse to open a store that exists. Default false. */
  readonly errorIfExists: boolean;
}

/** Of each option the default, and then the bounds of a number, or what else may be chosen. */
const RULES: { readonly [Name in keyof EngineOptions]: readonly EngineOptions[Name][] } = {
  durability: ['commit', 'interval', 'none'],
  blockSizeBytes: [4096, BLOCK_SIZE_BYTES_MIN, BLOCK_SIZE_BYTES_MAX],
  nodeTargetBytes: [16 * 1024, 256, 1 << 20],
  runBlockBytes: [16 * 1024, 64, 1 << 20],
  memtableBytes: [16 * 1024 * 1024, 1, 2 ** 31],
  frozenCountMax: [2, 1, 64],
  runCountMax: [4, 1, 64],
  sliceBytes: [64 * 1024, 1, 2 ** 30],
  cacheBytes: [32 * 1024 * 1024, 0, 2 ** 40],
  compression: ['none', 'deflate', 'zstd'],
  bloomBitsPerKey: [10, 1, 32],
  createIfMissing: [true, false],
  errorIfExists: [false, true],
};
const DEFAULTS = Object.fromEntries(
  Object.entries(RULES).map(([name, [first]]) => [name, first]),
) as unknown as EngineOptions;

/**
 * Fills in the defaults.
 * @throws LightningError `LIGHTNING_UNKNOWN_OPTION` for a name that is not an option, `LIGHTNING_INVALID_ARGUMENT` for a
 *   value outside its bounds
 */
export function checkOptions(given: Readonly<Partial<EngineOptions>>): EngineOptions {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(RULES, name))
      throw new LightningError('LIGHTNING_UNKNOWN_OPTION', `unknown option ${name}`, { name });
    if (!isAllowed(RULES[name as keyof EngineOptions], value)) {
      const problem = `option ${name} cannot be ${String(value)}`;
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', problem, { name, value });
    }
  }
  const options = { ...DEFAULTS, ...given };
  const { blockSizeBytes } = options;
  if ((blockSizeBytes & (blockSizeBytes - 1)) !== 0) {
    const problem = 'option blockSizeBytes is a power of two';
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', problem, { blockSizeBytes });
  }
  return options;
}

function isAllowed(rule: readonly unknown[], value: unknown): boolean {
  const [initial, least, most] = rule;
  if (typeof initial !== 'number') return rule.includes(value);
  return Number.isInteger(value) && Number(value) >= Number(least) && Number(value) <= Number(most);
}
