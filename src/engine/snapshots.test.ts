import { expect, test } from 'vitest';
import { Snapshots } from './snapshots.ts';
import { asSequence } from './types.ts';

test('one old snapshot does not keep the slots of all that came and went since', () => {
  const snapshots = new Snapshots();
  const old = snapshots.open(asSequence(1), 0);
  for (let i = 2; i <= 100_000; i++) snapshots.release(snapshots.open(asSequence(i), i));
  expect((Reflect.get(snapshots, 'slots') as unknown[]).length).toBeLessThan(2000);
  expect(snapshots.horizon(asSequence(100_000))).toEqual([1, 100_000]);
  snapshots.release(old);
  expect(snapshots.count).toBe(0);
  expect(snapshots.oldest(asSequence(100_001))).toBe(100_001);
});
