import { expect, test } from 'vitest';
import { Prng } from '../base/prng.ts';
import { compareBytes } from '../base/bytes.ts';
import { Cursor } from './cursor.ts';
import { EntryBlock, EntryBlockBuilder } from './entry-block.ts';
import { asSequence, KIND_DELETE, KIND_PUT, type Kind, NO_DEADLINE } from './types.ts';

class Probe extends Cursor {
  seek(): void {}
  seekBefore(): void {}
  first(): void {}
  last(): void {}
  next(): void {}
  previous(): void {}
}

function sample(seed: number, count: number) {
  const random = new Prng(seed);
  const rows = Array.from({ length: count }, (_, i) => ({
    key: random.bytes(random.below(6)),
    sequence: asSequence(1 + random.below(1000) + (i % 2) * 2 ** 40),
    deadline: random.chance(0.3) ? random.between(-1000, 1000) : NO_DEADLINE,
    kind: (random.chance(0.3) ? KIND_DELETE : KIND_PUT) as Kind,
    value: random.bytes(random.below(70)),
  }));
  rows.sort((a, b) => compareBytes(a.key, b.key) || b.sequence - a.sequence);
  return rows.filter(
    (row, i) => i === 0 || compareBytes(row.key, rows[i - 1].key) !== 0 || row.sequence !== rows[i - 1].sequence,
  );
}

function pack(rows: ReturnType<typeof sample>): Uint8Array {
  const builder = new EntryBlockBuilder();
  for (const r of rows) builder.add(r.key, 0, r.key.length, r.sequence, r.kind, r.deadline, r.value, 0, r.value.length);
  const bytes = new Uint8Array(builder.sizeBytes + 5);
  bytes.set(builder.packed(), 3);
  return bytes;
}

test('what is packed comes back, and search agrees with a linear scan', () => {
  for (let seed = 0; seed < 50; seed++) {
    const rows = sample(seed, 40);
    const bytes = pack(rows);
    const decoded = EntryBlock.decode(bytes, 3, bytes.length - 2);
    if (!decoded.ok) throw new Error(decoded.problem);
    const cursor = new Probe();
    for (const [i, row] of rows.entries()) {
      decoded.value.load(i, cursor);
      expect(cursor.key()).toEqual(row.key);
      expect(cursor.value()).toEqual(row.value);
      expect([cursor.sequence, cursor.kind, cursor.deadline]).toEqual([row.sequence, row.kind, row.deadline]);
      const linear = rows.findIndex(
        (r) =>
          compareBytes(r.key, row.key) > 0 || (compareBytes(r.key, row.key) === 0 && r.sequence <= row.sequence - 1),
      );
      expect(decoded.value.search(row.key, row.sequence - 1)).toBe(linear < 0 ? rows.length : linear);
      expect(decoded.value.search(row.key, row.sequence)).toBe(i);
    }
  }
});

test('versions out of order are refused by the builder', () => {
  const builder = new EntryBlockBuilder();
  const key = new Uint8Array([1]);
  builder.add(key, 0, 1, asSequence(2), KIND_PUT, NO_DEADLINE, key, 0, 1);
  expect(() => builder.add(key, 0, 1, asSequence(3), KIND_PUT, NO_DEADLINE, key, 0, 1)).toThrow('internal order');
});

test('a damaged block is a problem or a block, never an exception', () => {
  const random = new Prng(7);
  const bytes = pack(sample(1, 20));
  for (let i = 0; i < 3000; i++) {
    const damaged = bytes.slice();
    for (let n = random.between(1, 3); n > 0; n--) damaged[random.below(damaged.length)] = random.below(256);
    const decoded = EntryBlock.decode(damaged, 3, damaged.length - random.below(8));
    if (decoded.ok) decoded.value.search(new Uint8Array([1, 2]), 5);
  }
});
