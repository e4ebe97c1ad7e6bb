/**
 * One program of writes and backups on a simulated disk, and what is judged after it: every backup restored and compared
 * with the state of its commit, points in time between them, a damaged backup, a target that is not empty, and opening
 * for reading only. The states come from a plain map that shares nothing with the engine.
 */
import { fromText } from '../src/base/bytes.ts';
import { ManualClock } from '../src/base/clock.ts';
import { isLightningError, LightningError } from '../src/base/errors.ts';
import { CLOCK_START_MILLISECONDS } from '../src/contract/limits.ts';
import { ArchivingVfs } from '../src/database/backup/archive-vfs.ts';
import { type BackupReport } from '../src/database/backup/backup.ts';
import { FreezableVfs } from '../src/database/backup/frozen-vfs.ts';
import { backupOpenStore } from '../src/database/backup/online-backup.ts';
import { restoreBackup, type RestoreOptions } from '../src/database/backup/restore.ts';
import { timelineOf } from '../src/database/backup/timeline.ts';
import { ReadOnlyDatabase } from '../src/database/read-only/read-only-database.ts';
import { finish } from '../src/database/read-only/read-store.ts';
import { openStore } from '../src/database/blobs/open-store.ts';
import type { WriteOperation } from '../src/engine/index.ts';
import { DiskImage } from '../src/faults/disk-image.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { WatchedVfs } from '../src/vfs/watched-vfs.ts';
import { type CutWork, judgeCuts } from './backup-cuts.ts';

/** One step. Keys are small numbers; a value is `size` bytes that begin with a number of its own. */
export type BackupStep =
  | { readonly kind: 'put'; readonly key: number; readonly size: number }
  | { readonly kind: 'delete'; readonly key: number }
  | { readonly kind: 'clear'; readonly from: number; readonly to: number }
  | { readonly kind: 'compact' }
  | { readonly kind: 'flush' }
  /** The next `during` steps happen while it is made, `burst` of them after each slice. */
  | { readonly kind: 'backup'; readonly incremental: boolean; readonly during: number; readonly burst: number };

/** A program. `salt` decides where damage falls and which points in time are restored. */
export interface BackupProgram {
  readonly format: 1;
  readonly salt: number;
  readonly steps: readonly BackupStep[];
}

/** What is wrong. */
export interface Objection {
  readonly class: string;
  readonly message: string;
}

/** A third of the values become blobs. */
const BLOB_BYTES = 500;
const OPTIONS = {
  durability: 'commit',
  blockSizeBytes: 512,
  nodeTargetBytes: 512,
  runBlockBytes: 64,
  memtableBytes: 4000,
  runCountMax: 2,
  sliceBytes: 64,
  cacheBytes: 10_000,
} as const;

/** Rows as text, in key order. */
type State = ReadonlyMap<string, string>;

function keyOf(key: number): string {
  return `k${String(key).padStart(3, '0')}`;
}

function digest(rows: Iterable<readonly [Uint8Array, Uint8Array]>): string {
  const lines: string[] = [];
  for (const [key, value] of rows)
    lines.push(`${Buffer.from(key).toString()}=${Buffer.from(value.subarray(0, 12)).toString()}/${value.length}`);
  return lines.join(' ');
}

function expected(state: State): string {
  return [...state]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value.slice(0, 12)}/${value.length}`)
    .join(' ');
}

/** Ends a program with an objection. */
function object(objectionClass: string, message: string): never {
  throw new LightningError('LIGHTNING_HARNESS', message, { objection: objectionClass });
}

/** The objection that an error carries; `undefined` for any other error. */
function objectionIn(error: unknown): Objection | undefined {
  const found = error instanceof LightningError ? error.details['objection'] : undefined;
  return typeof found === 'string' && error instanceof LightningError
    ? { class: found, message: error.message }
    : undefined;
}

/** Runs what must not fail; a failure is an objection of this class. */
function must<T>(objectionClass: string, what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (objectionIn(error) !== undefined) throw error;
    return object(objectionClass, `${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

class World {
  readonly store = new SimulatedDisk();
  readonly backups = new SimulatedDisk();
  readonly archive = new SimulatedDisk();
  readonly files = new FreezableVfs(new ArchivingVfs(this.store, this.archive, () => timelineOf(this.store)));
  private readonly opened = openStore(
    {
      vfs: this.files,
      clock: new ManualClock(CLOCK_START_MILLISECONDS),
      newDatabaseId: () => new Uint8Array(16).fill(7),
    },
    OPTIONS,
    BLOB_BYTES,
  );
  readonly engine = this.opened.engine;
  /** By commit. */
  readonly states: State[] = [new Map()];
  readonly made: BackupReport[] = [];
  private values = 0;

  run(steps: readonly BackupStep[], count: (name: string) => void): void {
    let at = 0;
    while (at < steps.length) {
      const step = steps[at++];
      count('operations');
      if (step.kind !== 'backup') {
        must('operation-failed', step.kind, () => this.apply(step));
        continue;
      }
      const work = backupOpenStore(this.engine, this.files, this.backups, {
        incremental: step.incremental,
        time: this.made.length,
      });
      const wanted = this.engine.written;
      let during = step.during;
      for (let next = must('backup-failed', 'backup', () => work.next()); ;) {
        if (next.done === true) {
          this.made.push(next.value);
          count('backups');
          if (next.value.parent !== 0) count('increments');
          if (next.value.sequence !== wanted)
            object('backup-differs', `it ends with ${next.value.sequence}, not ${wanted}`);
          break;
        }
        for (let n = 0; n < step.burst && at < steps.length && during > 0; n++) {
          const busy = steps[at];
          if (busy.kind === 'backup') break;
          during--;
          at++;
          count('operations');
          count('operations during a backup');
          must('operation-failed', busy.kind, () => this.apply(busy));
        }
        next = must('backup-failed', 'backup', () => work.next());
      }
    }
  }

  private apply(step: Exclude<BackupStep, { kind: 'backup' }>): void {
    const state = new Map(this.states[this.states.length - 1]);
    const write = (operation: WriteOperation): void => {
      while (this.engine.pendingWork() !== undefined) this.engine.step();
      const { blobs } = this.opened;
      const written = blobs.write([operation]);
      this.engine.commit(written.operations([operation]));
      blobs.made(written);
      blobs.settle(written);
      this.engine.sync();
      this.states.push(state);
    };
    switch (step.kind) {
      case 'put': {
        const value = `v${++this.values}`.padEnd(step.size, '.');
        state.set(keyOf(step.key), value);
        return write({ type: 'put', key: fromText(keyOf(step.key)), value: fromText(value) });
      }
      case 'delete':
        state.delete(keyOf(step.key));
        return write({ type: 'delete', key: fromText(keyOf(step.key)) });
      case 'clear':
        // A clear of nothing is no commit.
        if (step.from >= step.to) return;
        for (const key of [...state.keys()]) if (key >= keyOf(step.from) && key < keyOf(step.to)) state.delete(key);
        return write({ type: 'clear', start: fromText(keyOf(step.from)), end: fromText(keyOf(step.to)) });
      case 'flush':
        return this.engine.flush();
      case 'compact':
        return this.engine.compact();
    }
  }
}

/** Opens for reading only and reads everything; nothing on the disk may have changed then. */
function readBack(disk: SimulatedDisk): { sequence: number; rows: string } {
  const { steps } = disk;
  const names = disk.list('').join(' ');
  const database = ReadOnlyDatabase.openOn(disk);
  try {
    return { sequence: database.sequence, rows: digest(database.scanSync()) };
  } finally {
    database.closeSync();
    if (disk.steps !== steps || disk.list('').join(' ') !== names)
      object('read-only-wrote', `opening for reading only made ${disk.list('').join(' ')} of ${names}`);
  }
}

function restore(world: World, target: SimulatedDisk, options: RestoreOptions, backups = world.backups): number {
  const quiet = (disk: SimulatedDisk): WatchedVfs => new WatchedVfs(disk, () => undefined);
  const given = { newTimeline: () => new Uint8Array(16).fill(9), ...options };
  return finish(restoreBackup(quiet(backups), quiet(target), given)).sequence;
}

function judgeRestored(world: World, target: SimulatedDisk, sequence: number, what: string): void {
  const found = must('restore-failed', `reading ${what}`, () => readBack(target));
  const wanted = expected(world.states[sequence]);
  if (found.sequence !== sequence)
    object('restore-differs', `${what} ends with commit ${found.sequence}, not ${sequence}`);
  if (found.rows !== wanted) object('restore-differs', `${what} holds [${found.rows}], not [${wanted}]`);
  if (timelineOf(target).every((byte) => byte !== 9)) object('timeline-kept', `${what} goes on with the old timeline`);
}

function judgeRestores(world: World, count: (name: string) => void): void {
  for (const { number, sequence } of world.made) {
    const target = new SimulatedDisk();
    must('restore-failed', `restore of backup ${number}`, () => restore(world, target, { backup: number }));
    judgeRestored(world, target, sequence, `backup ${number}`);
    count('restores');
    judgeOccupied(world, number, target);
  }
}

/** A target with something in it is refused, and stays as it is. */
function judgeOccupied(world: World, number: number, target: SimulatedDisk): void {
  const before = target.currentImage().hash();
  const refused = isRefused(() => restore(world, target, { backup: number }));
  if (!refused || target.currentImage().hash() !== before)
    object('restore-merged', `backup ${number} was restored into a folder that holds a store`);
}

/** Whether work ends in a coded error that is no bug of ours. */
function isRefused(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch (error) {
    return isLightningError(error) && error.errorClass !== 'bug';
  }
}

function judgePoints(world: World, salt: number, count: (name: string) => void): void {
  world.engine.flush();
  const last = world.engine.published;
  for (const { number, sequence } of world.made) {
    const toCommit = sequence + (salt % (last - sequence + 1));
    for (const point of new Set([toCommit, last])) {
      const target = new SimulatedDisk();
      const archive = { folder: world.archive, toCommit: point };
      must('restore-failed', `point ${point} from backup ${number}`, () =>
        restore(world, target, { backup: number, archive }),
      );
      judgeRestored(world, target, point, `point ${point} from backup ${number}`);
      count('points in time');
    }
    const beyond = new SimulatedDisk();
    const archive = { folder: world.archive, toCommit: last + 1 };
    if (!isRefused(() => restore(world, beyond, { backup: number, archive })) || beyond.steps > 0)
      object('target-touched', `a point that the archive does not reach was not refused at once`);
  }
}

/** A damaged backup is refused before the target is touched, or the damage is in bytes that this backup does not need. */
function judgeDamage(world: World, salt: number, count: (name: string) => void): void {
  const newest = world.made.at(-1);
  if (newest === undefined) return;
  const image = world.backups.currentImage();
  for (const [turn, path] of image.paths().entries()) {
    const bytes = image.get(path)?.slice() ?? new Uint8Array(0);
    if (bytes.length === 0) continue;
    const damaged = new DiskImage();
    for (const other of image.paths()) damaged.set(other, image.get(other) ?? new Uint8Array(0));
    const at = (salt + turn * 7919) % bytes.length;
    bytes[at] ^= 1 << (salt % 8);
    damaged.set(path, (salt + turn) % 3 === 0 ? bytes.subarray(0, at) : bytes);
    const target = new SimulatedDisk();
    const backups = new SimulatedDisk({ image: damaged });
    count('damaged backups');
    const refused = isRefused(() => restore(world, target, { backup: newest.number }, backups));
    if (refused && target.steps > 0)
      object('target-touched', `${path} is damaged at ${at}, and the target was touched before that was found`);
    if (!refused)
      judgeRestored(world, target, newest.sequence, `backup ${newest.number} with ${path} damaged at ${at}`);
    if (!refused && path === `backup-${newest.number}.data`)
      object('damage-not-found', `${path} is damaged at ${at}, and the restore went on`);
  }
}

/** The power goes while a backup is made of the store as it is now, and while the newest is restored. */
function judgePowerCuts(world: World, salt: number, count: (name: string) => void): void {
  const sequences = new Map(world.made.map(({ number, sequence }) => [number, sequence]));
  const now = world.engine.written;
  const known = [...sequences.keys()];
  const work: CutWork = {
    backup: (folder) =>
      finish(backupOpenStore(world.engine, world.files, folder, { incremental: salt % 2 === 0, time: known.length }))
        .number,
    restore: (folder, target, number) => void restore(world, target, { backup: number }, folder),
    judge: (target, number, isNew) =>
      judgeRestored(world, target, isNew ? now : (sequences.get(number) ?? 0), `backup ${number} after a power cut`),
    object,
  };
  must('backup-failed', 'after a power cut', () => judgeCuts(world.backups, known, salt, work, count));
}

/** Opening for reading only, of a store that was not closed, and of nothing. */
function judgeReadOnly(world: World, count: (name: string) => void): void {
  const disk = new SimulatedDisk({ image: world.store.currentImage() });
  const before = disk.currentImage().hash();
  const found = must('read-only-failed', 'reading', () => readBack(disk));
  if (found.rows !== expected(world.states[world.states.length - 1]))
    object('read-only-differs', `it shows [${found.rows}]`);
  const nothing = new SimulatedDisk();
  const refused = isRefused(() => readBack(nothing));
  if (disk.currentImage().hash() !== before || disk.steps > 0 || nothing.steps > 0 || !refused)
    object('read-only-wrote', 'opening for reading only has changed the disk');
  count('read-only openings');
}

/** Runs a program and judges what it left; `undefined` when nothing is wrong. */
export function runBackupProgram(
  program: BackupProgram,
  count: (name: string) => void = () => undefined,
): { readonly objection: Objection | undefined; readonly hash: string } {
  const world = new World();
  try {
    world.run(program.steps, count);
    judgeReadOnly(world, count);
    judgeRestores(world, count);
    judgeDamage(world, program.salt, count);
    judgePowerCuts(world, program.salt, count);
    judgePoints(world, program.salt, count);
    must('operation-failed', 'close', () => world.engine.close());
    return { objection: undefined, hash: world.backups.currentImage().hash() };
  } catch (error) {
    const objection = objectionIn(error);
    if (objection === undefined) throw error;
    return { objection, hash: objection.message };
  }
}
