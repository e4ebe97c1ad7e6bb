/** What is written: 16-byte keys that ascend or are scattered, 100-byte values that no compression makes smaller. */
import { Prng } from '../src/base/prng.ts';

export const KEY_BYTES = 16;
export const VALUE_BYTES = 100;
/** Bytes of one key and value: what write amplification is measured against. */
export const ROW_BYTES = KEY_BYTES + VALUE_BYTES;

/** More random bytes than any block or page holds, so that no two values in one are alike. */
const POOL_BYTES = 1 << 20;

/** Rows by number. All engines get the very same Buffers; a Buffer is what each of them takes without a conversion. */
export interface Rows {
  readonly count: number;
  key(row: number): Buffer;
  value(row: number): Buffer;
}

/**
 * Makes `count` rows.
 * @param order `ascending`: row after row in key order; `random`: keys scattered, each once
 */
export function makeRows(count: number, order: 'ascending' | 'random', seed: number): Rows {
  const prng = new Prng(seed);
  const keys = Buffer.alloc(count * KEY_BYTES);
  for (let row = 0; row < count; row++) {
    // A multiplication by an odd number permutes the 32-bit numbers, so keys are distinct in either order.
    const place = order === 'ascending' ? row : Math.imul(row, 0x9e3779b1) >>> 0;
    keys.writeUInt32BE(place, row * KEY_BYTES);
    for (let at = 4; at < KEY_BYTES; at += 4) keys.writeUInt32BE(prng.uint32(), row * KEY_BYTES + at);
  }
  const pool = Buffer.from(prng.bytes(POOL_BYTES));
  return {
    count,
    key: (row) => keys.subarray(row * KEY_BYTES, (row + 1) * KEY_BYTES),
    value: (row) => {
      const at = (row * 7919) % (POOL_BYTES - VALUE_BYTES);
      return pool.subarray(at, at + VALUE_BYTES);
    },
  };
}

/** `count` row numbers below `bound`, drawn with repetition. */
export function drawRows(count: number, bound: number, seed: number): Uint32Array {
  const prng = new Prng(seed);
  return Uint32Array.from({ length: count }, () => prng.below(bound));
}
