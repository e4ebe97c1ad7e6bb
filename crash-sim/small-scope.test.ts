/** The small scope is whole, and its counts can tell when it is not. */
import { expect, test } from 'vitest';
import { EnumeratingChooser } from '../src/faults/chooser.ts';
import { DIRECTORY_MODELS } from '../src/faults/names.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { programCount, smallPrograms, SmallScope } from './small-scope.ts';

const events = { count: () => undefined };

test('every program of up to three operations stands in it once', () => {
  const texts = [...smallPrograms(3)].map((program) => JSON.stringify(program));
  expect(texts.length).toBe(programCount(3));
  expect(programCount(3)).toBe(1 + 8 + 64 + 512);
  expect(new Set(texts).size).toBe(texts.length);
});

test('one operation, every cut, every state, under each directory model', () => {
  for (const model of DIRECTORY_MODELS) {
    const result = new SmallScope(model, events).explore(1, 700, () => false);
    expect(result.failure).toBeUndefined();
    expect(result).toMatchObject({ complete: true, programs: programCount(1), states: result.statesByFormula });
    expect(result.states).toBeGreaterThan(result.cuts);
    expect(result.statesInRecovery).toBeGreaterThan(result.states);
  }
});

test('the formula counts what the enumeration walks, torn writes, sizes, names and lost pages included', () => {
  for (const directoryModel of DIRECTORY_MODELS) {
    const disk = new SimulatedDisk({ directoryModel });
    const file = disk.open('a', 'create');
    file.write(new Uint8Array(1200).fill(1), 0, 1200, 100);
    file.truncate(600);
    file.write(new Uint8Array(200).fill(2), 0, 200, 400);
    disk.open('b', 'create').write(new Uint8Array(9).fill(3), 0, 9, 0);
    disk.rename('b', 'c');
    const chooser = new EnumeratingChooser();
    let walked = 0;
    do {
      disk.crashImage(chooser);
      walked++;
    } while (chooser.next());
    expect(walked).toBe(disk.crashStateCount());
    expect(walked).toBeGreaterThan(100);
  }
});

test('a scope that was stopped says that it is not complete', () => {
  let asked = 0;
  const result = new SmallScope('strict', events).explore(2, 1, () => ++asked > 5);
  expect(result).toMatchObject({ complete: false, programs: 5 });
});
