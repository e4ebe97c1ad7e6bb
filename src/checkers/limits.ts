/** Bounds of the checkers; past them a verdict is `unknown`, never a guess. */

/** Steps of one search for a linearization, by default. */
export const SEARCH_STEPS_MAX = 2_000_000;
/** States remembered by one search, by default. */
export const SEARCH_STATES_MAX = 500_000;
/** 32-bit words of memory for them, by default. */
export const SEARCH_WORDS_MAX = 64 * 1024 * 1024;
/** Steps of one search for an execution, by default. */
export const EXECUTION_STEPS_MAX = 500_000;
/** Arrows followed while the shortest cycle is looked for; past it a short one is named. */
export const CYCLE_STEPS_MAX = 5_000_000;
/** Successors of one version that are drawn when its order is unknown. More are left to the search. */
export const SUCCESSORS_MAX = 8;
/** Steps of the search for the longest prefix, once it is known that no order explains everything. */
export const WITNESS_STEPS_MAX = 300_000;
