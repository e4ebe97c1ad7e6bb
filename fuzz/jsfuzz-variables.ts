/** Environment variables between the stage and the processes of jsfuzz that it starts. */

/** Starts the randomness of mutation. */
export const FUZZ_SEED_VARIABLE = 'LIGHTNING_FUZZ_SEED';
/** Name of the target. */
export const FUZZ_TARGET_VARIABLE = 'LIGHTNING_FUZZ_TARGET';
/** File in which the process that runs the target accounts for itself. */
export const FUZZ_ACCOUNT_VARIABLE = 'LIGHTNING_FUZZ_ACCOUNT';
/** Folder in which instrumented sources are kept for the next process of the same stage. */
export const FUZZ_CACHE_VARIABLE = 'LIGHTNING_FUZZ_CACHE';
/** Key of the global symbol under which that process finds the function to call. */
export const FUZZ_FUNCTION_SYMBOL = 'lightning-db.fuzz-function';
