/** A point read at a view: rule 2. */
import type { Version } from './cursor.ts';
import { findVisible, type Layers } from './layers.ts';
import type { SnapshotView } from './snapshots.ts';

/**
 * The value of `key` for (view.sequence, view.now); the caller owns the bytes. O(layers · log n).
 * @throws LightningError `LIGHTNING_CORRUPTION` or an I/O error, of this read alone
 */
export function readAt(layers: Layers, key: Uint8Array, view: SnapshotView, scratch: Version): Uint8Array | undefined {
  if (!findVisible(layers, key, view.sequence, scratch)) return undefined;
  return scratch.deadline <= view.now ? undefined : scratch.value();
}
