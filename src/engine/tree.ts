/**
 * The base level of an open store: `tree.db`, its root and its free map, all of one generation.
 *
 * The file is made by the first merge and never replaced. `install` moves on to what a durable manifest names.
 */
import { assert } from '../base/assert.ts';
import type { Vfs } from '../vfs/vfs.ts';
import type { BlockCache } from '../base/block-cache.ts';
import { TREE_FILE } from './file-names.ts';
import { zeroFreeBlocks } from './free-blocks.ts';
import { FreeMap, type FreeMapBuild } from '../base/free-map.ts';
import type { Layer } from './layers.ts';
import type { Retention } from './retention.ts';
import type { ManifestState, TreeState } from './manifest-format.ts';
import { corruption } from './damage.ts';
import { type NodeReference, TREE_FILE_NUMBER, type TreeFile } from './tree-format.ts';
import { damagedNode, readFooter } from './tree-node-reader.ts';
import { createTreeFile, openTreeFile } from './tree-file.ts';
import { TreeReader } from './tree-reader.ts';
import type { RangeTombstone, Sequence } from './types.ts';

/** Before the first merge: no file. */
export const EMPTY_TREE: TreeState = {
  root: undefined,
  footer: undefined,
  blockCount: 0,
  greatestSequence: 0 as Sequence,
};

export class Tree extends TreeReader implements Layer {
  readonly nodeTargetBytes: number;
  readonly rangeTombstones: readonly RangeTombstone[] = [];
  state: TreeState;
  freeMap: FreeMap;
  /** What a clean close leaves, and the first build after it ends. */
  private freeBlocksAreZero: boolean;
  /** Of the last merge in this process: a collection that can give nothing more is not repeated. */
  lastRetention: Retention | undefined;

  private constructor(
    tree: TreeFile,
    nodeTargetBytes: number,
    { tree: state, cleanlyClosed }: ManifestState,
    freeMap: FreeMap,
    cache: BlockCache,
  ) {
    super(tree, state.root, cache);
    this.nodeTargetBytes = nodeTargetBytes;
    this.state = state;
    this.freeMap = freeMap;
    this.freeBlocksAreZero = cleanlyClosed;
  }

  /**
   * Makes an empty `tree.db`, durable but for its name; one that no manifest named is replaced.
   * @throws LightningError; the file is removed by the next opening
   */
  static create(vfs: Vfs, manifest: ManifestState, nodeTargetBytes: number, cache: BlockCache): Tree {
    const { databaseId, blockSizeBytes } = manifest;
    assert(manifest.tree.blockCount === 0, 'a tree is made once');
    const rounded = Math.ceil(nodeTargetBytes / blockSizeBytes) * blockSizeBytes;
    const header = { databaseId, fileNumber: TREE_FILE_NUMBER, blockSizeBytes, nodeTargetBytes: rounded };
    if (vfs.kind(TREE_FILE) !== undefined) vfs.unlink(TREE_FILE);
    return new Tree(createTreeFile(vfs, TREE_FILE, header), rounded, manifest, FreeMap.ofEmptyFile(), cache);
  }

  /**
   * Opens the tree that a manifest names.
   * @throws LightningError `LIGHTNING_CORRUPTION` for a missing or damaged header or free map; nodes are checked as they
   *   are read
   */
  static open(vfs: Vfs, manifest: ManifestState, cache: BlockCache): Tree {
    const { databaseId, blockSizeBytes } = manifest;
    const expected = { databaseId, fileNumber: TREE_FILE_NUMBER, blockSizeBytes };
    return openTreeFile(vfs, TREE_FILE, 'write', expected, (treeFile, { nodeTargetBytes }) => {
      const [sizeBytes, expectedBytes] = [treeFile.file.size(), manifest.tree.blockCount * blockSizeBytes];
      if (sizeBytes < expectedBytes) {
        throw corruption(TREE_FILE, 0, `${sizeBytes} bytes where the manifest expects ${expectedBytes} at least`);
      }
      const { footer, blockCount } = manifest.tree;
      assert(footer !== undefined, 'a tree that has blocks has a footer');
      const freeMap = readFreeMap(treeFile, footer, blockCount);
      return new Tree(treeFile, nodeTargetBytes, manifest, freeMap, cache);
    });
  }

  get greatestSequence(): Sequence {
    return this.state.greatestSequence;
  }

  /** Moves on to what the manifest names now. Cached nodes of replaced blocks are told by their generation. */
  install(state: TreeState, freeMap: FreeMap): void {
    assert(state.blockCount === freeMap.blockCount, 'the manifest and the free map agree on the size of the tree');
    this.state = state;
    this.root = state.root;
    this.freeMap = freeMap;
  }

  /** Takes blocks for the next generation. Finished or not, it leaves bytes in blocks that are free. */
  beginBuild(): FreeMapBuild {
    this.freeBlocksAreZero = false;
    return this.freeMap.begin();
  }

  /** For a clean close: every free block becomes zero, the file exactly as long as its blocks; durable on return. */
  zeroFreeBlocks(): void {
    if (this.freeBlocksAreZero) return;
    const { file, blockSizeBytes } = this.treeFile;
    zeroFreeBlocks(file, this.freeMap, blockSizeBytes);
    file.sync();
  }

  checkInvariants(): void {
    assert(
      this.state.blockCount === 0 || this.state.blockCount === this.freeMap.blockCount,
      'state and free map agree',
    );
    assert(this.state.root === undefined || this.freeMap.isUsed(this.state.root.reference.block), 'the root is in use');
  }
}

/**
 * The free map of a tree, from the footer that the manifest names. It was written before its own blocks were taken.
 * @throws LightningError `LIGHTNING_CORRUPTION` when it is damaged or of another size
 */
export function readFreeMap(tree: TreeFile, footer: NodeReference, blockCount: number): FreeMap {
  const payload = readFooter(tree, footer);
  const map = payload.ok ? FreeMap.fromBytes(payload.value) : payload;
  if (!map.ok) throw damagedNode(tree, footer, map.problem);
  for (let block = footer.block; block < footer.block + footer.blocks; block++) {
    if (map.value.isUsed(block)) throw damagedNode(tree, footer, 'the free map lies in blocks of a node');
  }
  const whole = map.value.including(footer);
  if (whole.blockCount === blockCount) return whole;
  throw damagedNode(tree, footer, `the free map covers ${whole.blockCount} blocks, not ${blockCount}`);
}
