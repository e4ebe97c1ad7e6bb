/** Ranges of keys: from the public bounds to one half-open interval. */
import { compareBytes, keySuccessor, prefixSuccessor } from '../base/bytes.ts';
import { LightningError } from '../base/errors.ts';
import { KEY_BYTES_MAX } from './limits.ts';
import { checkKey } from './write-operation.ts';

/** `[start, end)`; without `end` up to the last key. */
export interface KeyRange {
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
}

/** Bounds as callers give them; all that are given apply together. */
export interface RangeBounds {
  readonly gte?: Uint8Array;
  readonly gt?: Uint8Array;
  readonly lte?: Uint8Array;
  readonly lt?: Uint8Array;
  readonly prefix?: Uint8Array;
}

/** What a scan takes. `limit` rows at most (default: all); rows in descending order when `reverse`. */
export interface ScanOptions extends RangeBounds {
  readonly reverse?: boolean;
  readonly limit?: number;
}

const BOUND_NAMES = ['gte', 'gt', 'lte', 'lt', 'prefix'] as const;

/**
 * The intersection of all given bounds as one half-open range, possibly empty.
 * @throws LightningError for a bound that is not a key
 */
export function toRange(bounds: RangeBounds): KeyRange {
  for (const name of BOUND_NAMES) if (bounds[name] !== undefined) checkKey(bounds[name], name);
  const { gte, gt, lte, lt, prefix } = bounds;
  let start: Uint8Array = new Uint8Array(0);
  for (const least of [gte, gt && nextKey(gt), prefix])
    if (least !== undefined && compareBytes(least, start) > 0) start = least;
  let end: Uint8Array | undefined;
  for (const bound of [lt, lte && nextKey(lte), prefix && prefixSuccessor(prefix)])
    if (bound !== undefined && (end === undefined || compareBytes(bound, end) < 0)) end = bound;
  const isBehindAll = gt !== undefined && nextKey(gt) === undefined;
  return { start, end: isBehindAll ? start : end };
}

/**
 * The least key above `key`; `undefined` when there is none. Of the longest keys it is not the key and a zero byte, which
 * would be longer than a key and its length field may be.
 */
function nextKey(key: Uint8Array): Uint8Array | undefined {
  return key.length < KEY_BYTES_MAX ? keySuccessor(key) : prefixSuccessor(key);
}

/** Whether a range holds no key at all. */
export function isEmptyRange(range: KeyRange): boolean {
  return range.end !== undefined && compareBytes(range.start, range.end) >= 0;
}

/** @throws LightningError for an unknown option, a limit that is not a whole number, a direction that is not a boolean */
export function checkScanOptions(options: ScanOptions): void {
  for (const name of Object.keys(options)) {
    if (!(BOUND_NAMES as readonly string[]).includes(name) && name !== 'reverse' && name !== 'limit') {
      throw new LightningError('LIGHTNING_UNKNOWN_OPTION', `unknown option ${name}`, { name });
    }
  }
  const { limit, reverse } = options;
  if (limit !== undefined && limit !== Infinity && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'limit is a whole number from 0', { limit });
  }
  if (reverse !== undefined && typeof reverse !== 'boolean') {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'reverse is true or false', { reverse });
  }
}
