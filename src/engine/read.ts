/** A point read at a view: rule 2. */
import type { Stored } from '../vfs/references.ts';
import type { Version } from './cursor.ts';
import { findVisible, type Layers } from './layers.ts';
import type { SnapshotView } from './snapshots.ts';

/**
 * What stands under `key` for (view.sequence, view.now). O(layers · log n).
 * @throws LightningError `LIGHTNING_CORRUPTION` or an I/O error, of this read alone
 */
export function findAt(layers: Layers, key: Uint8Array, view: SnapshotView, scratch: Version): Stored | undefined {
  if (!findVisible(layers, key, view.sequence, scratch)) return undefined;
  return scratch.deadline <= view.now ? undefined : scratch.stored();
}
