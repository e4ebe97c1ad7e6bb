import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { crc32 } from '../base/checksum.ts';
import { Prng } from '../base/prng.ts';
import type { FreeMapIdentity } from './free-map-format.ts';
import { decodeFreeMap, readFreeMap } from './free-map-reader.ts';
import { encodeFreeMap, writeFreeMap } from './free-map-writer.ts';
import { FreeMap } from '../base/free-map.ts';
import { databaseId, MemoryVfs } from './tree-test-kit.ts';
import { asFileNumber, asGeneration } from './types.ts';

const identity: FreeMapIdentity = {
  databaseId,
  databaseSeed: crc32(databaseId),
  fileNumber: asFileNumber(9),
  generation: asGeneration(2),
};

/** A map with random extents allocated and freed. */
function sample(random: Prng): FreeMap {
  let map = FreeMap.ofEmptyFile();
  for (let round = 0; round < 4; round++) {
    const build = map.begin();
    const taken: [number, number][] = [];
    for (let i = random.below(30); i >= 0; i--) {
      const blocks = random.between(1, 5);
      taken.push([build.allocate(blocks), blocks]);
    }
    map = build.commit();
    const freeing = map.begin();
    for (const [block, blocks] of taken) if (random.chance(0.4)) freeing.free(block, blocks);
    map = freeing.commit();
  }
  return map;
}

const usedBlocks = (map: FreeMap): number[] => [...Array(map.blockCount).keys()].filter((block) => map.isUsed(block));

test('a file gives back the map that was written, to the one that it belongs to', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const map = sample(new Prng(seed));
    const vfs = new MemoryVfs();
    const path = `free-${identity.fileNumber}.map`;
    writeFreeMap(vfs, path, map, identity);
    expect(usedBlocks(readFreeMap(vfs, path, identity))).toEqual(usedBlocks(map));
    expect(() => writeFreeMap(vfs, path, map, identity)).toThrow(path);
    for (const other of [
      { ...identity, fileNumber: asFileNumber(10) },
      { ...identity, generation: asGeneration(3) },
      { ...identity, databaseSeed: 1 },
    ]) {
      expect(() => readFreeMap(vfs, path, other)).toThrow(path);
    }
    expect(() => readFreeMap(vfs, 'free-1.map', identity)).toThrow('missing');
  }
});

test('every damaged byte and every cut is refused', () => {
  const bytes = encodeFreeMap(sample(new Prng(3)), identity);
  for (let i = 0; i < bytes.length; i++) {
    const damaged = bytes.slice();
    damaged[i] ^= 1 << (i % 8);
    expect([i, decodeFreeMap(damaged, identity).ok]).toEqual([i, false]);
    expect(decodeFreeMap(bytes.slice(0, i), identity).ok).toBe(false);
  }
  expect(decodeFreeMap(new Uint8Array(bytes.length), identity).ok).toBe(false);
});

test('the worked example of the specification is what is written', () => {
  const text = readFileSync(new URL('../../spec/formats/free-map.md', import.meta.url), 'utf8');
  const hex = /```hex\n([^`]*)```/.exec(text)?.[1] ?? '';
  const bytes = new Uint8Array(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
  const build = FreeMap.ofEmptyFile().begin();
  build.allocate(1);
  expect(bytes).toEqual(encodeFreeMap(build.commit(), identity));
  expect(decodeFreeMap(bytes, identity).ok).toBe(true);
});
