/** Every bound of the engine, in one place; each is asserted or answered with a coded error where it applies. */

/** Longest key. */
export const KEY_BYTES_MAX = 65_535;
/** Longest value (longer ones become blobs, which are not built yet). */
export const VALUE_BYTES_MAX = 16 * 1024 * 1024;
/** Operations in one commit. */
export const COMMIT_OPERATIONS_MAX = 1_000_000;
/** Bytes of one WAL record; bounds what recovery has to hold at once. */
export const RECORD_BYTES_MAX = 256 * 1024 * 1024;
/** Raw bytes of one block of a run, or of one tree node: one entry of maximal key and value, and its framing. */
export const BLOCK_BYTES_MAX = KEY_BYTES_MAX + VALUE_BYTES_MAX + 4096;
/** Levels of the tree; with two children a node at least, 2^40 leaves. */
export const TREE_HEIGHT_MAX = 40;
/** Smallest and largest unit of allocation in `tree.db`. */
export const BLOCK_SIZE_BYTES_MIN = 512;
export const BLOCK_SIZE_BYTES_MAX = 65_536;
