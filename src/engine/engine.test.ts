import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../base/clock.ts';
import { Prng } from '../base/prng.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { NodeVfs } from '../vfs/node-vfs.ts';
import { Engine } from './engine.ts';
import type { EngineOptions } from './options.ts';
import { verifyOpenStore, verifyStore } from '../database/verify/verify-store.ts';
import type { WriteOperation } from './write-operation.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'lightning-engine-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const clock = new ManualClock(1000);

function open(options: Partial<EngineOptions> = {}): Engine {
  return Engine.open({ vfs: new NodeVfs(directory), clock }, options);
}

const TINY: Partial<EngineOptions> = {
  durability: 'none',
  memtableBytes: 3000,
  blockSizeBytes: 512,
  nodeTargetBytes: 512,
  runBlockBytes: 256,
  runCountMax: 2,
  cacheBytes: 20_000,
};

function openOn(disk: SimulatedDisk): Engine {
  return Engine.open({ vfs: disk, clock }, TINY);
}

function rows(engine: Engine, reverse = false): string[] {
  const scan = engine.scan({ reverse });
  const result: string[] = [];
  while (scan.next())
    result.push(`${Buffer.from(scan.current.key()).toString()}=${Buffer.from(scan.current.value()).toString()}`);
  return result;
}

test('a put is readable after its sync, and after reopening', () => {
  let engine = open();
  engine.commit([{ type: 'put', key: text('a'), value: text('1') }]);
  expect(engine.get(text('a'))).toBeUndefined();
  engine.sync();
  expect(engine.get(text('a'))).toEqual(text('1'));
  engine.close();
  engine = open();
  expect(rows(engine)).toEqual(['a=1']);
  expect(verifyOpenStore(engine, new NodeVfs(directory))).toEqual([]);
  engine.close();
  expect(verifyStore(new NodeVfs(directory), { isOpen: false })).toMatchObject({ clean: true, findings: [] });
});

test('a second opening is refused while the first lasts', () => {
  const engine = open();
  expect(() => open()).toThrow(expect.objectContaining({ code: 'LIGHTNING_LOCKED' }));
  engine.close();
  open().close();
});

test('random programs agree with a map, through flush, merge, collect and reopening', () => {
  for (let seed = 1; seed <= 8; seed++) {
    const disk = new SimulatedDisk();
    const random = new Prng(seed);
    let engine = openOn(disk);
    const map = new Map<string, string>(rows(engine).map((r) => r.split('=') as [string, string]));
    const sorted = (): string[] => [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}=${v}`);
    const key = (): string => `k${random.below(200).toString().padStart(3, '0')}`;
    for (let step = 0; step < 400; step++) {
      const operations: WriteOperation[] = [];
      for (let n = random.between(1, 5); n > 0; n--) {
        const k = key();
        if (random.chance(0.3)) {
          operations.push({ type: 'delete', key: text(k) });
          map.delete(k);
        } else if (random.chance(0.03)) {
          const end = key();
          operations.push({ type: 'clear', start: text(k), end: text(end) });
          for (const other of map.keys()) if (other >= k && other < end) map.delete(other);
        } else {
          const value = `${seed}.${step}.${'x'.repeat(random.below(60))}`;
          operations.push({ type: 'put', key: text(k), value: text(value) });
          map.set(k, value);
        }
      }
      for (;;) {
        try {
          engine.commit(operations);
          break;
        } catch (error) {
          expect(error).toMatchObject({ code: 'LIGHTNING_BACKPRESSURE' });
          engine.step();
        }
      }
      if (random.chance(0.3)) engine.step();
      if (random.chance(0.02)) engine.flush();
      if (random.chance(0.01)) engine.compact();
      if (random.chance(0.02)) {
        engine.close();
        expect(verifyStore(disk, { isOpen: false }).findings).toEqual([]);
        engine = openOn(disk);
      }
      engine.checkInvariants();
      const probe = key();
      const value = engine.get(text(probe));
      expect(value === undefined ? undefined : Buffer.from(value).toString()).toBe(map.get(probe));
      if (step % 20 === 0) {
        expect(rows(engine)).toEqual(sorted());
        expect(rows(engine, true)).toEqual(sorted().reverse());
        expect(verifyOpenStore(engine, disk)).toEqual([]);
      }
    }
    engine.compact();
    expect(rows(engine)).toEqual(sorted());
    expect(verifyOpenStore(engine, disk)).toEqual([]);
    engine.close();
  }
});
