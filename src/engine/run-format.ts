/**
 * The layout of a sorted run, `run-<n>.sst` (spec/formats/run.md). A run is written once, from its first byte to its
 * last, and never changed.
 *
 *   header · data blocks · range tombstone block · filter block · index block · footer
 *
 * Invariants of the file
 *   1. The pieces tile it: each begins where the one before it ends, and the footer ends with the file.
 *   2. Every byte is under a checksum that also covers the database, the file number and the offset.
 *   3. Versions are in internal order within a block and across blocks; no data block is empty.
 *   4. A data block is larger than its target only when it holds a single version.
 *   5. There is at least one version or one range tombstone.
 *   6. The manifest holds the footer's checksum, the footer that of the three blocks before it, the index that of every
 *      data block: a block of another writing is found even when it is right in itself.
 */
import type { FileNumber, Sequence } from './types.ts';

/** "LRUN" at the start, "NURL" at the end. */
export const RUN_MAGIC = 0x4e55_524c;
export const RUN_END_MAGIC = 0x4c52_554e;
export const RUN_FORMAT_VERSION = 1;
/** Feature bits that this version knows; an unknown incompatible one forbids reading. */
export const RUN_INCOMPATIBLE_KNOWN = 0;

export const DATABASE_ID_BYTES = 16;
/** magic u32 · version u16 · zero u16 · compatible u32 · incompatible u32 · database id · file number u32 · crc u32 */
export const RUN_HEADER_BYTES = 40;
/** crc u32 · compression u8 · raw length u32; the stored bytes follow. */
export const FRAME_HEADER_BYTES = 9;
/** offset u32 · stored length u32 · crc u32 · sequence u48 · key length u16; the key follows. */
export const INDEX_ENTRY_BYTES = 20;
/** flags u8 · sequence u48 · start length u32 · end length u32; start and end follow. */
export const TOMBSTONE_HEADER_BYTES = 15;
/** Set when a range tombstone has an end; without one it reaches to the last key. */
export const TOMBSTONE_HAS_END = 1;
/**
 * three places (offset u32 · length u32 · crc u32) · data blocks u32 · versions u48 · distinct keys u48 · range
 * tombstones u32 · least sequence u48 · greatest sequence u48 · crc u32 · magic u32
 */
export const RUN_FOOTER_BYTES = 76;
/** Where the footer's checksum stands; it covers the bytes before and after it. */
export const FOOTER_CRC_AT = RUN_FOOTER_BYTES - 8;

/** Raw size at which a data block is closed, unless told otherwise. */
export const RUN_BLOCK_BYTES_DEFAULT = 16 * 1024;

/** What the manifest says of a run: enough to know exactly this file again. */
export interface RunMeta {
  readonly fileNumber: FileNumber;
  readonly sizeBytes: number;
  /** Point versions; range tombstones are not counted. */
  readonly entryCount: number;
  /** Least and greatest over versions and range tombstones. */
  readonly leastSequence: Sequence;
  readonly greatestSequence: Sequence;
  readonly footerCrc: number;
}

/** Where a framed block stands, its frame header included, and the checksum in that header. */
export interface BlockPlace {
  readonly offset: number;
  readonly length: number;
  readonly crc: number;
}

/** The footer, decoded. */
export interface RunFooter {
  readonly tombstones: BlockPlace;
  readonly filter: BlockPlace;
  readonly index: BlockPlace;
  readonly blockCount: number;
  readonly entryCount: number;
  readonly keyCount: number;
  readonly tombstoneCount: number;
  readonly leastSequence: Sequence;
  readonly greatestSequence: Sequence;
  readonly crc: number;
}
