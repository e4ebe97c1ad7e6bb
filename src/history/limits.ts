/** Bounds of recorded histories. */

/** Events in one history. */
export const HISTORY_EVENTS_MAX = 10_000_000;
/** Characters of one line of a saved history. */
export const HISTORY_LINE_MAX = 16 * 1024 * 1024;
