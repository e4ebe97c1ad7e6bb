/**
 * The seam between whoever reads blocks (runs, the tree) and whoever keeps them. A block is found by the number of its
 * file (0 is `tree.db`) and its place there: a block number in the tree, an offset in bytes in a run.
 *
 * A cache only remembers: dropping any block at any time is right, and a hit is trusted by the reader that put it.
 */

/** A decoded block. Its size is its weight and never changes while it is cached. */
export interface CachedBlock {
  readonly sizeBytes: number;
}

/** What a reader of blocks may ask of a cache. Every call is O(1). */
export interface BlockCache {
  get(file: number, place: number): CachedBlock | undefined;
  /** Adds the block, or puts it in the place of the one kept under the same numbers. It may be declined. */
  put(file: number, place: number, block: CachedBlock): void;
  /** Forgets the block; nothing happens when it is not there. */
  remove(file: number, place: number): void;
}
