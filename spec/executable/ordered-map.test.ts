import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { encodeBytes } from '../../src/contract/bytes-text.ts';
import { bytesOfKey, inRange, type Key, keyOfBytes, type Range, rangeOf, rangesMeet } from './keys.ts';
import { NEVER, OrderedMap, rowsIn, touches, valueIn, type Write } from './ordered-map.ts';

const KEYS: readonly Key[] = [
  '',
  '\0',
  'a',
  'a\0',
  'a\xff',
  'ab',
  'b',
  '\x7f',
  '\x80',
  '\xff',
  '\xff\xff',
  '\xff\xff\xff\xff',
];

function text(key: Key): ReturnType<typeof encodeBytes> {
  return encodeBytes(bytesOfKey(key));
}

function randomRange(prng: Prng): Range {
  const bounds: Record<string, ReturnType<typeof encodeBytes>> = {};
  for (const name of ['gte', 'gt', 'lte', 'lt', 'prefix']) if (prng.chance(0.3)) bounds[name] = text(prng.pick(KEYS));
  return rangeOf(bounds);
}

function randomWrite(prng: Prng): Write {
  const kind = prng.weighted([5, 2, 1]);
  if (kind === 2) return { kind: 'clear', range: randomRange(prng) };
  const key = prng.pick(KEYS);
  if (kind === 1) return { kind: 'delete', key };
  return { kind: 'put', key, value: prng.bytes(2), deadline: prng.chance(0.3) ? prng.below(10) : NEVER };
}

describe('keys', () => {
  test('strings of one character a byte order like unsigned bytes, a prefix first', () => {
    const prng = new Prng(1);
    for (let i = 0; i < 5_000; i++) {
      const [a, b] = [prng.bytes(prng.below(4)), prng.bytes(prng.below(4))];
      const common = Math.min(a.length, b.length);
      let order = 0;
      for (let at = 0; order === 0 && at < common; at++) order = Math.sign(a[at] - b[at]);
      if (order === 0) order = Math.sign(a.length - b.length);
      const [x, y] = [keyOfBytes(a), keyOfBytes(b)];
      expect(x < y ? -1 : x > y ? 1 : 0).toBe(order);
      expect(bytesOfKey(x)).toEqual(a);
    }
  });

  test('a range holds exactly the keys that meet every bound', () => {
    const prng = new Prng(2);
    let held = 0;
    for (let i = 0; i < 3_000; i++) {
      const bounds: Record<string, Key> = {};
      for (const name of ['gte', 'gt', 'lte', 'lt', 'prefix']) if (prng.chance(0.35)) bounds[name] = prng.pick(KEYS);
      const range = rangeOf(Object.fromEntries(Object.entries(bounds).map(([name, key]) => [name, text(key)])));
      for (const key of KEYS) {
        const wanted =
          (bounds['gte'] === undefined || key >= bounds['gte']) &&
          (bounds['gt'] === undefined || key > bounds['gt']) &&
          (bounds['lte'] === undefined || key <= bounds['lte']) &&
          (bounds['lt'] === undefined || key < bounds['lt']) &&
          (bounds['prefix'] === undefined || key.startsWith(bounds['prefix']));
        expect(inRange(key, range)).toBe(wanted);
        if (wanted) held++;
      }
    }
    expect(held).toBeGreaterThan(5_000);
  });

  test('ranges meet exactly when they share a key', () => {
    const prng = new Prng(3);
    const more = [...KEYS, ...KEYS.map((key) => `${key}\0`), ...KEYS.map((key) => `${key}\0\0`)];
    for (let i = 0; i < 3_000; i++) {
      const [a, b] = [randomRange(prng), randomRange(prng)];
      expect(rangesMeet(a, b)).toBe(more.some((key) => inRange(key, a) && inRange(key, b)));
    }
  });
});

describe('ordered map', () => {
  test('reading key by key to the letter of rule 2 agrees with carrying out all commits', () => {
    const prng = new Prng(4);
    let present = 0;
    for (let run = 0; run < 200; run++) {
      const map = new OrderedMap();
      for (let i = 0; i < 20; i++) map.commit(Array.from({ length: prng.between(1, 4) }, () => randomWrite(prng)));
      for (let sequence = 0; sequence <= map.sequence; sequence++) {
        const now = prng.below(12);
        const state = map.stateAt(sequence);
        for (const key of KEYS) {
          const value = map.read(key, sequence, now);
          expect(valueIn(state, key, now)).toEqual(value);
          if (value !== undefined) present++;
        }
      }
    }
    expect(present).toBeGreaterThan(5_000);
  });

  test('a value is there until just before its deadline, and an older one never shows again', () => {
    const map = new OrderedMap();
    map.commit([{ kind: 'put', key: 'k', value: new Uint8Array([1]), deadline: 100 }]);
    map.commit([{ kind: 'put', key: 'k', value: new Uint8Array([2]), deadline: 10 }]);
    expect(map.read('k', 2, 9)).toEqual(new Uint8Array([2]));
    expect(map.read('k', 2, 10)).toBeUndefined();
    expect(map.read('k', 1, 10)).toEqual(new Uint8Array([1]));
  });

  test('scans are sorted, turned and cut in that order', () => {
    const map = new OrderedMap();
    for (const key of ['b', 'a', 'c', 'd']) {
      map.commit([{ kind: 'put', key, value: new Uint8Array(0), deadline: NEVER }]);
    }
    const keys = (reverse: boolean, limit?: number): string[] =>
      rowsIn(map.stateAt(4), { low: 'a', high: 'd' }, 0, reverse, limit).map(([key]) => key);
    expect(keys(false)).toEqual(['a', 'b', 'c']);
    expect(keys(true)).toEqual(['c', 'b', 'a']);
    expect(keys(true, 2)).toEqual(['c', 'b']);
    expect(keys(false, 0)).toEqual([]);
  });

  test('the newest sequence of a key and of a range counts deletions', () => {
    const prng = new Prng(5);
    for (let run = 0; run < 300; run++) {
      const map = new OrderedMap();
      const commits: Write[][] = [];
      for (let i = 0; i < 8; i++) {
        commits.push([randomWrite(prng)]);
        map.commit(commits[i]);
      }
      for (const key of KEYS) {
        let newest = 0;
        commits.forEach((writes, i) => {
          if (writes.some((write) => touches(write, key))) newest = i + 1;
        });
        expect(map.newestOf(key)).toBe(newest);
        expect(map.newestIn({ low: key, high: `${key}\0` })).toBe(newest);
      }
    }
  });
});
