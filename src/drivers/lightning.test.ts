import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { requireConformance, runConformance } from '../contract/conformance.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { lightningDriver } from './lightning.ts';

const root = mkdtempSync(join(tmpdir(), 'lightning-driver-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const folderOf = (caseName: string): string => join(root, Buffer.from(caseName).toString('hex').slice(0, 60));

test('the driver conforms on real files', async () => {
  const results = await runConformance(lightningDriver(), folderOf);
  requireConformance(results);
  expect(results.filter(({ verdict }) => verdict === 'pass').length).toBeGreaterThan(10);
});

test('the driver conforms on a simulated disk', async () => {
  const disks = new Map<string, SimulatedDisk>();
  const driver = lightningDriver((directory) => {
    const vfs = disks.get(directory) ?? new SimulatedDisk();
    disks.set(directory, vfs);
    return { vfs };
  });
  requireConformance(await runConformance(driver, folderOf));
  expect(disks.size).toBeGreaterThan(10);
});

test('what is written is there after a close and another opening of the same directory', async () => {
  const driver = lightningDriver();
  const directory = folderOf('again');
  const first = await driver.open(directory, { memtableBytes: 200, unknownKnob: 7 });
  for (const key of ['61', '62', '63', '64']) {
    expect(await first.execute({ kind: 'put', key, value: { repeat: 'aa', length: 300 } })).toEqual({
      kind: 'ok',
      durability: 'synced',
    });
  }
  await first.close();
  const second = await driver.open(directory, { durability: 'none' });
  expect(await second.execute({ kind: 'scan', range: { gte: '63' } })).toMatchObject({ rows: [{}, {}] });
  expect(await second.execute({ kind: 'delete', key: '61' })).toEqual({ kind: 'ok', durability: 'volatile' });
  expect(await second.execute({ kind: 'delete', key: '61', sync: true })).toEqual({
    kind: 'ok',
    durability: 'synced',
  });
  await second.close();
});
