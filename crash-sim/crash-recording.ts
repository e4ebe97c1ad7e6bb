/**
 * One case run again with everything written down: for each cut, what the client did and the disk was told until the
 * power went, what the process saw then, and what was left. Story, picture and capsule are made from it.
 */
import { crc32 } from '../src/base/checksum.ts';
import { ReplayChooser } from '../src/faults/chooser.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import type { Operation } from '../src/contract/operations.ts';
import { FaultPlan } from '../src/faults/fault-plan.ts';
import type { IoStep } from '../src/faults/io-steps.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk, type SimulatedDiskOptions } from '../src/faults/simulated-disk.ts';
import type { OpenMode, VfsFile } from '../src/vfs/vfs.ts';
import type { CrashClient } from '../src/workload/crash-client.ts';
import type { Knowledge } from '../src/workload/crash-knowledge.ts';
import { readAll } from '../src/workload/crash-store.ts';
import type { CrashCase, Cut } from './crash-case.ts';
import { openStore, writeMarker } from './crash-judge.ts';
import { clientOn } from './owed.ts';

/**
 * What became of a step when the power went.
 *   durable    a sync has covered it; no power cut takes it back
 *   survives   nothing promised it, and it is there
 *   torn, lost nothing promised it, and a part of it or all is not there
 *   replaced   later steps have written over all of it
 *   failed     a fault struck it
 *   sync       it is a sync
 */
export type Fate = 'durable' | 'survives' | 'torn' | 'lost' | 'replaced' | 'failed' | 'sync';

/** One step, and what became of it. */
export interface RecordedStep extends IoStep {
  /** Of a rename: the new name. */
  readonly target: string;
  /** Of a write: CRC-32 of its bytes. */
  readonly checksum: number;
  /** Operations of the client that had begun; 0 while the store is opened. */
  readonly operationsBegun: number;
  readonly fate: Fate;
  /** Of a torn write: the bytes that are not there. */
  readonly lostBytes: number;
}

/** From power on to power off, or to the end where no cut ended it. */
export interface Leg {
  readonly steps: readonly RecordedStep[];
  readonly cut: Cut | undefined;
  /** What the process saw at the end. */
  readonly seen: DiskImage;
  /** What was on the disk then. */
  readonly left: DiskImage;
  /** Of the first leg: for each operation what the client had been told of its commit, in words; empty without one. */
  readonly told: readonly string[];
  /** Of the first leg: what the client knew. */
  readonly knowledge: Knowledge | undefined;
}

const WORDS: Readonly<Record<string, string>> = {
  synced: 'synced',
  volatile: 'acknowledged, not synced',
  rejected: 'refused',
  indefinite: 'an error, outcome unknown',
};

const COMMITTING: readonly string[] = ['put', 'delete', 'clear', 'batch', 'commit'];

/** What each operation had been told. Empty where operations and commits do not go together one by one. */
function toldOf(client: CrashClient, operations: readonly Operation[]): string[] {
  const fates = client.knowledge().commits.map(({ fate }): string => fate);
  const begun = operations.slice(0, client.operationsBegun);
  if (begun.filter(({ kind }) => COMMITTING.includes(kind)).length !== fates.length) return [];
  return begun.map(({ kind }, index) => {
    if (!COMMITTING.includes(kind)) return '';
    const fate = fates.shift() ?? '';
    return fate === 'indefinite' && index === begun.length - 1 ? 'no answer yet' : (WORDS[fate] ?? '');
  });
}

interface NotedStep extends IoStep {
  target: string;
  data: Uint8Array | undefined;
  readonly operationsBegun: number;
}

/** A disk that notes the bytes of its writes and where its renames go. */
class NotingDisk extends SimulatedDisk {
  readonly noted: NotedStep[];

  constructor(options: SimulatedDiskOptions, operationsBegun: () => number) {
    const noted: NotedStep[] = [];
    super({
      ...options,
      observer: (step) => void noted.push({ ...step, target: '', data: undefined, operationsBegun: operationsBegun() }),
    });
    this.noted = noted;
  }

  override rename(from: string, to: string): void {
    this.noting(
      () => super.rename(from, to),
      (step) => (step.target = to),
    );
  }

  override open(path: string, mode: OpenMode): VfsFile {
    const file = super.open(path, mode);
    return {
      read: (target, offset, length, position) => file.read(target, offset, length, position),
      write: (source, offset, length, position) =>
        this.noting(
          () => file.write(source, offset, length, position),
          (step) => (step.data = source.slice(offset, offset + length)),
        ),
      sync: () => file.sync(),
      syncAsync: (done) => file.syncAsync(done),
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      size: () => file.size(),
      close: () => file.close(),
    };
  }

  private noting(run: () => void, note: (step: NotedStep) => void): void {
    const before = this.noted.length;
    try {
      run();
    } finally {
      const step = this.noted.at(before);
      if (step !== undefined) note(step);
    }
  }
}

/** Runs a case, one leg for each of its cuts; a case without cuts is one leg. */
export function recordCase(crashCase: CrashCase): Leg[] {
  const { program, machine, cuts } = crashCase;
  const faults = new FaultPlan(machine.faults);
  const disk: NotingDisk = new NotingDisk({ ...machine, faults }, () => client.operationsBegun);
  const client = clientOn(disk, program);
  const first = recordLeg(disk, cuts.at(0), () => void client.run());
  const legs: Leg[] = [{ ...first, told: toldOf(client, program.operations), knowledge: client.knowledge() }];
  for (const cut of cuts.slice(1)) {
    let begun = 0;
    const { directoryModel, tearBytes } = machine;
    const image = legs[legs.length - 1].left.clone();
    const again = new NotingDisk({ directoryModel, tearBytes, image }, () => begun);
    const recover = (): void => {
      const store = openStore(again, program, client.knowledge().time.nowEarliest);
      readAll(store.engine);
      begun = 1;
      writeMarker(store);
    };
    legs.push(recordLeg(again, cut, recover));
  }
  return legs;
}

function recordLeg(disk: NotingDisk, cut: Cut | undefined, run: () => void): Leg {
  if (cut !== undefined) disk.cutAtStep(cut.step, 'before');
  try {
    run();
  } catch (error) {
    // An engine that fails here fails in the replay too, which says so.
    if (cut === undefined && isPowerCut(error)) throw error;
  }
  const seen = disk.currentImage();
  const left = cut === undefined ? seen : disk.crashImage(new ReplayChooser(cut.choices));
  const done = cut === undefined ? disk.noted : disk.noted.filter(({ number }) => number < cut.step);
  const struck = new Set(disk.faults.landed.map(({ step, operation }) => `${operation} ${step}`));
  const steps = done.map((step, index): RecordedStep => {
    const { data, ...rest } = step;
    const checksum = data === undefined ? 0 : crc32(data);
    if (struck.has(`${step.operation} ${step.number}`)) return { ...rest, checksum, fate: 'failed', lostBytes: 0 };
    return { ...rest, checksum, ...fateOf(step, done.slice(index + 1), seen, left, struck) };
  });
  return { steps, cut, seen, left, told: [], knowledge: undefined };
}

type Became = Pick<RecordedStep, 'fate' | 'lostBytes'>;

function fateOf(
  step: NotedStep,
  later: readonly NotedStep[],
  seen: DiskImage,
  left: DiskImage,
  struck: ReadonlySet<string>,
): Became {
  const { operation, path } = step;
  if (operation === 'sync' || operation === 'syncDirectory') return { fate: 'sync', lostBytes: 0 };
  const wanted = operation === 'write' || operation === 'truncate' ? 'sync' : 'syncDirectory';
  const isSynced = later.some(
    (one) =>
      one.operation === wanted &&
      (wanted === 'syncDirectory' || one.path === path) &&
      !struck.has(`${one.operation} ${one.number}`),
  );
  const renamed = later.find((one) => one.operation === 'rename' && one.path === path)?.target;
  if (operation !== 'write' && operation !== 'truncate') {
    if (isSynced) return { fate: 'durable', lostBytes: 0 };
    const isOver = later.some((one) => one.path === path && ['create', 'rename', 'unlink'].includes(one.operation));
    return isOver ? { fate: 'replaced', lostBytes: 0 } : nameFate(step, seen, left);
  }
  const became = operation === 'write' ? writeFate(step, renamed ?? path, seen, left) : nameFate(step, seen, left);
  return became.fate === 'survives' && isSynced ? { fate: 'durable', lostBytes: 0 } : became;
}

/** Compares what a write wrote, as far as nobody has written over it, with what is left. @param name what its file is called now */
function writeFate({ position, data }: NotedStep, name: string, seen: DiskImage, left: DiskImage): Became {
  const before = seen.get(name);
  const after = left.get(name);
  if (data === undefined || before === undefined) return { fate: 'replaced', lostBytes: 0 };
  let own = 0;
  let kept = 0;
  let missing = 0;
  for (let i = 0; i < data.length && position + i < before.length; i++) {
    if (before[position + i] !== data[i]) continue;
    own++;
    const there = after === undefined || position + i >= after.length ? undefined : after[position + i];
    if (there !== data[i]) missing++;
    // A zero proves nothing: it is also what a hole shows.
    else if (data[i] !== 0) kept++;
  }
  if (own === 0) return { fate: 'replaced', lostBytes: 0 };
  if (missing === 0) return { fate: 'survives', lostBytes: 0 };
  return { fate: kept > 0 ? 'torn' : 'lost', lostBytes: missing };
}

function nameFate({ operation, path, target }: NotedStep, seen: DiskImage, left: DiskImage): Became {
  const wasThere = seen.get(path) !== undefined;
  const isThere = left.get(path) !== undefined;
  const isTarget = seen.get(target) !== undefined && left.get(target) === undefined;
  const lost =
    operation === 'create'
      ? wasThere && !isThere
      : operation === 'rename' || operation === 'unlink'
        ? (!wasThere && isThere) || isTarget
        : operation === 'truncate' && seen.get(path)?.length !== left.get(path)?.length;
  return { fate: lost ? 'lost' : 'survives', lostBytes: 0 };
}
