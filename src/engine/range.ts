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
  let start: Uint8Array = new Uint8Array(0);
  let end: Uint8Array | undefined;
  let isEmpty = false;
  const raise = (candidate: Uint8Array): void => {
    if (compareBytes(candidate, start) > 0) start = candidate;
  };
  const lower = (candidate: Uint8Array): void => {
    if (end === undefined || compareBytes(candidate, end) < 0) end = candidate;
  };
  if (bounds.gte !== undefined) raise(bounds.gte);
  if (bounds.gt !== undefined) {
    const next = nextKey(bounds.gt);
    if (next === undefined) isEmpty = true;
    else raise(next);
  }
  if (bounds.lt !== undefined) lower(bounds.lt);
  if (bounds.lte !== undefined) {
    const next = nextKey(bounds.lte);
    if (next !== undefined) lower(next);
  }
  if (bounds.prefix !== undefined) {
    raise(bounds.prefix);
    const successor = prefixSuccessor(bounds.prefix);
    if (successor !== undefined) lower(successor);
  }
  return { start, end: isEmpty ? start : end };
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
