/** Bounds of the checkers; past them a verdict is `unknown`, never a guess. */

/** Steps of one search for a linearization, by default. */
export const SEARCH_STEPS_MAX = 2_000_000;
/** States remembered by one search, by default. */
export const SEARCH_STATES_MAX = 500_000;
/** Reads of single keys that the ranges of one history may come to. */
export const RANGE_READS_MAX = 5_000_000;
