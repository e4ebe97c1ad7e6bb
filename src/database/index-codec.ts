/**
 * Where index entries stand in the store, and how indexed values become keys.
 *
 * Every key from RESERVED on belongs to the indexes of a store that has some:
 *
 *   RESERVED 00 name                      marker: the index is complete
 *   RESERVED 01 name 00 value' row-key    entry of an index, with an empty value
 *   RESERVED 01 name 00 value'            entry of a unique index, with the row's key as value
 *
 * value' is the indexed value with 00 written as 00 FF and closed by 00 01, so that entries order as values do, a proper
 * prefix first, and no value' is a prefix of another one. Names hold no zero byte.
 */
import { compareBytes } from '../base/bytes.ts';
import type { KeyRange, RangeBounds } from '../engine/index.ts';

/** The first key that rows may not have in a store with indexes. */
export const RESERVED = new Uint8Array([255, 255, 255, 255, 255, 255, 255, 255, 105, 110, 100, 101, 120]);

const MARKER = 0;
const ENTRY = 1;
const ESCAPE = 0;
const ESCAPED_ZERO = 255;
const END = 1;

/** What all markers begin with. */
export const MARKERS = join(RESERVED, new Uint8Array([MARKER]));

/** The marker that says an index of this name is complete. */
export function markerKey(name: string): Uint8Array {
  return join(RESERVED, new Uint8Array([MARKER]), new TextEncoder().encode(name));
}

/** What all entries of an index begin with. */
export function entriesPrefix(name: string): Uint8Array {
  return join(RESERVED, new Uint8Array([ENTRY]), new TextEncoder().encode(name), new Uint8Array([0]));
}

/** The key of an entry. Without `rowKey`: of a unique index. */
export function entryKey(prefix: Uint8Array, value: Uint8Array, rowKey?: Uint8Array): Uint8Array {
  const closed = join(prefix, escaped(value), new Uint8Array([ESCAPE, END]));
  return rowKey === undefined ? closed : join(closed, rowKey);
}

/** Indexed value and rest (the row's key, unless unique) of an entry's key; `undefined` when it is none. */
export function splitEntry(prefix: Uint8Array, key: Uint8Array): { value: Uint8Array; rest: Uint8Array } | undefined {
  const value: number[] = [];
  for (let i = prefix.length; i < key.length; i++) {
    if (key[i] !== ESCAPE) value.push(key[i]);
    else if (key[i + 1] === ESCAPED_ZERO) value.push(key[i++]);
    else return key[i + 1] === END ? { value: Uint8Array.from(value), rest: key.slice(i + 2) } : undefined;
  }
  return undefined;
}

/** Bounds on indexed values as bounds on entries. */
export function entryBounds(prefix: Uint8Array, bounds: RangeBounds): RangeBounds {
  const from = (value: Uint8Array, end: number): Uint8Array =>
    join(prefix, escaped(value), new Uint8Array([ESCAPE, end]));
  const { gte, gt, lte, lt } = bounds;
  // Both bounds of a side may be given: the tighter one counts.
  const low = [gte && from(gte, END), gt && from(gt, END + 1)].filter((one) => one !== undefined);
  const high = [lt && from(lt, END), lte && from(lte, END + 1)].filter((one) => one !== undefined);
  const gteEntry = low.sort(compareBytes).at(-1);
  const ltEntry = high.sort(compareBytes).at(0);
  return {
    prefix: bounds.prefix === undefined ? prefix : join(prefix, escaped(bounds.prefix)),
    ...(gteEntry === undefined ? {} : { gte: gteEntry }),
    ...(ltEntry === undefined ? {} : { lt: ltEntry }),
  };
}

/** The part of a range that rows may stand in. */
export function rowsOnly({ start, end }: KeyRange): KeyRange {
  return { start, end: end === undefined || compareBytes(end, RESERVED) > 0 ? RESERVED : end };
}

/** Whether a key belongs to the indexes. */
export function isReserved(key: Uint8Array): boolean {
  return compareBytes(key, RESERVED) >= 0;
}

function escaped(value: Uint8Array): Uint8Array {
  if (!value.includes(0)) return value;
  const bytes: number[] = [];
  for (const byte of value) {
    bytes.push(byte);
    if (byte === ESCAPE) bytes.push(ESCAPED_ZERO);
  }
  return Uint8Array.from(bytes);
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
