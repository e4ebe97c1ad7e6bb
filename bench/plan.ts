/** How much is measured. Both plans take the same way; the quick one is for trying, its figures are not for quoting. */

export interface Plan {
  readonly name: 'full' | 'quick';
  /** Counted rounds of each figure on CPU time, and uncounted ones before them. */
  readonly rounds: number;
  readonly warmUps: number;
  /** Single puts in a slice. */
  readonly puts: number;
  /** Batches in a slice, and rows in a batch. */
  readonly batches: number;
  readonly batchRows: number;
  /** Rows in the store that is read. */
  readonly storedRows: number;
  /** Gets in a slice. */
  readonly gets: number;
  readonly durableRounds: number;
  readonly durablePuts: number;
  readonly bulkRows: number;
  /** Parts of a bulk load between which engines take turns. */
  readonly bulkParts: number;
  readonly recoveries: number;
  readonly realRecoveries: number;
  readonly cacheBytes: number;
  readonly writeBufferBytes: number;
  readonly seed: number;
}

const SIZES = { batchRows: 1000, cacheBytes: 64 * 1024 * 1024, writeBufferBytes: 16 * 1024 * 1024, seed: 20261120 };

export const FULL: Plan = {
  ...SIZES,
  name: 'full',
  rounds: 9,
  warmUps: 2,
  puts: 10_000,
  batches: 20,
  storedRows: 200_000,
  gets: 50_000,
  durableRounds: 9,
  durablePuts: 100,
  bulkRows: 1_000_000,
  bulkParts: 10,
  recoveries: 2000,
  realRecoveries: 200,
};

export const QUICK: Plan = {
  ...SIZES,
  name: 'quick',
  rounds: 3,
  warmUps: 1,
  puts: 3_000,
  batches: 5,
  storedRows: 50_000,
  gets: 20_000,
  durableRounds: 3,
  durablePuts: 40,
  bulkRows: 200_000,
  bulkParts: 4,
  recoveries: 500,
  realRecoveries: 40,
};
