/**
 * Dumps tree files. With the manifest that names the root, from there down, so that stale and lost nodes show; without it
 * block by block, whatever looks like a node.
 */
import { allZero, readUint16, readUint32, readUint48, toHex } from '../../base/bytes.ts';
import { Version } from '../../engine/cursor.ts';
import { BLOCK_SIZE_BYTES_MAX } from '../../engine/limits.ts';
import type { ManifestState } from '../../engine/manifest-format.ts';
import {
  NODE_FOOTER,
  NODE_HEADER_BYTES,
  NODE_MAGIC,
  type NodeReference,
  TREE_FILE_NUMBER,
  TREE_HEADER_BYTES,
  TREE_KIND,
  type TreeFile,
  type TreeRoot,
} from '../../engine/tree-format.ts';
import { SEAL_BYTES, sealedDatabaseId } from '../../engine/sealed-file.ts';
import { readTreeHeader, treeFileOf } from '../../engine/tree-file.ts';
import { readFreeMap } from '../../engine/tree.ts';
import { blocksFor, decodeNode, readExtent, referenceProblem, type TreeNode } from '../../engine/tree-node-reader.ts';
import { type BlockNumber, type Decoded, type Generation } from '../../engine/types.ts';
import { isLightningError } from '../../base/errors.ts';
import { damageItem, type Dump, type DumpItem, type DumpSource, versionFields } from './item.ts';

/** What of a tree file is known from the manifest. */
export interface KnownNodes {
  readonly root: TreeRoot | undefined;
  readonly blockCount: number;
}

/** Header, nodes with what they hold, free space. */
export function* dumpTree(source: DumpSource): Dump {
  const { manifest } = source;
  const isKnown = manifest !== undefined && manifest.tree.footer !== undefined;
  yield* dumpTreeFile(source, TREE_FILE_NUMBER, isKnown ? manifest.tree : undefined);
  if (isKnown) yield* freeItems(source, manifest);
}

/** Header and nodes of any tree file: from the root down, or block by block where no root is known. */
export function* dumpTreeFile(
  { vfs, path, name, manifest }: DumpSource,
  fileNumber: number,
  known: KnownNodes | undefined,
): Dump {
  const file = vfs.open(path, 'read');
  try {
    const bytes = new Uint8Array(TREE_HEADER_BYTES);
    file.read(bytes, 0, bytes.length, 0);
    const databaseId = manifest?.databaseId ?? sealedDatabaseId(bytes);
    // What the file says of itself is bounded here and checked below.
    const blockSizeBytes = Math.min(readUint32(bytes, SEAL_BYTES), BLOCK_SIZE_BYTES_MAX);
    const tree = treeFileOf(file, name, { databaseId, fileNumber, blockSizeBytes });
    const header = readTreeHeader(tree, databaseId);
    if (!header.ok) {
      yield damageItem(name, 0, header.problem);
      return;
    }
    const format = TREE_KIND.formatVersion;
    const { nodeTargetBytes } = header.value;
    const fields = { databaseId: toHex(databaseId), fileNumber, format, blockSizeBytes, nodeTargetBytes };
    yield { file: name, offset: 0, what: fileNumber === TREE_FILE_NUMBER ? 'tree' : 'run', fields };
    if (known === undefined) yield* byBlocks(tree);
    else yield* byReferences(tree, known);
  } finally {
    file.close();
  }
}

function* nodeItems(tree: TreeFile, reference: NodeReference, node: TreeNode): Dump {
  const { block, blocks, generation } = reference;
  const offset = block * tree.blockSizeBytes;
  const { entries, level, isLeaf } = node;
  const what = isLeaf ? 'leaf' : 'branch';
  const count = isLeaf ? { versions: node.count } : { children: node.count };
  yield { file: tree.fileName, offset, what, fields: { block, blocks, generation, level, ...count } };
  const version = new Version();
  for (let i = 0; isLeaf && i < node.count; i++) {
    entries.load(i, version);
    const { sequence, kind, deadline } = version;
    const fields = { sequence, ...versionFields(kind, version.key(), version.value(), deadline) };
    yield { file: tree.fileName, offset: undefined, what: 'version', fields };
  }
  for (let i = 0; !isLeaf && i < node.count; i++) {
    const child = node.reference(i);
    const { key } = node.separator(i);
    const from = i === 0 ? {} : { from: key };
    const fields = { block: child.block, blocks: child.blocks, generation: child.generation, ...from };
    yield { file: tree.fileName, offset: undefined, what: 'child', fields };
  }
}

/** From the root down; a damaged node is told, its neighbours are still shown. */
function* byReferences(tree: TreeFile, { root, blockCount }: KnownNodes): Dump {
  // A block met twice is damage; without this a forged branch could be walked for ever.
  const seen = new Set<number>();
  const waiting: { readonly reference: NodeReference; readonly level: number }[] =
    root === undefined ? [] : [{ reference: root.reference, level: root.height - 1 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { reference, level } = next;
    const node = readNode(tree, reference, level, blockCount, seen);
    if (!node.ok) {
      yield damageItem(tree.fileName, reference.block * tree.blockSizeBytes, node.problem);
      continue;
    }
    yield* nodeItems(tree, reference, node.value);
    const branch = node.value;
    for (let i = branch.count - 1; !branch.isLeaf && i >= 0; i--) {
      waiting.push({ reference: branch.reference(i), level: level - 1 });
    }
  }
}

function readNode(
  tree: TreeFile,
  reference: NodeReference,
  level: number,
  blockCount: number,
  seen: Set<number>,
): Decoded<TreeNode> {
  const problem =
    level < 0
      ? 'a node below the leaves'
      : seen.has(reference.block)
        ? 'referenced twice'
        : reference.block + reference.blocks > blockCount
          ? 'a reference behind the end of the file'
          : referenceProblem(reference, tree.blockSizeBytes);
  if (problem !== undefined) return { ok: false, problem };
  seen.add(reference.block);
  const bytes = readExtent(tree, reference);
  if (bytes === undefined) return { ok: false, problem: 'the file ends inside the node' };
  return decodeNode(bytes, reference, level, tree);
}

/** The free map, and the extents that it calls free. */
function* freeItems({ vfs, path, name }: DumpSource, { databaseId, tree, blockSizeBytes }: ManifestState): Dump {
  const { footer, blockCount } = tree;
  if (footer === undefined) return;
  const offset = footer.block * blockSizeBytes;
  const file = vfs.open(path, 'read');
  try {
    const treeFile = treeFileOf(file, name, { databaseId, fileNumber: TREE_FILE_NUMBER, blockSizeBytes });
    const map = readFreeMap(treeFile, footer, blockCount);
    const { usedCount, freeCount } = map;
    const { block, blocks, generation } = footer;
    const fields = { block, blocks, generation, blockCount, usedCount, freeCount };
    yield { file: name, offset, what: 'free map', fields };
    for (const free of map.freeExtents()) {
      yield { file: name, offset: free.block * blockSizeBytes, what: 'free', fields: { ...free } };
    }
  } catch (error) {
    if (!isLightningError(error, 'LIGHTNING_CORRUPTION')) throw error;
    yield damageItem(name, offset, error.message);
  } finally {
    file.close();
  }
}

/** Every block in turn. What was freed long ago looks like a node, too. */
function* byBlocks(tree: TreeFile): Dump {
  const { blockSizeBytes, file } = tree;
  const blockCount = Math.ceil(file.size() / blockSizeBytes);
  let unclear: { readonly first: number; readonly what: string } | undefined;
  for (let block = 1; block < blockCount;) {
    const found = nodeAt(tree, block, blockCount);
    const what = typeof found === 'string' ? found : undefined;
    if (unclear !== undefined && unclear.what !== what) {
      yield extentItem(tree, unclear.what, unclear.first, block);
      unclear = undefined;
    }
    if (typeof found === 'string') {
      unclear ??= { first: block, what: found };
      block++;
    } else {
      if (found.node.ok) yield* nodeItems(tree, found.reference, found.node.value);
      else yield damageItem(tree.fileName, block * blockSizeBytes, found.node.problem);
      block += found.node.ok ? found.reference.blocks : 1;
    }
  }
  if (unclear !== undefined) yield extentItem(tree, unclear.what, unclear.first, blockCount);
}

function extentItem(tree: TreeFile, what: string, first: number, end: number): DumpItem {
  const fields = { block: first, blocks: end - first };
  return { file: tree.fileName, offset: first * tree.blockSizeBytes, what, fields };
}

/** The node that begins at a block, or what else is there. */
function nodeAt(
  tree: TreeFile,
  block: number,
  blockCount: number,
): { readonly reference: NodeReference; readonly node: Decoded<TreeNode> } | string {
  const bytes = new Uint8Array(tree.blockSizeBytes);
  const count = tree.file.read(bytes, 0, bytes.length, block * bytes.length);
  if (allZero(bytes)) return 'zeros';
  if (count < NODE_HEADER_BYTES || readUint16(bytes, 4) !== NODE_MAGIC) return 'no node';
  if (bytes[6] === NODE_FOOTER) return 'footer';
  const reference: NodeReference = {
    block: block as BlockNumber,
    blocks: blocksFor(readUint32(bytes, 20), tree.blockSizeBytes),
    payloadBytes: readUint32(bytes, 16),
    generation: readUint48(bytes, 10) as Generation,
    leastDroppable: Infinity,
    leastDeadline: Infinity,
  };
  return { reference, node: readNode(tree, reference, bytes[7], blockCount, new Set()) };
}
