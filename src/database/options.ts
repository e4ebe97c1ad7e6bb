/** Options of a database: those of the engine, and what belongs to the asynchronous face. */
import { LightningError } from '../base/errors.ts';
import type { Clock } from '../base/clock.ts';
import { freshSeed, Prng } from '../base/prng.ts';
import { Engine, type EngineOptions, type Observer } from '../engine/index.ts';
import { Blobs } from './blobs/blobs.ts';
import { checkFileLimits, type FileLimits } from './limits/limited-files.ts';
import { checkMemoryLimit } from './limits/memory-breaker.ts';
import type { AbandonedListener } from './handles.ts';
import type { IndexDeclaration } from './index-writes.ts';
import { type PresetName, withPreset } from './presets.ts';
import type { TransactionLimits } from './transactions.ts';

/** What the face takes besides. */
export interface FaceOptions extends TransactionLimits {
  /** In durability `interval`: milliseconds between syncs, 1 to 3,600,000. Default 100. */
  readonly syncIntervalMilliseconds: number;
  /** Whence the pauses between tries of a transaction get their lengths: from 0 to 1. Default: a generator of its own. */
  readonly random: () => number;
  /** Secondary indexes; one that is new to the store is built when it is opened. Default: none. */
  readonly indexes: readonly IndexDeclaration[];
  /** Told of a snapshot or scan that was dropped without its release. */
  readonly onAbandoned: AbandonedListener;
}

/** Everything that can be set when a database is opened; all have defaults. */
export interface DatabaseOptions extends EngineOptions, FaceOptions {
  /** Options for a kind of work; what is given besides overrides them. Default `balanced`. */
  readonly preset: PresetName;
  /** Where time comes from. Default: the wall clock. */
  readonly clock: Clock;
  /** Told of every step of the engine. */
  readonly observe: Observer;
  /** Folder in which every log segment is kept before it is deleted, for points in time. Default: none is kept. */
  readonly archive: string;
  /** Bytes that the files of the store may have, from 64 KiB; past it commits fail with `LIGHTNING_DISK_FULL`. Default: no bound. */
  readonly quotaBytes: number;
  /** Bytes that the file system keeps free: likewise. Default: it may be filled. */
  readonly freeBytesMin: number;
  /** Bytes of memory near which writes are refused with `LIGHTNING_LIMIT`; twice cache and memtable at least. Default: no bound. */
  readonly memoryBytesMax: number;
  /** Values of more bytes become blobs, files of their own; from 1 to 16 MiB. Default 64 KiB. */
  readonly blobBytes: number;
  /** Read back everything written at each sync, and fail it where they differ. Default false. */
  readonly verifyWrites: boolean;
}

const BOUNDS = {
  syncIntervalMilliseconds: [1, 3_600_000, 100],
  transactionCountMax: [0, 2 ** 31, 100_000],
  transactionBytesMax: [0, 2 ** 40, 128 * 1024 * 1024],
  transactionAgeMillisecondsMax: [1, 2 ** 40, 600_000],
} as const;

/** Splits what is given into the engine's part and the face's. The engine checks its own. */
export function splitOptions(given: Readonly<Partial<DatabaseOptions>>): {
  readonly engine: Partial<EngineOptions>;
  readonly face: FaceOptions;
  readonly clock: Clock | undefined;
  readonly observe: Observer | undefined;
  readonly archive: string | undefined;
  readonly limits: FileLimits;
  readonly memoryBytesMax: number | undefined;
  readonly blobBytes: number | undefined;
} {
  const {
    syncIntervalMilliseconds,
    transactionCountMax,
    transactionBytesMax,
    transactionAgeMillisecondsMax,
    random,
    onAbandoned = () => undefined,
    indexes = [],
    clock,
    observe,
    archive,
    quotaBytes,
    freeBytesMin,
    memoryBytesMax,
    verifyWrites,
    blobBytes,
    preset: _,
    ...engine
  } = withPreset(given);
  const limits = { quotaBytes, freeBytesMin, verifyWrites };
  checkFileLimits(limits);
  if (blobBytes !== undefined) Blobs.checkOption(blobBytes);
  if (memoryBytesMax !== undefined) {
    const { cacheBytes, memtableBytes } = Engine.checkOptions(engine);
    checkMemoryLimit(memoryBytesMax, cacheBytes + memtableBytes);
  }
  const face = {
    syncIntervalMilliseconds: bounded('syncIntervalMilliseconds', syncIntervalMilliseconds),
    transactionCountMax: bounded('transactionCountMax', transactionCountMax),
    transactionBytesMax: bounded('transactionBytesMax', transactionBytesMax),
    transactionAgeMillisecondsMax: bounded('transactionAgeMillisecondsMax', transactionAgeMillisecondsMax),
    random: random ?? freshRandom(),
    onAbandoned,
    indexes,
  };
  return { engine, face, clock, observe, archive, limits, memoryBytesMax, blobBytes };
}

function bounded(name: keyof typeof BOUNDS, value: number | undefined): number {
  const [least, greatest, preset] = BOUNDS[name];
  const number = value ?? preset;
  if (!Number.isInteger(number) || number < least || number > greatest) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `${name} is from ${least} to ${greatest}`, {
      [name]: value,
    });
  }
  return number;
}

function freshRandom(): () => number {
  const prng = new Prng(freshSeed());
  return () => prng.float();
}
