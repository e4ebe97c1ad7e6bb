/**
 * What the simulated disk has to be able to take away (spec/disk.md), asked of it in every run: a disk that loses too
 * little would let every engine pass. Each rule is a few calls, after which some state, or none, has to show something.
 */
import { EnumeratingChooser } from '../src/faults/chooser.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { FaultPlan, type PlannedFault } from '../src/faults/fault-plan.ts';
import { DIRECTORY_MODELS, type DirectoryModel } from '../src/faults/names.ts';
import { SECTOR_BYTES } from '../src/faults/persistence.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { VfsFile } from '../src/vfs/vfs.ts';

interface DiskRule {
  readonly name: string;
  /** A model of names without it. */
  readonly notIn?: DirectoryModel;
  readonly faults?: readonly PlannedFault[];
  /** The calls, after which the power is cut. */
  readonly calls: (disk: SimulatedDisk) => void;
  /** What is looked for in the states that the cut can leave. */
  readonly shows: (image: DiskImage) => boolean;
  /** Whether one of them has to show it, or none may. */
  readonly has: 'some' | 'none';
}

const TWO_SECTORS = 2 * SECTOR_BYTES;
const WRITTEN = 0xaa;

function failingSync(survivors: 'none' | 'every other sector'): PlannedFault {
  return { when: { path: 'a', nth: 2, times: 1 }, effect: { operation: 'sync', error: 'EIO', survivors } };
}

/** Two sectors of zeros, durable with its name. */
function durableFile(disk: SimulatedDisk, name: string): VfsFile {
  const file = disk.open(name, 'create');
  file.write(new Uint8Array(TWO_SECTORS), 0, TWO_SECTORS, 0);
  file.sync();
  disk.syncDirectory('');
  return file;
}

function overwrite(file: VfsFile): void {
  file.write(new Uint8Array(TWO_SECTORS).fill(WRITTEN), 0, TWO_SECTORS, 0);
}

/** Overwrites `a`, and syncs it once with the fault and once without. */
function overwriteAndFail(disk: SimulatedDisk): void {
  const file = durableFile(disk, 'a');
  overwrite(file);
  try {
    file.sync();
  } catch {
    file.sync();
  }
}

/** How many of the sectors of `a` hold what was written last. */
function sectorsWritten(image: DiskImage): number {
  const bytes = image.get('a') ?? new Uint8Array(0);
  return [0, SECTOR_BYTES].filter((at) => bytes[at] === WRITTEN).length;
}

const RULES: readonly DiskRule[] = [
  {
    name: 'a write that no sync covers can be lost',
    calls: (disk) => overwrite(durableFile(disk, 'a')),
    shows: (image) => sectorsWritten(image) === 0,
    has: 'some',
  },
  {
    name: 'a write can be torn between sectors',
    calls: (disk) => overwrite(durableFile(disk, 'a')),
    shows: (image) => sectorsWritten(image) === 1,
    has: 'some',
  },
  {
    name: 'a sync makes its own file durable and no other',
    calls: (disk) => {
      overwrite(durableFile(disk, 'a'));
      durableFile(disk, 'b').sync();
    },
    shows: (image) => sectorsWritten(image) === 0,
    has: 'some',
  },
  {
    name: 'a failed sync drops its pages, and no later one writes them',
    faults: [failingSync('none')],
    calls: overwriteAndFail,
    shows: (image) => sectorsWritten(image) > 0,
    has: 'none',
  },
  {
    name: 'a failed sync can have written a part',
    faults: [failingSync('every other sector')],
    calls: overwriteAndFail,
    shows: (image) => sectorsWritten(image) !== 1,
    has: 'none',
  },
  {
    name: 'a new name can be lost',
    calls: (disk) => disk.open('a', 'create').close(),
    shows: (image) => image.get('a') === undefined,
    has: 'some',
  },
  {
    name: 'the sync of a new file leaves its name open',
    // There it does not (spec/disk.md).
    notIn: 'ext4',
    calls: (disk) => disk.open('a', 'create').sync(),
    shows: (image) => image.get('a') === undefined,
    has: 'some',
  },
  {
    name: 'a rename can be lost',
    calls: (disk) => {
      durableFile(disk, 'a');
      disk.rename('a', 'b');
    },
    shows: (image) => image.get('a') !== undefined && image.get('b') === undefined,
    has: 'some',
  },
  {
    name: 'a deleted file can come back',
    calls: (disk) => {
      durableFile(disk, 'a');
      disk.unlink('a');
    },
    shows: (image) => image.get('a') !== undefined,
    has: 'some',
  },
];

function holds({ faults = [], calls, shows, has }: DiskRule, directoryModel: DirectoryModel): boolean {
  const disk = new SimulatedDisk({ directoryModel, faults: new FaultPlan(faults) });
  calls(disk);
  const chooser = new EnumeratingChooser();
  do {
    if (shows(disk.crashImage(chooser))) return has === 'some';
  } while (chooser.next());
  return has === 'none';
}

/** What {@link checkDiskRules} found. */
export interface DiskRulesResult {
  /** Rules that were tried, one for each model of names that has it. */
  readonly count: number;
  /** Those that the disk does not keep, in words. */
  readonly broken: readonly string[];
}

/** Tries every rule. Some milliseconds. */
export function checkDiskRules(): DiskRulesResult {
  const tried = DIRECTORY_MODELS.flatMap((model) =>
    RULES.filter(({ notIn }) => notIn !== model).map((rule) => ({ model, rule })),
  );
  const broken = tried.filter(({ rule, model }) => !holds(rule, model));
  return { count: tried.length, broken: broken.map(({ rule, model }) => `not so with ${model} names: ${rule.name}`) };
}
