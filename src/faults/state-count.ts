/**
 * How many crash states a disk has, by a formula: what an enumeration is checked against. It walks no state and asks no
 * chooser.
 *
 * A write whose visible part touches k sectors leaves 2^k states (none, all, or torn in one of 2^k − 2 ways). A file has
 * the sum over its sizes of the product over its writes; a disk has the sum over what survives of its names of the
 * product over the files that are then visible.
 */
import { assert } from '../base/assert.ts';
import type { DiskNode, FolderNode, NameOperation, Names } from './names.ts';
import { type FileNode, forEachSector, type PendingChange } from './persistence.ts';

const STRICT_OPERATIONS_MAX = 16;

/** The number of lists of answers that an enumeration of this disk walks; exact below 2^53. */
export function countCrashStates(names: Names, tearBytes: number): number {
  const contents = new Map<FileNode, number>();
  let total = 0;
  for (const survivors of survivingLists(names)) {
    let product = 1;
    for (const file of visibleFiles(names, survivors)) {
      let count = contents.get(file);
      if (count === undefined) {
        count = contentCount(file, tearBytes);
        contents.set(file, count);
      }
      product *= count;
    }
    total += product;
  }
  return total;
}

function* survivingLists(names: Names): Generator<readonly NameOperation[]> {
  const { pending } = names;
  if (names.model !== 'strict') {
    for (let length = 0; length <= pending.length; length++) yield pending.slice(0, length);
    return;
  }
  assert(
    pending.length <= STRICT_OPERATIONS_MAX,
    'few enough names are pending to count their subsets',
    pending.length,
  );
  for (let mask = 0; mask < 2 ** pending.length; mask++) yield pending.filter((_, bit) => ((mask >> bit) & 1) === 1);
}

function visibleFiles(names: Names, survivors: readonly NameOperation[]): Set<FileNode> {
  const entriesOf = names.entriesWith(survivors);
  const files = new Set<FileNode>();
  const seen = new Set<FolderNode>();
  const visit = (node: DiskNode): void => {
    if (node.type === 'file') {
      files.add(node);
    } else if (!seen.has(node)) {
      seen.add(node);
      for (const child of entriesOf(node).values()) visit(child);
    }
  };
  visit(names.root);
  return files;
}

function contentCount(file: FileNode, tearBytes: number): number {
  const { pending } = file;
  if (pending.length === 0) return 1;
  let count = writesCount(pending, file.durable.size, 0, tearBytes);
  for (const change of pending) {
    if (change.sizeAfter === change.sizeBefore) continue;
    for (const size of sizesOnTheWay(change, tearBytes)) count += writesCount(pending, size, change.order, tearBytes);
  }
  return count;
}

/** A growth by a write may have stopped at any multiple of the tear on its way. */
function* sizesOnTheWay(change: PendingChange, tearBytes: number): Generator<number> {
  if (change.kind === 'write') {
    for (let size = change.sizeBefore + 1; size < change.sizeAfter; size++) if (size % tearBytes === 0) yield size;
  }
  yield change.sizeAfter;
}

function writesCount(pending: readonly PendingChange[], size: number, through: number, tearBytes: number): number {
  let count = 1;
  pending.forEach((change, index) => {
    if (change.data === undefined) return;
    const later = pending.slice(index + 1).filter((cut) => cut.kind === 'truncate' && cut.order <= through);
    const limit = Math.min(size, ...later.map((cut) => cut.sizeAfter));
    const length = Math.min(change.data.length, limit - change.position);
    forEachSector(change.position, Math.max(0, length), tearBytes, () => {
      count *= 2;
    });
  });
  return count;
}
