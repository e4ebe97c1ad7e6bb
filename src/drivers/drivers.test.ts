import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Interpreter } from '../../spec/executable/interpreter.ts';
import { isLightningError } from '../base/errors.ts';
import { Prng } from '../base/prng.ts';
import { runConformance } from '../contract/conformance.ts';
import type { EngineDriver } from '../contract/driver.ts';
import { describeOutcome } from '../contract/outcomes.ts';
import { generateProgram } from '../workload/programs.ts';
import { runProgram } from '../workload/run-program.ts';
import { classicLevelDriver } from './classic-level.ts';
import { intervalOf } from './interval.ts';
import { loadEngine } from './load-engine.ts';
import { THIRD_PARTY_DRIVERS } from './third-party.ts';

const root = mkdtempSync(join(tmpdir(), 'lightning-db-drivers-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const freshDirectory = (): string => mkdtempSync(join(root, 'store-'));

/** Whether the engine is installed here; node:sqlite must be. */
async function isInstalled(driver: EngineDriver): Promise<boolean> {
  return loadEngine(driver.name).then(
    () => true,
    () => false,
  );
}
const installed = await Promise.all(THIRD_PARTY_DRIVERS.map(isInstalled));

describe.each(THIRD_PARTY_DRIVERS.map((driver, i) => ({ driver, name: driver.name, there: installed[i] })))(
  '$name',
  ({ driver, there }) => {
    test('conforms to the contract, or says that it is not there', async () => {
      if (!there) {
        const error: unknown = await driver.open(freshDirectory(), {}).catch((thrown: unknown) => thrown);
        expect(isLightningError(error, 'LIGHTNING_MISSING_CAPABILITY')).toBe(true);
        return;
      }
      const results = await runConformance(driver, freshDirectory);
      expect(results.filter((result) => result.verdict === 'fail')).toEqual([]);
      expect(results.filter((result) => result.verdict === 'pass').length).toBeGreaterThanOrEqual(8);
      expect(driver.version).toMatch(/^\d+\.\d+/);
    });

    test('agrees with the specification on twenty generated programs', async () => {
      for (let seed = 0; there && seed < 20; seed++) {
        const program = generateProgram(new Prng(seed), { capabilities: driver.capabilities, operations: 80 });
        const { acknowledges, keyBytesMax, valueBytesMax } = driver.capabilities;
        const interpreter = new Interpreter({ acknowledges, keyBytesMax, valueBytesMax });
        const run = await runProgram(driver, freshDirectory(), program, (operation, outcome) =>
          interpreter.judge(operation, outcome),
        );
        expect(run.objection, `seed ${seed}`).toBeUndefined();
      }
      expect(there || driver.name !== 'node:sqlite').toBe(true);
    });
  },
);

/** What a test about an engine can still say where the engine is not installed. */
async function expectAbsent(packageName: string): Promise<void> {
  await expect(loadEngine(packageName)).rejects.toMatchObject({ code: 'LIGHTNING_MISSING_CAPABILITY' });
}

describe('findings that drivers steer around are still true', () => {
  const there = (name: string): boolean => installed[THIRD_PARTY_DRIVERS.findIndex((driver) => driver.name === name)];

  test('classic-level 3.0.0: clear leaves the empty key when it is alone', async () => {
    if (!there('classic-level')) return expectAbsent('classic-level');
    const session = await classicLevelDriver.open(freshDirectory(), {});
    await session.execute({ kind: 'put', key: '', value: '07' });
    await session.execute({ kind: 'clear', range: {} });
    const left = await session.execute({ kind: 'get', key: '' });
    await session.close();
    expect(describeOutcome(left)).toBe('07');
  });

  test('lmdb-js 3.5.6: a reverse range without an end leaves out the key 00', async () => {
    if (!there('lmdb')) return expectAbsent('lmdb');
    interface Lmdb {
      putSync(key: Buffer, value: Buffer): void;
      getRange(range: object): Iterable<unknown>;
      close(): Promise<void>;
    }
    const { open } = (await loadEngine('lmdb')) as { open: (options: object) => Lmdb };
    const database = open({ path: join(freshDirectory(), 'x.mdb'), keyEncoding: 'binary', encoding: 'binary' });
    database.putSync(Buffer.from([0]), Buffer.from([1]));
    const counts = [{}, { reverse: true }, { reverse: true, end: undefined }].map(
      (range) => [...database.getRange(range)].length,
    );
    await database.close();
    expect(counts).toEqual([1, 0, 1]);
  });
});

test('an engine that is not installed is a missing capability, not a crash', async () => {
  await expect(loadEngine('lightning-db-no-such-engine')).rejects.toMatchObject({
    code: 'LIGHTNING_MISSING_CAPABILITY',
  });
});

test('an interval says when no key can be in a range', () => {
  expect(intervalOf({ gte: '62', lt: '61' })).toBeUndefined();
  expect(intervalOf({ gt: '61', lt: '6100' })).toBeUndefined();
  expect(intervalOf({ prefix: 'ff' })).toEqual({ low: new Uint8Array([255]), high: undefined });
  expect(intervalOf({ prefix: '61ff', lte: '61ff' })).toEqual({
    low: new Uint8Array([0x61, 0xff]),
    high: new Uint8Array([0x61, 0xff, 0]),
  });
});
