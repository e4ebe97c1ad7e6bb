/** Faults that strike without a word: what they change, for whom, and what of it survives. */
import { expect, test } from 'vitest';
import { fromText } from '../base/bytes.ts';
import { readFully } from '../vfs/read-fully.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { RandomChooser } from './chooser.ts';
import { Prng } from '../base/prng.ts';
import { DiskImage } from './disk-image.ts';
import { FaultPlan, type SilentEffect, toleranceOfLanded } from './fault-plan.ts';
import { SimulatedDisk } from './simulated-disk.ts';

const SECTOR = 512;

function diskOf(effect: SilentEffect, content: Uint8Array, nth = 1): SimulatedDisk {
  const faults = new FaultPlan([{ when: { path: 'a', nth, times: 1 }, effect }]);
  return new SimulatedDisk({ image: DiskImage.of({ a: content }), faults });
}

function readAll(file: VfsFile): string {
  const bytes = new Uint8Array(file.size());
  readFully(file, bytes, 0, bytes.length, 0);
  return Buffer.from(bytes).toString('latin1').replaceAll('\0', '_');
}

function write(file: VfsFile, text: string, position: number): void {
  const bytes = fromText(text);
  file.write(bytes, 0, bytes.length, position);
}

/** What is on the disk after a power cut, when everything was synced. */
function durable(disk: SimulatedDisk, path: string): string {
  disk.checkInvariants();
  const bytes = disk.crashImage(new RandomChooser(new Prng(1))).get(path) ?? new Uint8Array(0);
  return Buffer.from(bytes).toString('latin1').replaceAll('\0', '_');
}

const rows = (byte: string, sectors: number): string => byte.repeat(sectors * SECTOR);

test('a short read gives a part, and reading on gives the rest', () => {
  const disk = diskOf({ operation: 'read', silent: 'short', bytes: 2 }, fromText('abcdef'));
  const file = disk.open('a', 'read');
  const target = new Uint8Array(6);
  expect(file.read(target, 0, 6, 0)).toBe(2);
  expect(readAll(file)).toBe('abcdef');
  expect(disk.faults.landed).toMatchObject([{ name: 'short read', tolerance: 'survive', inTheMiddle: true }]);
  // Never no byte at all, which would be the end of the file.
  const one = diskOf({ operation: 'read', silent: 'short', bytes: 9 }, fromText('ab')).open('a', 'read');
  expect(one.read(target, 0, 6, 0)).toBe(1);
  expect(one.read(target, 0, 1, 0)).toBe(1);
});

test('rot stays, for the running process and on the disk', () => {
  const disk = diskOf({ operation: 'read', silent: 'rot', at: 7, mask: 1 }, fromText('abcdef'), 2);
  const file = disk.open('a', 'read');
  expect([readAll(file), readAll(file), readAll(file)]).toEqual(['abcdef', 'accdef', 'accdef']);
  expect(durable(disk, 'a')).toBe('accdef');
});

test('a stale page is served once', () => {
  const disk = diskOf({ operation: 'read', silent: 'stale' }, fromText(rows('x', 1)), 1);
  const file = disk.open('a', 'write');
  write(file, 'new', 2);
  file.sync();
  expect(readAll(file).slice(0, 6)).toBe('xxxxxx');
  expect(readAll(file).slice(0, 6)).toBe('xxnewx');
  const grown = diskOf({ operation: 'read', silent: 'stale' }, fromText('ab'));
  const other = grown.open('a', 'write');
  write(other, 'cd', 2);
  expect([readAll(other), readAll(other)]).toEqual(['ab__', 'abcd']);
});

test('a short write is two steps, with room for a cut between them', () => {
  const disk = diskOf({ operation: 'write', silent: 'short', bytes: 2 }, new Uint8Array(0));
  const before = disk.steps;
  const file = disk.open('a', 'write');
  write(file, 'abcd', 0);
  expect([disk.steps - before, readAll(file)]).toEqual([2, 'abcd']);
  const cut = diskOf({ operation: 'write', silent: 'short', bytes: 2 }, new Uint8Array(0));
  cut.cutAtStep(2, 'before');
  const half = cut.open('a', 'write');
  expect(() => write(half, 'abcd', 0)).toThrow('power cut');
  expect(cut.currentImage().get('a')).toEqual(fromText('ab'));
});

test('a lost write leaves a hole that no sync fills', () => {
  const disk = diskOf({ operation: 'write', silent: 'lost' }, fromText('ab'));
  const file = disk.open('a', 'write');
  write(file, 'cd', 2);
  write(file, 'ef', 4);
  file.sync();
  expect([readAll(file), durable(disk, 'a')]).toEqual(['ab__ef', 'ab__ef']);
  const over = diskOf({ operation: 'write', silent: 'lost' }, fromText('abcd'));
  const old = over.open('a', 'write');
  write(old, 'XY', 0);
  old.sync();
  expect([readAll(old), durable(over, 'a')]).toEqual(['abcd', 'abcd']);
});

test('a misdirected write lands elsewhere in its file, as far as that goes', () => {
  const content = rows('x', 3);
  const forward = diskOf({ operation: 'write', silent: 'misdirected', sectors: 1 }, fromText(content));
  const file = forward.open('a', 'write');
  write(file, rows('n', 1), 0);
  file.sync();
  const expected = rows('x', 1) + rows('n', 1) + rows('x', 1);
  expect([readAll(file) === expected, durable(forward, 'a') === expected]).toEqual([true, true]);
  const beyond = diskOf({ operation: 'write', silent: 'misdirected', sectors: 2 }, fromText('ab'));
  const end = beyond.open('a', 'write');
  write(end, 'cd', 2);
  end.sync();
  expect([readAll(end), durable(beyond, 'a')]).toEqual(['ab__', 'ab__']);
});

test('what an engine owes is read from what landed', () => {
  const survive = { operation: 'write', silent: 'short', bytes: 1 } as const;
  const detect = { operation: 'write', silent: 'lost' } as const;
  const plan = new FaultPlan(
    [survive, detect, detect].map((effect, i) => ({ when: { path: '*', nth: i + 1, times: 1 }, effect })),
  );
  const owed = [1, 2, 3].map((step) => {
    plan.strike('write', 'a', step, 10);
    return toleranceOfLanded(plan.landed);
  });
  expect(owed).toEqual(['survive', 'detect', 'unbounded']);
});
