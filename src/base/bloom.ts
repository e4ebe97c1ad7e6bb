/**
 * Bloom filter over the distinct keys of a run (Bloom 1970). The probes come from two hashes, position i being
 * h1 + i × h2 modulo the number of bits (Kirsch and Mitzenmacher, "Less Hashing, Same Performance", 2006).
 *
 * Body, as stored: bits u32 (a multiple of 8) · probes u8 · bits / 8 bytes.
 *
 * "Maybe" is answered for every key that was added; "no" is always true.
 */
import { assert } from './assert.ts';
import { readUint32, writeUint32 } from './bytes.ts';
import { hash32 } from './hash.ts';
import type { Decoded } from './decoded.ts';

export const BLOOM_BITS_PER_KEY_DEFAULT = 10;
export const BLOOM_BITS_PER_KEY_MAX = 64;
export const BLOOM_PROBES_MAX = 30;
const BODY_HEADER_BYTES = 5;
/** Few keys get at least this much, or the rate would be far from its promise. */
const BITS_MIN = 64;
/** Keeps the body below 2^29 bytes; past it the filter is right but says "maybe" more often. */
const BITS_MAX = 0xffff_fff8;

/** The first hash; all that a builder has to remember of a key. */
export function bloomHash(bytes: Uint8Array, start: number, end: number): number {
  return hash32(bytes, start, end);
}

/** The second hash, a scrambling of the first: odd, so that it is never a multiple of the bits. */
function stepOf(hash: number): number {
  let h = Math.imul(hash ^ 0x9e37_79b9, 0x21f0_aaad);
  h ^= h >>> 15;
  h = Math.imul(h, 0x735a_2d97);
  return ((h ^ (h >>> 15)) | 1) >>> 0;
}

/** Collects keys by their hashes; one number a key. */
export class BloomBuilder {
  private hashes = new Uint32Array(1024);
  count = 0;

  /** @param hash {@link bloomHash} of a key; give each distinct key once */
  add(hash: number): void {
    if (this.count === this.hashes.length) {
      const grown = new Uint32Array(this.count * 2);
      grown.set(this.hashes);
      this.hashes = grown;
    }
    this.hashes[this.count++] = hash;
  }

  /** The filter's body. With no key it has no bits and says "no" to everything. */
  finish(bitsPerKey: number): Uint8Array {
    assert(bitsPerKey >= 1 && bitsPerKey <= BLOOM_BITS_PER_KEY_MAX, 'bits per key are within bounds', bitsPerKey);
    const wanted = this.count === 0 ? 0 : Math.max(BITS_MIN, Math.ceil((this.count * bitsPerKey) / 8) * 8);
    const bits = Math.min(wanted, BITS_MAX);
    // The rate is least at ln 2 × bits per key.
    const probes = Math.min(BLOOM_PROBES_MAX, Math.max(1, Math.round(bitsPerKey * Math.LN2)));
    const body = new Uint8Array(BODY_HEADER_BYTES + bits / 8);
    writeUint32(body, bits, 0);
    body[4] = probes;
    for (let n = 0; n < this.count; n++) {
      let at = this.hashes[n];
      const step = stepOf(at);
      for (let i = 0; i < probes; i++) {
        const bit = at % bits;
        body[BODY_HEADER_BYTES + (bit >>> 3)] |= 1 << (bit & 7);
        at = (at + step) >>> 0;
      }
    }
    return body;
  }
}

/** A filter as loaded. */
export class BloomFilter {
  private readonly body: Uint8Array;
  private readonly bits: number;
  private readonly probes: number;

  private constructor(body: Uint8Array, bits: number, probes: number) {
    this.body = body;
    this.bits = bits;
    this.probes = probes;
  }

  /** Validates a body; it is kept, not copied. */
  static decode(body: Uint8Array): Decoded<BloomFilter> {
    if (body.length < BODY_HEADER_BYTES) return { ok: false, problem: 'filter shorter than its header' };
    const bits = readUint32(body, 0);
    const probes = body[4];
    if (bits % 8 !== 0 || body.length !== BODY_HEADER_BYTES + bits / 8) {
      return { ok: false, problem: `filter of ${bits} bits in ${body.length} bytes` };
    }
    if (probes < 1 || probes > BLOOM_PROBES_MAX) return { ok: false, problem: `filter with ${probes} probes` };
    return { ok: true, value: new BloomFilter(body, bits, probes) };
  }

  get sizeBytes(): number {
    return this.body.length;
  }

  /** Whether a key with this {@link bloomHash} may have been added. */
  mayContain(hash: number): boolean {
    const { body, bits, probes } = this;
    if (bits === 0) return false;
    let at = hash;
    const step = stepOf(hash);
    for (let i = 0; i < probes; i++) {
      const bit = at % bits;
      if ((body[BODY_HEADER_BYTES + (bit >>> 3)] & (1 << (bit & 7))) === 0) return false;
      at = (at + step) >>> 0;
    }
    return true;
  }
}
