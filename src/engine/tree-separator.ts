/** Bounds between neighbours in the tree. */
import { assert } from '../base/assert.ts';
import { copySlice } from '../base/bytes.ts';
import { compareKeys, type Version } from './cursor.ts';
import type { Separator } from './tree-format.ts';
import { asSequence, SEQUENCE_MAX } from './types.ts';

/**
 * The shortest bound after `left` that is not after `right`: a prefix of the right key where the keys differ (Bayer and
 * Unterauer, "Prefix B-trees", 1977), else the place right behind the left version, which tells the right side the sequence
 * of its next newer version.
 */
export function separatorBetween(left: Version, right: Version): Separator {
  const order = compareKeys(left, right);
  const isInOrder = order < 0 || (order === 0 && right.sequence < left.sequence);
  assert(isInOrder, 'a separator parts versions in internal order');
  if (order === 0) return { key: left.key(), sequence: asSequence(left.sequence - 1) };
  let at = right.keyStart;
  for (let i = left.keyStart; i < left.keyEnd && left.bytes[i] === right.bytes[at]; i++) at++;
  return { key: copySlice(right.bytes, right.keyStart, at + 1), sequence: SEQUENCE_MAX };
}

/** Whether a version lies before the bound; without a bound, all do. */
export function isBefore(version: Version, bound: Separator | undefined): boolean {
  if (bound === undefined) return true;
  const order = version.compareKey(bound.key);
  return order < 0 || (order === 0 && version.sequence > bound.sequence);
}

/** The sequence of the version before the bound if the bound parts versions of one key, else `undefined`. */
export function newerAcross(bound: Separator): number | undefined {
  return bound.sequence === SEQUENCE_MAX ? undefined : bound.sequence + 1;
}
