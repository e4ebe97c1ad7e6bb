/**
 * Power cuts while a backup is made and while one is restored, on simulated disks. After a cut of the first kind every
 * backup that a reader finds is whole, those of before are there, and the next one works. After a cut of the second kind
 * the target is a whole store or none, and never one that a later restore takes for empty.
 */
import { isLightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { listBackups } from '../src/database/backup/backup-reader.ts';
import { RandomChooser } from '../src/faults/chooser.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';

/** What is asked of the store and its backups. */
export interface CutWork {
  /** Makes another backup in a folder; returns its number. */
  readonly backup: (folder: SimulatedDisk) => number;
  /** Restores one of a folder into an empty target. */
  readonly restore: (folder: SimulatedDisk, target: SimulatedDisk, number: number) => void;
  /** Ends with an objection unless the target holds what backup `number` has to. `isNew`: of the store as it is now. */
  readonly judge: (target: SimulatedDisk, number: number, isNew: boolean) => void;
  readonly object: (objectionClass: string, message: string) => never;
}

/** Runs work whose disk loses its power at a step; whether it got to its end all the same. */
function cutAt(disk: SimulatedDisk, step: number, prng: Prng, work: () => void): boolean {
  disk.cutAtStep(disk.steps + step, prng.pick(['before', 'middle']));
  try {
    work();
    return true;
  } catch (error) {
    if (isPowerCut(error)) return false;
    throw error;
  }
}

/** Any step; or behind the last: the power goes right after the work was called done. */
function drawStep(prng: Prng, steps: number): number {
  return prng.chance(0.4) ? steps + 1 : prng.between(1, Math.max(1, steps));
}

function afterCut(disk: SimulatedDisk, prng: Prng): SimulatedDisk {
  return new SimulatedDisk({ image: disk.crashImage(new RandomChooser(prng.fork())) });
}

/** Steps that the whole work takes, so that a cut can fall on any of them. */
function stepsOf(disk: SimulatedDisk, work: () => void): number {
  const before = disk.steps;
  work();
  return disk.steps - before;
}

/** @param known numbers of the backups of the folder, oldest first */
export function judgeCuts(
  folder: SimulatedDisk,
  known: readonly number[],
  salt: number,
  work: CutWork,
  count: (name: string) => void,
): void {
  const prng = new Prng(salt);
  judgeCutBackup(folder, known, prng, work, count);
  const newest = known.at(-1);
  if (newest !== undefined) judgeCutRestore(folder, newest, prng, work, count);
}

function judgeCutBackup(
  folder: SimulatedDisk,
  known: readonly number[],
  prng: Prng,
  work: CutWork,
  count: (name: string) => void,
): void {
  const whole = new SimulatedDisk({ image: folder.currentImage() });
  const steps = stepsOf(whole, () => void work.backup(whole));
  const disk = new SimulatedDisk({ image: folder.currentImage() });
  let made: number | undefined;
  const isDone = cutAt(disk, drawStep(prng, steps), prng, () => (made = work.backup(disk)));
  const left = afterCut(disk, prng);
  count('backups cut by a power failure');
  const found = listBackups(left);
  for (const number of known)
    if (!found.includes(number)) work.object('backup-lost', `backup ${number} is gone after a power cut`);
  if (isDone && made !== undefined && !found.includes(made))
    work.object('backup-lost', `backup ${made} was called done, and is gone after a power cut`);
  for (const number of found) {
    const target = new SimulatedDisk();
    work.restore(left, target, number);
    work.judge(target, number, !known.includes(number));
  }
  const next = work.backup(left);
  const target = new SimulatedDisk();
  work.restore(left, target, next);
  work.judge(target, next, true);
}

function judgeCutRestore(
  folder: SimulatedDisk,
  number: number,
  prng: Prng,
  work: CutWork,
  count: (name: string) => void,
): void {
  const whole = new SimulatedDisk();
  const steps = stepsOf(whole, () => work.restore(folder, whole, number));
  const disk = new SimulatedDisk();
  const isDone = cutAt(disk, drawStep(prng, steps), prng, () => work.restore(folder, disk, number));
  const left = afterCut(disk, prng);
  count('restores cut by a power failure');
  if (left.list('').includes('MANIFEST')) return work.judge(left, number, false);
  if (isDone)
    work.object('restore-lost', `a restore of backup ${number} was called done, and is gone after a power cut`);
  if (left.list('').length === 0) return;
  try {
    work.restore(folder, left, number);
  } catch (error) {
    if (isLightningError(error, 'LIGHTNING_EXISTS')) return;
    throw error;
  }
  work.object('restore-merged', 'what a restore that was cut had left was taken for empty');
}
