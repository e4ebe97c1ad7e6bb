/**
 * The only source of randomness. `Prng` is seeded and reproducible; `freshSeed` is the one place that asks the
 * operating system.
 *
 * Source: xoshiro128** 1.1 by Blackman and Vigna ("Scrambled Linear Pseudorandom Number Generators", 2021), state
 * filled by SplitMix32 so that nearby seeds give unrelated streams.
 */
import { randomBytes } from 'node:crypto';
import { assert } from './assert.ts';

/** A seeded stream of pseudo-random numbers. Not for secrets. */
export class Prng {
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  /** @param seed any integer from 0 to 2^53 − 1 */
  constructor(seed: number) {
    assert(Number.isSafeInteger(seed) && seed >= 0, 'a seed is a non-negative safe integer', seed);
    let s = (seed ^ Math.floor(seed / 0x1_0000_0000)) | 0;
    const next = (): number => {
      s = (s + 0x9e3779b9) | 0;
      let t = s ^ (s >>> 16);
      t = Math.imul(t, 0x21f0aaad);
      t ^= t >>> 15;
      t = Math.imul(t, 0x735a2d97);
      return t ^ (t >>> 15);
    };
    this.a = next();
    this.b = next();
    this.c = next();
    this.d = next() | 1;
  }

  /** An unsigned 32-bit number. */
  uint32(): number {
    const x = Math.imul(this.b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= t;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result;
  }

  /** A number in [0, 1) of 32 bits. */
  float(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** An integer in [0, bound), bound from 1 to 2^32. */
  below(bound: number): number {
    assert(bound >= 1 && bound <= 0x1_0000_0000, 'a bound is from 1 to 2^32', bound);
    return Math.floor(this.float() * bound);
  }

  /** An integer in [low, high], both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with probability `probability`. */
  chance(probability: number): boolean {
    return this.float() < probability;
  }

  /** One element of a non-empty list. */
  pick<T>(list: readonly T[]): T {
    assert(list.length > 0, 'a pick is from a non-empty list');
    return list[this.below(list.length)];
  }

  /** An index drawn with the given non-negative weights, of which one at least is positive. */
  weighted(weights: readonly number[]): number {
    let total = 0;
    for (const weight of weights) total += weight;
    assert(total > 0, 'weights have a positive sum', total);
    let x = this.float() * total;
    for (let i = 0; i < weights.length; i++) {
      x -= weights[i];
      if (x < 0) return i;
    }
    return weights.findLastIndex((weight) => weight > 0);
  }

  /** Pseudo-random bytes. */
  bytes(length: number): Uint8Array {
    const result = new Uint8Array(length);
    for (let i = 0; i < length; i++) result[i] = this.uint32() & 0xff;
    return result;
  }

  /** Shuffles in place (Fisher and Yates). */
  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }

  /** A generator whose stream is unrelated to what this one yields next. */
  fork(): Prng {
    return new Prng(this.uint32() * 0x20_0000 + (this.uint32() & 0x1f_ffff));
  }
}

/** A seed that nobody chose, from 0 to 2^48 − 1. */
export function freshSeed(): number {
  return randomBytes(6).readUIntLE(0, 6);
}

/** Sixteen bytes that name a new store. */
export function freshDatabaseId(): Uint8Array {
  return new Uint8Array(randomBytes(16));
}
