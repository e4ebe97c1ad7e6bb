/**
 * What `MANIFEST` holds and how it is laid out (spec/formats/manifest.md). No behaviour.
 *
 *   magic 8 · format u16 · compatible u32 · incompatible u32 · database id 16 · body · crc u32 over all before it,
 *   bound to (database, MANIFEST_IDENTITY, 0)
 *   body     generation u48 · flags u8 (bit 0 cleanly closed) · block size u32 · next file number u32
 *            · flushed sequence u48 · collect time f64
 *            · segment count u32 · segment* · run count u32 · run* · tree
 *   segment  file number u32 · first sequence u48 · sealed u8 · length u48 · last sequence u48 (both zero when not sealed)
 *   run      file number u32 · size u48 · entry count u48 · least sequence u48 · greatest sequence u48 · footer reference 32
 *            · height u8 · root reference 32 (only with height > 0)
 *   tree     block count u32 · greatest sequence u48 · footer reference 32 (only with blocks) · height u8
 *            · root reference 32 (only with height > 0)
 *   reference: as in branches (tree-format.ts)
 */
import type { RunMeta } from './run-format.ts';
import type { NodeReference, TreeRoot } from './tree-format.ts';
import type { FileNumber, Generation, Sequence } from './types.ts';

export const MANIFEST_MAGIC = 'LDBMAN\r\n';
export const MANIFEST_FORMAT = 1;
export const MANIFEST_HEADER_BYTES = 34;
/** Stands in for a file number in the manifest's checksum; no numbered file reaches it. */
export const MANIFEST_IDENTITY = 0xffff_ffff;

/** A WAL segment that recovery reads. */
export interface SegmentState {
  readonly fileNumber: FileNumber;
  readonly firstSequence: Sequence;
  /** Set once the segment is fsynced and gets no further record. */
  readonly sealed: { readonly length: number; readonly lastSequence: Sequence } | undefined;
}

/** The base level. */
export interface TreeState {
  readonly root: TreeRoot | undefined;
  /** The node that says which blocks are free; `undefined` while there is no `tree.db`. */
  readonly footer: NodeReference | undefined;
  /** Blocks of `tree.db`, its header included; 0 while the file is not there. */
  readonly blockCount: number;
  /** No version in the tree is newer. */
  readonly greatestSequence: Sequence;
}

/** The whole structure of a store: the only commit point of structure. */
export interface ManifestState {
  readonly databaseId: Uint8Array;
  readonly generation: Generation;
  /** Set by a clean close, until the next opening. */
  readonly cleanlyClosed: boolean;
  readonly blockSizeBytes: number;
  readonly nextFileNumber: FileNumber;
  /** Every commit up to it is in the runs and the tree, none behind it is. */
  readonly flushedSequence: Sequence;
  /** No reader's `now` is below it (milliseconds since 1970); `-Infinity` before the first merge. */
  readonly collectTime: number;
  /** Oldest first; all but the last are sealed. */
  readonly segments: readonly SegmentState[];
  /** Oldest first, adjacent sequence intervals. */
  readonly runs: readonly RunMeta[];
  readonly tree: TreeState;
}
