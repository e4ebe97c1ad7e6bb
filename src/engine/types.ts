/** Names and numbers that every file of the engine shares. No behaviour beyond checks. */
import { assert } from '../base/assert.ts';

export type { Compression } from '../base/block-compression.ts';
export type { Decoded } from '../base/decoded.ts';

declare const unit: unique symbol;

/** A number of one kind; kinds do not mix. */
type Branded<Name extends string> = number & { readonly [unit]: Name };

/** Position of a commit in the one order of commits; 1 is the first, 0 is "before everything". Below 2^48. */
export type Sequence = Branded<'sequence'>;
/** Version of the manifest; grows by one with each swap. */
export type Generation = Branded<'generation'>;
/** The `<n>` in `wal-<n>.log`, `run-<n>.sst`: one counter for both kinds, never reused. */
export type FileNumber = Branded<'file number'>;
/** A block of `tree.db`, counted in units of `blockSizeBytes`; block 0 is the file's header. */
export type BlockNumber = Branded<'block number'>;

/** The largest number stored in a 48-bit field. */
export const NUMBER_MAX = 2 ** 48 - 1;

/** A number as a sequence, asserted. */
export function asSequence(value: number): Sequence {
  assert(Number.isInteger(value) && value >= 0 && value <= NUMBER_MAX, 'a sequence is a 48-bit number', value);
  return value as Sequence;
}

/** A number as a generation, asserted. */
export function asGeneration(value: number): Generation {
  assert(Number.isInteger(value) && value >= 0 && value <= NUMBER_MAX, 'a generation is a 48-bit number', value);
  return value as Generation;
}

/** A number as a file number, asserted. */
export function asFileNumber(value: number): FileNumber {
  assert(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff, 'a file number is a 32-bit number', value);
  return value as FileNumber;
}

/** A number as a block number, asserted. */
export function asBlockNumber(value: number): BlockNumber {
  assert(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff, 'a block number is a 32-bit number', value);
  return value as BlockNumber;
}

/** Greater than every real sequence: "the newest version" when used as a bound. */
export const SEQUENCE_MAX = NUMBER_MAX as Sequence;

/** What a version is. A deletion is a kind, never a magic value. */
export const KIND_DELETE = 0;
export const KIND_PUT = 1;
/** A put whose value lies outside: what is stored says where (references.ts). */
export const KIND_REFERENCE = 2;
export type Kind = typeof KIND_DELETE | typeof KIND_PUT | typeof KIND_REFERENCE;

/** Deadline of a version that never expires. Deadlines are milliseconds since 1970, safe integers, possibly negative. */
export const NO_DEADLINE = Infinity;

/**
 * Everything in `[start, end)` (no `end`: to the last key) older than `sequence` is deleted. A point version of the same
 * sequence beats it. Lives in the WAL, in memtables and runs; a merge turns it into point deletions, so the tree never
 * holds one.
 */
export interface RangeTombstone {
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
  readonly sequence: Sequence;
}
