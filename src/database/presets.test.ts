/** Presets: what they set, what overrides them, and that the smallest holds its bound. */
import { expect, test } from 'vitest';
import { fromText } from '../base/bytes.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { Database, type DatabaseOptions } from './index.ts';
import { engineMemoryBytes } from './limits/memory-breaker.ts';
import { PRESETS, type PresetName } from './presets.ts';

test.each(Object.keys(PRESETS) as PresetName[])('%s opens, writes, merges and reads', async (preset) => {
  await using database = Database.openOn(new SimulatedDisk(), { preset, durability: 'none' });
  for (let i = 0; i < 50; i++) await database.put(fromText(`key ${i}`), new Uint8Array(1000));
  await database.compact();
  expect([...database.scanSync()]).toHaveLength(50);
});

test('low-memory stays below 10 MiB; an option that is given counts more than the preset', async () => {
  await using database = Database.openOn(new SimulatedDisk(), { preset: 'low-memory', durability: 'none' });
  for (let i = 0; i < 6000; i++) {
    await database.put(fromText(`key ${i}`), new Uint8Array(2000));
    expect(engineMemoryBytes(database.statistics())).toBeLessThan(10 * 1024 * 1024);
  }
  for (let i = 0; i < 6000; i += 7) expect(database.getSync(fromText(`key ${i}`))).toHaveLength(2000);
  expect(engineMemoryBytes(database.statistics())).toBeLessThan(10 * 1024 * 1024);
  await using small = Database.openOn(new SimulatedDisk(), { preset: 'read-heavy', cacheBytes: 0 });
  await small.put(fromText('a'), new Uint8Array(10));
  await small.compact();
  small.getSync(fromText('a'));
  expect(small.statistics().cacheBytes).toBe(0);
});

test('another name is refused', () => {
  for (const preset of ['fast', '', 'constructor', 7]) {
    const options = { preset } as unknown as Partial<DatabaseOptions>;
    expect(() => Database.openOn(new SimulatedDisk(), options)).toThrow(
      expect.objectContaining({ code: 'LIGHTNING_INVALID_ARGUMENT' }),
    );
  }
});
