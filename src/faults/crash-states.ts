/**
 * One state that a power cut can leave behind: which pending names, sizes, writes and sectors survive is asked of a
 * chooser, question by question, and only where the answer can matter. The rules are in spec/disk.md.
 */
import { assert } from '../base/assert.ts';
import { type Chooser } from './chooser.ts';
import { DiskImage } from './disk-image.ts';
import { type Entries, type FolderNode, type NameOperation, type Names } from './names.ts';
import { type FileNode, forEachSector, type PendingChange } from './persistence.ts';

/** The disk after a power cut now. The running disk is not disturbed. */
export function crashImage(names: Names, tearBytes: number, chooser: Chooser): DiskImage {
  chooser.begin();
  const entriesOf = names.entriesWith(survivingNames(names, chooser));
  return imageOf(names.root, entriesOf, (file) => survivingContent(file, tearBytes, chooser));
}

/** The image of a tree of names; a file with two names is asked for its content once. */
export function imageOf(
  root: FolderNode,
  entriesOf: (folder: FolderNode) => Entries,
  contentOf: (file: FileNode) => Uint8Array,
): DiskImage {
  const image = new DiskImage();
  const contents = new Map<FileNode, Uint8Array>();
  const above = new Set<FolderNode>();
  const visit = (folder: FolderNode, prefix: string): void => {
    // A folder moved twice may lie in itself when only some of it survives; it is shown once.
    if (above.has(folder)) return;
    above.add(folder);
    for (const [name, node] of entriesOf(folder)) {
      if (node.type === 'directory') {
        image.addFolder(prefix + name);
        visit(node, `${prefix}${name}/`);
      } else {
        let content = contents.get(node);
        if (content === undefined) {
          content = contentOf(node);
          contents.set(node, content);
        }
        image.set(prefix + name, content);
      }
    }
    above.delete(folder);
  };
  visit(root, '');
  return image;
}

function survivingNames(names: Names, chooser: Chooser): readonly NameOperation[] {
  const pending = names.pending;
  const total = pending.length;
  if (total === 0) return pending;
  if (names.model === 'strict') return pending.filter((_, index) => chooser.choose('name', 2, index, total) === 1);
  return pending.slice(0, chooser.choose('names', total + 1, 0, 1));
}

/** A size that the file may have on disk, and the order up to which changes of size are then on disk too. */
interface SizeState {
  readonly sizeBytes: number;
  readonly through: number;
}

function survivingContent(file: FileNode, tearBytes: number, chooser: Chooser): Uint8Array {
  const pending = file.pending;
  if (pending.length === 0) return file.durable.share();
  const sizes = sizeStates(file, tearBytes);
  const size = sizes.length === 1 ? sizes[0] : sizes[chooser.choose('size', sizes.length, 0, 1)];
  const limits = visibleLimits(pending, size);
  const content = new Uint8Array(size.sizeBytes);
  file.durable.read(content, 0, content.length, 0);
  for (const [index, change] of pending.entries()) {
    if (change.kind === 'truncate') {
      if (change.order <= size.through && change.sizeAfter < content.length) content.fill(0, change.sizeAfter);
    } else if (change.data !== undefined) {
      applyWrite(content, change.data, change.position, limits[index], tearBytes, chooser, index, pending.length);
    }
  }
  return content;
}

/** The sizes a file has had since its durable one, oldest first; a growth may have stopped at any tear on its way. */
function sizeStates(file: FileNode, tearBytes: number): SizeState[] {
  const states: SizeState[] = [{ sizeBytes: file.durable.size, through: 0 }];
  for (const change of file.pending) {
    if (change.sizeAfter === change.sizeBefore) continue;
    if (change.kind === 'write') {
      const first = (Math.floor(change.sizeBefore / tearBytes) + 1) * tearBytes;
      for (let sizeBytes = first; sizeBytes < change.sizeAfter; sizeBytes += tearBytes) {
        states.push({ sizeBytes, through: change.order });
      }
    }
    states.push({ sizeBytes: change.sizeAfter, through: change.order });
  }
  return states;
}

/** Below which position the bytes of each change can be seen: under the size, and under every later cut that survived. */
function visibleLimits(pending: readonly PendingChange[], size: SizeState): number[] {
  const limits = new Array<number>(pending.length);
  let limit = size.sizeBytes;
  for (let index = pending.length - 1; index >= 0; index--) {
    limits[index] = limit;
    const change = pending[index];
    if (change.kind === 'truncate' && change.order <= size.through) limit = Math.min(limit, change.sizeAfter);
  }
  return limits;
}

/** Applies what survives of one write: nothing, all of it, or some of its sectors but not all. */
function applyWrite(
  content: Uint8Array,
  data: Uint8Array,
  position: number,
  limit: number,
  tearBytes: number,
  chooser: Chooser,
  index: number,
  total: number,
): void {
  const length = Math.min(data.length, limit - position);
  if (length <= 0) return;
  assert(position + length <= content.length, 'what survives of a write lies inside the file', position, length);
  const sectorCount = Math.floor((position + length - 1) / tearBytes) - Math.floor(position / tearBytes) + 1;
  const outcomeCount = sectorCount > 1 ? 3 : 2;
  const outcome = chooser.choose('write', outcomeCount, index, total);
  if (outcome === 0) return;
  if (outcome === 1) {
    content.set(data.subarray(0, length), position);
    return;
  }
  let sector = 0;
  let keptCount = 0;
  forEachSector(position, length, tearBytes, (start, end) => {
    // The last sector has no choice when the others agree: all or nothing would not be torn.
    const isForced = sector === sectorCount - 1 && (keptCount === 0 || keptCount === sector);
    const kept = isForced ? keptCount === 0 : chooser.choose('sector', 2, sector, sectorCount) === 1;
    if (kept) {
      content.set(data.subarray(start - position, end - position), start);
      keptCount++;
    }
    sector++;
  });
}
