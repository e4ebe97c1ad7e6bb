/** The map of free blocks as the footer of `tree.db`. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FreeMap } from '../base/free-map.ts';
import { Prng } from '../base/prng.ts';
import { Retention } from './retention.ts';
import { readFreeMap } from './tree.ts';
import { row, TreeStore } from './tree-test-kit.ts';
import { asGeneration, asSequence, KIND_DELETE, KIND_PUT } from './types.ts';

const usedBlocks = (map: FreeMap): number[] => [...Array(map.blockCount).keys()].filter((block) => map.isUsed(block));

test('the footer gives back the map that the build left, its own blocks included', () => {
  const random = new Prng(2);
  for (let seed = 1; seed <= 20; seed++) {
    const store = new TreeStore(512, 512);
    for (let sequence = 1; sequence < 8; sequence++) {
      const keys = [...new Set(Array.from({ length: random.between(1, 200) }, () => random.below(500)))];
      const rows = keys.map((key) => row(`k${key}`, sequence, random.chance(0.5) ? KIND_DELETE : KIND_PUT, 'value'));
      rows.sort((a, b) => Buffer.compare(a.key, b.key));
      store.merge(rows, [], new Retention([asSequence(sequence)], 0));
      const { footer } = store;
      if (footer === undefined) throw new Error('a merge leaves a footer');
      const read = readFreeMap(store.tree, footer, store.map.blockCount);
      expect(usedBlocks(read)).toEqual(usedBlocks(store.map));
      expect(read.isUsed(footer.block)).toBe(true);
    }
  }
});

test('a footer of another build, another size or another place is refused', () => {
  const store = new TreeStore(512, 512);
  store.merge([row('a', 1, KIND_PUT)], [], new Retention([asSequence(1)], 0));
  const { footer, map } = store;
  if (footer === undefined) throw new Error('a merge leaves a footer');
  const refused = (problem: string): unknown =>
    expect.objectContaining({ code: 'LIGHTNING_CORRUPTION', message: expect.stringContaining(problem) });
  const other = { ...footer, generation: asGeneration(9) };
  expect(() => readFreeMap(store.tree, other, map.blockCount)).toThrow(refused('node of generation 2, expected 9'));
  expect(() => readFreeMap(store.tree, footer, map.blockCount + 1)).toThrow(refused('the free map covers'));
  expect(() => readFreeMap(store.tree, { ...footer, block: store.root?.reference.block ?? footer.block }, 3)).toThrow(
    refused('node'),
  );
  store.file.bytes.fill(0, footer.block * 512);
  expect(() => readFreeMap(store.tree, footer, map.blockCount)).toThrow(refused('checksum'));
  store.file.truncate(footer.block * 512);
  expect(() => readFreeMap(store.tree, footer, map.blockCount)).toThrow(refused('the file ends inside the footer'));
});

test('the worked example of the specification is what is written', () => {
  const text = readFileSync(new URL('../../spec/formats/free-map.md', import.meta.url), 'utf8');
  const bytes = new Uint8Array(Buffer.from((/```hex\n([^`]*)```/.exec(text)?.[1] ?? '').replace(/\s/g, ''), 'hex'));
  const build = FreeMap.ofEmptyFile().begin();
  const first = build.allocate(3);
  build.allocate(8);
  build.free(first, 2);
  expect(bytes).toEqual(build.commit().toBytes());
  const read = FreeMap.fromBytes(bytes);
  if (!read.ok) throw new Error(read.problem);
  expect(usedBlocks(read.value)).toEqual([0, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
});
