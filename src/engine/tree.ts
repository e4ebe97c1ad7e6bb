/**
 * The base level of an open store: `tree.db`, its root and its free map, all of one generation.
 *
 * The file is made by the first merge and never replaced. `install` moves on to what a durable manifest names.
 */
import { assert } from '../base/assert.ts';
import { crc32 } from '../base/checksum.ts';
import type { Vfs } from '../vfs/vfs.ts';
import type { BlockCache } from '../base/block-cache.ts';
import type { Cursor, Version } from './cursor.ts';
import { freeMapFileName, TREE_FILE } from './file-names.ts';
import { zeroFreeBlocks } from './free-blocks.ts';
import { FreeMap, type FreeMapBuild } from '../base/free-map.ts';
import { readFreeMap } from './free-map-reader.ts';
import type { Layer } from './layers.ts';
import type { ManifestState, TreeState } from './manifest-format.ts';
import { corruption } from './damage.ts';
import { TREE_FILE_NUMBER, type TreeFile, type TreeRoot } from './tree-format.ts';
import { createTreeFile, openTreeFile } from './tree-file.ts';
import { TreeReader } from './tree-reader.ts';
import { asFileNumber, asGeneration, type RangeTombstone, type Sequence } from './types.ts';

/** Before the first merge: no file. */
export const EMPTY_TREE: TreeState = {
  root: undefined,
  height: 0,
  blockCount: 0,
  freeMap: asFileNumber(0),
  freeMapGeneration: asGeneration(0),
  greatestSequence: 0 as Sequence,
};

export class Tree implements Layer {
  readonly treeFile: TreeFile;
  readonly nodeTargetBytes: number;
  readonly rangeTombstones: readonly RangeTombstone[] = [];
  private readonly reader: TreeReader;
  private state: TreeState;
  freeMap: FreeMap;
  /** What a clean close leaves, and the first build after it ends. */
  private freeBlocksAreZero: boolean;

  private constructor(
    treeFile: TreeFile,
    nodeTargetBytes: number,
    state: TreeState,
    freeMap: FreeMap,
    cache: BlockCache,
    freeBlocksAreZero: boolean,
  ) {
    this.freeBlocksAreZero = freeBlocksAreZero;
    this.treeFile = treeFile;
    this.nodeTargetBytes = nodeTargetBytes;
    this.reader = new TreeReader({ ...treeFile, cache });
    this.state = state;
    this.freeMap = freeMap;
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
    return new Tree(createTreeFile(vfs, TREE_FILE, header), rounded, EMPTY_TREE, FreeMap.ofEmptyFile(), cache, true);
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
      const freeMap = readMap(vfs, manifest);
      return new Tree(treeFile, nodeTargetBytes, manifest.tree, freeMap, cache, manifest.cleanlyClosed);
    });
  }

  get root(): TreeRoot | undefined {
    return rootOf(this.state);
  }

  get leastDroppable(): number {
    return this.state.root?.leastDroppable ?? Infinity;
  }

  get leastDeadline(): number {
    return this.state.root?.leastDeadline ?? Infinity;
  }

  get greatestSequence(): Sequence {
    return this.state.greatestSequence;
  }

  get(key: Uint8Array, sequence: Sequence, into: Version): boolean {
    return this.reader.get(rootOf(this.state), key, sequence, into);
  }

  cursor(): Cursor {
    return this.reader.cursor(rootOf(this.state));
  }

  /** Moves on to what the manifest names now. Cached nodes of replaced blocks are told by their generation. */
  install(state: TreeState, freeMap: FreeMap): void {
    assert(state.blockCount === freeMap.blockCount, 'the manifest and the free map agree on the size of the tree');
    this.state = state;
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
    for (const bytes of zeroFreeBlocks(file, this.freeMap, blockSizeBytes))
      assert(bytes >= 0, 'a slice does some work');
    file.sync();
  }

  checkInvariants(): void {
    assert(
      this.state.blockCount === 0 || this.state.blockCount === this.freeMap.blockCount,
      'state and free map agree',
    );
    assert(this.state.root === undefined || this.freeMap.isUsed(this.state.root.block), 'the root is in use');
  }

  close(): void {
    this.treeFile.file.close();
  }
}

/** The root that a manifest names. */
export function rootOf(state: TreeState): TreeRoot | undefined {
  return state.root === undefined ? undefined : { reference: state.root, height: state.height };
}

/**
 * The free map that a manifest names.
 * @throws LightningError `LIGHTNING_CORRUPTION` when it is missing, damaged or of another size
 */
export function readMap(vfs: Vfs, manifest: ManifestState): FreeMap {
  const { tree, databaseId } = manifest;
  const path = freeMapFileName(tree.freeMap);
  const identity = {
    databaseId,
    databaseSeed: crc32(databaseId),
    fileNumber: tree.freeMap,
    generation: tree.freeMapGeneration,
  };
  const map = readFreeMap(vfs, path, identity);
  if (map.blockCount !== tree.blockCount) {
    throw corruption(path, undefined, `it covers ${map.blockCount} blocks, not ${tree.blockCount}`);
  }
  return map;
}
