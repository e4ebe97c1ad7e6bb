/**
 * A disk in memory that knows what of it is durable and what is pending: the file-system seam without a system call, with
 * power cuts, planned faults, and every state that a cut could leave behind (spec/disk.md).
 *
 * It is used by one run: `cutAtStep` ends the run with a {@link PowerCut}; `crashImage` says what is then on the disk; a
 * new SimulatedDisk on that image is the machine after it came up again.
 */
import { assert, assertionLevel } from '../base/assert.ts';
import { LightningError } from '../base/errors.ts';
import { type Errno, errnoError } from '../vfs/errno.ts';
import { splitPath } from '../vfs/path.ts';
import type { OpenMode, Vfs, VfsFile, VfsLock } from '../vfs/vfs.ts';
import type { Chooser } from './chooser.ts';
import { crashImage, imageOf } from './crash-states.ts';
import type { DiskImage } from './disk-image.ts';
import { FaultPlan } from './fault-plan.ts';
import { IoSteps, type StepObserver } from './io-steps.ts';
import { type DirectoryModel, type DiskNode, FolderNode, Names } from './names.ts';
import { type DirtyFiles, FileNode, SECTOR_BYTES, type SyncSurvivors } from './persistence.ts';
import type { CutMoment, PowerCut } from './power-cut.ts';
import { countCrashStates } from './state-count.ts';
import { type FileHost, SimulatedFile } from './simulated-file.ts';
import { SyncQueue, type SyncCompletion } from './sync-queue.ts';

/** What a simulated disk is made with; everything has a default. */
export interface SimulatedDiskOptions {
  /** What is on the disk, all durable; empty by default. */
  readonly image?: DiskImage;
  /** How names survive; `strict` by default. */
  readonly directoryModel?: DirectoryModel;
  /** Where writes tear: 512 (default) or 4096. */
  readonly tearBytes?: number;
  readonly faults?: FaultPlan;
  /** When a `syncAsync` ends: by itself on a `microtask` (default), or when `completeSyncs` is called (`manual`). */
  readonly syncCompletion?: SyncCompletion;
  readonly observer?: StepObserver;
}

/** A {@link Vfs} in memory that can lose its power. */
export class SimulatedDisk implements Vfs {
  readonly faults: FaultPlan;
  private readonly names: Names;
  private readonly dirty: DirtyFiles = new Set();
  private readonly io: IoSteps;
  private readonly syncs: SyncQueue;
  private readonly tearBytes: number;
  private readonly locks = new Set<FileNode>();
  private readonly host: FileHost;
  private openFiles = 0;

  constructor(options: SimulatedDiskOptions = {}) {
    this.tearBytes = options.tearBytes ?? SECTOR_BYTES;
    assert(this.tearBytes > 0 && this.tearBytes % SECTOR_BYTES === 0, 'writes tear between sectors', this.tearBytes);
    this.faults = options.faults ?? new FaultPlan();
    this.names = new Names(options.directoryModel ?? 'strict');
    this.io = new IoSteps(this.faults, options.observer);
    this.syncs = new SyncQueue(options.syncCompletion ?? 'microtask', this.io);
    this.host = {
      io: this.io,
      syncs: this.syncs,
      commitData: (file, through) => this.commitData(file, through),
      dropPages: (file, through, survivors) => this.dropPages(file, through, survivors),
      changed: () => this.checkAfterStep(),
      closed: () => void this.openFiles--,
    };
    if (options.image !== undefined) this.install(options.image);
  }

  /** I/O steps so far: changes and syncs, each counted once. */
  get steps(): number {
    return this.io.steps;
  }

  /** The cut that ended this run. */
  get cut(): PowerCut | undefined {
    return this.io.cut;
  }

  /** Files that are open, for finding leaks. */
  get openFileCount(): number {
    return this.openFiles;
  }

  /** Cuts the power at a step to come, before it takes effect or in the middle of it. */
  cutAtStep(step: number, moment: CutMoment = 'before'): void {
    this.io.cutAtStep(step, moment);
  }

  /** Ends the asynchronous syncs that are under way now, in order; returns how many. */
  completeSyncs(): number {
    return this.syncs.complete();
  }

  /** Asynchronous syncs that have begun and not ended. */
  get pendingSyncCount(): number {
    return this.syncs.length;
  }

  /** Whether the crash state is one and only: nothing is pending. */
  get isDurable(): boolean {
    return this.dirty.size === 0 && this.names.pending.length === 0;
  }

  /** What a power cut now would leave, by a chooser's answers. Also without a cut, and without disturbing the run. */
  crashImage(chooser: Chooser): DiskImage {
    return crashImage(this.names, this.tearBytes, chooser);
  }

  /** How many lists of answers `crashImage` can be given now, by a formula; exact below 2^53. */
  crashStateCount(): number {
    return countCrashStates(this.names, this.tearBytes);
  }

  /** What the running process sees: what is there when it alone is killed, and the machine goes on. */
  currentImage(): DiskImage {
    return imageOf(
      this.names.root,
      (folder) => folder.cached,
      (file) => file.cached.share(),
    );
  }

  open(path: string, mode: OpenMode): VfsFile {
    const name = splitPath(path);
    if (mode === 'create') {
      this.io.beginWhole('create', path);
      const { folder, last, node } = this.entry(name, 'open', path);
      if (node !== undefined) throw errnoError('EEXIST', 'open', path);
      const file = this.newFile(new Uint8Array(0));
      this.names.create(folder, last, file);
      this.checkAfterStep();
      this.io.middle();
      return this.opened(file, path, true);
    }
    this.io.call('open', path);
    const node = this.require(name, 'open', path);
    if (node.type === 'directory') throw errnoError('EISDIR', 'open', path);
    assert(!this.locks.has(node), 'nothing opens a lock that is held', path);
    return this.opened(node, path, mode === 'write');
  }

  rename(from: string, to: string): void {
    const fromNames = splitPath(from);
    const toNames = splitPath(to);
    this.io.beginWhole('rename', from);
    const source = this.entry(fromNames, 'rename', from);
    if (source.node === undefined) throw errnoError('ENOENT', 'rename', from);
    const target = this.entry(toNames, 'rename', to);
    if (source.node.type === 'directory' && isInside(toNames, fromNames)) throw errnoError('EINVAL', 'rename', to);
    if (source.node !== target.node) {
      if (target.node !== undefined) this.refuseMisfit(source.node, target.node, to);
      if (this.names.model === 'ext4' && source.node.type === 'file' && target.node !== undefined) {
        source.node.commit(source.node.newestOrder);
      }
      this.names.rename(source.folder, source.last, target.folder, target.last, source.node);
      this.checkAfterStep();
    }
    this.io.middle();
  }

  unlink(path: string): void {
    const names = splitPath(path);
    this.io.beginWhole('unlink', path);
    const { folder, last, node } = this.entry(names, 'unlink', path);
    if (node === undefined) throw errnoError('ENOENT', 'unlink', path);
    if (node.type === 'directory') throw errnoError('EISDIR', 'unlink', path);
    this.names.unlink(folder, last);
    this.checkAfterStep();
    this.io.middle();
  }

  list(path: string): string[] {
    const names = splitPath(path);
    this.io.call('list', path);
    return [...this.folderAt(names, 'list', path).cached.keys()].sort();
  }

  kind(path: string): 'file' | 'directory' | 'other' | undefined {
    const names = splitPath(path);
    this.io.requirePower();
    const found = this.walk(names);
    return typeof found === 'string' ? undefined : found.type;
  }

  makeDirectory(path: string): void {
    const names = splitPath(path);
    this.io.beginWhole('makeDirectory', path);
    if (names.length === 0) throw errnoError('EEXIST', 'mkdir', path);
    const { folder, last, node } = this.entry(names, 'mkdir', path);
    if (node !== undefined) throw errnoError('EEXIST', 'mkdir', path);
    this.names.create(folder, last, new FolderNode());
    this.checkAfterStep();
    this.io.middle();
  }

  syncDirectory(path: string): void {
    const names = splitPath(path);
    this.io.beginWhole('syncDirectory', path);
    const folder = this.folderAt(names, 'syncDirectory', path);
    this.io.middle();
    this.names.syncFolder(folder);
    this.checkAfterStep();
  }

  lock(path: string): VfsLock {
    const names = splitPath(path);
    this.io.requirePower();
    let node = this.walk(names);
    if (node === 'ENOENT') {
      this.open(path, 'create').close();
      node = this.require(names, 'open', path);
    } else {
      this.io.call('open', path);
      if (typeof node === 'string') throw errnoError(node, 'open', path);
    }
    if (node.type === 'directory') throw errnoError('EISDIR', 'open', path);
    if (this.locks.has(node)) throw new LightningError('LIGHTNING_LOCKED', `${path} is locked`, { path });
    const locked = node;
    this.locks.add(locked);
    return {
      release: () => {
        this.io.requirePower();
        assert(this.locks.delete(locked), 'a lock is released once', path);
      },
    };
  }

  /** Checks everything; after each step at assertion level 2. */
  checkInvariants(): void {
    this.names.checkInvariants();
    for (const file of this.dirty) file.checkInvariants();
  }

  private checkAfterStep(): void {
    if (assertionLevel === 2) this.checkInvariants();
  }

  /** A sync makes its own file durable, no other. */
  private commitData(file: FileNode, through: number): void {
    file.commit(through);
    this.names.syncFile(file);
    this.checkAfterStep();
  }

  private dropPages(file: FileNode, through: number, survivors: SyncSurvivors): void {
    file.dropPages(through, survivors);
    this.checkAfterStep();
  }

  private opened(file: FileNode, path: string, isWritable: boolean): VfsFile {
    this.openFiles++;
    return new SimulatedFile(this.host, file, path, isWritable);
  }

  private newFile(content: Uint8Array): FileNode {
    return new FileNode(content, this.dirty, this.faults.wantsHistory);
  }

  private install(image: DiskImage): void {
    const folderOf = (names: readonly string[]): FolderNode => {
      let folder = this.names.root;
      for (const name of names) {
        let next = folder.cached.get(name);
        if (next === undefined) {
          next = new FolderNode();
          this.names.install(folder, name, next);
        }
        assert(next.type === 'directory', 'a folder of an image is no file', name);
        folder = next;
      }
      return folder;
    };
    for (const path of image.folders()) folderOf(splitPath(path));
    for (const path of image.paths()) {
      const names = splitPath(path);
      const bytes = image.get(path);
      assert(bytes !== undefined, 'a listed file is there', path);
      this.names.install(folderOf(names.slice(0, -1)), names[names.length - 1], this.newFile(bytes));
    }
  }

  /** What stands at a path, or the errno that says why nothing does. */
  private walk(names: readonly string[]): DiskNode | 'ENOENT' | 'ENOTDIR' {
    let node: DiskNode = this.names.root;
    for (const name of names) {
      if (node.type !== 'directory') return 'ENOTDIR';
      const next = node.cached.get(name);
      if (next === undefined) return 'ENOENT';
      node = next;
    }
    return node;
  }

  private require(names: readonly string[], call: string, path: string): DiskNode {
    const node = this.walk(names);
    if (typeof node === 'string') throw errnoError(node, call, path);
    return node;
  }

  private folderAt(names: readonly string[], call: string, path: string): FolderNode {
    const node = this.require(names, call, path);
    if (node.type !== 'directory') throw errnoError('ENOTDIR', call, path);
    return node;
  }

  /** The folder that a path ends in, its last name there, and what has that name now. */
  private entry(
    names: readonly string[],
    call: string,
    path: string,
  ): { folder: FolderNode; last: string; node: DiskNode | undefined } {
    // The root has no name: it can be neither made nor moved nor removed.
    if (names.length === 0) throw errnoError(ROOT_ERRORS[call] ?? 'EINVAL', call, path);
    const folder = this.folderAt(names.slice(0, -1), call, path);
    const last = names[names.length - 1];
    return { folder, last, node: folder.cached.get(last) };
  }

  private refuseMisfit(source: DiskNode, target: DiskNode, to: string): void {
    if (target.type === 'directory' && source.type === 'file') throw errnoError('EISDIR', 'rename', to);
    if (target.type === 'file' && source.type === 'directory') throw errnoError('ENOTDIR', 'rename', to);
    if (target.type === 'directory' && target.cached.size > 0) throw errnoError('ENOTEMPTY', 'rename', to);
  }
}

const ROOT_ERRORS: Readonly<Record<string, Errno>> = { open: 'EEXIST', unlink: 'EISDIR' };

/** Whether a path lies strictly below another. */
function isInside(names: readonly string[], above: readonly string[]): boolean {
  return names.length > above.length && above.every((name, index) => names[index] === name);
}
