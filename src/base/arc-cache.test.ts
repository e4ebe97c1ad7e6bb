import { expect, test } from 'vitest';
import { Prng } from './prng.ts';
import { ArcCache } from './arc-cache.ts';
import type { CachedBlock } from './block-cache.ts';

interface Item {
  readonly id: number;
  readonly block: CachedBlock;
}

/** The paper's algorithm on plain arrays, newest last, written for this test alone. */
class NaiveArc {
  t1: Item[] = [];
  t2: Item[] = [];
  b1: Item[] = [];
  b2: Item[] = [];
  p = 0;
  readonly c: number;

  constructor(c: number) {
    this.c = c;
  }

  static weigh(...lists: Item[][]): number {
    return lists.flat().reduce((sum, item) => sum + item.block.sizeBytes, 0);
  }

  get(id: number): CachedBlock | undefined {
    const item = [...this.t1, ...this.t2].find((i) => i.id === id);
    if (item === undefined) return undefined;
    this.drop(id);
    this.t2.push(item);
    return item.block;
  }

  drop(id: number): void {
    const without = (list: Item[]): Item[] => list.filter((i) => i.id !== id);
    this.t1 = without(this.t1);
    this.t2 = without(this.t2);
    this.b1 = without(this.b1);
    this.b2 = without(this.b2);
  }

  put(id: number, block: CachedBlock): void {
    const w = block.sizeBytes;
    const has = (list: Item[]): boolean => list.some((i) => i.id === id);
    if (w > this.c / 4) return this.drop(id);
    let target: 't1' | 't2' = 't1';
    const inB2 = has(this.b2);
    const ones = NaiveArc.weigh(this.b1);
    const twos = NaiveArc.weigh(this.b2);
    if (has(this.b1)) this.p = Math.min(this.c, this.p + Math.round(w * Math.max(1, twos / ones)));
    if (inB2) this.p = Math.max(0, this.p - Math.round(w * Math.max(1, ones / twos)));
    if (has(this.b1) || inB2 || has(this.t2)) target = 't2';
    this.drop(id);
    while (NaiveArc.weigh(this.t1, this.t2) + w > this.c) {
      const once = NaiveArc.weigh(this.t1);
      const fromT1 = this.t1.length > 0 && (once > this.p || (inB2 && once === this.p) || this.t2.length === 0);
      const evicted = (fromT1 ? this.t1 : this.t2).shift();
      if (evicted !== undefined) (fromT1 ? this.b1 : this.b2).push(evicted);
    }
    this[target].push({ id, block });
    while (NaiveArc.weigh(this.t1, this.b1) > this.c) this.b1.shift();
    while (NaiveArc.weigh(this.b1, this.b2) > this.c) this.b2.shift();
  }
}

function block(sizeBytes: number): CachedBlock {
  return { sizeBytes };
}

test('agrees with the paper on plain arrays, step by step, for all kinds of access', () => {
  const reached = { ghosts: 0, declined: 0, targetUp: 0, targetDown: 0, replaced: 0 };
  for (let seed = 0; seed < 60; seed++) {
    const random = new Prng(seed);
    const capacity = random.pick([0, 10, 60, 200]);
    const unit = random.chance(0.3);
    const cache = new ArcCache(capacity);
    const naive = new NaiveArc(capacity);
    const ids = random.between(3, 60);
    let scan = 0;
    for (let step = 0; step < 1500; step++) {
      const id = random.chance(0.2)
        ? scan++ % (3 * ids)
        : random.chance(0.6)
          ? random.below(1 + ids / 4)
          : random.below(ids);
      const [file, place] = [id % 3, id * 0x0100_0000 + 3];
      const before = cache.statistics.targetBytes;
      const kind = random.weighted([10, 1, 0.3, 0.1, 0.02]);
      if (kind === 0) {
        const expected = naive.get(id);
        expect(cache.get(file, place)).toBe(expected);
        if (expected === undefined) {
          const made = block(unit ? 1 : random.between(1, capacity / 3 + 2));
          if (made.sizeBytes > capacity / 4) reached.declined++;
          cache.put(file, place, made);
          naive.put(id, made);
        }
      } else if (kind === 1) {
        const made = block(random.between(1, capacity / 3 + 2));
        cache.put(file, place, made);
        naive.put(id, made);
        reached.replaced++;
      } else if (kind === 2) {
        cache.remove(file, place);
        naive.drop(id);
      } else if (kind === 3) {
        cache.removeFile(file);
        for (let other = 0; other < 3 * ids; other++) if (other % 3 === file) naive.drop(other);
      } else {
        cache.clear();
        Object.assign(naive, { t1: [], t2: [], b1: [], b2: [], p: 0 });
      }
      cache.checkInvariants();
      const after = cache.statistics;
      expect(after).toMatchObject({
        blocks: naive.t1.length + naive.t2.length,
        sizeBytes: NaiveArc.weigh(naive.t1, naive.t2),
        ghosts: naive.b1.length + naive.b2.length,
        ghostBytes: NaiveArc.weigh(naive.b1, naive.b2),
        targetBytes: naive.p,
      });
      expect(after.sizeBytes).toBeLessThanOrEqual(capacity);
      expect(after.ghostBytes).toBeLessThanOrEqual(capacity);
      reached.ghosts += after.ghosts > 0 ? 1 : 0;
      if (kind <= 1 && after.targetBytes > before) reached.targetUp++;
      if (kind <= 1 && after.targetBytes < before) reached.targetDown++;
    }
  }
  for (const [situation, count] of Object.entries(reached)) expect(count, situation).toBeGreaterThan(100);
});

test('a scan of a hundred times the capacity leaves the blocks that are used again', () => {
  const cache = new ArcCache(100);
  for (let round = 0; round < 2; round++) {
    for (let hot = 0; hot < 50; hot++) if (cache.get(1, hot) === undefined) cache.put(1, hot, block(1));
  }
  for (let place = 0; place < 10_000; place++) if (cache.get(2, place) === undefined) cache.put(2, place, block(1));
  let kept = 0;
  for (let hot = 0; hot < 50; hot++) if (cache.get(1, hot) !== undefined) kept++;
  expect(kept).toBe(50);
  expect(cache.statistics).toMatchObject({ hits: 100, blocks: 100 });
});

test('beats least recently used on a loop with noise', () => {
  const random = new Prng(4);
  const cache = new ArcCache(100);
  const recent: number[] = [];
  let arcHits = 0;
  let recentHits = 0;
  for (let i = 0; i < 20_000; i++) {
    const id = random.chance(0.5) ? random.below(60) : 1000 + (i % 400);
    if (cache.get(0, id) !== undefined) arcHits++;
    else cache.put(0, id, block(1));
    const at = recent.indexOf(id);
    if (at >= 0) {
      recentHits++;
      recent.splice(at, 1);
    } else if (recent.length === 100) recent.shift();
    recent.push(id);
  }
  expect(arcHits).toBeGreaterThan(recentHits);
});

test('a heavier block in the place of a lighter one pushes others out; too heavy a one leaves nothing stale', () => {
  const cache = new ArcCache(100);
  for (let place = 0; place < 10; place++) cache.put(7, place, block(10));
  const heavier = block(25);
  cache.put(7, 9, heavier);
  expect(cache.statistics).toMatchObject({ sizeBytes: 95, blocks: 8, evictions: 2 });
  expect(cache.get(7, 9)).toBe(heavier);
  expect([cache.get(7, 0), cache.get(7, 1)]).toEqual([undefined, undefined]);
  cache.put(7, 9, block(26));
  expect(cache.get(7, 9)).toBeUndefined();
  expect(cache.statistics).toMatchObject({ sizeBytes: 70, blocks: 7, hits: 1, misses: 3 });
  cache.checkInvariants();
});

test('files are told apart, up to the largest numbers, and removed one by one', () => {
  const cache = new ArcCache(1000);
  const [a, b, c] = [block(1), block(2), block(3)];
  cache.put(0xffff_ffff, 0xffff_ffff, a);
  cache.put(0xffff_fffe, 0xffff_ffff, b);
  cache.put(0, 1, c);
  cache.removeFile(0xffff_fffe);
  cache.removeFile(12);
  cache.remove(0, 2);
  expect([cache.get(0xffff_ffff, 0xffff_ffff), cache.get(0xffff_fffe, 0xffff_ffff), cache.get(0, 1)]).toEqual([
    a,
    undefined,
    c,
  ]);
  cache.clear();
  expect(cache.statistics).toMatchObject({ blocks: 0, sizeBytes: 0, ghosts: 0 });
  expect(() => cache.put(2 ** 32, 0, a)).toThrow('a file number has 32 bits');
  expect(() => cache.put(0, 0.5, a)).toThrow('a place has 32 bits');
  expect(() => cache.put(0, 0, block(0))).toThrow('a block weighs something');
});

test('a weight that changes under the cache is noticed', () => {
  const cache = new ArcCache(100);
  const mutable = { sizeBytes: 5 };
  cache.put(1, 1, mutable);
  cache.checkInvariants();
  mutable.sizeBytes = 6;
  expect(() => cache.checkInvariants()).toThrow('a block weighs what it weighed');
});
