/**
 * What of the names is durable and what is pending: creations, renames and unlinks, which are changes of folders and
 * survive by the rules of a directory model (spec/disk.md).
 *
 * Invariants:
 *   1. Applying every pending operation to the durable entries gives the cached entries of every folder.
 *   2. Under `strict` each pending operation touches one folder.
 */
import { assert } from '../base/assert.ts';
import type { FileNode } from './persistence.ts';

/**
 * How names survive that no directory sync has covered.
 *   strict     any subset, each operation lost or kept by itself
 *   journaled  a prefix of the order in which they were made
 *   ext4       a prefix; a sync of a file also commits every operation up to its creation, and a rename over an existing
 *              file makes the new file's data durable first (auto_da_alloc)
 */
export type DirectoryModel = 'strict' | 'journaled' | 'ext4';

export const DIRECTORY_MODELS: readonly DirectoryModel[] = ['strict', 'journaled', 'ext4'];

/** What a name can stand for. */
export type DiskNode = FileNode | FolderNode;
/** Names of a folder and what they stand for. */
export type Entries = ReadonlyMap<string, DiskNode>;

/** A folder: the names that the running process sees, and the names that a power cut cannot take back. */
export class FolderNode {
  readonly type = 'directory';
  readonly cached = new Map<string, DiskNode>();
  readonly durable = new Map<string, DiskNode>();
}

/** One entry that an operation sets, or removes (`node` undefined). */
export interface EntryChange {
  readonly folder: FolderNode;
  readonly name: string;
  readonly node: DiskNode | undefined;
}

/** Entry changes that survive together or not at all. */
export interface NameOperation {
  readonly kind: 'create' | 'rename' | 'unlink';
  readonly changes: readonly EntryChange[];
}

/** The names of one disk. */
export class Names {
  readonly root = new FolderNode();
  readonly model: DirectoryModel;
  private operations: NameOperation[] = [];

  constructor(model: DirectoryModel) {
    this.model = model;
  }

  /** Pending operations, oldest first. */
  get pending(): readonly NameOperation[] {
    return this.operations;
  }

  /** Sets an entry that was durable before this disk came to be. */
  install(folder: FolderNode, name: string, node: DiskNode): void {
    assert(this.operations.length === 0, 'entries are installed before there are operations');
    folder.cached.set(name, node);
    folder.durable.set(name, node);
  }

  create(folder: FolderNode, name: string, node: DiskNode): void {
    const created = this.perform('create', [{ folder, name, node }]);
    this.defer(created);
  }

  /** Additions stand before removals, so that halves of a rename between folders can be told apart. */
  rename(from: FolderNode, fromName: string, to: FolderNode, toName: string, node: DiskNode): void {
    const added = { folder: to, name: toName, node };
    const removed = { folder: from, name: fromName, node: undefined };
    const renamed = this.perform('rename', [added, removed]);
    this.defer(renamed);
  }

  unlink(folder: FolderNode, name: string): void {
    const unlinked = this.perform('unlink', [{ folder, name, node: undefined }]);
    this.defer(unlinked);
  }

  /** The running process sees an operation at once. Under `strict` one that touches two folders falls into halves. */
  private perform(kind: NameOperation['kind'], changes: readonly EntryChange[]): NameOperation[] {
    for (const change of changes) applyChange(change.folder.cached, change);
    const falls = this.model === 'strict' && changes.some((change) => change.folder !== changes[0].folder);
    return falls ? changes.map((change) => ({ kind, changes: [change] })) : [{ kind, changes }];
  }

  private defer(performed: readonly NameOperation[]): void {
    this.operations.push(...performed);
  }

  private makeDurable(performed: readonly NameOperation[]): void {
    for (const operation of performed) {
      for (const change of operation.changes) applyChange(change.folder.durable, change);
    }
  }

  /** A sync of a folder has succeeded: under `strict` its own operations are durable, under a journal all up to its last. */
  syncFolder(folder: FolderNode): void {
    if (this.model === 'strict') {
      const covered = this.operations.filter((operation) => touches(operation, folder));
      this.operations = this.operations.filter((operation) => !touches(operation, folder));
      this.makeDurable(covered);
    } else {
      this.commitJournal(this.operations.findLastIndex((operation) => touches(operation, folder)) + 1);
    }
  }

  /** A sync of a file has succeeded; under `ext4` the journal is committed up to the file's creation. */
  syncFile(file: FileNode): void {
    if (this.model !== 'ext4') return;
    const isCreation = (operation: NameOperation): boolean =>
      operation.kind === 'create' && operation.changes[0].node === file;
    this.commitJournal(this.operations.findIndex(isCreation) + 1);
  }

  private commitJournal(count: number): void {
    this.makeDurable(this.operations.splice(0, count));
  }

  /** The entries of each folder when exactly `survivors` of the pending operations survive. */
  entriesWith(survivors: readonly NameOperation[]): (folder: FolderNode) => Entries {
    const changed = new Map<FolderNode, Map<string, DiskNode>>();
    for (const operation of survivors) {
      for (const change of operation.changes) {
        let entries = changed.get(change.folder);
        if (entries === undefined) {
          entries = new Map(change.folder.durable);
          changed.set(change.folder, entries);
        }
        applyChange(entries, change);
      }
    }
    return (folder) => changed.get(folder) ?? folder.durable;
  }

  checkInvariants(): void {
    const entriesOf = this.entriesWith(this.operations);
    const visit = (folder: FolderNode): void => {
      const expected = entriesOf(folder);
      assert(expected.size === folder.cached.size, 'durable and pending names make the cached ones');
      for (const [name, node] of folder.cached) {
        assert(expected.get(name) === node, 'durable and pending names make the cached ones', name);
        if (node.type === 'directory') visit(node);
      }
    };
    visit(this.root);
    if (this.model !== 'strict') return;
    for (const operation of this.operations) {
      const folder = operation.changes[0].folder;
      assert(
        operation.changes.every((change) => change.folder === folder),
        'under strict an operation touches one folder',
      );
    }
  }
}

function touches(operation: NameOperation, folder: FolderNode): boolean {
  return operation.changes.some((change) => change.folder === folder);
}

function applyChange(entries: Map<string, DiskNode>, change: EntryChange): void {
  if (change.node === undefined) entries.delete(change.name);
  else entries.set(change.name, change.node);
}
