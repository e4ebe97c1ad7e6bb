import { expect, test } from 'vitest';
import { Prng } from '../base/prng.ts';
import { compareBytes } from '../base/bytes.ts';
import { Cursor, Version } from './cursor.ts';
import { EntryBlock, EntryBlockBuilder } from './entry-block.ts';
import { asSequence, KIND_DELETE, KIND_PUT, type Kind, NO_DEADLINE } from './types.ts';

class Probe extends Cursor {
  seek(): void {}
  seekBefore(): void {}
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

function versionOf(row: ReturnType<typeof sample>[number]): Version {
  const version = new Version();
  version.bytes = new Uint8Array([...row.key, ...row.value]);
  version.keyEnd = row.key.length;
  version.valueEnd = version.bytes.length;
  version.sequence = row.sequence;
  version.kind = row.kind;
  version.deadline = row.deadline;
  return version;
}

function pack(rows: ReturnType<typeof sample>): Uint8Array {
  const builder = new EntryBlockBuilder();
  for (const r of rows) builder.add(versionOf(r));
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
  const [key, value] = [new Uint8Array([1]), new Uint8Array([7])];
  const row = { key, value, kind: KIND_PUT as Kind, deadline: NO_DEADLINE };
  builder.add(versionOf({ ...row, sequence: asSequence(2) }));
  expect(() => builder.add(versionOf({ ...row, sequence: asSequence(3) }))).toThrow('internal order');
  expect(() => builder.replaceLastValue(new Uint8Array(2))).toThrow('replaced by one of its length');
  builder.replaceLastValue(new Uint8Array([9]));
  const packed = builder.packed().slice();
  const decoded = EntryBlock.decode(packed, 0, packed.length);
  const cursor = new Probe();
  if (decoded.ok) decoded.value.load(0, cursor);
  expect([...cursor.key(), ...cursor.value()]).toEqual([1, 9]);
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
