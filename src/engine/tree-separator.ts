/** Bounds between neighbours in the tree. */
import { assert } from '../base/assert.ts';
import { copySlice } from '../base/bytes.ts';
import { compareInternal, type Version } from './cursor.ts';
import type { Separator } from './tree-format.ts';
import { asSequence, type Sequence, SEQUENCE_MAX } from './types.ts';

/**
 * The shortest bound after (leftKey, leftSequence) that is not after `right`: a prefix of the right key where the keys
 * differ (Bayer and Unterauer, "Prefix B-trees", 1977), else the place right behind the left version, which tells the
 * right side the sequence of its next newer version.
 */
export function separatorBetween(leftKey: Uint8Array, leftSequence: Sequence, right: Version): Separator {
  const length = right.keyEnd - right.keyStart;
  let common = 0;
  while (common < leftKey.length && common < length && leftKey[common] === right.bytes[right.keyStart + common])
    common++;
  if (common === length) {
    assert(common === leftKey.length && right.sequence < leftSequence, 'a separator parts versions in internal order');
    return { key: leftKey, sequence: asSequence(leftSequence - 1) };
  }
  return { key: copySlice(right.bytes, right.keyStart, right.keyStart + common + 1), sequence: SEQUENCE_MAX };
}

/** Whether a version lies before the bound; without a bound, all do. */
export function isBefore(version: Version, bound: Separator | undefined): boolean {
  if (bound === undefined) return true;
  const { bytes, keyStart, keyEnd, sequence } = version;
  return compareInternal(bytes, keyStart, keyEnd, sequence, bound.key, 0, bound.key.length, bound.sequence) < 0;
}

/** The sequence of the version before the bound if the bound parts versions of one key, else `undefined`. */
export function newerAcross(bound: Separator): number | undefined {
  return bound.sequence === SEQUENCE_MAX ? undefined : bound.sequence + 1;
}
