/** The judge of the kill check against states made by hand: the one that is right, and one for each rule broken. */
import { expect, test } from 'vitest';
import { LoadJudge } from './load-judge.ts';
import { batchesOf, ENTRY_COUNT, headText, keyText, type Load, operationsOf } from './load-plan.ts';

const load: Load = {
  seed: 7,
  durability: 'commit',
  clientCount: 2,
  entriesPerClient: 30,
  batchEntriesMax: 5,
  memtableBytes: 4096,
};

function stateAfter(
  ...commits: readonly (readonly [client: number, number: number, attempt: number])[]
): Map<string, Uint8Array> {
  const state = new Map<string, Uint8Array>();
  for (const [client, number, attempt] of commits) {
    for (const operation of operationsOf(load, client, number, batchesOf(load, client)[number], attempt)) {
      if (operation.type === 'put') state.set(Buffer.from(operation.key).toString('latin1'), operation.value);
    }
  }
  return state;
}

test('a state that holds a prefix of each client, with every acknowledgement, is accepted', () => {
  const judge = new LoadJudge(load);
  judge.acknowledge(0, 0, 1);
  expect(judge.judge(stateAfter([0, 0, 1], [0, 1, 1], [1, 0, 1]))).toBeUndefined();
  expect(judge.next()).toEqual([1, 0]);
  expect(judge.judge(stateAfter([0, 0, 1], [0, 1, 2], [1, 0, 1]))).toBeUndefined();
});

test('an acknowledged batch that is gone is a lost write', () => {
  const judge = new LoadJudge(load);
  judge.acknowledge(1, 0, 1);
  expect(judge.judge(stateAfter([0, 0, 1]))?.class).toBe('lost-acknowledged-write');
});

test('a batch that an earlier recovery showed must not go away', () => {
  const judge = new LoadJudge(load);
  expect(judge.judge(stateAfter([0, 0, 1]))).toBeUndefined();
  expect(judge.judge(stateAfter())?.class).toBe('lost-acknowledged-write');
});

test('an older attempt than the acknowledged one is a lost write', () => {
  const judge = new LoadJudge(load);
  judge.acknowledge(0, 0, 2);
  expect(judge.judge(stateAfter([0, 0, 1]))?.class).toBe('lost-acknowledged-write');
});

test('a batch without one of its entries is torn, and so is a mix of two attempts', () => {
  const number = batchesOf(load, 0).findIndex(({ first, end }) => end - first > 1);
  const commits = Array.from({ length: number + 1 }, (_, one) => [0, one, 1] as const);
  const { first, end } = batchesOf(load, 0)[number];
  const missing = stateAfter(...commits);
  missing.delete(keyText(0, end - 1));
  expect(new LoadJudge(load).judge(missing)?.class).toBe('torn-batch');
  const mixed = stateAfter(...commits);
  const other = stateAfter([0, number, 2]).get(keyText(0, first));
  if (other !== undefined) mixed.set(keyText(0, first), other);
  expect(new LoadJudge(load).judge(mixed)?.class).toBe('torn-batch');
});

test('a head that names another batch is torn', () => {
  const state = stateAfter([0, 0, 1], [0, 1, 1]);
  const older = stateAfter([0, 0, 1]).get(headText(0));
  if (older !== undefined) state.set(headText(0), older);
  expect(new LoadJudge(load).judge(state)?.class).toBe('torn-batch');
});

test('a batch without its predecessor is not a prefix', () => {
  expect(new LoadJudge(load).judge(stateAfter([0, 1, 1]))?.class).toBe('not-a-prefix');
});

test('foreign values and foreign keys are wrong reads', () => {
  const changed = stateAfter([0, 0, 1]);
  changed.get(keyText(0, 0))?.fill(1, 5, 6);
  expect(new LoadJudge(load).judge(changed)?.class).toBe('wrong-read');
  const foreign = stateAfter([0, 0, 1]);
  foreign.set('foreign', new Uint8Array(1));
  expect(new LoadJudge(load).judge(foreign)?.class).toBe('wrong-read');
});

test('the whole load is 85,092 entries in as many keys', () => {
  const whole: Load = { ...load, clientCount: 4, entriesPerClient: ENTRY_COUNT / 4, batchEntriesMax: 64 };
  const keys = new Set<string>();
  for (let client = 0; client < 4; client++) {
    for (const { first, end } of batchesOf(whole, client)) {
      for (let entry = first; entry < end; entry++) keys.add(keyText(client, entry));
    }
  }
  expect(keys.size).toBe(85_092);
});
