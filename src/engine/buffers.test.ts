/**
 * A Buffer is a Uint8Array whose `slice` is a view. Found by the bench, which works with Buffers: a scan with a Buffer as
 * prefix raised the last byte of the caller's own prefix and gave no row, and a transaction's clear followed its caller's
 * later changes.
 */
import { expect, test } from 'vitest';
import { copyBytes, copySlice, prefixSuccessor } from '../base/bytes.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { Engine } from './engine.ts';

function storeWith(...keys: string[]): Engine {
  const engine = Engine.open({ vfs: new SimulatedDisk() }, { durability: 'none' });
  for (const key of keys) engine.commit([{ type: 'put', key: Buffer.from(key), value: Buffer.from('value') }]);
  return engine;
}

test('a scan with a Buffer as prefix finds its rows and leaves the Buffer alone', () => {
  const engine = storeWith('ab1', 'ab2', 'ac');
  const prefix = Buffer.from('ab');
  const scan = engine.scan({ prefix });
  let count = 0;
  while (scan.next()) count++;
  expect(count).toBe(2);
  expect(prefix.toString()).toBe('ab');
});

test("a clear in a transaction keeps its bounds when the caller's Buffers change", () => {
  const engine = storeWith('ab');
  const transaction = engine.begin();
  const start = Buffer.from('a');
  const end = Buffer.from('b');
  transaction.write({ type: 'clear', start, end });
  start[0] = end[0] = 0x7a;
  expect(transaction.get(Buffer.from('ab'))).toBeUndefined();
  engine.abortTransaction(transaction);
});

test('copies are plain and share nothing that can be seen, whatever their length', () => {
  for (const length of [0, 1, 64, 65, 1000, 100_000]) {
    const bytes = Buffer.alloc(length + 2, 7);
    const copies = [copySlice(bytes, 1, length + 1), copyBytes(bytes.subarray(1, length + 1))];
    if (length > 0) copies.push(copyBytes(prefixSuccessor(bytes.subarray(1, length + 1)) ?? bytes));
    bytes.fill(9);
    for (const [i, copy] of copies.entries()) {
      expect(copy.constructor).toBe(Uint8Array);
      expect(copy.length).toBe(length);
      expect(copy.subarray(0, -1).every((byte) => byte === 7)).toBe(true);
      if (length > 0) expect(copy[length - 1]).toBe(i === 2 ? 8 : 7);
    }
  }
});
