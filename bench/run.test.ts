/** The bench from end to end on sizes of nothing: that every figure is there, that absence and refusal are said. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LightningError } from '../src/base/errors.ts';
import { lightningEngine } from './engine-lightning.ts';
import { sqliteEngine } from './engine-sqlite.ts';
import { machineOf, Workspace } from './ground.ts';
import { QUICK, type Plan } from './plan.ts';
import { durableOrRefusal, runBench } from './run.ts';
import type { BenchEngine } from './store.ts';
import { tableOf } from './table.ts';

const TINY: Plan = {
  ...QUICK,
  rounds: 2,
  warmUps: 1,
  puts: 20,
  batches: 1,
  batchRows: 50,
  storedRows: 400,
  gets: 50,
  durableRounds: 2,
  durablePuts: 3,
  bulkRows: 400,
  bulkParts: 2,
  recoveries: 20,
  realRecoveries: 10,
};

const ABSENT: BenchEngine = {
  name: 'nobody',
  putIsAsynchronous: false,
  prepare: () => Promise.reject(new LightningError('LIGHTNING_MISSING_CAPABILITY', 'not installed')),
  open: () => Promise.reject(new Error('an absent engine is not opened')),
};

let parent: string;
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'bench-test-'));
});
afterAll(() => rmSync(parent, { recursive: true, force: true }));

test('a run measures every figure of every engine that is here, and names the one that is not', async () => {
  const space = new Workspace(parent);
  const lines: string[] = [];
  const result = await runBench([lightningEngine, sqliteEngine, ABSENT], space, TINY, '2026-11-20', (line) =>
    lines.push(line),
  );
  space.remove();
  expect(result.figures.map(({ id }) => id)).toEqual(['put', 'putAwaited', 'batch', 'get', 'scan', 'deleteHalf']);
  for (const figure of result.figures) {
    expect(Object.keys(figure.engines)[0]).toBe('lightning-db');
    for (const { rounds } of Object.values(figure.engines)) expect(rounds.every((value) => value > 0)).toBe(true);
  }
  expect(result.bulk.ascending.map(({ engine }) => engine)).toEqual(['lightning-db', 'node:sqlite']);
  // Every row has been in the log, in a run and in the tree.
  expect(result.bulk.random[0].compacted.writeAmplification).toBeGreaterThan(3);
  expect(result.recovery.real.fsyncs).toBeGreaterThan(0);
  expect(result.recovery.simulated.thread.p50).toBeGreaterThan(0);
  expect(result.recovery.simulated.thread.p50).toBeLessThanOrEqual(result.recovery.simulated.p99);
  expect(result.engines.find(({ name }) => name === 'nobody')?.absent).toContain('not installed');
  const text = tableOf(result);
  expect(text).toContain('nobody is absent: not installed');
  expect(text).toContain('not measured: classic-level is not here');
  expect(lines).toContain('recovery');
});

test('durability on a medium in memory is refused in a clear line', async () => {
  const space = new Workspace(parent);
  const machine = machineOf(space.root);
  const volatile = { ...machine, medium: { fileSystem: 'tmpfs', device: 'tmpfs', volatile: true } };
  const lines: string[] = [];
  const answer = await durableOrRefusal([lightningEngine], space, TINY, volatile, (line) => lines.push(line));
  space.remove();
  expect(answer).toEqual({ refused: lines[0] });
  expect(lines[0]).toContain('durability is not measured on tmpfs');
});

test('the JSON names neither this machine nor its folders', () => {
  const text = JSON.stringify(machineOf(parent));
  expect(text).not.toContain(parent);
  expect(text).not.toContain('/dev/');
});
