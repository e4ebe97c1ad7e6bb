/** The conformance vectors on our own engine with real power cuts, and on engines that lie. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { EngineDriver } from '../src/contract/driver.ts';
import { OK } from '../src/contract/outcomes.ts';
import { BUGGY_DRIVERS, type BuggyDriver, withLie } from '../src/drivers/buggy.ts';
import { lightningDriver } from '../src/drivers/lightning.ts';
import { canRun, parseVectors, runVector, type Vector } from '../src/workload/vectors.ts';
import { readVectors, VECTOR_FILES } from './vectors.ts';
import { simulatedDriver } from './simulated-driver.ts';

const NOWHERE = join(tmpdir(), 'no store is made there');

async function objections(driver: EngineDriver, vectors: readonly Vector[]): Promise<string[]> {
  const found: string[] = [];
  for (const vector of vectors) {
    const objection = await runVector(driver, NOWHERE, vector);
    if (objection !== undefined) found.push(objection.message);
  }
  return found;
}

test.each(VECTOR_FILES)('%s: every vector gets the answers that the model allows', async (file) => {
  const vectors = readVectors(file);
  expect(vectors.length).toBeGreaterThan(file.includes('counterexamples') ? 8 : 300);
  const driver = simulatedDriver(1);
  expect(vectors.every((vector) => canRun(driver.capabilities, vector))).toBe(true);
  expect(await objections(driver, vectors)).toEqual([]);
});

/** Each a mistake that real engines have made. */
const LIES: readonly BuggyDriver[] = [
  ...BUGGY_DRIVERS.filter(({ name }) => name === 'success-on-conflict'),
  {
    name: 'a snapshot reads the present',
    needs: 'nothing',
    makeLie: () => async (operation, ask) =>
      ask(operation.kind === 'snapshotScan' ? { kind: 'scan', range: operation.range } : operation),
  },
  {
    name: 'a range is not deleted',
    needs: 'nothing',
    makeLie: () => async (operation, ask) => (operation.kind === 'clear' ? OK : ask(operation)),
  },
  {
    name: 'only the first write is made',
    needs: 'nothing',
    makeLie: () => {
      let writes = 0;
      return async (operation, ask) => (operation.kind === 'put' && ++writes > 1 ? OK : ask(operation));
    },
  },
];

test.each(LIES)('an engine that lies is found: $name', async (lie) => {
  const vectors = VECTOR_FILES.flatMap((file) => readVectors(file).filter((_, i) => i % 4 === 0));
  expect((await objections(withLie(simulatedDriver(1), lie), vectors)).length).toBeGreaterThan(0);
});

test('a line that is no vector is refused, with its number', () => {
  expect(() => parseVectors('{"version":1,"id":"x","about":"","steps":[["put","a","1"]]}\n{"version":2}\n')).toThrow(
    expect.objectContaining({ code: 'LIGHTNING_UNSUPPORTED_FORMAT', message: 'line 2 is no vector of version 1' }),
  );
});

test('a crash becomes a clean reopening where there is no simulated disk, and what an engine cannot do is not asked', () => {
  const vectors = readVectors('mvcc-two-keys.ndjson');
  const { capabilities } = lightningDriver();
  expect(vectors.filter((vector) => canRun(capabilities, vector))).toHaveLength(vectors.length);
  const plain = { ...capabilities, snapshots: false, transactions: [] };
  const left = vectors.filter((vector) => canRun(plain, vector));
  expect(left.length).toBeGreaterThan(0);
  expect(left.length).toBeLessThan(vectors.length);
});
