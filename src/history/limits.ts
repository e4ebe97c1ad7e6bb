/** Bounds of recorded histories. */

/** Events in one history. */
export const HISTORY_EVENTS_MAX = 10_000_000;
/** How deep values of an imported history may be nested. */
export const EDN_DEPTH_MAX = 64;
/** Characters of one line of a saved history. */
export const HISTORY_LINE_MAX = 16 * 1024 * 1024;
/** Bytes of a saved history that is read at once: what one string may hold. */
export const HISTORY_CHARACTERS_MAX = 500_000_000;
/** Reads of single keys that the ranges of one history may come to. */
export const RANGE_READS_MAX = 5_000_000;
