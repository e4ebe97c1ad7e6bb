/** Real files that stop at a call: they count as the simulated disk counts, and hold what it says that a process sees. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Program } from '../src/contract/operations.ts';
import { DiskImage } from '../src/faults/disk-image.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { NodeVfs } from '../src/vfs/node-vfs.ts';
import { CrashClient } from '../src/workload/crash-client.ts';
import {
  afterKill,
  callsOf,
  decodeKnowledge,
  diskAtCall,
  differenceFrom,
  encodeKnowledge,
  examineStore,
  imageOfFolder,
  isAllowedState,
} from './call-judge.ts';
import { CallVfs, type StopMoment } from './call-vfs.ts';

const base = mkdtempSync(join(tmpdir(), 'call-vfs-'));
afterAll(() => rmSync(base, { recursive: true }));

const put = (key: string) => ({ kind: 'put', key, value: { repeat: key, length: 600 } }) as const;
const program: Program = {
  format: 1,
  options: { memtableBytes: 1, blockSizeBytes: 512, nodeTargetBytes: 512 },
  operations: [put('61'), { kind: 'flush' }, put('62'), { kind: 'merge' }, { kind: 'reopen' }],
};

/** Runs the program up to a call in a folder of its own. */
function runTo(call: number, moment: StopMoment = 'before') {
  const folder = new NodeVfs(mkdtempSync(join(base, 'store-')));
  let stops = 0;
  const vfs = new CallVfs(folder, call, moment, () => stops++);
  const client = new CrashClient(vfs, program, () => undefined);
  let cut = false;
  try {
    client.run();
  } catch (error) {
    cut = isPowerCut(error);
  }
  return { folder, vfs, client, stops, cut };
}

test('a whole program makes as many calls on real files as on the simulated disk', () => {
  const { vfs, cut } = runTo(10_000);
  expect(cut).toBe(false);
  expect(vfs.calls).toBe(callsOf(program));
});

test('before each call the real files are what the simulated disk shows, and nothing is done afterwards', () => {
  const count = callsOf(program);
  for (let call = 1; call <= count; call += 8) {
    const { folder, stops, cut } = runTo(call);
    expect([call, stops, cut]).toEqual([call, 1, true]);
    const expected = diskAtCall(program, call, 'strict', 512).currentImage();
    expect([call, differenceFrom(expected, imageOfFolder(folder))]).toEqual([call, undefined]);
  }
});

test('a write that is stopped in its middle has written half', () => {
  const count = callsOf(program);
  let halves = 0;
  for (let call = 5; call <= count && halves < 2; call += 2) {
    const { folder } = runTo(call, 'half');
    const expected = diskAtCall(program, call, 'strict', 512).currentImage();
    if (differenceFrom(expected, imageOfFolder(folder)) !== undefined) halves++;
  }
  expect(halves).toBe(2);
});

test('knowledge passes through a message, and a kill makes durable what was acknowledged', () => {
  const { client } = runTo(40);
  const knowledge = client.knowledge();
  expect(decodeKnowledge(encodeKnowledge(knowledge))).toEqual(knowledge);
  const commits = [{ writes: [], fate: 'volatile', read: false, group: 0 } as const];
  expect(afterKill({ ...knowledge, commits }).commits[0].fate).toBe('synced');
});

test('differences are found whichever side they are on', () => {
  const one = (path: string, ...bytes: number[]) =>
    DiskImage.of({ [path]: new Uint8Array(bytes), LOCK: new Uint8Array(bytes) });
  expect(differenceFrom(one('a', 1), one('a', 1))).toBeUndefined();
  expect(differenceFrom(one('a', 1), one('a', 2))).toMatch(/a has 1 bytes/);
  expect(differenceFrom(one('a', 1), one('b', 1))).toMatch(/a is not there/);
  expect(differenceFrom(new DiskImage(), one('b', 1))).toMatch(/b is there/);
});

test('a state is allowed when the simulated disk can leave it, and another is not', () => {
  const disk = diskAtCall(program, 22, 'ext4', 4096);
  expect(isAllowedState(disk, disk.currentImage())).toBe(true);
  const other = disk.currentImage().clone();
  other.set('wal-9.log', new Uint8Array(1));
  expect(isAllowedState(disk, other)).toBe(false);
});

test('the judge of a killed store passes a right one, and finds one whose commit is gone', () => {
  const { folder, client } = runTo(10_000);
  // The store is still open here; what it left is judged on a disk of its own.
  const left = () => new SimulatedDisk({ image: imageOfFolder(folder) });
  const knowledge = client.knowledge();
  expect(examineStore(left(), program, knowledge)).toBeUndefined();
  const missing = {
    ...knowledge.commits[0],
    writes: [{ kind: 'put', key: '', value: new Uint8Array(1), deadline: Infinity }],
  } as const;
  const failure = examineStore(left(), program, { ...knowledge, commits: [...knowledge.commits, missing] });
  expect(failure?.class).toBeDefined();
});
