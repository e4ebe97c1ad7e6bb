import { expect, test } from 'vitest';
import { Prng } from './prng.ts';
import { BLOOM_BITS_PER_KEY_MAX, BloomBuilder, BloomFilter, bloomHash } from './bloom.ts';

function filterOf(keys: readonly Uint8Array[], bitsPerKey: number): BloomFilter {
  const builder = new BloomBuilder();
  for (const key of keys) builder.add(bloomHash(key, 0, key.length));
  const decoded = BloomFilter.decode(builder.finish(bitsPerKey));
  if (!decoded.ok) throw new Error(decoded.problem);
  return decoded.value;
}

function maybe(filter: BloomFilter, key: Uint8Array): boolean {
  return filter.mayContain(bloomHash(key, 0, key.length));
}

test('a key that was added is never denied, for any number of keys and bits', () => {
  const random = new Prng(1);
  for (let round = 0; round < 200; round++) {
    const keys = Array.from({ length: 1 + random.below(400) }, () => random.bytes(random.below(12)));
    const filter = filterOf(keys, random.between(1, BLOOM_BITS_PER_KEY_MAX));
    expect(keys.every((key) => maybe(filter, key))).toBe(true);
  }
});

test('without a key everything is denied', () => {
  expect(maybe(filterOf([], 10), new Uint8Array(0))).toBe(false);
});

test('false positives stay near the rate of theory, for random and for counted keys', () => {
  const count = 20_000;
  const random = new Prng(2);
  const counted = (i: number): Uint8Array => Uint8Array.of(107, i >>> 24, (i >>> 16) & 255, (i >>> 8) & 255, i & 255);
  for (const make of [counted, () => random.bytes(16)]) {
    for (const bitsPerKey of [4, 10, 16]) {
      const filter = filterOf(
        Array.from({ length: count }, (_, i) => make(i)),
        bitsPerKey,
      );
      let wrong = 0;
      for (let i = 0; i < count; i++) if (maybe(filter, make(count + i))) wrong++;
      const theory = 0.6185 ** bitsPerKey;
      expect(wrong / count, `${bitsPerKey} bits`).toBeLessThan(theory * 1.4 + 0.0005);
      expect(wrong / count, `${bitsPerKey} bits`).toBeGreaterThan(theory * 0.3);
    }
  }
});

test('a body that is not a filter is a problem, never an exception', () => {
  const builder = new BloomBuilder();
  builder.add(7);
  const body = builder.finish(10);
  expect(BloomFilter.decode(body).ok).toBe(true);
  for (let length = 0; length < body.length; length++)
    expect(BloomFilter.decode(body.subarray(0, length)).ok).toBe(false);
  const probes = (count: number): boolean =>
    BloomFilter.decode(Uint8Array.from(body, (b, i) => (i === 4 ? count : b))).ok;
  expect([probes(0), probes(1), probes(30), probes(31)]).toEqual([false, true, true, false]);
  expect(BloomFilter.decode(Uint8Array.from(body, (b, i) => (i === 0 ? b + 1 : b))).ok).toBe(false);
  expect(() => new BloomBuilder().finish(0)).toThrow('bits per key are within bounds');
});
