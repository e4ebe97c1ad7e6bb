/** Reads versions from a tree file on disk, the base level's or a sorted run's, through the block cache. */
import { assert } from '../base/assert.ts';
import type { BlockCache } from '../base/block-cache.ts';
import { Cursor, type Version } from './cursor.ts';
import { MINUS_INFINITY, type NodeReference, type TreeFile, type TreeRoot } from './tree-format.ts';
import { loadNode, TreeNode } from './tree-node-reader.ts';
import { type Sequence, SEQUENCE_MAX } from './types.ts';

/**
 * One tree in its file: the versions of a sorted run, or of the base level, whose root moves on. Any root whose blocks have
 * not been reused can be read. Every call may throw LightningError `LIGHTNING_CORRUPTION` (file, offset, problem) for a
 * damaged node, or an operating system error; the store is unchanged then.
 */
export class TreeReader {
  readonly treeFile: TreeFile;
  root: TreeRoot | undefined;
  private readonly cache: BlockCache;
  private closed = false;

  constructor(treeFile: TreeFile, root: TreeRoot | undefined, cache: BlockCache) {
    this.treeFile = treeFile;
    this.root = root;
    this.cache = cache;
  }

  /**
   * Finds the newest version of `key` whose sequence is at most `sequence`, deletions included. Range tombstones are not
   * looked at.
   * @returns false if there is none; `into` is then not valid. Cost: O(height · log fan-out).
   */
  get(key: Uint8Array, sequence: Sequence, into: Version): boolean {
    const cursor = this.cursor();
    cursor.seek(key, sequence);
    into.valid = cursor.valid && cursor.compareKey(key) === 0;
    if (into.valid) into.assign(cursor);
    return into.valid;
  }

  /**
   * A cursor over all versions, not yet positioned.
   * @param options.bypassCache for merges: nodes are neither taken from the cache nor put there
   */
  cursor(options: { readonly bypassCache?: boolean } = {}): Cursor {
    assert(!this.closed, 'an open tree is read');
    return new TreeCursor(this, this.root, options.bypassCache !== true);
  }

  /** Releases the descriptor. Nodes in the cache are the business of whoever removes the file. */
  close(): void {
    assert(!this.closed, 'a tree is closed once');
    this.closed = true;
    this.treeFile.file.close();
  }

  /** A node of a level; one in the cache counts only if it is of the very generation. */
  node(reference: NodeReference, level: number, cached: boolean): TreeNode {
    const { cache, treeFile } = this;
    const known = cached ? cache.get(treeFile.fileNumber, reference.block) : undefined;
    if (known instanceof TreeNode && known.generation === reference.generation && known.level === level) return known;
    const node = loadNode(treeFile, reference, level);
    if (cached) cache.put(treeFile.fileNumber, reference.block, node);
    return node;
  }
}

/** Holds the path from the root to the current leaf. */
class TreeCursor extends Cursor {
  private readonly reader: TreeReader;
  private readonly root: TreeRoot | undefined;
  private readonly cached: boolean;
  /** Branches from the root downwards, and the child taken in each. */
  private readonly path: TreeNode[] = [];
  private readonly taken: number[] = [];
  private leaf: TreeNode | undefined;
  private index = 0;

  constructor(reader: TreeReader, root: TreeRoot | undefined, cached: boolean) {
    super();
    this.reader = reader;
    this.root = root;
    this.cached = cached;
  }

  override seek(key: Uint8Array, sequence: Sequence): void {
    this.settle(this.descend(key, sequence));
  }

  override seekBefore(key: Uint8Array | undefined, sequence: Sequence): void {
    this.settle(this.descend(key, sequence) - 1);
  }

  override next(): void {
    assert(this.valid, 'a cursor moves only while it is valid');
    this.settle(this.index + 1);
  }

  override previous(): void {
    assert(this.valid, 'a cursor moves only while it is valid');
    this.settle(this.index - 1);
  }

  /** Goes to the leaf for (key, sequence), or to the last one; the index of the first entry not before it. */
  private descend(key: Uint8Array | undefined, sequence: Sequence): number {
    this.path.length = this.taken.length = 0;
    this.leaf = undefined;
    this.valid = false;
    if (this.root === undefined) return 0;
    const { reference, height } = this.root;
    const leaf = this.goDown(this.reader.node(reference, height - 1, this.cached), key, sequence);
    return key === undefined ? leaf.count : leaf.entries.search(key, sequence);
  }

  /** From a node to the leaf for (key, sequence) below it; without a key to the last one. */
  private goDown(from: TreeNode, key: Uint8Array | undefined, sequence: number): TreeNode {
    let node = from;
    while (!node.isLeaf) {
      const index = key === undefined ? node.count - 1 : node.search(key, sequence);
      this.path.push(node);
      this.taken.push(index);
      node = this.reader.node(node.reference(index), node.level - 1, this.cached);
    }
    this.leaf = node;
    return node;
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
    if (leaf !== undefined) leaf.entries.load(this.index, this);
  }

  private neighbour(step: 1 | -1): TreeNode | undefined {
    for (let depth = this.path.length - 1; depth >= 0; depth--) {
      const branch = this.path[depth];
      const index = this.taken[depth] + step;
      if (index < 0 || index >= branch.count) continue;
      this.path.length = this.taken.length = depth + 1;
      this.taken[depth] = index;
      const node = this.reader.node(branch.reference(index), branch.level - 1, this.cached);
      return this.goDown(node, step > 0 ? MINUS_INFINITY.key : undefined, SEQUENCE_MAX);
    }
    return undefined;
  }
}
