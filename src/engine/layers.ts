/**
 * Where versions live, newest layer first: active memtable, frozen memtables, sorted runs, tree. Sequence intervals of
 * the layers are disjoint and descend, so the first layer that knows a key knows its newest version.
 *
 * Reading only. Structure changes go through store.ts.
 */
import type { Cursor, Version } from './cursor.ts';
import { type Memtable, newestCover } from './memtable.ts';
import { MergeCursor } from './merge-cursor.ts';
import type { KeyRange } from './range.ts';
import { compareBytes, keySuccessor } from '../base/bytes.ts';
import type { Stored } from '../vfs/references.ts';
import { KIND_DELETE, type RangeTombstone, type Sequence, SEQUENCE_MAX } from './types.ts';

/** A memtable, a run or the tree. */
export interface Layer {
  /** Not below any version or range tombstone in it; 0 while it is empty. */
  readonly greatestSequence: Sequence;
  /** Those of the tree have become deletions. */
  readonly rangeTombstones: readonly RangeTombstone[];
  get(key: Uint8Array, sequence: Sequence, into: Version): boolean;
  cursor(): Cursor;
}

/** All layers of a store at this moment. `version` changes whenever a cursor over them could have become stale. */
export interface Layers {
  readonly version: number;
  readonly newestFirst: readonly Layer[];
  /** Range tombstones that a merge has turned into deletions while a snapshot older than them was live (rule 7). */
  readonly clearEvidence: readonly RangeTombstone[];
  /** The value, wherever it lies; the caller owns the bytes. @throws LightningError of reading it */
  valueOf(stored: Stored): Uint8Array;
  /** @throws LightningError when the store is closed or poisoned */
  checkHealthy(): void;
}

/**
 * Finds the version of `key` visible at `sequence`: the newest at or before it, range tombstones counting as versions.
 * @returns false if there is none or it is a deletion; `into` then holds nothing of use. Deadlines are the caller's.
 */
export function findVisible(layers: Layers, key: Uint8Array, sequence: Sequence, into: Version): boolean {
  for (const layer of layers.newestFirst) {
    const found = layer.get(key, sequence, into);
    const cover = newestCover(layer.rangeTombstones, key, sequence);
    // A point version of the same sequence beats a range tombstone.
    if (found || cover > 0) return found && into.sequence >= cover && into.kind !== KIND_DELETE;
  }
  return false;
}

/** All layers, newest first; a transaction's own writes before all. */
function layersWith({ newestFirst }: Layers, ownWrites: Memtable | undefined): readonly Layer[] {
  return ownWrites === undefined ? newestFirst : [ownWrites, ...newestFirst];
}

/** One cursor over all layers, in internal order, range tombstones left out. */
export function cursorOver(layers: Layers, ownWrites: Memtable | undefined): Cursor {
  const sources: Cursor[] = [];
  for (const layer of layersWith(layers, ownWrites)) if (layer.greatestSequence > 0) sources.push(layer.cursor());
  return sources.length === 1 ? sources[0] : new MergeCursor(sources);
}

/** Range tombstones of all layers at or before `sequence`. */
export function tombstonesOver(layers: Layers, ownWrites: Memtable | undefined, sequence: Sequence): RangeTombstone[] {
  const all: RangeTombstone[] = [];
  for (const layer of layersWith(layers, ownWrites)) {
    for (const tombstone of layer.rangeTombstones) if (tombstone.sequence <= sequence) all.push(tombstone);
  }
  return all;
}

/** Rule 7 for one key: whether any version of it, unpublished and deletions included, is newer than `since`. */
export function keyChangedSince(layers: Layers, key: Uint8Array, since: Sequence, scratch: Version): boolean {
  const range = { start: key, end: keySuccessor(key) };
  return changedSince(
    layers,
    range,
    since,
    (layer) => layer.get(key, SEQUENCE_MAX, scratch) && scratch.sequence > since,
  );
}

/** Rule 7 for a range: whether any version in it is newer than `since`. Linear in the versions of the range. */
export function rangeChangedSince(layers: Layers, range: KeyRange, since: Sequence): boolean {
  return changedSince(layers, range, since, (layer) => {
    const cursor = layer.cursor();
    for (cursor.seek(range.start, SEQUENCE_MAX); cursor.valid; cursor.next()) {
      if (range.end !== undefined && cursor.compareKey(range.end) >= 0) return false;
      if (cursor.sequence > since) return true;
    }
    return false;
  });
}

function changedSince(
  layers: Layers,
  range: KeyRange,
  since: Sequence,
  holdsNewer: (layer: Layer) => boolean,
): boolean {
  const cleared = (tombstones: readonly RangeTombstone[]): boolean =>
    tombstones.some((t) => t.sequence > since && overlaps(t, range));
  if (cleared(layers.clearEvidence)) return true;
  return layers.newestFirst.some(
    (layer) => layer.greatestSequence > since && (cleared(layer.rangeTombstones) || holdsNewer(layer)),
  );
}

function overlaps(a: KeyRange, b: KeyRange): boolean {
  const aBeforeB = a.end !== undefined && compareBytes(a.end, b.start) <= 0;
  const bBeforeA = b.end !== undefined && compareBytes(b.end, a.start) <= 0;
  return !aBeforeB && !bBeforeA;
}
