/** Makes and opens tree files: `tree.db` and sorted runs. Their header is written once, in block 0. */
import { assert } from '../base/assert.ts';
import { allZero, readUint32, writeUint32 } from '../base/bytes.ts';
import { crc32 } from '../base/checksum.ts';
import { errnoOf, LightningError } from '../base/errors.ts';
import type { OpenMode, Vfs, VfsFile } from '../vfs/vfs.ts';
import { corruption, openNamed } from './damage.ts';
import { seal, SEAL_BYTES, sealProblem, type SealProblem } from './sealed-file.ts';
import { NODE_TARGET_BYTES_MAX, TREE_HEADER_BYTES, TREE_KIND, type TreeFile, type TreeHeader } from './tree-format.ts';

/** A header, or why it is none. */
export type TreeHeaderReading =
  { readonly ok: true; readonly value: TreeHeader } | ({ readonly ok: false } & SealProblem);

/** Whether nodes may be packed to this size: whole blocks, one at least. */
function isSoundTarget(nodeTargetBytes: number, blockSizeBytes: number): boolean {
  return nodeTargetBytes > 0 && nodeTargetBytes <= NODE_TARGET_BYTES_MAX && nodeTargetBytes % blockSizeBytes === 0;
}

/** An open file as the readers of its nodes take it. */
export function treeFileOf(file: VfsFile, fileName: string, header: Omit<TreeHeader, 'nodeTargetBytes'>): TreeFile {
  const { databaseId, fileNumber, blockSizeBytes } = header;
  return { file, fileName, fileNumber, databaseSeed: crc32(databaseId), blockSizeBytes };
}

/**
 * Makes a file that holds its header alone; durable, but for its name, once it is synced.
 * @throws an operating system error, EEXIST among them; nothing is left open then
 */
export function createTreeFile(vfs: Vfs, fileName: string, header: TreeHeader): TreeFile {
  assert(
    isSoundTarget(header.nodeTargetBytes, header.blockSizeBytes),
    'a tree has sound sizes',
    header.nodeTargetBytes,
  );
  const bytes = new Uint8Array(header.blockSizeBytes);
  writeUint32(bytes, header.blockSizeBytes, SEAL_BYTES);
  writeUint32(bytes, header.nodeTargetBytes, SEAL_BYTES + 4);
  seal(bytes.subarray(0, TREE_HEADER_BYTES), TREE_KIND, header.databaseId, header.fileNumber);
  return closedOnError(vfs.open(fileName, 'create'), (file) => {
    file.write(bytes, 0, bytes.length, 0);
    return treeFileOf(file, fileName, header);
  });
}

/** Reads block 0 of a file that has to be the one described. */
export function readTreeHeader(
  { file, fileNumber, blockSizeBytes }: TreeFile,
  databaseId: Uint8Array,
): TreeHeaderReading {
  const bytes = new Uint8Array(blockSizeBytes);
  const count = file.read(bytes, 0, bytes.length, 0);
  const sealed = bytes.subarray(0, Math.min(count, TREE_HEADER_BYTES));
  const problem = sealProblem(sealed, TREE_KIND, databaseId, fileNumber);
  if (problem !== undefined) return { ok: false, ...problem };
  const damaged = (what: string): TreeHeaderReading => ({ ok: false, reason: 'damaged', problem: what });
  const header = { databaseId, fileNumber, blockSizeBytes, nodeTargetBytes: readUint32(bytes, SEAL_BYTES + 4) };
  if (count < bytes.length) return damaged('the file is shorter than its header');
  if (readUint32(bytes, SEAL_BYTES) !== blockSizeBytes) return damaged('another block size than expected');
  if (!isSoundTarget(header.nodeTargetBytes, blockSizeBytes)) return damaged('impossible node size');
  return allZero(bytes, SEAL_BYTES + 8) ? { ok: true, value: header } : damaged('bytes after the header are not zero');
}

/**
 * Opens a file that the manifest names, checks its header and hands it on; it is closed again if `use` throws.
 * @throws LightningError `LIGHTNING_CORRUPTION` for a missing, foreign or damaged file, `LIGHTNING_UNSUPPORTED_FORMAT`
 *   for one of a later version; operating system errors other than ENOENT as they come
 */
export function openTreeFile<T>(
  vfs: Vfs,
  fileName: string,
  mode: Exclude<OpenMode, 'create'>,
  expected: Omit<TreeHeader, 'nodeTargetBytes'>,
  use: (tree: TreeFile, header: TreeHeader) => T,
): T {
  return closedOnError(openNamed(vfs, fileName, mode), (file) => {
    const tree = treeFileOf(file, fileName, expected);
    const header = readTreeHeader(tree, expected.databaseId);
    if (header.ok) return use(tree, header.value);
    if (header.reason !== 'format') throw corruption(fileName, 0, header.problem);
    const details = { file: fileName, found: header.problem };
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', `${fileName}: ${header.problem}`, details);
  });
}

/** The error on its way says what went wrong; a second one while tidying up would only hide it. */
function closedOnError<T>(file: VfsFile, use: (file: VfsFile) => T): T {
  try {
    return use(file);
  } catch (error) {
    try {
      file.close();
    } catch (second) {
      if (errnoOf(second) === undefined) throw second;
    }
    throw error;
  }
}
