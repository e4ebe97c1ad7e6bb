/**
 * Accounts for every block of `tree.db`: the header, the blocks that nodes reach, and the free ones must be all of them,
 * and the open engine must count the free ones alike. A walk of its own over the children's references; what a node is
 * made of is not its business (tree-check.ts looks at that).
 */
import { crc32 } from '../src/base/checksum.ts';
import { TREE_FILE } from '../src/engine/file-names.ts';
import type { ManifestState } from '../src/engine/manifest-format.ts';
import { readManifest } from '../src/engine/recovery.ts';
import { type NodeReference, TREE_FILE_NUMBER, type TreeFile } from '../src/engine/tree-format.ts';
import { loadNode } from '../src/engine/tree-node-reader.ts';
import { readFreeMap } from '../src/engine/tree.ts';
import type { FreeMap } from '../src/base/free-map.ts';
import type { Vfs } from '../src/vfs/vfs.ts';

/** What the blocks of a tree are. */
export interface PageAccount {
  readonly blocks: number;
  readonly reached: number;
  readonly free: number;
  readonly nodes: number;
  /** What does not add up, in words. */
  readonly problem: string | undefined;
}

const NO_TREE: PageAccount = { blocks: 0, reached: 0, free: 0, nodes: 0, problem: undefined };

/**
 * Counts the blocks of the store on these files.
 * @param freeInMemory free blocks as an open engine counts them; `undefined` when none is open
 * @throws LightningError when a file that the manifest names is damaged
 */
export function accountPages(vfs: Vfs, freeInMemory: number | undefined): PageAccount {
  const manifest = readManifest(vfs);
  const { tree } = manifest;
  if (tree.footer === undefined) return NO_TREE;
  const { map, ...reached } = reachedBlocks(vfs, manifest, tree.footer);
  const account = { blocks: tree.blockCount, reached: reached.blocks.size, free: map.freeCount, nodes: reached.nodes };
  const sum = 1 + account.reached + account.free;
  let problem: string | undefined;
  if (reached.twice !== undefined) problem = `block ${reached.twice} belongs to two nodes`;
  else if (sum !== account.blocks) {
    problem = `1 header + ${account.reached} reachable + ${account.free} free are not ${account.blocks} blocks`;
  } else if (freeInMemory !== undefined && freeInMemory !== account.free) {
    problem = `${account.free} free blocks on disk, ${freeInMemory} in memory`;
  } else {
    const used = [...reached.blocks].find((block) => !map.isUsed(block));
    if (used !== undefined) problem = `block ${used} is reachable and free`;
  }
  return { ...account, problem };
}

function reachedBlocks(
  vfs: Vfs,
  manifest: ManifestState,
  footer: NodeReference,
): {
  readonly map: FreeMap;
  readonly blocks: ReadonlySet<number>;
  readonly nodes: number;
  readonly twice: number | undefined;
} {
  const blocks = new Set<number>();
  const { tree, databaseId, blockSizeBytes } = manifest;
  let twice: number | undefined;
  let nodes = 0;
  const file = vfs.open(TREE_FILE, 'read');
  try {
    const fileNumber = TREE_FILE_NUMBER;
    const databaseSeed = crc32(databaseId);
    const treeFile: TreeFile = { file, fileName: TREE_FILE, fileNumber, databaseSeed, blockSizeBytes };
    const claim = (reference: NodeReference): void => {
      for (let block = reference.block; block < reference.block + reference.blocks; block++) {
        if (blocks.has(block)) twice ??= block;
        blocks.add(block);
      }
    };
    const visit = (reference: NodeReference, level: number): void => {
      nodes++;
      claim(reference);
      if (level === 0) return;
      const branch = loadNode(treeFile, reference, level);
      for (let i = 0; i < branch.count; i++) visit(branch.reference(i), level - 1);
    };
    claim(footer);
    if (tree.root !== undefined) visit(tree.root.reference, tree.root.height - 1);
    return { map: readFreeMap(treeFile, footer, tree.blockCount), blocks, nodes, twice };
  } finally {
    file.close();
  }
}
