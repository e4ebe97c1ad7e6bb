/**
 * One program of writes and backups on a simulated disk, and what is judged after it: every backup restored and compared
 * with the state of its commit, points in time between them, a damaged backup, a target that is not empty, and opening
 * for reading only. What each restore has to give comes from the executable specification, which is asked beside.
 */
import { fromText } from '../src/base/bytes.ts';
import { type Clock, ManualClock } from '../src/base/clock.ts';
import { isLightningError, LightningError } from '../src/base/errors.ts';
import { type BytesText, decodeBytes, encodeBytes } from '../src/contract/bytes-text.ts';
import type { BatchOperation } from '../src/contract/operations.ts';
import { OK } from '../src/contract/outcomes.ts';
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
import { Interpreter } from '../spec/executable/interpreter.ts';
import { bytesOfKey } from '../spec/executable/keys.ts';
import { rowsIn, type State } from '../spec/executable/ordered-map.ts';
import { type CutWork, judgeCuts } from './backup-cuts.ts';

/**
 * One change. Keys are small numbers; a value is `size` bytes that begin with a number of its own, and may have a deadline
 * in milliseconds from the start.
 */
export type BackupWrite =
  | { readonly kind: 'put'; readonly key: number; readonly size: number; readonly deadline?: number | undefined }
  | { readonly kind: 'delete'; readonly key: number }
  | { readonly kind: 'clear'; readonly from: number; readonly to: number };

/** One step. */
export type BackupStep =
  | BackupWrite
  | { readonly kind: 'batch'; readonly writes: readonly BackupWrite[] }
  | { readonly kind: 'tick'; readonly milliseconds: number }
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

/** Ahead of any real clock: the restores of a program read the system's, and nothing may expire by that. */
const START_MILLISECONDS = Date.UTC(2200, 0, 1);

function keyOf(key: number): string {
  return `k${String(key).padStart(3, '0')}`;
}

function digest(rows: Iterable<readonly [Uint8Array, Uint8Array]>): string {
  const lines: string[] = [];
  for (const [key, value] of rows)
    lines.push(`${Buffer.from(key).toString()}=${Buffer.from(value.subarray(0, 12)).toString()}/${value.length}`);
  return lines.join(' ');
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
  readonly clock = new ManualClock(START_MILLISECONDS);
  private readonly opened = openStore(
    { vfs: this.files, clock: this.clock, newDatabaseId: () => new Uint8Array(16).fill(7) },
    OPTIONS,
    BLOB_BYTES,
  );
  readonly engine = this.opened.engine;
  readonly specification = new Interpreter({ acknowledges: 'synced' });
  /** The first one is the specification's backup 1, and so on. */
  readonly made: BackupReport[] = [];
  private values = 0;

  /** Rows of a state of the specification as they are read now. */
  rowsOf(state: State): string {
    const rows = rowsIn(state, { low: '', high: undefined }, this.clock.now());
    return digest(rows.map(([key, value]) => [bytesOfKey(key), value] as const));
  }

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
      this.specification.apply({ kind: 'backup' }, OK);
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
    switch (step.kind) {
      case 'flush':
        return this.engine.flush();
      case 'compact':
        return this.engine.compact();
      case 'tick':
        return this.clock.advance(step.milliseconds);
      case 'batch':
        return this.write(step.writes);
      case 'put':
      case 'delete':
      case 'clear':
        return this.write([step]);
    }
  }

  private write(writes: readonly BackupWrite[]): void {
    // A clear of nothing is no commit.
    const real = writes.filter((write) => write.kind !== 'clear' || write.from < write.to);
    if (real.length === 0) return;
    const asked = real.map((write) => this.asked(write));
    while (this.engine.pendingWork() !== undefined) this.engine.step();
    const { blobs } = this.opened;
    const operations = asked.map(operationOf);
    const written = blobs.write(operations);
    this.engine.commit(written.operations(operations));
    blobs.made(written);
    blobs.settle(written);
    this.engine.sync();
    this.specification.apply({ kind: 'batch', operations: asked }, { kind: 'ok', durability: 'synced' });
  }

  /** A change in the language of the specification. */
  private asked(write: BackupWrite): BatchOperation {
    if (write.kind === 'clear')
      return { kind: 'clear', range: { gte: textOf(keyOf(write.from)), lt: textOf(keyOf(write.to)) } };
    const key = textOf(keyOf(write.key));
    if (write.kind === 'delete') return { kind: 'delete', key };
    const value = textOf(`v${++this.values}`.padEnd(write.size, '.'));
    if (write.deadline === undefined) return { kind: 'put', key, value };
    return { kind: 'put', key, value, deadline: START_MILLISECONDS + write.deadline };
  }
}

function textOf(text: string): BytesText {
  return encodeBytes(fromText(text));
}

/** The same for the engine. */
function operationOf(asked: BatchOperation): WriteOperation {
  if (asked.kind === 'clear') {
    const { gte = '', lt = '' } = asked.range;
    return { type: 'clear', start: decodeBytes(gte), end: decodeBytes(lt) };
  }
  const key = decodeBytes(asked.key);
  if (asked.kind === 'delete') return { type: 'delete', key };
  const { deadline } = asked;
  return { type: 'put', key, value: decodeBytes(asked.value), ...(deadline === undefined ? {} : { deadline }) };
}

/** Opens for reading only and reads everything; nothing on the disk may have changed then. */
function readBack(disk: SimulatedDisk, clock: Clock): { sequence: number; rows: string } {
  const { steps } = disk;
  const names = disk.list('').join(' ');
  const database = ReadOnlyDatabase.openOn(disk, {}, clock);
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

/** What a target has to hold: rows, and the commit that it ends with. */
interface Wanted {
  readonly sequence: number;
  readonly state: State;
}

/** What the specification says of a restore. */
function wantedOf(world: World, index: number, toCommit?: number): Wanted {
  const state = world.specification.restored(index + 1, toCommit);
  const { sequence } = world.made[index];
  if (state === undefined)
    return object('restore-differs', `backup ${index + 1} has no commit ${toCommit ?? sequence}`);
  return { sequence: toCommit ?? sequence, state };
}

function judgeRestored(world: World, target: SimulatedDisk, { sequence, state }: Wanted, what: string): void {
  const found = must('restore-failed', `reading ${what}`, () => readBack(target, world.clock));
  const wanted = world.rowsOf(state);
  if (found.sequence !== sequence)
    object('restore-differs', `${what} ends with commit ${found.sequence}, not ${sequence}`);
  if (found.rows !== wanted) object('restore-differs', `${what} holds [${found.rows}], not [${wanted}]`);
  if (timelineOf(target).every((byte) => byte !== 9)) object('timeline-kept', `${what} goes on with the old timeline`);
}

function judgeRestores(world: World, count: (name: string) => void): void {
  for (const [index, { number }] of world.made.entries()) {
    const target = new SimulatedDisk();
    must('restore-failed', `restore of backup ${number}`, () => restore(world, target, { backup: number }));
    judgeRestored(world, target, wantedOf(world, index), `backup ${number}`);
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
  for (const [index, { number, sequence }] of world.made.entries()) {
    const toCommit = sequence + (salt % (last - sequence + 1));
    // The specification says, too, which points there are not.
    for (const point of new Set([toCommit, last, last + 1, sequence - 1])) {
      const target = new SimulatedDisk();
      const archive = { folder: world.archive, toCommit: point };
      const what = `point ${point} from backup ${number}`;
      if (world.specification.restored(index + 1, point) === undefined) {
        if (!isRefused(() => restore(world, target, { backup: number, archive })) || target.steps > 0)
          object('target-touched', `${what}, which there is not, was not refused at once`);
        count('points that there are not');
        continue;
      }
      must('restore-failed', what, () => restore(world, target, { backup: number, archive }));
      judgeRestored(world, target, wantedOf(world, index, point), what);
      count('points in time');
    }
  }
}

/** A damaged backup is refused before the target is touched, or the damage is in bytes that this backup does not need. */
function judgeDamage(world: World, salt: number, count: (name: string) => void): void {
  const newest = world.made.at(-1);
  if (newest === undefined) return;
  const wanted = wantedOf(world, world.made.length - 1);
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
    if (!refused) judgeRestored(world, target, wanted, `backup ${newest.number} with ${path} damaged at ${at}`);
    if (!refused && path === `backup-${newest.number}.data`)
      object('damage-not-found', `${path} is damaged at ${at}, and the restore went on`);
  }
}

/** The power goes while a backup is made of the store as it is now, and while the newest is restored. */
function judgePowerCuts(world: World, salt: number, count: (name: string) => void): void {
  const known = world.made.map(({ number }) => number);
  const now: Wanted = { sequence: world.engine.written, state: world.specification.state };
  const work: CutWork = {
    backup: (folder) =>
      finish(backupOpenStore(world.engine, world.files, folder, { incremental: salt % 2 === 0, time: known.length }))
        .number,
    restore: (folder, target, number) => void restore(world, target, { backup: number }, folder),
    judge: (target, number, isNew) =>
      judgeRestored(
        world,
        target,
        isNew ? now : wantedOf(world, known.indexOf(number)),
        `backup ${number} after a power cut`,
      ),
    object,
  };
  must('backup-failed', 'after a power cut', () => judgeCuts(world.backups, known, salt, work, count));
}

/** Opening for reading only, of a store that was not closed, and of nothing. */
function judgeReadOnly(world: World, count: (name: string) => void): void {
  const disk = new SimulatedDisk({ image: world.store.currentImage() });
  const before = disk.currentImage().hash();
  const found = must('read-only-failed', 'reading', () => readBack(disk, world.clock));
  if (found.rows !== world.rowsOf(world.specification.state)) object('read-only-differs', `it shows [${found.rows}]`);
  const nothing = new SimulatedDisk();
  const refused = isRefused(() => readBack(nothing, world.clock));
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
