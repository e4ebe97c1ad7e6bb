import { expect, test } from 'vitest';
import { fromText } from '../base/bytes.ts';
import { Prng } from '../base/prng.ts';
import { Version } from './cursor.ts';
import { Retention } from './retention.ts';
import { mergeTree } from './tree-merge.ts';
import { loadNode } from './tree-node-reader.ts';
import { compareRows, drain, type Row, row, TreeStore } from './tree-test-kit.ts';
import { asSequence, KIND_DELETE, KIND_PUT, NO_DEADLINE, type RangeTombstone, SEQUENCE_MAX } from './types.ts';

const at = (...horizon: number[]): Retention => new Retention(horizon.map(asSequence), 0);
const keyText = (i: number): string => `k${String(i).padStart(6, '0')}`;
const many = (count: number, sequence: number): Row[] =>
  Array.from({ length: count }, (_, i) => row(keyText(i), sequence, KIND_PUT, `value ${i}`));
const clear = (start: string, end: string | undefined, sequence: number): RangeTombstone => ({
  start: fromText(start),
  end: end === undefined ? undefined : fromText(end),
  sequence: asSequence(sequence),
});
const shown = (store: TreeStore): string[] =>
  store
    .rows()
    .map(({ key, sequence, kind }) => `${Buffer.from(key).toString()}@${sequence}${kind === KIND_PUT ? '' : '-'}`);

/** The last version of the first leaf. */
function leafOf(store: TreeStore): Version {
  const version = new Version();
  const root = store.root;
  if (root === undefined) throw new Error('an empty tree');
  let node = loadNode(store.tree, root.reference, root.height - 1);
  while (!node.isLeaf) node = loadNode(store.tree, node.reference(0), node.level - 1);
  node.entries.load(node.entries.count - 1, version);
  return version;
}

test('a small merge into a big tree reads and writes one path', () => {
  const store = new TreeStore(512, 512);
  store.merge(many(5000, 1), [], at(1));
  const height = store.root?.height ?? 0;
  expect(height).toBeGreaterThanOrEqual(4);
  const reads: number[] = [];
  const read = store.file.read.bind(store.file);
  store.file.read = (target, offset, length, position) => {
    reads.push(position);
    return read(target, offset, length, position);
  };
  const before = store.map;
  store.merge([row(keyText(2500), 2, KIND_PUT, 'x')], [], at(2));
  expect(reads.length).toBeLessThanOrEqual(height + 3);
  const written = [...Array(store.map.blockCount).keys()].filter((i) => store.map.isUsed(i) && !before.isUsed(i));
  expect(written.length).toBeLessThanOrEqual(2 * height + (store.footer?.blocks ?? 0));
  expect(store.rows().length).toBe(5000);
  expect(store.check().findings).toEqual([]);
});

test('a merge without anything to do reads nothing and keeps the root', () => {
  const store = new TreeStore(512, 512);
  store.merge(many(500, 1), [], at(1));
  const root = store.root;
  store.file.read = () => expect.fail('a read');
  const before = store.map;
  store.merge([], [clear('k1', 'k1', 2), clear('k9', 'k1', 2)], at(2));
  expect(store.root).toEqual(root);
  expect(store.map.usedCount).toBe(before.usedCount);
});

test('collection visits only what has something to give, once somebody has stopped reading it', () => {
  const store = new TreeStore(512, 512);
  store.merge(many(2000, 1), [], at(1));
  store.merge([row(keyText(7), 5, KIND_DELETE), row(keyText(1500), 6, KIND_PUT, 'new')], [], at(1, 6));
  expect(store.root?.reference.leastDroppable).toBe(5);
  const { root } = store;
  store.merge([], [], at(4, 6));
  expect([store.root, store.rows().length]).toEqual([root, 2002]);
  store.merge([], [], at(5, 6));
  expect(store.rows().length).toBe(2000);
  expect(store.root?.reference.leastDroppable).toBe(6);
  store.merge([], [], at(6));
  expect(store.rows().length).toBe(1999);
  expect(store.root?.reference.leastDroppable).toBe(Infinity);
  expect(store.check().findings).toEqual([]);
});

test('a deadline is collected when it has passed for everybody, and hides nothing older', () => {
  const store = new TreeStore(512, 512);
  store.merge(
    [row('a', 2, KIND_PUT, 'short', 100), row('a', 1, KIND_PUT, 'old')],
    [],
    new Retention([asSequence(2)], 99),
  );
  expect([shown(store), store.root?.reference.leastDeadline]).toEqual([['a@2'], 100]);
  store.merge([], [], new Retention([asSequence(2)], 99));
  expect(shown(store)).toEqual(['a@2']);
  store.merge([], [], new Retention([asSequence(2)], 100));
  expect([store.root, store.map.usedCount]).toEqual([undefined, 2]);
});

test('one key with more versions than a leaf holds: read at each, collected to the last', () => {
  const store = new TreeStore(512, 512);
  const horizon = Array.from({ length: 400 }, (_, i) => asSequence(i + 1));
  const rows = horizon.map((sequence) => row('key', sequence, KIND_PUT, `v${sequence}`)).reverse();
  rows.unshift(row('kex', 400, KIND_PUT));
  rows.push(row('kez', 400, KIND_PUT));
  rows.sort(compareRows);
  store.merge(rows, [], new Retention(horizon, 0));
  const version = new Version();
  for (const sequence of horizon) {
    expect(store.reader.get(fromText('key'), sequence, version)).toBe(true);
    expect(version.sequence).toBe(sequence);
  }
  expect(store.reader.get(fromText('key'), asSequence(0), version)).toBe(false);
  expect(store.check().findings).toEqual([]);
  // Every third reader stays: what stands left of a bound is dropped, and reads between must go on in the next leaf.
  const fewer = horizon.filter((sequence) => sequence % 3 === 0 || sequence === 400);
  store.merge([], [], new Retention(fewer, 0));
  for (let s = 1; s <= 400; s++) {
    const newest = store.rows().filter((one) => Buffer.from(one.key).toString() === 'key' && one.sequence <= s)[0] as
      Row | undefined;
    const found = store.reader.get(fromText('key'), asSequence(s), version);
    expect([s, found ? version.sequence : undefined]).toEqual([s, newest?.sequence]);
    if (fewer.includes(asSequence(s))) expect(newest?.sequence).toBe(s);
  }
  store.merge([row('key', 401, KIND_DELETE)], [], at(401));
  expect(shown(store)).toEqual(['kex@400', 'kez@400']);
  expect(store.check().findings).toEqual([]);
});

test('a read between a bound and the version that stood left of it goes on in the next leaf', () => {
  const store = new TreeStore(512, 512);
  const horizon = Array.from({ length: 100 }, (_, i) => asSequence(i + 1));
  store.merge(
    horizon.map((sequence) => row('key', sequence, KIND_PUT, `v${sequence}`)).reverse(),
    [],
    new Retention(horizon, 0),
  );
  const version = new Version();
  // The last version of the first leaf loses its reader; the leaf is written anew, the one behind it is kept unread.
  const bound = leafOf(store).sequence;
  const fewer = [...horizon.filter((sequence) => sequence !== bound), asSequence(101)];
  const before = store.map;
  store.merge([row('key', 101, KIND_PUT)], [], new Retention(fewer, 0));
  expect(store.rows().length).toBe(100);
  const stayed = [...Array(before.blockCount).keys()].filter((i) => i > 0 && before.isUsed(i) && store.map.isUsed(i));
  expect(stayed.length).toBeGreaterThan(0);
  expect(store.reader.get(fromText('key'), bound, version)).toBe(true);
  expect(version.sequence).toBe(bound - 1);
  expect(store.reader.get(fromText('kez'), bound, version)).toBe(false);
  expect(store.check().findings).toEqual([]);
  store.merge([], [], at(101));
  expect(shown(store)).toEqual(['key@101']);
});

test('a range tombstone deletes what is older, loses to its equal, and leaves no mark on absent keys', () => {
  const store = new TreeStore(512, 512);
  store.merge([row('a', 1, KIND_PUT), row('b', 1, KIND_PUT), row('c', 1, KIND_PUT), row('d', 1, KIND_PUT)], [], at(1));
  store.merge([row('b', 5, KIND_PUT), row('bb', 6, KIND_PUT)], [clear('a', 'd', 5)], at(1, 6));
  expect(shown(store)).toEqual(['a@5-', 'a@1', 'b@5', 'b@1', 'bb@6', 'c@5-', 'c@1', 'd@1']);
  store.merge([], [], at(6));
  expect(shown(store)).toEqual(['b@5', 'bb@6', 'd@1']);
  store.merge([], [clear('', undefined, 7), clear('b', 'c', 8), clear('b', 'b', 9)], at(6, 9));
  expect(shown(store)).toEqual(['b@8-', 'b@5', 'bb@8-', 'bb@6', 'd@7-', 'd@1']);
  store.merge([], [], at(9));
  expect(store.root).toBe(undefined);
});

test('big keys and values beside tiny ones', () => {
  const random = new Prng(11);
  for (const target of [512, 4096]) {
    const store = new TreeStore(512, target);
    let model: Row[] = [];
    for (let round = 1; round <= 5; round++) {
      const rows: Row[] = [];
      for (let i = 0; i < 120; i++) {
        const isLong = random.chance(0.1);
        const key = new Uint8Array(isLong ? 65_535 : random.between(1, 4)).fill(i % 7);
        key[key.length - 1] = i;
        rows.push({
          key,
          sequence: asSequence(round),
          kind: random.chance(0.3) ? KIND_DELETE : KIND_PUT,
          deadline: NO_DEADLINE,
          value: new Uint8Array(random.chance(0.05) ? 1_048_576 : random.below(20)).fill(round),
        });
      }
      rows.sort(compareRows);
      const batch = rows.filter((one, i) => i === 0 || Buffer.compare(one.key, rows[i - 1].key) !== 0);
      store.merge(batch, [], at(round));
      const isNew = (old: Row): boolean => batch.every((one) => Buffer.compare(one.key, old.key) !== 0);
      model = [...model.filter(isNew), ...batch.filter((one) => one.kind === KIND_PUT)].sort(compareRows);
      const found = store.rows();
      expect(found.length).toBe(model.length);
      found.forEach((one, i) => {
        expect(one.sequence).toBe(model[i].sequence);
        expect(Buffer.compare(one.key, model[i].key) + Buffer.compare(one.value, model[i].value)).toBe(0);
      });
      store.close();
      expect(store.check(true).findings).toEqual([]);
      const version = new Version();
      for (const one of model) expect(store.reader.get(one.key, SEQUENCE_MAX, version)).toBe(true);
    }
  }
});

test('slices are bounded, and neighbouring nodes are written together', () => {
  const store = new TreeStore(512, 4096);
  const input = store.input(many(20_000, 1), [], at(1));
  const work = mergeTree(input);
  const slices: number[] = [];
  let step = work.next();
  for (; step.done !== true; step = work.next()) slices.push(step.value);
  expect(slices.length).toBeGreaterThan(5);
  expect(Math.max(...slices)).toBeLessThan(80_000);
  expect(store.file.size()).toBeGreaterThan(700_000);
  expect(store.file.writeCount).toBeLessThan(10);
});

test('a steady load of updates and deletions does not make the file grow', () => {
  const random = new Prng(3);
  const store = new TreeStore(512, 1024);
  store.merge(many(3000, 1), [], at(1));
  const sizes: number[] = [];
  for (let sequence = 2; sequence < 120; sequence++) {
    const chosen = new Set(Array.from({ length: 60 }, () => random.below(3000)));
    const rows = [...chosen]
      .sort((a, b) => a - b)
      .map((i) => row(keyText(i), sequence, random.chance(0.4) ? KIND_DELETE : KIND_PUT, `value ${i}`));
    store.merge(rows, [], at(sequence));
    sizes.push(store.map.blockCount);
  }
  expect(store.check().findings).toEqual([]);
  expect(Math.max(...sizes)).toBeLessThan(2.2 * sizes[0]);
  expect(sizes[sizes.length - 1]).toBeLessThanOrEqual(Math.max(...sizes.slice(0, 60)));
});

test('damage met by a merge is a coded error, and the old tree stays', () => {
  const store = new TreeStore(512, 512);
  store.merge(many(300, 1), [], at(1));
  const offset = 3 * 512 + 100;
  store.file.bytes[offset] ^= 1;
  expect(() => drain(mergeTree(store.input(many(300, 2), [], at(2))))).toThrow(
    expect.objectContaining({
      code: 'LIGHTNING_CORRUPTION',
      details: expect.objectContaining({ file: 'tree.db', offset: 1536 }),
    }),
  );
  store.file.bytes[offset] ^= 1;
  expect(store.check().findings).toEqual([]);
});
