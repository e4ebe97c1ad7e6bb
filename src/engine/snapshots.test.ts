import { expect, test } from 'vitest';
import { Prng } from '../base/prng.ts';
import { type SnapshotView, Snapshots } from './snapshots.ts';
import { asSequence } from './types.ts';

test('one old snapshot stays the oldest while all others come and go', () => {
  const snapshots = new Snapshots();
  const old = snapshots.open(asSequence(1), 0);
  for (let i = 2; i <= 100_000; i++) snapshots.release(snapshots.open(asSequence(i), i));
  expect(snapshots.horizon(asSequence(100_000))).toEqual([1, 100_000]);
  expect([snapshots.oldest(asSequence(100_000)), snapshots.earliestNow(), snapshots.count]).toEqual([1, 0, 1]);
  snapshots.release(old);
  expect(snapshots.count).toBe(0);
  expect(snapshots.oldest(asSequence(100_001))).toBe(100_001);
  expect(() => snapshots.release(old)).toThrow('a snapshot is released once');
});

test('opened and released in any order, it agrees with a list', () => {
  const prng = new Prng(11);
  const snapshots = new Snapshots();
  const live: SnapshotView[] = [];
  let published = 0;
  for (let step = 0; step < 5000; step++) {
    if (prng.chance(0.5)) published++;
    if (live.length === 0 || prng.chance(step % 1000 < 500 ? 0.6 : 0.4)) {
      live.push(snapshots.open(asSequence(published), step));
    } else {
      const [view] = live.splice(prng.chance(0.5) ? 0 : prng.below(live.length), 1);
      snapshots.release(view);
    }
    expect(snapshots.count).toBe(live.length);
    expect(snapshots.oldest(asSequence(published))).toBe(live[0]?.sequence ?? published);
    expect(snapshots.earliestNow()).toBe(live[0]?.now ?? Infinity);
    const horizon = [...new Set([...live.map(({ sequence }) => sequence), published])];
    if (step % 50 === 0) expect(snapshots.horizon(asSequence(published))).toEqual(horizon);
  }
});
