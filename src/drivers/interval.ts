/** Bounds of a program as one half-open interval, which every engine's own range call can express. */
import { compareBytes, keySuccessor, prefixSuccessor } from '../base/bytes.ts';
import { type BytesText, decodeBytes } from '../contract/bytes-text.ts';
import type { KeyRange } from '../contract/operations.ts';

/** Keys from `low` on and below `high`; no `high`: to the last key. */
export interface Interval {
  readonly low: Uint8Array;
  readonly high: Uint8Array | undefined;
}

/** The interval of a range, or `undefined` when no key can be in it. */
export function intervalOf(range: KeyRange): Interval | undefined {
  let low = new Uint8Array(0);
  let high: Uint8Array | undefined;
  const raise = (key: Uint8Array): void => {
    if (compareBytes(key, low) > 0) low = new Uint8Array(key);
  };
  const lower = (key: Uint8Array): void => {
    if (high === undefined || compareBytes(key, high) < 0) high = key;
  };
  const given = (text: BytesText | undefined, use: (key: Uint8Array) => void): void => {
    if (text !== undefined) use(decodeBytes(text));
  };
  given(range.gte, raise);
  given(range.gt, (key) => raise(keySuccessor(key)));
  given(range.lt, lower);
  given(range.lte, (key) => lower(keySuccessor(key)));
  given(range.prefix, (prefix) => {
    raise(prefix);
    const end = prefixSuccessor(prefix);
    if (end !== undefined) lower(end);
  });
  return high !== undefined && compareBytes(low, high) >= 0 ? undefined : { low, high };
}
