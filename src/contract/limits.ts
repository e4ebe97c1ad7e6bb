/** Every bound of the contract, in one place. An engine may have smaller ones and says so in its capabilities. */

/** Longest key of a program: one past the longest that an engine may accept, so that refusals are tried too. */
export const PROGRAM_KEY_BYTES_MAX = 65_536;
/** Longest value that a program writes. */
export const PROGRAM_VALUE_BYTES_MAX = 128 * 1024 * 1024;
/** Operations in one program. */
export const PROGRAM_OPERATIONS_MAX = 1_000_000;
/** Operations in one batch of a program. */
export const BATCH_OPERATIONS_MAX = 100_000;
/** Characters of one program saved as JSON. */
export const PROGRAM_TEXT_MAX = 256 * 1024 * 1024;
/** What the clock of a session shows when it opens for the first time, in milliseconds; moved by `advanceClock` only. */
export const CLOCK_START_MILLISECONDS = 1_000_000;
/** Commits of unknown outcome for which the judge of recovered states tries both answers. */
export const INDEFINITE_COMMITS_MAX = 8;
