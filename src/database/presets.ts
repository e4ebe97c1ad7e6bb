/** Options for kinds of work. What is given besides overrides them. */
import { LightningError } from '../base/errors.ts';
import type { DatabaseOptions } from './options.ts';

const MIB = 1024 * 1024;

/** What each preset sets; everything else keeps its default. */
export const PRESETS = {
  /** The defaults. */
  balanced: {},
  /** Loads and logs: large memtables, more of them, and more runs before they are merged. */
  'write-heavy': { memtableBytes: 16 * MIB, frozenCountMax: 4, runCountMax: 8 },
  /** Lookups over data that is larger than memtables: a large cache, and runs merged soon. */
  'read-heavy': { cacheBytes: 128 * MIB, runCountMax: 2 },
  /** All of a store in 10 MiB; writes beyond that are refused while reads go on. */
  'low-memory': { memtableBytes: MIB, frozenCountMax: 2, cacheBytes: 2 * MIB, memoryBytesMax: 10 * MIB },
} as const satisfies Readonly<Record<string, Partial<DatabaseOptions>>>;

/** Name of a preset. */
export type PresetName = keyof typeof PRESETS;

/**
 * The options of a preset with those that are given laid over them.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for a name that is none
 */
export function withPreset(given: Readonly<Partial<DatabaseOptions>>): Readonly<Partial<DatabaseOptions>> {
  const { preset } = given;
  if (preset === undefined) return given;
  if (!Object.hasOwn(PRESETS, preset)) {
    const names = Object.keys(PRESETS).join(', ');
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `a preset is one of ${names}`, { preset });
  }
  return { ...PRESETS[preset], ...given };
}
