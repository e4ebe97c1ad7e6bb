import { expect, test } from 'vitest';
import { FreeMap, type FreeMapBuild } from './free-map.ts';
import { Prng } from './prng.ts';

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

test('allocation is first fit over what is free, against a plain set', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Prng(seed);
    const base = sample(random);
    const withheld = [...base.freeExtents()].filter(() => random.chance(0.2));
    const build = base.begin(withheld);
    const next = new Set(usedBlocks(base));
    const busy = new Set(next);
    for (const { block, blocks } of withheld) for (let i = 0; i < blocks; i++) busy.add(block + i);
    const live: [number, number][] = [];
    for (let i = 0; i < 80; i++) {
      if (live.length > 0 && random.chance(0.4)) {
        const [block, blocks] = live.splice(random.below(live.length), 1)[0];
        build.free(block, blocks);
        for (let b = block; b < block + blocks; b++) [next, busy].map((set) => set.delete(b));
        continue;
      }
      const old = usedBlocks(base).filter((block) => block > 0 && next.has(block));
      if (old.length > 0 && random.chance(0.3)) {
        const block = random.pick(old);
        build.free(block, 1);
        next.delete(block);
        continue;
      }
      const blocks = random.pick([1, 1, 2, 4, 7, 70]);
      let expected = 1;
      while ([...Array(blocks).keys()].some((offset) => busy.has(expected + offset))) expected++;
      expect(build.allocate(blocks)).toBe(expected);
      live.push([expected, blocks]);
      for (let b = expected; b < expected + blocks; b++) [next, busy].map((set) => set.add(b));
    }
    const before = usedBlocks(base);
    const map = build.commit();
    expect(usedBlocks(map)).toEqual([...next].sort((a, b) => a - b));
    expect([map.usedCount, map.freeCount]).toEqual([next.size, map.blockCount - next.size]);
    expect(usedBlocks(base)).toEqual(before);
  }
});

test('what a build frees of its base is reused by the next build only', () => {
  const first = FreeMap.ofEmptyFile().begin();
  expect(first.allocate(3)).toBe(1);
  const base = first.commit();
  const build = base.begin();
  build.free(1, 3);
  expect(build.allocate(1)).toBe(4);
  expect(build.isOwn(4)).toBe(true);
  expect(build.isOwn(1)).toBe(false);
  const next = build.commit();
  expect([...next.freeExtents()]).toEqual([{ block: 1, blocks: 3 }]);
  expect(next.begin().allocate(2)).toBe(1);
  expect(next.begin([{ block: 1, blocks: 2 }]).allocate(2)).toBe(5);
  expect(build.freedExtents()).toEqual([{ block: 1, blocks: 3 }]);
});

test('blocks given back one after the other make one extent again', () => {
  const build = FreeMap.ofEmptyFile().begin();
  for (let block = 1; block <= 4; block++) expect(build.allocate(1)).toBe(block);
  build.free(2, 1);
  expect(build.allocate(2)).toBe(5);
  build.free(3, 1);
  expect(build.allocate(2)).toBe(2);
});

test('freeing twice, freeing the header and freeing what was never there are broken invariants', () => {
  const make = (): FreeMapBuild => {
    const build = FreeMap.ofEmptyFile().begin();
    build.allocate(4);
    return build.commit().begin();
  };
  expect(() => make().free(0, 1)).toThrow('the header is never freed');
  expect(() => make().free(4, 2)).toThrow('a freed block is used');
  const build = make();
  build.free(2, 2);
  expect(() => build.free(3, 1)).toThrow('a freed block is used');
  const own = make();
  const block = own.allocate(1);
  own.free(block, 1);
  expect(() => own.free(block, 1)).toThrow('a freed block is used');
});

test('bytes give back the map; bytes that are none are refused', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const map = sample(new Prng(seed));
    const bytes = map.toBytes();
    const read = FreeMap.fromBytes(bytes);
    if (!read.ok) throw new Error(read.problem);
    expect([read.value.blockCount, usedBlocks(read.value)]).toEqual([map.blockCount, usedBlocks(map)]);
    expect(FreeMap.fromBytes(new Uint8Array([...bytes, 0])).ok).toBe(false);
    expect(FreeMap.fromBytes(Uint8Array.of(bytes[0] & 0xfe, 1)).ok).toBe(false);
  }
  expect(FreeMap.fromBytes(new Uint8Array(0)).ok).toBe(false);
});

test('blocks can be added to a map where it has none', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const map = sample(new Prng(seed));
    const build = map.begin();
    const block = build.allocate(1 + (seed % 70));
    expect(usedBlocks(map.including({ block, blocks: 1 + (seed % 70) }))).toEqual(usedBlocks(build.commit()));
    expect(() => map.including({ block: 0, blocks: 1 })).toThrow('free in it');
  }
});
