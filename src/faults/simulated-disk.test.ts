import { expect, test } from 'vitest';
import { fromText } from '../base/bytes.ts';
import { isLightningError } from '../base/errors.ts';
import { Prng } from '../base/prng.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { vfsConformance } from '../vfs/vfs-conformance.ts';
import { EnumeratingChooser, RandomChooser, ReplayChooser } from './chooser.ts';
import { DiskImage } from './disk-image.ts';
import { type ErrorEffect, FaultPlan, isInjectedFault, type PlannedFault } from './fault-plan.ts';
import type { IoStep } from './io-steps.ts';
import { DIRECTORY_MODELS } from './names.ts';
import { isPowerCut, PowerCut } from './power-cut.ts';
import { SimulatedDisk } from './simulated-disk.ts';

for (const directoryModel of DIRECTORY_MODELS) {
  vfsConformance(`SimulatedDisk (${directoryModel})`, () => {
    const disk = new SimulatedDisk({ directoryModel });
    return {
      vfs: disk,
      openFileCount: () => disk.openFileCount,
      dispose: () => {
        disk.checkInvariants();
        const before = disk.currentImage();
        const everythingKept = disk.crashImage(new AllKept());
        expect(everythingKept.hash()).toBe(before.hash());
      },
    };
  });
}

/** Keeps everything: the newest answer to each question, and writes whole. */
class AllKept extends EnumeratingChooser {
  protected override decide(...[question, optionCount]: Parameters<EnumeratingChooser['decide']>): number {
    return question === 'write' ? 1 : optionCount - 1;
  }
}

function append(file: VfsFile, text: string): void {
  const bytes = fromText(text);
  file.write(bytes, 0, bytes.length, file.size());
}

/** Content as text, zeros shown as `_`. */
function textOf(image: DiskImage, path: string): string | undefined {
  const bytes = image.get(path);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1').replaceAll('\0', '_');
}

/** Every crash state as text, sorted, each once. */
function states(disk: SimulatedDisk): string[] {
  const chooser = new EnumeratingChooser();
  const found = new Set<string>();
  do {
    const image = disk.crashImage(chooser);
    found.add(
      image
        .paths()
        .map((path) => `${path}=${textOf(image, path)}`)
        .join(' '),
    );
  } while (chooser.next());
  return [...found].sort();
}

function diskWith(files: Readonly<Record<string, string>>, faults: readonly PlannedFault[] = []): SimulatedDisk {
  const image = DiskImage.of(Object.fromEntries(Object.entries(files).map(([path, text]) => [path, fromText(text)])));
  return new SimulatedDisk({ image, faults: new FaultPlan(faults) });
}

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test('a sync covers its own file and no other, and no name', () => {
  const disk = diskWith({ a: '', b: '' });
  const a = disk.open('a', 'write');
  const b = disk.open('b', 'write');
  append(a, 'A');
  append(b, 'B');
  a.sync();
  expect(states(disk)).toEqual(['a=A b=', 'a=A b=B', 'a=A b=_']);
  b.sync();
  const c = disk.open('c', 'create');
  append(c, 'C');
  c.sync();
  expect(states(disk)).toEqual(['a=A b=B', 'a=A b=B c=C']);
  disk.syncDirectory('');
  expect(states(disk)).toEqual(['a=A b=B c=C']);
  expect(disk.isDurable).toBe(true);
});

test('a rename and an unlink are lost or kept, each by itself under strict', () => {
  const disk = diskWith({ a: '1', b: '2', c: '3' });
  disk.rename('a', 'b');
  disk.unlink('c');
  expect(states(disk)).toEqual(['a=1 b=2', 'a=1 b=2 c=3', 'b=1', 'b=1 c=3']);
});

test('a journal keeps the order of names', () => {
  const image = DiskImage.of({ a: fromText('1'), b: fromText('2'), c: fromText('3') });
  const disk = new SimulatedDisk({ image, directoryModel: 'journaled' });
  disk.rename('a', 'b');
  disk.unlink('c');
  expect(states(disk)).toEqual(['a=1 b=2 c=3', 'b=1', 'b=1 c=3']);
});

test('a rename between folders can double or lose a file under strict, never under a journal', () => {
  const image = DiskImage.of({ 'd/a': fromText('1'), b: fromText('2') });
  const strict = new SimulatedDisk({ image });
  strict.rename('d/a', 'c');
  expect(states(strict)).toEqual(['b=2', 'b=2 c=1', 'b=2 c=1 d/a=1', 'b=2 d/a=1']);
  strict.syncDirectory('');
  expect(states(strict)).toEqual(['b=2 c=1', 'b=2 c=1 d/a=1']);
  const journaled = new SimulatedDisk({ image, directoryModel: 'journaled' });
  journaled.rename('d/a', 'c');
  expect(states(journaled)).toEqual(['b=2 c=1', 'b=2 d/a=1']);
  journaled.syncDirectory('d');
  expect(states(journaled)).toEqual(['b=2 c=1']);
});

test('ext4 commits the creation with a sync of the file, and flushes before a rename over a file', () => {
  const image = DiskImage.of({ target: fromText('old') });
  const disk = new SimulatedDisk({ image, directoryModel: 'ext4' });
  disk.open('first', 'create').close();
  const file = disk.open('second', 'create');
  disk.open('third', 'create').close();
  append(file, 'new');
  file.sync();
  expect(states(disk)).toEqual(['first= second=new target=old', 'first= second=new target=old third=']);
  append(file, 'er');
  disk.syncDirectory('');
  disk.rename('second', 'target');
  expect(states(disk)).toEqual(['first= second=newer target=old third=', 'first= target=newer third=']);
});

test('a journal flushes no data before a rename: the name may survive without its bytes', () => {
  for (const directoryModel of ['strict', 'journaled'] as const) {
    const disk = new SimulatedDisk({ image: DiskImage.of({ target: fromText('old') }), directoryModel });
    const file = disk.open('new', 'create');
    append(file, 'N');
    disk.rename('new', 'target');
    expect(states(disk)).toContain('target=');
    expect(states(disk)).toContain('target=_');
  }
});

test('a cut ends the run: before a step, in the middle of it, and for every later call', () => {
  for (const moment of ['before', 'middle'] as const) {
    const disk = diskWith({ a: 'old' });
    const file = disk.open('a', 'write');
    disk.cutAtStep(2, moment);
    append(file, '1');
    const cut = thrownBy(() => append(file, '2'));
    expect(cut).toBeInstanceOf(PowerCut);
    expect(isLightningError(cut)).toBe(false);
    expect(disk.steps).toBe(2);
    const calls = [
      () => file.read(new Uint8Array(1), 0, 1, 0),
      () => file.write(new Uint8Array(1), 0, 1, 0),
      () => file.sync(),
      () => file.syncAsync(() => undefined),
      () => file.size(),
      () => file.truncate(0),
      () => file.close(),
      () => disk.open('a', 'read'),
      () => disk.open('b', 'create'),
      () => disk.rename('a', 'b'),
      () => disk.unlink('a'),
      () => disk.list(''),
      () => disk.kind('a'),
      () => disk.makeDirectory('d'),
      () => disk.syncDirectory(''),
      () => disk.lock('LOCK'),
    ];
    for (const call of calls) expect(thrownBy(call)).toBe(cut);
    expect(disk.steps).toBe(2);
    const reachable = states(disk);
    expect(reachable).toContain('a=old');
    expect(reachable).toContain('a=old1');
    expect(reachable.includes('a=old12')).toBe(moment === 'middle');
  }
});

test('a sync that is cut in its middle covers any part of its file', () => {
  const disk = diskWith({ a: 'old' });
  const file = disk.open('a', 'write');
  file.write(fromText('new'), 0, 3, 0);
  disk.cutAtStep(2, 'middle');
  expect(thrownBy(() => file.sync())).toBeInstanceOf(PowerCut);
  expect(states(disk)).toEqual(['a=new', 'a=old']);
});

test('a power cut shows through causes', () => {
  const cut = new PowerCut(1, 'before');
  expect(isPowerCut(new Error('wrapped', { cause: new Error('twice', { cause: cut }) }))).toBe(true);
  expect(isPowerCut(new Error('power cut before step 1'))).toBe(false);
});

test('the observer sees each step before it takes effect, and may take crash images of a run that goes on', () => {
  const seen: IoStep[] = [];
  const sizes: number[] = [];
  const disk: SimulatedDisk = new SimulatedDisk({
    observer: (step) => {
      seen.push(step);
      sizes.push(disk.crashImage(new AllKept()).sizeBytes);
    },
  });
  const file = disk.open('a', 'create');
  file.write(fromText('.abc'), 1, 3, 5);
  file.sync();
  file.truncate(1);
  disk.syncDirectory('');
  file.close();
  disk.open('a', 'read').close();
  disk.rename('a', 'b');
  disk.unlink('b');
  expect(
    seen.map((step) => `${step.number} ${step.operation} ${step.path} ${step.position}+${step.lengthBytes}`),
  ).toEqual([
    '1 create a 0+0',
    '2 write a 5+3',
    '3 sync a 0+0',
    '4 truncate a 1+0',
    '5 syncDirectory  0+0',
    '6 rename a 0+0',
    '7 unlink b 0+0',
  ]);
  expect(sizes).toEqual([0, 0, 8, 8, 1, 1, 1]);
});

test('an asynchronous sync covers what was written when it began, and ends in order when told to', () => {
  const disk = new SimulatedDisk({
    image: DiskImage.of({ a: fromText(''), b: fromText('') }),
    syncCompletion: 'manual',
  });
  const a = disk.open('a', 'write');
  const b = disk.open('b', 'write');
  const ended: string[] = [];
  append(a, '1');
  a.syncAsync((error) => ended.push(`a ${String(error)}`));
  append(a, '2');
  append(b, '3');
  b.syncAsync((error) => ended.push(`b ${String(error)}`));
  expect(disk.pendingSyncCount).toBe(2);
  expect(states(disk)).toContain('a= b=');
  expect(disk.completeSyncs()).toBe(2);
  expect(ended).toEqual(['a undefined', 'b undefined']);
  expect(states(disk)).toEqual(['a=1 b=3', 'a=12 b=3', 'a=1_ b=3']);
  expect(disk.completeSyncs()).toBe(0);
});

test('a sync that began inside a completion ends with the next one', () => {
  const disk = new SimulatedDisk({ image: DiskImage.of({ a: fromText('') }), syncCompletion: 'manual' });
  const file = disk.open('a', 'write');
  let endedCount = 0;
  file.syncAsync(() => file.syncAsync(() => endedCount++));
  expect([disk.completeSyncs(), endedCount, disk.completeSyncs(), endedCount]).toEqual([1, 0, 1, 1]);
});

test('an asynchronous sync that the cut overtakes makes nothing durable and says so', async () => {
  for (const syncCompletion of ['manual', 'microtask'] as const) {
    const disk = new SimulatedDisk({ image: DiskImage.of({ a: fromText('') }), syncCompletion });
    const file = disk.open('a', 'write');
    append(file, '1');
    disk.cutAtStep(3);
    const outcome = new Promise<unknown>((resolve) => file.syncAsync(resolve));
    const cut = thrownBy(() => append(file, '2'));
    disk.completeSyncs();
    expect(await outcome).toBe(cut);
    expect(states(disk)).toEqual(['a=', 'a=1', 'a=_']);
  }
});

test('a failed sync drops the pages: read as written, never durable, while the next sync succeeds', () => {
  const failing: PlannedFault = {
    when: { path: 'a', nth: 1, times: 1 },
    effect: { operation: 'sync', error: 'EIO', survivors: 'none' },
  };
  const disk = diskWith({ a: 'old' }, [failing]);
  const file = disk.open('a', 'write');
  append(file, '+');
  const error = thrownBy(() => file.sync());
  expect(isInjectedFault(error)).toBe(true);
  expect(textOf(disk.currentImage(), 'a')).toBe('old+');
  expect(states(disk)).toEqual(['a=old', 'a=old_']);
  file.sync();
  expect(states(disk)).toEqual(['a=old_']);
  expect(textOf(disk.currentImage(), 'a')).toBe('old+');
  file.write(fromText('O'), 0, 1, 0);
  file.sync();
  expect(states(disk)).toEqual(['a=Old_']);
  disk.checkInvariants();
  expect(disk.faults.landed).toMatchObject([{ operation: 'sync', error: 'EIO', path: 'a', step: 2 }]);
});

test('a failed sync may have written a part, or all', () => {
  const content = new Map([
    ['none', 'ooooo'],
    ['every other sector', 'nonon'],
    ['all', 'nnnnn'],
  ]);
  for (const survivors of ['none', 'every other sector', 'all'] as const) {
    const bytes = (text: string): Uint8Array => fromText([...text].map((letter) => letter.repeat(512)).join(''));
    const effect = { operation: 'sync', error: 'ENOSPC', survivors } as const;
    const faults = new FaultPlan([{ when: { step: 2 }, effect }]);
    const disk = new SimulatedDisk({ image: DiskImage.of({ a: bytes('ooooo') }), faults });
    const file = disk.open('a', 'write');
    file.write(bytes('nnnnn'), 0, 5 * 512, 0);
    expect(thrownBy(() => file.sync())).toHaveProperty('code', 'ENOSPC');
    const image = disk.crashImage(new EnumeratingChooser());
    expect(image.get('a')).toEqual(bytes(content.get(survivors) ?? ''));
    expect(disk.isDurable).toBe(true);
    disk.checkInvariants();
  }
});

test('a failed asynchronous sync tells its callback, and drops only what it covered', async () => {
  const effect = { operation: 'sync', error: 'EIO', survivors: 'none' } as const;
  const disk = diskWith({ a: '..' }, [{ when: { step: 2 }, effect }]);
  const file = disk.open('a', 'write');
  file.write(fromText('1'), 0, 1, 0);
  const outcome = new Promise<unknown>((resolve) => file.syncAsync(resolve));
  file.write(fromText('2'), 0, 1, 1);
  expect(isInjectedFault(await outcome)).toBe(true);
  file.sync();
  expect(states(disk)).toEqual(['a=.2']);
});

test('a full disk writes a part and fails; the part is there', () => {
  const when = { path: '*', nth: 1, times: 2 };
  const disk = diskWith({ a: '' }, [{ when, effect: { operation: 'write', error: 'ENOSPC', writtenBytes: 2 } }]);
  const file = disk.open('a', 'write');
  expect(thrownBy(() => append(file, 'abcd'))).toHaveProperty('code', 'ENOSPC');
  expect(file.size()).toBe(2);
  expect(thrownBy(() => append(file, 'x'))).toHaveProperty('code', 'ENOSPC');
  expect(file.size()).toBe(2);
  append(file, 'cd');
  expect(textOf(disk.currentImage(), 'a')).toBe('abcd');
});

test('a fault that strikes a whole operation leaves no trace of it', () => {
  const plans: readonly [ErrorEffect, (disk: SimulatedDisk) => unknown][] = [
    [{ operation: 'create', error: 'EMFILE' }, (disk) => disk.open('b', 'create')],
    [{ operation: 'create', error: 'EROFS' }, (disk) => disk.lock('LOCK')],
    [{ operation: 'open', error: 'EACCES' }, (disk) => disk.open('a', 'write')],
    [{ operation: 'open', error: 'EACCES' }, (disk) => disk.lock('a')],
    [{ operation: 'read', error: 'EIO' }, (disk) => disk.open('a', 'read').read(new Uint8Array(1), 0, 1, 0)],
    [{ operation: 'list', error: 'EIO' }, (disk) => disk.list('')],
    [{ operation: 'truncate', error: 'EIO' }, (disk) => disk.open('a', 'write').truncate(0)],
    [{ operation: 'rename', error: 'ENOSPC' }, (disk) => disk.rename('a', 'b')],
    [{ operation: 'unlink', error: 'EACCES' }, (disk) => disk.unlink('a')],
    [{ operation: 'makeDirectory', error: 'EDQUOT' }, (disk) => disk.makeDirectory('d')],
    [{ operation: 'syncDirectory', error: 'EIO' }, (disk) => disk.syncDirectory('')],
  ];
  for (const [effect, action] of plans) {
    const disk = diskWith({ a: 'text' }, [{ when: { path: '*', nth: 1, times: 1 }, effect }]);
    const error = thrownBy(() => action(disk));
    expect([error instanceof Error && 'code' in error && error.code, isInjectedFault(error)]).toEqual([
      effect.error,
      true,
    ]);
    expect(disk.faults.landed.map((fault) => fault.operation)).toEqual([effect.operation]);
    expect(states(disk)).toEqual(['a=text']);
    action(disk);
  }
});

test('a failed directory sync leaves its names pending', () => {
  const effect = { operation: 'syncDirectory', error: 'EIO' } as const;
  const disk = diskWith({ a: '1' }, [{ when: { step: 2 }, effect }]);
  disk.unlink('a');
  expect(thrownBy(() => disk.syncDirectory(''))).toHaveProperty('code', 'EIO');
  expect(states(disk)).toEqual(['', 'a=1']);
  disk.syncDirectory('');
  expect(states(disk)).toEqual(['']);
});

test('crash images share bytes with the disk, and the run goes on without changing them', () => {
  const disk = diskWith({ a: 'one' });
  const file = disk.open('a', 'write');
  const image = disk.crashImage(new EnumeratingChooser());
  const current = disk.currentImage();
  file.write(fromText('two'), 0, 3, 0);
  file.sync();
  expect([textOf(image, 'a'), textOf(current, 'a'), textOf(disk.currentImage(), 'a')]).toEqual(['one', 'one', 'two']);
  const second = disk.crashImage(new EnumeratingChooser());
  const secondCurrent = disk.currentImage();
  file.write(fromText('six'), 0, 3, 0);
  file.sync();
  expect([textOf(second, 'a'), textOf(secondCurrent, 'a'), textOf(disk.currentImage(), 'a')]).toEqual([
    'two',
    'two',
    'six',
  ]);
  const next = new SimulatedDisk({ image });
  next.open('a', 'write').write(fromText('three'), 0, 5, 0);
  expect(textOf(image, 'a')).toBe('one');
});

test('a disk made from an image is that image, folders included, and nothing is pending', () => {
  const image = DiskImage.of({ 'x/y/a': fromText('deep'), b: fromText('') });
  image.addFolder('empty/below');
  const disk = new SimulatedDisk({ image });
  expect(disk.isDurable).toBe(true);
  expect(disk.list('')).toEqual(['b', 'empty', 'x']);
  expect(disk.currentImage().hash()).toBe(image.hash());
  expect(disk.crashImage(new RandomChooser(new Prng(1))).equals(image)).toBe(true);
});

test('a state is replayed from its choices', () => {
  const disk = diskWith({ a: 'x'.repeat(2000) });
  const file = disk.open('a', 'write');
  for (let i = 0; i < 6; i++) file.write(fromText(String(i).repeat(700)), 0, 700, i * 300);
  file.truncate(900);
  disk.open('b', 'create');
  const chooser = new RandomChooser(new Prng(5));
  for (let i = 0; i < 200; i++) {
    const image = disk.crashImage(chooser);
    const replay = new ReplayChooser([...chooser.choices]);
    expect(disk.crashImage(replay).hash()).toBe(image.hash());
    expect(replay.fits).toBe(true);
    expect(replay.choices).toEqual(chooser.choices);
  }
  const tooShort = new ReplayChooser([1]);
  disk.crashImage(tooShort);
  expect(tooShort.fits).toBe(false);
});
