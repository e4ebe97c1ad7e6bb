/** The stage's own checks, each seen to object: an oracle that went another way, pages that do not add up, a long story. */
import { expect, test } from 'vitest';
import { ManualClock } from '../src/base/clock.ts';
import { Prng } from '../src/base/prng.ts';
import { CLOCK_START_MILLISECONDS } from '../src/contract/limits.ts';
import type { Operation, Program } from '../src/contract/operations.ts';
import { OK } from '../src/contract/outcomes.ts';
import { LightningStore } from '../src/drivers/lightning-store.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { Interpreter } from '../spec/executable/interpreter.ts';
import { accountPages } from './page-accounting.ts';
import { checkDisk, type CheckedStore, checkMemory, checkReads } from './program-check.ts';
import { drawStageProgram } from './program-draw.ts';
import { outcomeText, runStoreProgram } from './program-run.ts';
import { readCase, shrinkStory, tellStory } from './program-story.ts';

const put = (key: string): Operation => ({ kind: 'put', key, value: { repeat: key, length: 200 } });
const keys = ['61', '62', '63', '64', '65', '66'];

function storeOf(operations: readonly Operation[]): CheckedStore {
  const disk = new SimulatedDisk();
  const clock = new ManualClock(CLOCK_START_MILLISECONDS);
  const store = new LightningStore({ vfs: disk, clock }, { blockSizeBytes: 512, nodeTargetBytes: 512 });
  const oracle = new Interpreter({ transactionSnapshotAt: 'begin' });
  for (const operation of operations) {
    oracle.apply(operation, OK);
    expect(store.execute(operation).kind).toBe('ok');
  }
  return { store, oracle, disk, keys, snapshots: new Set([1]), transactions: new Set() };
}

const checked = (): CheckedStore =>
  storeOf([...keys.map(put), { kind: 'openSnapshot', snapshot: 1 }, { kind: 'merge' }]);

test('a store that agrees is not objected to', () => {
  const store = checked();
  let asked = 0;
  expect(checkReads(store, 3, (count) => (asked += count))).toBeUndefined();
  expect(asked).toBe(keys.length + 2 + 4 + 2 + keys.length);
  expect(checkMemory(store)).toBeUndefined();
  expect(checkDisk(store, true)).toBeUndefined();
});

test('a store that went another way than the specification is objected to, by the read that shows it', () => {
  const lost = checked();
  lost.oracle.apply({ kind: 'put', key: '64', value: '07' }, OK);
  expect(checkReads(lost, 0, () => undefined)).toMatchObject({ class: 'wrong-read' });
  const more = checked();
  more.store.execute({ kind: 'put', key: '7a', value: '07' });
  expect(checkReads(more, 0, () => undefined)).toMatchObject({ class: 'scan-differs' });
});

test('every page is the header, reachable or free; a count that differs is a problem', () => {
  const { disk, store } = checked();
  store.execute({ kind: 'delete', key: '63' });
  store.execute({ kind: 'releaseSnapshot', snapshot: 1 });
  store.execute({ kind: 'merge' });
  const { blocks, reached, free, nodes, problem } = accountPages(disk, store.engine.statistics().treeBlocksFree);
  expect(problem).toBeUndefined();
  expect(nodes).toBeGreaterThan(2);
  expect(1 + reached + free).toBe(blocks);
  expect(accountPages(disk, free + 1).problem).toContain('in memory');
});

test('a program gives the same outcomes and the same disk every time, crashes included', () => {
  const random = new Prng(11);
  for (let i = 0; i < 6; i++) {
    const program = drawStageProgram(random.fork());
    const first = runStoreProgram(program);
    const second = runStoreProgram(program);
    expect(first.objection).toBeUndefined();
    expect(second.outcomes.map(outcomeText)).toEqual(first.outcomes.map(outcomeText));
    expect(second.disk.currentImage().hash()).toBe(first.disk.currentImage().hash());
  }
});

test('a story of many writes becomes one of a few batches', async () => {
  const operations: Operation[] = [];
  for (let i = 0; i < 14; i++) operations.push(put((0x61 + i).toString(16)), { kind: 'get', key: '61' });
  const program: Program = { format: 1, options: { checkEvery: 9 }, operations: [...operations, { kind: 'merge' }] };
  const shrunk = await shrinkStory(program, (candidate) => {
    const run = runStoreProgram(candidate);
    return run.rows.length === 14 && candidate.operations.some(({ kind }) => kind === 'merge');
  });
  expect(shrunk.program.operations.map(({ kind }) => kind)).toEqual(['batch', 'merge']);
  const slice: Program = { ...program, operations: [{ kind: 'advanceClock', milliseconds: 0 }] };
  expect(tellStory(slice, [OK], 'end')[1]).toContain('one slice of background work');
});

test('a saved case is read back, and anything else is refused', () => {
  const program: Program = { format: 1, options: { crashSeed: 1 }, operations: [put('61'), { kind: 'crash' }] };
  const damage = { kind: 'stale', path: 'tree.db', version: 1, position: 512, lengthBytes: 512 };
  for (const saved of [
    { kind: 'program', program },
    { kind: 'damage', program, damage },
  ]) {
    expect(readCase(JSON.parse(JSON.stringify(saved)))).toEqual(saved);
  }
  const broken = [
    {},
    { kind: 'program', program: { format: 2 } },
    { kind: 'damage', program, damage: { kind: 'flip' } },
  ];
  for (const value of broken) {
    expect(() => readCase(value)).toThrow(expect.objectContaining({ code: 'LIGHTNING_UNSUPPORTED_FORMAT' }));
  }
});
