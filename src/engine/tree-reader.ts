/** Reads versions from a tree on disk, through the block cache. */
import { assert } from '../base/assert.ts';
import { equalBytes } from '../base/bytes.ts';
import type { BlockCache } from '../base/block-cache.ts';
import { Cursor, type Version } from './cursor.ts';
import type { EntryBlock } from './entry-block.ts';
import { TREE_FILE_NUMBER, type NodeReference, type TreeFile, type TreeRoot } from './tree-format.ts';
import { type BranchBlock, loadNode, TreeNode } from './tree-node-reader.ts';
import { type Sequence } from './types.ts';

/** What a reader works on. */
export interface TreeReaderInput extends TreeFile {
  readonly cache: BlockCache;
}

/**
 * Stateless but for the cache: any root whose blocks have not been reused can be read. Every call may throw
 * LightningError `LIGHTNING_CORRUPTION` (file, offset, problem) for a damaged node, or an operating system error; the
 * store is unchanged then.
 */
export class TreeReader {
  private readonly tree: TreeFile;
  private readonly cache: BlockCache;

  constructor(input: TreeReaderInput) {
    this.tree = input;
    this.cache = input.cache;
  }

  /**
   * Finds the newest version of `key` whose sequence is at most `sequence`, deletions included.
   * @returns false if there is none; `into` is then undefined. Cost: O(height · log fan-out).
   */
  get(root: TreeRoot | undefined, key: Uint8Array, sequence: Sequence, into: Version): boolean {
    if (root === undefined) return false;
    let node = this.rootNode(root, true);
    /** The lowest branch on the path that has a child further right. */
    let rightOf: BranchBlock | undefined;
    let rightIndex = 0;
    let rightLevel = 0;
    while (node.branch !== undefined) {
      const { branch } = node;
      const index = branch.search(key, sequence);
      if (index + 1 < branch.count) {
        rightOf = branch;
        rightIndex = index + 1;
        rightLevel = node.level - 1;
      }
      node = this.child(branch, index, node.level - 1, true);
    }
    let entries = leafOf(node);
    let index = entries.search(key, sequence);
    if (index === entries.count) {
      // Versions of the key may go on in the next leaf, but only if the bound between the two has that very key.
      if (rightOf === undefined || !equalBytes(rightOf.separator(rightIndex).key, key)) return false;
      node = this.child(rightOf, rightIndex, rightLevel, true);
      while (node.branch !== undefined) node = this.child(node.branch, 0, node.level - 1, true);
      entries = leafOf(node);
      index = entries.search(key, sequence);
      if (index === entries.count) return false;
    }
    entries.load(index, into);
    return into.compareKey(key) === 0;
  }

  /** A cursor over all versions; not positioned yet. With `bypassCache` it leaves nothing in the cache. */
  cursor(root: TreeRoot | undefined, options: { readonly bypassCache?: boolean } = {}): Cursor {
    return new TreeCursor(this, root, options.bypassCache !== true);
  }

  /** The root's node. */
  rootNode(root: TreeRoot, keep: boolean): TreeNode {
    const { reference, height } = root;
    return this.cached(reference.block, reference.generation, height - 1) ?? this.load(reference, height - 1, keep);
  }

  /** The node of child `index`; its reference is decoded on a miss only. */
  child(branch: BranchBlock, index: number, level: number, keep: boolean): TreeNode {
    return (
      this.cached(branch.blockOf(index), branch.generationOf(index), level) ??
      this.load(branch.reference(index), level, keep)
    );
  }

  /** A cached node counts only if it is of that very generation. */
  private cached(block: number, generation: number, level: number): TreeNode | undefined {
    const node = this.cache.get(TREE_FILE_NUMBER, block);
    return node instanceof TreeNode && node.generation === generation && node.level === level ? node : undefined;
  }

  private load(reference: NodeReference, level: number, keep: boolean): TreeNode {
    const node = loadNode(this.tree, reference, level);
    if (keep) this.cache.put(TREE_FILE_NUMBER, reference.block, node);
    return node;
  }
}

function leafOf(node: TreeNode): EntryBlock {
  assert(node.entries !== undefined, 'a node without children is a leaf');
  return node.entries;
}

/** Holds the path from the root to the current leaf. */
class TreeCursor extends Cursor {
  private readonly reader: TreeReader;
  private readonly root: TreeRoot | undefined;
  private readonly keep: boolean;
  /** Branches from the root downwards, and the child taken in each. */
  private readonly path: BranchBlock[] = [];
  private readonly taken: number[] = [];
  private leaf: EntryBlock | undefined;
  private index = 0;

  constructor(reader: TreeReader, root: TreeRoot | undefined, keep: boolean) {
    super();
    this.reader = reader;
    this.root = root;
    this.keep = keep;
  }

  override seek(key: Uint8Array, sequence: Sequence): void {
    const leaf = this.descend((branch) => branch.search(key, sequence));
    if (leaf !== undefined) this.settle(leaf.search(key, sequence));
  }

  override seekBefore(key: Uint8Array, sequence: Sequence): void {
    const leaf = this.descend((branch) => branch.search(key, sequence));
    if (leaf !== undefined) this.settle(leaf.search(key, sequence) - 1);
  }

  override first(): void {
    if (this.descend(() => 0) !== undefined) this.settle(0);
  }

  override last(): void {
    const leaf = this.descend((branch) => branch.count - 1);
    if (leaf !== undefined) this.settle(leaf.count - 1);
  }

  override next(): void {
    assert(this.valid, 'a cursor moves only while it is valid');
    this.settle(this.index + 1);
  }

  override previous(): void {
    assert(this.valid, 'a cursor moves only while it is valid');
    this.settle(this.index - 1);
  }

  /** Goes from the root to a leaf. */
  private descend(choose: (branch: BranchBlock) => number): EntryBlock | undefined {
    this.valid = false;
    this.path.length = 0;
    this.taken.length = 0;
    const { root } = this;
    if (root === undefined) return undefined;
    return this.goDown(this.reader.rootNode(root, this.keep), choose);
  }

  private goDown(from: TreeNode, choose: (branch: BranchBlock) => number): EntryBlock {
    let node = from;
    while (node.branch !== undefined) {
      const index = choose(node.branch);
      this.path.push(node.branch);
      this.taken.push(index);
      node = this.reader.child(node.branch, index, node.level - 1, this.keep);
    }
    this.leaf = leafOf(node);
    return this.leaf;
  }

  /** Stands on entry `index` of the leaf, or on the nearest one in the neighbouring leaf. */
  private settle(index: number): void {
    let leaf = this.leaf;
    this.index = index;
    if (leaf !== undefined && index < 0) {
      leaf = this.neighbour(-1);
      if (leaf !== undefined) this.index = leaf.count - 1;
    } else if (leaf !== undefined && index >= leaf.count) {
      leaf = this.neighbour(1);
      this.index = 0;
    }
    this.valid = false;
    if (leaf !== undefined) leaf.load(this.index, this);
  }

  private neighbour(step: 1 | -1): EntryBlock | undefined {
    for (let depth = this.path.length - 1; depth >= 0; depth--) {
      const branch = this.path[depth];
      const index = this.taken[depth] + step;
      if (index < 0 || index >= branch.count) continue;
      this.path.length = this.taken.length = depth + 1;
      this.taken[depth] = index;
      const level = (this.root?.height ?? 0) - 2 - depth;
      const node = this.reader.child(branch, index, level, this.keep);
      return this.goDown(node, (below) => (step > 0 ? 0 : below.count - 1));
    }
    return undefined;
  }
}
