/**
 * The crash states against a reference that shares no code with them: it keeps the whole history of a tiny run, marks
 * what syncs have covered, tries every subset of what they have not, and never folds anything into a durable state.
 */
import { expect, test } from 'vitest';
import { fromText } from '../base/bytes.ts';
import { Prng } from '../base/prng.ts';
import { EnumeratingChooser, RandomChooser } from './chooser.ts';
import type { DiskImage } from './disk-image.ts';
import { DiskImage as Image } from './disk-image.ts';
import { FaultPlan, type PlannedFault } from './fault-plan.ts';
import { DIRECTORY_MODELS, type DirectoryModel } from './names.ts';
import { SimulatedDisk } from './simulated-disk.ts';

type Step =
  | { readonly do: 'create' | 'unlink' | 'sync' | 'failed-sync'; readonly path: string }
  | { readonly do: 'write'; readonly path: string; readonly position: number; readonly letters: string }
  | { readonly do: 'truncate'; readonly path: string; readonly size: number }
  | { readonly do: 'rename'; readonly path: string; readonly to: string }
  | { readonly do: 'sync-folder'; readonly path: string };

const PATHS = ['a', 'b', 'd/a'];
const SECTOR = 512;

/** One file of the reference: everything that ever happened to it. */
interface ReferenceFile {
  readonly events: {
    position: number;
    letters: string | undefined;
    isTruncate: boolean;
    before: number;
    after: number;
  }[];
  syncedCount: number;
  size: number;
}

/** One change of names: entries set or removed. */
interface ReferenceNameEvent {
  readonly changes: readonly { path: string; file: ReferenceFile | undefined }[];
  readonly created: ReferenceFile | undefined;
  isForced: boolean;
}

const folderOf = (path: string): string => (path.includes('/') ? path.slice(0, path.indexOf('/')) : '');

class Reference {
  readonly names = new Map<string, ReferenceFile>();
  readonly nameEvents: ReferenceNameEvent[] = [];
  readonly model: DirectoryModel;

  constructor(model: DirectoryModel) {
    this.model = model;
  }

  apply(step: Step): void {
    switch (step.do) {
      case 'create': {
        const file = { events: [], syncedCount: 0, size: 0 };
        this.change([{ path: step.path, file }], file);
        return;
      }
      case 'unlink':
        this.change([{ path: step.path, file: undefined }], undefined);
        return;
      case 'rename': {
        const file = this.file(step.path);
        if (this.model === 'ext4' && this.names.has(step.to)) file.syncedCount = file.events.length;
        this.change(
          [
            { path: step.to, file },
            { path: step.path, file: undefined },
          ],
          undefined,
        );
        return;
      }
      case 'write': {
        const file = this.file(step.path);
        const after = Math.max(file.size, step.position + step.letters.length);
        file.events.push({
          position: step.position,
          letters: step.letters,
          isTruncate: false,
          before: file.size,
          after,
        });
        file.size = after;
        return;
      }
      case 'truncate': {
        const file = this.file(step.path);
        file.events.push({ position: 0, letters: undefined, isTruncate: true, before: file.size, after: step.size });
        file.size = step.size;
        return;
      }
      case 'sync': {
        const file = this.file(step.path);
        file.syncedCount = file.events.length;
        if (this.model === 'ext4') this.forceUpTo(this.nameEvents.findIndex((event) => event.created === file));
        return;
      }
      case 'failed-sync': {
        const file = this.file(step.path);
        for (let i = file.syncedCount; i < file.events.length; i++) file.events[i].letters = undefined;
        return;
      }
      case 'sync-folder': {
        const isOf = (event: ReferenceNameEvent): boolean =>
          event.changes.some((change) => folderOf(change.path) === step.path);
        if (this.model === 'strict') for (const event of this.nameEvents) event.isForced ||= isOf(event);
        else this.forceUpTo(this.nameEvents.findLastIndex(isOf));
        return;
      }
    }
  }

  private file(path: string): ReferenceFile {
    const file = this.names.get(path);
    if (file === undefined) throw new Error(`no file ${path}`);
    return file;
  }

  private forceUpTo(last: number): void {
    for (let i = 0; i <= last; i++) this.nameEvents[i].isForced = true;
  }

  private change(changes: ReferenceNameEvent['changes'], created: ReferenceFile | undefined): void {
    for (const { path, file } of changes) {
      if (file === undefined) this.names.delete(path);
      else this.names.set(path, file);
    }
    const folders = new Set(changes.map((change) => folderOf(change.path)));
    const parts = this.model === 'strict' && folders.size > 1 ? changes.map((change) => [change]) : [changes];
    for (const part of parts) this.nameEvents.push({ changes: part, created, isForced: false });
  }

  /** Every state of the disk as text. */
  states(): Set<string> {
    const found = new Set<string>();
    const contents = new Map<ReferenceFile, string[]>();
    for (const names of this.nameStates()) {
      let texts = [''];
      const chosenTogether = [...names].sort(([a], [b]) => (a < b ? -1 : 1));
      const perFile = new Map<ReferenceFile, string[]>();
      for (const [path, file] of chosenTogether) perFile.set(file, [...(perFile.get(file) ?? []), path]);
      for (const [file, paths] of perFile) {
        let options = contents.get(file);
        if (options === undefined) {
          options = [...fileStates(file)];
          contents.set(file, options);
        }
        texts = texts.flatMap((text) =>
          (options ?? []).map((option) => text + paths.map((path) => `${path}=${option};`).join('')),
        );
      }
      for (const text of texts) found.add(text.split(';').sort().join(';'));
    }
    return found;
  }

  private *nameStates(): Generator<Map<string, ReferenceFile>> {
    const count = this.nameEvents.length;
    for (let mask = 0; mask < 2 ** count; mask++) {
      const isKept = (i: number): boolean => (mask & (1 << i)) !== 0;
      if (this.nameEvents.some((event, i) => event.isForced && !isKept(i))) continue;
      if (this.model !== 'strict' && this.nameEvents.some((_, i) => i > 0 && isKept(i) && !isKept(i - 1))) continue;
      const names = new Map<string, ReferenceFile>();
      for (const [i, event] of this.nameEvents.entries()) {
        if (!isKept(i)) continue;
        for (const { path, file } of event.changes) {
          if (file === undefined) names.delete(path);
          else names.set(path, file);
        }
      }
      yield names;
    }
  }
}

/** Every content that the file can have after a cut, as text. */
function fileStates(file: ReferenceFile): Set<string> {
  const { events, syncedCount } = file;
  const sizes = [{ size: syncedCount === 0 ? 0 : events[syncedCount - 1].after, through: syncedCount }];
  const units: { event: number; sector: number }[] = [];
  for (const [i, event] of events.entries()) {
    if (i < syncedCount) continue;
    if (!event.isTruncate) {
      for (let size = event.before + 1; size < event.after; size++) {
        if (size % SECTOR === 0) sizes.push({ size, through: i + 1 });
      }
      for (let at = 0; at < (event.letters?.length ?? 0); at++) {
        const sector = Math.floor((event.position + at) / SECTOR);
        if (!units.some((unit) => unit.event === i && unit.sector === sector)) units.push({ event: i, sector });
      }
    }
    sizes.push({ size: event.after, through: i + 1 });
  }
  const found = new Set<string>();
  for (const { size, through } of sizes) {
    for (let mask = 0; mask < 2 ** units.length; mask++) {
      const kept = new Set(
        units.filter((_, i) => (mask & (1 << i)) !== 0).map((unit) => `${unit.event} ${unit.sector}`),
      );
      const content: string[] = [];
      for (const [i, event] of events.entries()) {
        if (event.isTruncate) {
          if (i < through) content.length = Math.min(content.length, event.after);
          continue;
        }
        for (const [at, letter] of [...(event.letters ?? '')].entries()) {
          const place = event.position + at;
          if (i < syncedCount || kept.has(`${i} ${Math.floor(place / SECTOR)}`)) content[place] = letter;
        }
      }
      found.add(Array.from({ length: size }, (_, at) => content[at] ?? '0').join(''));
    }
  }
  return found;
}

/** The pieces that differ in length stand for sectors: positions and lengths are drawn around their edges. */
function randomProgram(random: Prng, model: DirectoryModel): { steps: Step[]; reference: Reference } {
  const reference = new Reference(model);
  const steps: Step[] = [];
  const letters = 'ABCDEFGHIJKLMNOP';
  const add = (step: Step): void => {
    reference.apply(step);
    steps.push(step);
  };
  const length = random.between(3, 9);
  let unsyncedSectors = 0;
  while (steps.length < length) {
    const there = [...reference.names.keys()];
    const missing = PATHS.filter((path) => !reference.names.has(path));
    const kind = random.weighted([3, 5, 1, 2, 1, 2, 1, 2]);
    if (kind === 0 && missing.length > 0) add({ do: 'create', path: random.pick(missing) });
    if (kind === 7) add({ do: 'sync-folder', path: random.pick(['', 'd']) });
    if (there.length === 0) continue;
    const path = random.pick(there);
    const size = reference.names.get(path)?.size ?? 0;
    if (kind === 1 && unsyncedSectors < 6) {
      const position = random.pick([0, size, 500, 512].filter((at) => at <= 1100));
      const count = random.pick([3, 20, 512, 600, 1100]);
      unsyncedSectors += Math.floor((position + count - 1) / SECTOR) - Math.floor(position / SECTOR) + 1;
      add({ do: 'write', path, position, letters: letters[steps.length].repeat(count) });
    }
    const cut = random.pick([0, 100, 512, 700, 1300]);
    if (kind === 2 && cut !== size) add({ do: 'truncate', path, size: cut });
    if (kind === 3) add({ do: 'sync', path });
    if (kind === 4) add({ do: 'failed-sync', path });
    const to = random.pick(PATHS);
    if (kind === 5 && to !== path) add({ do: 'rename', path, to });
    if (kind === 6) add({ do: 'unlink', path });
  }
  return { steps, reference };
}

function run(disk: SimulatedDisk, steps: readonly Step[]): void {
  for (const step of steps) {
    switch (step.do) {
      case 'create':
        disk.open(step.path, 'create').close();
        break;
      case 'unlink':
        disk.unlink(step.path);
        break;
      case 'rename':
        disk.rename(step.path, step.to);
        break;
      case 'sync-folder':
        disk.syncDirectory(step.path);
        break;
      case 'sync':
      case 'failed-sync':
      case 'write':
      case 'truncate': {
        const file = disk.open(step.path, 'write');
        if (step.do === 'write') file.write(fromText(step.letters), 0, step.letters.length, step.position);
        else if (step.do === 'truncate') file.truncate(step.size);
        else if (step.do === 'sync') file.sync();
        else expect(() => file.sync()).toThrow('EIO');
        file.close();
        break;
      }
    }
    disk.checkInvariants();
  }
}

/** The folder `d` is durable from the start; it is an empty one, which images know and texts leave out. */
function diskFor(model: DirectoryModel, steps: readonly Step[], tearBytes = SECTOR): SimulatedDisk {
  const image = new Image();
  image.addFolder('d');
  const faults = steps.flatMap((step, i): PlannedFault[] =>
    step.do === 'failed-sync'
      ? [{ when: { step: i + 1 }, effect: { operation: 'sync', error: 'EIO', survivors: 'none' } }]
      : [],
  );
  return new SimulatedDisk({ image, directoryModel: model, faults: new FaultPlan(faults), tearBytes });
}

function textOf(image: DiskImage): string {
  const parts = image.paths().map((path) => {
    const content = Buffer.from(image.get(path) ?? []).toString('latin1');
    return `${path}=${content.replaceAll('\0', '0')}`;
  });
  return [...parts, ''].sort().join(';');
}

function enumerate(disk: SimulatedDisk, stateCountMax: number): { texts: Set<string>; count: number } | undefined {
  const chooser = new EnumeratingChooser();
  const texts = new Set<string>();
  let count = 0;
  do {
    texts.add(textOf(disk.crashImage(chooser)));
    if (++count > stateCountMax) return undefined;
  } while (chooser.next());
  return { texts, count };
}

test('the states are those of the reference, all of them and no other, under each directory model', () => {
  for (const model of DIRECTORY_MODELS) {
    const random = new Prng(DIRECTORY_MODELS.indexOf(model) + 1);
    let comparedCount = 0;
    let stateCount = 0;
    for (let i = 0; i < 80; i++) {
      const { steps, reference } = randomProgram(random, model);
      const disk = diskFor(model, steps);
      run(disk, steps);
      const enumerated = enumerate(disk, 3000);
      if (enumerated === undefined) continue;
      const expected = reference.states();
      const text = JSON.stringify(steps);
      expect(
        [...enumerated.texts].filter((state) => !expected.has(state)),
        text,
      ).toEqual([]);
      expect(
        [...expected].filter((state) => !enumerated.texts.has(state)),
        text,
      ).toEqual([]);
      const chooser = new RandomChooser(random);
      for (let n = 0; n < 30; n++) expect(expected.has(textOf(disk.crashImage(chooser)))).toBe(true);
      comparedCount++;
      stateCount += expected.size;
    }
    expect(comparedCount).toBeGreaterThan(50);
    expect(stateCount).toBeGreaterThan(1000);
  }
});

test('what syncs have covered survives in every state, whatever else goes on', () => {
  for (const directoryModel of DIRECTORY_MODELS) {
    const random = new Prng(77);
    for (let round = 0; round < 60; round++) {
      const disk = new SimulatedDisk({ directoryModel });
      const covered = new Map<string, Uint8Array>();
      const chooser = new RandomChooser(random);
      for (let i = 0; i < 40; i++) {
        const path = `f${random.below(4)}`;
        const file = disk.open(path, disk.kind(path) === undefined ? 'create' : 'write');
        if (covered.has(path)) {
          file.close();
          continue;
        }
        const bytes = random.bytes(random.between(1, 3000));
        file.write(bytes, 0, bytes.length, random.below(file.size() + 1));
        if (random.chance(0.2)) file.truncate(random.below(file.size() + 1000));
        if (random.chance(0.15)) {
          file.sync();
          disk.syncDirectory('');
          covered.set(path, disk.currentImage().get(path) ?? new Uint8Array(0));
        }
        file.close();
        const image = disk.crashImage(chooser);
        for (const [name, content] of covered) expect(image.get(name)).toEqual(content);
      }
      disk.checkInvariants();
    }
  }
});

test('with nothing pending there is one state, and it is what the process sees', () => {
  const random = new Prng(3);
  for (let round = 0; round < 40; round++) {
    const disk = new SimulatedDisk({ directoryModel: random.pick(DIRECTORY_MODELS) });
    for (let i = 0; i < 5; i++) {
      const file = disk.open(`f${i}`, 'create');
      const bytes = random.bytes(random.below(2000));
      file.write(bytes, 0, bytes.length, random.below(100));
      file.sync();
      file.close();
    }
    disk.rename('f0', 'f1');
    disk.unlink('f2');
    expect(disk.isDurable).toBe(false);
    disk.syncDirectory('');
    expect(disk.isDurable).toBe(true);
    const chooser = new EnumeratingChooser();
    expect(disk.crashImage(chooser).hash()).toBe(disk.currentImage().hash());
    expect([chooser.choices, chooser.next()]).toEqual([[], false]);
  }
});

test('counts of states follow their formulas', () => {
  const countOf = (model: DirectoryModel, steps: readonly Step[], tearBytes = SECTOR): number => {
    const disk = diskFor(model, steps, tearBytes);
    run(disk, steps);
    const enumerated = enumerate(disk, 100_000);
    expect(enumerated?.texts.size).toBe(enumerated?.count);
    return enumerated?.count ?? 0;
  };
  const created: readonly Step[] = [
    { do: 'create', path: 'a' },
    { do: 'sync-folder', path: '' },
  ];
  const write = (path: string, position: number, count: number, letter: string): Step => ({
    do: 'write',
    path,
    position,
    letters: letter.repeat(count),
  });
  for (let sectors = 1; sectors <= 6; sectors++) {
    // An append of k sectors: at each of the sizes 0 … k any subset of the sectors below.
    const append = [...created, write('a', 0, sectors * SECTOR, 'A')];
    expect(countOf('strict', append)).toBe(2 ** (sectors + 1) - 1);
    // Overwriting them: any subset, one size.
    const overwrite: Step[] = [...append, { do: 'sync', path: 'a' }, write('a', 0, sectors * SECTOR, 'B')];
    expect(countOf('strict', overwrite)).toBe(2 ** sectors);
    // Torn at 4 KiB, up to eight sectors are one.
    expect(countOf('strict', overwrite, 4096)).toBe(2);
    // n files made: any subset of names, or a prefix of them.
    const names = ['n0', 'n1', 'n2', 'n3', 'n4', 'n5'].slice(0, sectors);
    const creations = names.map((path): Step => ({ do: 'create', path }));
    expect(countOf('strict', creations)).toBe(2 ** sectors);
    expect(countOf('journaled', creations)).toBe(sectors + 1);
  }
});
