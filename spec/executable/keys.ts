/**
 * The specification's own byte order. A key is held as a string of one character a byte, so that the order of strings
 * (by code units, ECMA-262 section 7.2.13) is the order of unsigned bytes, a proper prefix first. No code is shared with
 * the engines that it judges.
 */
import { type BytesText, decodeBytes } from '../../src/contract/bytes-text.ts';
import type { KeyRange } from '../../src/contract/operations.ts';

/** A byte string, one character (0 to 255) a byte. */
export type Key = string;

/** Keys from `low` on, and below `high` if there is one. Empty when `high` is not above `low`. */
export interface Range {
  readonly low: Key;
  readonly high: Key | undefined;
}

/** Bytes as a key. */
export function keyOfBytes(bytes: Uint8Array): Key {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** The text of a program as a key. */
export function keyOfText(text: BytesText): Key {
  return keyOfBytes(decodeBytes(text));
}

/** A key as bytes; a fresh copy. */
export function bytesOfKey(key: Key): Uint8Array {
  return new Uint8Array(Buffer.from(key, 'latin1'));
}

/** The least key above every key with this prefix; `undefined` when there is none. */
function afterPrefix(prefix: Key): Key | undefined {
  for (let end = prefix.length; end > 0; end--) {
    const last = prefix.charCodeAt(end - 1);
    if (last < 0xff) return prefix.slice(0, end - 1) + String.fromCharCode(last + 1);
  }
  return undefined;
}

/** The bounds of a program as one interval: every bound given must hold. The least key above `k` is `k` and a zero byte. */
export function rangeOf(bounds: KeyRange): Range {
  let low = '';
  let high: Key | undefined;
  const raise = (key: Key): void => {
    if (key > low) low = key;
  };
  const lower = (key: Key | undefined): void => {
    if (key !== undefined && (high === undefined || key < high)) high = key;
  };
  if (bounds.gte !== undefined) raise(keyOfText(bounds.gte));
  if (bounds.gt !== undefined) raise(`${keyOfText(bounds.gt)}\0`);
  if (bounds.lt !== undefined) lower(keyOfText(bounds.lt));
  if (bounds.lte !== undefined) lower(`${keyOfText(bounds.lte)}\0`);
  if (bounds.prefix !== undefined) {
    const prefix = keyOfText(bounds.prefix);
    raise(prefix);
    lower(afterPrefix(prefix));
  }
  return { low, high };
}

/** Whether a key lies in a range. */
export function inRange(key: Key, range: Range): boolean {
  return key >= range.low && (range.high === undefined || key < range.high);
}

/** Whether some key lies in both ranges. */
export function rangesMeet(a: Range, b: Range): boolean {
  const low = a.low > b.low ? a.low : b.low;
  return inRange(low, a) && inRange(low, b);
}
