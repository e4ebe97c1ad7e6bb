/**
 * Corners of an open store that generated programs found (properties/properties-stage.ts), each as the shortest story:
 * a clock that runs backwards, a close in the middle of the first merge, bounds of the longest keys, an older manifest; and use after a close.
 */
import { expect, test } from 'vitest';
import { ManualClock } from '../base/clock.ts';
import { withOlderFile } from '../faults/damage.ts';
import { FaultPlan } from '../faults/fault-plan.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { Engine } from './engine.ts';
import { KEY_BYTES_MAX } from './limits.ts';
import { toRange } from './range.ts';
import { verifyStore } from '../database/verify/verify-store.ts';

const key = Uint8Array.of(0x6b);
const value = Uint8Array.of(1);

test('readers do not notice that the clock runs backwards', () => {
  const clock = new ManualClock(1000);
  const engine = Engine.open({ vfs: new SimulatedDisk(), clock }, { durability: 'none' });
  engine.commit([{ type: 'put', key, value, deadline: 990 }]);
  // A scan opens a snapshot of its own; the second one stood before the first, which broke an invariant.
  expect(engine.scan().next()).toBe(false);
  clock.set(900);
  expect(engine.scan().next()).toBe(false);
  expect(engine.get(key)).toBeUndefined();
  clock.set(1001);
  expect(engine.openSnapshot().now).toBe(1001);
  engine.close();
});

test('a store that is closed in the middle of its first merge leaves no file that nobody names', () => {
  const disk = new SimulatedDisk();
  const engine = Engine.open({ vfs: disk, clock: new ManualClock() }, { runCountMax: 1, durability: 'none' });
  engine.commit([{ type: 'put', key, value }]);
  engine.flush();
  expect(engine.pendingWork()).toBe('merge');
  engine.step();
  expect(disk.list('')).toContain('tree.db');
  engine.close();
  expect(disk.list('')).not.toContain('tree.db');
  expect(verifyStore(disk, { isOpen: false })).toMatchObject({ clean: true, findings: [] });
  const again = Engine.open({ vfs: disk, clock: new ManualClock() });
  again.compact();
  expect(again.get(key)).toEqual(new Uint8Array(value));
  again.close();
});

test('a range that ends behind, or begins behind, a key of the greatest length is a range of keys', () => {
  const longest = new Uint8Array(KEY_BYTES_MAX).fill(0x6b);
  const behind = Uint8Array.of(0x6c);
  const engine = Engine.open({ vfs: new SimulatedDisk(), clock: new ManualClock() }, { durability: 'none' });
  const put = (k: Uint8Array): void => void engine.commit([{ type: 'put', key: k, value }]);
  const keysLeft = (): number[] => {
    const lengths: number[] = [];
    const scan = engine.scan();
    while (scan.next()) lengths.push(scan.current.key().length);
    return lengths;
  };
  for (const k of [key, longest, behind]) put(k);
  // The successor of such a key is longer than a key; the commit was refused with LIGHTNING_KEY_TOO_LARGE.
  engine.commit([{ type: 'clear', ...toRange({ gt: longest }) }]);
  expect(keysLeft()).toEqual([1, KEY_BYTES_MAX]);
  engine.commit([{ type: 'clear', ...toRange({ gte: longest, lte: longest }) }]);
  expect(keysLeft()).toEqual([1]);
  const last = new Uint8Array(KEY_BYTES_MAX).fill(0xff);
  put(last);
  engine.commit([{ type: 'clear', ...toRange({ gt: last }) }]);
  expect(keysLeft()).toEqual([1, KEY_BYTES_MAX]);
  engine.commit([{ type: 'clear', ...toRange({ gt: key, lte: last }) }]);
  expect(keysLeft()).toEqual([1]);
  engine.close();
});

test('an older manifest beside a newer log is refused, and nothing is deleted', () => {
  const disk = new SimulatedDisk();
  const open = (vfs: SimulatedDisk): Engine => Engine.open({ vfs, clock: new ManualClock() }, { memtableBytes: 1 });
  const engine = open(disk);
  const older = disk.currentImage();
  engine.commit([{ type: 'put', key, value }]);
  // The memtable is full: this commit goes to a new segment, which the older manifest does not name.
  engine.commit([{ type: 'put', key, value: Uint8Array.of(2) }]);
  engine.close();
  const image = withOlderFile(disk.currentImage(), 'MANIFEST', older);
  expect(image).toBeDefined();
  if (image === undefined) return;
  const damaged = new SimulatedDisk({ image });
  expect(verifyStore(damaged, { isOpen: false }).clean).toBe(false);
  expect(() => open(damaged)).toThrow(expect.objectContaining({ code: 'LIGHTNING_CORRUPTION' }));
  expect(damaged.currentImage().paths()).toEqual(image.paths());
});

test.each(['memory', 'runs', 'tree'])('what was opened before a close is refused after it, over %s', (layer) => {
  const options = { blockSizeBytes: 512, nodeTargetBytes: 512, runBlockBytes: 64, cacheBytes: 0 } as const;
  const engine = Engine.open({ vfs: new SimulatedDisk(), clock: new ManualClock() }, options);
  for (let i = 0; i < 50; i++) engine.commit([{ type: 'put', key: Uint8Array.of(i), value: new Uint8Array(60) }]);
  engine.sync();
  if (layer === 'runs') engine.flush();
  if (layer === 'tree') engine.compact();
  const scan = engine.scan();
  scan.next();
  const transaction = engine.begin();
  engine.close();
  const calls = [
    () => scan.next(),
    () => transaction.get(key),
    () => transaction.scan(),
    () => transaction.write({ type: 'delete', key }),
  ];
  for (const call of calls) expect(call).toThrow(expect.objectContaining({ code: 'LIGHTNING_CLOSED' }));
  scan.close();
  engine.abortTransaction(transaction);
});

test('a scan and a transaction that were open when a sync failed are refused too', () => {
  const effect = { operation: 'sync', error: 'EIO', survivors: 'none' } as const;
  // The first sync of a segment belongs to the opening.
  const faults = new FaultPlan([{ when: { path: 'wal-*', nth: 3, times: 1 }, effect }]);
  const engine = Engine.open({ vfs: new SimulatedDisk({ faults }), clock: new ManualClock() });
  for (const n of [1, 2]) engine.commit([{ type: 'put', key: Uint8Array.of(n), value }]);
  engine.sync();
  const scan = engine.scan();
  expect(scan.next()).toBe(true);
  const transaction = engine.begin();
  engine.commit([{ type: 'delete', key }]);
  expect(() => engine.sync()).toThrow(expect.objectContaining({ code: 'LIGHTNING_IO' }));
  for (const call of [() => scan.next(), () => transaction.get(key)]) {
    expect(call).toThrow(expect.objectContaining({ code: 'LIGHTNING_POISONED' }));
  }
  engine.close();
});

test('a creation that is refused after the lock was taken leaves nothing behind', () => {
  for (const path of ['wal-1.log', 'MANIFEST.tmp']) {
    const effect = { operation: 'write', error: 'ENOSPC', writtenBytes: 5 } as const;
    const disk = new SimulatedDisk({ faults: new FaultPlan([{ when: { path, nth: 1, times: 1 }, effect }]) });
    expect(() => Engine.open({ vfs: disk })).toThrow(expect.objectContaining({ code: 'LIGHTNING_DISK_FULL' }) as Error);
    expect([path, disk.list('')]).toEqual([path, []]);
    expect(disk.openFileCount).toBe(0);
  }
});
