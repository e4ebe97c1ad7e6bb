/**
 * Values that lie in files of somebody else. A store keeps where they lie as it keeps values, from the log to the tree,
 * and never looks into it; who put them there reads them and deletes their files when it is told.
 */
import { LightningError } from '../base/errors.ts';
import type { Vfs } from './vfs.ts';

/** What a version holds: a value, or where it lies. The caller owns the bytes. */
export interface Stored {
  readonly bytes: Uint8Array;
  readonly isReference: boolean;
}

/** What a store asks of whoever keeps such values. */
export interface References {
  /** The value; the caller owns the bytes. @throws LightningError `LIGHTNING_CORRUPTION`, environment errors */
  read(reference: Uint8Array): Uint8Array;
  /**
   * Nobody can read these any more, and what says so is durable. Deletes their files in slices; ended early, the rest at
   * once.
   */
  drop(references: readonly Uint8Array[]): Iterable<number>;
}

/** Made when a store is opened. @param files watched: what makes the disk uncertain poisons the store */
export type OpenReferences = (files: Vfs, databaseId: Uint8Array) => References;

/** For a store without such values. */
export const noReferences: OpenReferences = () => ({
  read: () => {
    throw new LightningError('LIGHTNING_MISSING_CAPABILITY', 'the value lies in a file that nobody here reads');
  },
  drop: () => [],
});
