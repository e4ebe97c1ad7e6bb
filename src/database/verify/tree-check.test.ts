/** Each thing that verification states, broken on purpose. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isLightningError } from '../../base/errors.ts';
import { Prng } from '../../base/prng.ts';
import { Version } from '../../engine/cursor.ts';
import { Retention } from '../../engine/retention.ts';
import { TreeBuilder } from '../../engine/tree-builder.ts';
import { type Child, MINUS_INFINITY, type Separator } from '../../engine/tree-format.ts';
import { NodeStore } from '../../engine/tree-node-store.ts';
import { OpenNode } from '../../engine/tree-open-node.ts';
import { readTreeHeader } from '../../engine/tree-file.ts';
import { TreeReader } from '../../engine/tree-reader.ts';
import { databaseId, MapCache, type Row, row, RowCursor, TreeStore } from '../../engine/tree-test-kit.ts';
import { asSequence, KIND_DELETE, KIND_PUT, SEQUENCE_MAX } from '../../engine/types.ts';

const keyText = (i: number): string => `k${String(i).padStart(3, '0')}`;
const all = new Retention([asSequence(1), asSequence(1000)], 0);

/** Three generations, so that stale pages and free blocks are there. */
function sample(): { store: TreeStore; rows: Row[] } {
  const store = new TreeStore(512, 512);
  const value = 'v'.repeat(40);
  store.merge(
    Array.from({ length: 60 }, (_, i) => row(keyText(i), 1, KIND_PUT, value)),
    [],
    all,
  );
  store.merge([row(keyText(5), 2, KIND_PUT, 'new'), row(keyText(40), 2, KIND_DELETE)], [], all);
  store.merge([row(keyText(6), 3, KIND_PUT, 'newer')], [], all);
  store.close();
  return { store, rows: store.rows() };
}

/** Every key either gives what it should or a coded error of damage. */
function readAll(store: TreeStore, rows: readonly Row[]): void {
  const reader = new TreeReader(store.tree, store.root, new MapCache());
  const version = new Version();
  for (const { key, sequence, value } of rows) {
    try {
      const found = reader.get(key, sequence, version);
      expect(found).toBe(true);
      expect(Buffer.compare(version.value(), value)).toBe(0);
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_CORRUPTION')) throw error;
    }
  }
}

test('every flipped byte is found, and no read gives wrong data', () => {
  const { store, rows } = sample();
  expect(store.check(true).findings).toEqual([]);
  const good = store.file.bytes.slice();
  expect(good.length).toBeGreaterThan(512 * 10);
  for (let i = 0; i < good.length; i++) {
    store.file.bytes[i] ^= 1 << (i % 8);
    const { findings } = store.check(true);
    if (findings.length === 0) expect.fail(`byte ${i} is not missed`);
    if (i % 17 === 0) readAll(store, rows);
    store.file.bytes[i] = good[i];
  }
});

test('zeroed, swapped, stale and cut pages are found', () => {
  const { store, rows } = sample();
  const good = store.file.bytes.slice();
  const used = [...Array(store.map.blockCount).keys()].filter((block) => block > 0 && store.map.isUsed(block));
  const damage = (change: (bytes: Uint8Array) => Uint8Array | void): void => {
    const bytes = good.slice();
    store.file.bytes = new Uint8Array(change(bytes) ?? bytes);
    expect(store.check(true).findings.length).toBeGreaterThan(0);
    readAll(store, rows);
    store.file.bytes = good.slice();
  };
  for (const block of used) {
    damage((bytes) => void bytes.fill(0, block * 512, (block + 1) * 512));
    const other = used[(used.indexOf(block) + 1) % used.length];
    damage((bytes) => {
      bytes.set(good.subarray(block * 512, (block + 1) * 512), other * 512);
      bytes.set(good.subarray(other * 512, (other + 1) * 512), block * 512);
    });
    damage((bytes) => bytes.slice(0, block * 512 + 100));
  }
  damage((bytes) => Uint8Array.of(...bytes, 0));
});

test('a lost write leaves a page that is valid but of an older generation', () => {
  const { store } = sample();
  let found = 0;
  for (let sequence = 4; sequence < 12; sequence++) {
    const older = store.file.bytes.slice();
    const map = store.map;
    store.merge([row(keyText(6), sequence, KIND_PUT, 'newest')], [], all);
    const newer = store.file.bytes.slice();
    for (let block = 1; block < map.blockCount; block++) {
      if (map.isUsed(block) || !store.map.isUsed(block)) continue;
      const [from, to] = [block * 512, block * 512 + 512];
      store.file.bytes.set(older.subarray(from, to), from);
      const problems = store.check().findings.map(({ problem }) => problem);
      expect(problems.length).toBeGreaterThan(0);
      if (problems.some((problem) => problem.startsWith('node of generation'))) found++;
      store.file.bytes.set(newer.subarray(from, to), from);
    }
  }
  expect(found).toBeGreaterThan(5);
});

/** Builds by hand what the builder never would. */
class Hand {
  readonly tree = new TreeStore(512, 512);
  readonly blocks = this.tree.map.begin();
  readonly nodes = new NodeStore(this.tree.input([], [], all));

  constructor() {
    const input = this.tree.input([], [], all);
    this.nodes = new NodeStore({ ...input, blocks: this.blocks });
  }

  leaf(separator: Separator, rows: readonly Row[], change: (leaf: OpenNode) => void = () => undefined): Child {
    const leaf = new OpenNode();
    leaf.separator = separator;
    const cursor = new RowCursor(rows);
    for (cursor.first(); cursor.valid; cursor.next()) leaf.addVersion(cursor, Infinity);
    change(leaf);
    return this.nodes.write(0, leaf);
  }

  branch(level: number, children: readonly Child[]): Child {
    const branch = new OpenNode();
    for (const child of children) branch.addChild(child);
    return this.nodes.write(level, branch);
  }

  /** What the builder makes of subtrees, each with its height and the bound behind it. */
  kept(...subtrees: readonly (readonly [number, Child, Separator | undefined])[]): TreeStore {
    const builder = new TreeBuilder(this.nodes, true);
    for (const [level, child, after] of subtrees) builder.keep(level, child, after);
    this.tree.root = builder.finish();
    this.nodes.flush();
    this.tree.map = this.blocks.commit();
    return this.tree;
  }

  problems(level: number, children: readonly Child[], change: (hand: Hand) => void = () => undefined): string {
    const root = this.branch(level, children);
    this.nodes.flush();
    change(this);
    this.tree.root = { reference: root.reference, height: level + 1 };
    this.tree.map = this.blocks.commit();
    return this.tree
      .check()
      .findings.map((finding) => finding.problem)
      .join('\n');
  }
}

const before = (key: string): Separator => ({ key: row(key, 1, KIND_PUT).key, sequence: SEQUENCE_MAX });
const big = 'x'.repeat(300);

test('fill, bounds, minima and accounting: each broken alone, each found alone', () => {
  const sound = (hand: Hand): [Child, Child] => [
    hand.leaf(MINUS_INFINITY, [row('a', 1, KIND_PUT, big)]),
    hand.leaf(before('b'), [row('b', 1, KIND_PUT, big)]),
  ];
  let hand = new Hand();
  expect(hand.problems(1, sound(hand))).toBe('');

  hand = new Hand();
  const small = [
    hand.leaf(MINUS_INFINITY, [row('a', 1, KIND_PUT)]),
    hand.leaf(before('b'), [row('b', 1, KIND_PUT, big)]),
  ];
  expect(hand.problems(1, small)).toMatch(/^a small node and its neighbour fit together \(T1\)$/);

  hand = new Hand();
  expect(hand.problems(1, [sound(hand)[0]], (h) => h.blocks.free(2, 1))).toMatch(
    /^the root has a single child \(T2\)$/,
  );

  hand = new Hand();
  const outside = [
    hand.leaf(MINUS_INFINITY, [row('c', 1, KIND_PUT, big)]),
    hand.leaf(before('b'), [row('d', 1, KIND_PUT, big)]),
  ];
  expect(hand.problems(1, outside)).toMatch(/^an entry lies behind the next separator$/);

  hand = new Hand();
  const early = [
    hand.leaf(MINUS_INFINITY, [row('a', 1, KIND_PUT, big)]),
    hand.leaf(before('c'), [row('b', 1, KIND_PUT, big)]),
  ];
  expect(hand.problems(1, early)).toMatch(/^an entry lies before its separator$/);

  hand = new Hand();
  const repeated = [
    hand.leaf(MINUS_INFINITY, [row('a', 1, KIND_PUT, big)]),
    hand.leaf({ key: row('a', 1, KIND_PUT).key, sequence: asSequence(7) }, [row('a', 5, KIND_PUT, big)]),
  ];
  expect(hand.problems(1, repeated)).toMatch(/entry 0 is out of order/);

  hand = new Hand();
  const late = [
    hand.leaf(MINUS_INFINITY, [row('a', 1, KIND_DELETE, big)], (leaf) => (leaf.leastDroppable = 2)),
    hand.leaf(before('b'), [row('b', 1, KIND_PUT, big, 50)], (leaf) => (leaf.leastDeadline = 51)),
  ];
  expect(hand.problems(1, late).split('\n')).toEqual([
    'least droppable 2 is above 1',
    'least deadline 51 is above 50',
    'least droppable 2 is above 1',
    'least deadline 51 is above 50',
  ]);

  hand = new Hand();
  expect(hand.problems(1, sound(hand), (h) => h.blocks.allocate(3))).toContain(
    '3 blocks are neither reachable nor free',
  );

  hand = new Hand();
  expect(hand.problems(1, sound(hand), (h) => h.blocks.free(1, 1))).toMatch(
    /^a block of a node is free in the free map$/,
  );

  hand = new Hand();
  const [left] = sound(hand);
  expect(hand.problems(1, [left, { ...left, separator: before('b') }])).toContain('a block belongs to two nodes');

  hand = new Hand();
  const [one, two] = sound(hand);
  const past = { ...two, reference: { ...two.reference, block: 4000 as typeof two.reference.block } };
  expect(hand.problems(1, [one, past])).toContain('behind the end of the file');

  hand = new Hand();
  const wide = Array.from({ length: 12 }, (_, i) =>
    hand.leaf(i === 0 ? MINUS_INFINITY : before(keyText(i)), [row(keyText(i), 1, KIND_PUT, big)]),
  );
  expect(hand.problems(1, wide)).toMatch(/^a branch is larger than its children demand \(T3\)$/);

  const level = sample().store;
  if (level.root !== undefined) level.root = { ...level.root, height: level.root.height + 1 };
  expect(level.check().findings.map((finding) => finding.problem)).toContain(`node of level 1, expected 2`);
});

test('merging reaches the neighbours of what it merges', () => {
  const text = (length: number): string => 'x'.repeat(length);
  // A small leaf that no neighbour has room for stays; one that comes after it has.
  const hand = new Hand();
  const full = [row('a', 1, KIND_PUT, text(350)), row('b', 1, KIND_PUT, text(80))];
  const kept = hand.kept(
    [0, hand.leaf(MINUS_INFINITY, full), before('c')],
    [0, hand.leaf(before('c'), [row('c', 1, KIND_PUT, text(76))]), before('d')],
    [0, hand.leaf(before('d'), [row('d', 1, KIND_PUT, text(300))]), undefined],
  );
  expect(kept.check()).toMatchObject({ findings: [], leaves: 2, entries: 4 });

  // The seam of two branches that become one.
  const seam = new Hand();
  const left = seam.branch(1, [
    seam.leaf(MINUS_INFINITY, [row('a', 1, KIND_PUT, big)]),
    seam.leaf(before('b'), [row('b', 1, KIND_PUT, text(440))]),
    seam.leaf(before('c'), [row('c', 1, KIND_PUT, text(50))]),
  ]);
  const right = seam.branch(1, [seam.leaf(before('d'), [row('d', 1, KIND_PUT, text(50))])]);
  const joined = seam.kept([1, left, before('d')], [1, right, undefined]);
  expect(joined.root?.height).toBe(2);
  expect(joined.check()).toMatchObject({ findings: [], nodes: 4, leaves: 3, entries: 4 });
});

test('a root with one child gives way to it', () => {
  const hand = new Hand();
  const leaf = hand.leaf(MINUS_INFINITY, [row('a', 1, KIND_PUT)]);
  hand.kept([2, hand.branch(2, [hand.branch(1, [leaf])]), undefined]);
  expect(hand.tree.root).toMatchObject({ height: 1, reference: { block: leaf.reference.block } });
  expect(hand.tree.check().findings).toEqual([]);
});

test('after a clean close a free block that is not zero is found, before it is not', () => {
  const { store } = sample();
  const [extent] = store.map.freeExtents();
  store.file.bytes[extent.block * 512 + 5] = 1;
  expect(store.check(false).findings).toEqual([]);
  expect(store.check(true).findings.map((finding) => finding.problem)).toEqual(['a free block is not zero']);
  store.close();
  expect(store.check(true).findings).toEqual([]);
});

test('random bytes are refused without an exception', () => {
  const random = new Prng(5);
  const { store } = sample();
  for (let i = 0; i < 300; i++) {
    store.file.bytes = new Uint8Array(random.bytes(random.below(4096)));
    expect(store.check(random.chance(0.5)).findings.length).toBeGreaterThan(0);
    expect(readTreeHeader(store.tree, databaseId).ok).toBe(false);
  }
});

test('the worked example of the specification is what is written', () => {
  const text = readFileSync(new URL('../../../spec/formats/tree.md', import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/```hex\n([^`]*)```/g)].map(([, hex]) => Buffer.from(hex.replace(/\s/g, ''), 'hex'));
  expect(blocks.length).toBe(3);
  const written = new TreeStore(512, 512);
  written.merge(
    [row('a', 7, KIND_PUT, 'hi'), row('a', 3, KIND_DELETE), row('b', 5, KIND_PUT, 'x', 1000)],
    [],
    new Retention([asSequence(1), asSequence(3), asSequence(7)], 0),
  );
  const bytes = new Uint8Array(1536);
  bytes.set(blocks[0], 0);
  bytes.set(blocks[1], 512);
  bytes.set(blocks[2], 1024);
  expect(written.file.bytes).toEqual(bytes);
  expect(written.root?.reference).toMatchObject({ block: 1, leastDroppable: 3, leastDeadline: 1000 });
});
