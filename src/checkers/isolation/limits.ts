/** Bounds of the isolation checkers; past them an answer is `unknown`, never a guess. */

/** Points placed by one search for an execution, by default. */
export const ISOLATION_STEPS_MAX = 500_000;
/** Characters of remembered states in one search. */
export const ISOLATION_MEMORY_MAX = 50_000_000;
/** Arrows followed while the shortest cycle is looked for; past it a short one is named. */
export const CYCLE_STEPS_MAX = 5_000_000;
/** Successors of one version that are drawn when its order is unknown. More are left to the search. */
export const SUCCESSORS_MAX = 8;
/** Keys that one history may hold. */
export const ISOLATION_KEYS_MAX = 10_000_000;
