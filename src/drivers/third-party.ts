/** The engines of others that can be judged and measured beside ours. */
import type { EngineDriver } from '../contract/driver.ts';
import { classicLevelDriver } from './classic-level.ts';
import { lmdbDriver } from './lmdb.ts';
import { memoryLevelDriver } from './memory-level.ts';
import { nodeSqliteDriver } from './node-sqlite.ts';

/** Every third-party driver. `node:sqlite` is always there; the others are optional packages. */
export const THIRD_PARTY_DRIVERS: readonly EngineDriver[] = [
  nodeSqliteDriver,
  memoryLevelDriver,
  classicLevelDriver,
  lmdbDriver,
];
