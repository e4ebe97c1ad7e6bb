/**
 * Stores that cheat, for live negative controls: the engine beneath is sound, what stands in front of it is not. A stage
 * that does not notice them could not have noticed the same fault in an engine.
 */
import { isLightningError } from '../src/base/errors.ts';
import type { Database } from '../src/database/index.ts';
import type { WriteOperation } from '../src/engine/index.ts';

/** How a store cheats. */
export type FaultyStore =
  /** Is honest for some batches; from then on it acknowledges what it never writes. */
  | 'acknowledges-early'
  /** Writes the first half of a batch as one commit and the rest as another; after some batches the rest does not come. */
  | 'halves-batches'
  /** Answers a full disk with an acknowledgement. */
  | 'hides-full-disk'
  /** Reports the full disk, remembers the first entry of the batch, and writes it once there is space. */
  | 'remembers-refused';

/** The one call that the loads make. */
export interface Store {
  batch(operations: readonly WriteOperation[]): Promise<void>;
}

/** Batches that a cheat writes whole. What it does afterwards is there to be found whenever the kill comes. */
export const HONEST_BATCHES = 12;

/** The database itself, or in front of it a store that cheats. */
export function wrap(database: Database, fault: FaultyStore | undefined): Store {
  switch (fault) {
    case undefined:
      return { batch: (operations) => database.batch(operations) };
    case 'acknowledges-early': {
      let count = 0;
      return {
        batch: async (operations) => (++count > HONEST_BATCHES ? Promise.resolve() : database.batch(operations)),
      };
    }
    case 'halves-batches': {
      let count = 0;
      return {
        async batch(operations) {
          const isLast = ++count > HONEST_BATCHES;
          const middle = Math.ceil(operations.length / 2);
          await database.batch(operations.slice(0, middle));
          if (isLast) await new Promise<never>(() => undefined);
          await database.batch(operations.slice(middle));
        },
      };
    }
    case 'hides-full-disk':
      return {
        async batch(operations) {
          try {
            await database.batch(operations);
          } catch (error) {
            if (!isLightningError(error, 'LIGHTNING_DISK_FULL')) throw error;
          }
        },
      };
    case 'remembers-refused':
      return new RemembersRefused(database);
  }
}

class RemembersRefused implements Store {
  private readonly database: Database;
  private readonly refused: WriteOperation[] = [];

  constructor(database: Database) {
    this.database = database;
  }

  async batch(operations: readonly WriteOperation[]): Promise<void> {
    try {
      await this.database.batch(operations);
    } catch (error) {
      this.refused.push(operations[0]);
      throw error;
    }
    const late = this.refused.shift();
    if (late === undefined) return;
    try {
      await this.database.batch([late]);
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_DISK_FULL')) throw error;
      this.refused.push(late);
    }
  }
}
