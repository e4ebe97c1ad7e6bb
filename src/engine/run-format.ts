/**
 * What a sorted run, `run-<n>.sst`, is (spec/formats/run.md): a tree file of its own, written once from its first byte to
 * its last and never changed, with one more node at its end, the footer: filter and range tombstones.
 *
 *   header · leaves and branches, bottom up · footer
 *
 * Invariants of the file
 *   1. The pieces tile it: each begins where the one before it ends, and the footer ends with the file.
 *   2. Versions are in internal order within a leaf and across leaves.
 *   3. There is at least one version or one range tombstone.
 *   4. The manifest holds the references of root and footer.
 */
import type { NodeReference, TreeRoot } from './tree-format.ts';
import type { FileNumber, Sequence } from './types.ts';

/** What the manifest says of a run: enough to know exactly this file again. */
export interface RunMeta {
  readonly fileNumber: FileNumber;
  /** A multiple of `RUN_BLOCK_SIZE_BYTES`. */
  readonly sizeBytes: number;
  /** Point versions; range tombstones are not counted. */
  readonly entryCount: number;
  /** Least and greatest over versions and range tombstones. */
  readonly leastSequence: Sequence;
  readonly greatestSequence: Sequence;
  /** `undefined` for a run of range tombstones alone. */
  readonly root: TreeRoot | undefined;
  readonly footer: NodeReference;
}

/** In a footer a range tombstone is sequence u48 · start length u32 · start · end length u32 · end; without an end: */
export const NO_END: Uint8Array = new Uint8Array(0);
