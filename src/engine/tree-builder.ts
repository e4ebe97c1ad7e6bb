/**
 * Builds a tree from left to right: versions in internal order and whole subtrees of the old tree that are kept as they
 * are. One open node a level; memory is bounded by the height times the node size. Nodes are written when they are
 * full. Where the input is a tree already, small nodes at the seams are merged (tree-balance.ts); what is built once and
 * never changed, a sorted run, needs no such thing.
 */
import { assert, sometimes } from '../base/assert.ts';
import type { Version } from './cursor.ts';
import { BLOCK_HEADER_BYTES, EntryBlockBuilder, entryBytes } from './entry-block.ts';
import { TREE_HEIGHT_MAX } from './limits.ts';
import type { TreeBalance } from './tree-balance.ts';
import { type Child, MINUS_INFINITY, type NodeReference, type Separator, type TreeRoot } from './tree-format.ts';
import { childBytes, ChildList, Leasts, type NodeStore } from './tree-node-store.ts';
import { separatorBetween } from './tree-separator.ts';
import type { Sequence } from './types.ts';

/** Payload of a branch with one child. */
const LONELY_BRANCH_BYTES = BLOCK_HEADER_BYTES + childBytes(MINUS_INFINITY, true);

/** One build, used once: `add` and `keep` from left to right, then `finish`. */
export class TreeBuilder {
  private readonly store: NodeStore;
  private readonly balance: TreeBalance | undefined;
  private readonly leaf = new EntryBlockBuilder();
  private leasts = new Leasts();
  /** The bound before the open leaf. */
  private separator: Separator = MINUS_INFINITY;
  private lastSequence = 0 as Sequence;
  /** Children of the open branch of each level; index 0 is not used. */
  private readonly branches: ChildList[] = [new ChildList()];
  entriesWritten = 0;

  constructor(store: NodeStore, balance: TreeBalance | undefined) {
    this.store = store;
    this.balance = balance;
  }

  /**
   * Adds a version; it must come after everything added so far. Its bytes are copied.
   * @param newer the next newer version of its key that is in the tree; `Infinity` for the newest
   */
  add(version: Version, newer: number): void {
    const { leaf } = this;
    const { keyStart, keyEnd, valueStart, valueEnd, sequence, kind, deadline } = version;
    const size = entryBytes(keyEnd - keyStart, valueEnd - valueStart, deadline);
    if (leaf.count > 0 && leaf.sizeBytes + size > this.store.targetBytes) {
      const separator = separatorBetween(leaf.lastKey(), this.lastSequence, version);
      if (newer !== Infinity) sometimes('a key straddles leaves');
      this.closeLeaf();
      this.separator = separator;
      sometimes('leaf split');
    }
    this.leasts.addVersion(sequence, newer, kind, deadline);
    leaf.addFrom(version);
    this.lastSequence = sequence;
    this.entriesWritten++;
  }

  /**
   * Takes over a subtree as it is.
   * @param after the bound behind it; `undefined` at the end of the old tree
   */
  keep(level: number, child: Child, after: Separator | undefined): void {
    this.closeLeaf();
    for (let below = 1; below <= level; below++) this.closeBranch(below);
    this.addChild(level + 1, child);
    if (after !== undefined) this.separator = after;
    sometimes('subtree kept');
  }

  /** Packs what is open; the caller flushes the node store. @returns the new root; `undefined` for an empty tree */
  finish(): TreeRoot | undefined {
    this.closeLeaf();
    let level = 1;
    while (this.branches.slice(level + 1).some((list) => list.length > 0) || this.childrenAt(level).length > 1) {
      this.closeBranch(level);
      level++;
    }
    const root = this.childrenAt(level).pop();
    if (root === undefined) return undefined;
    return this.collapse(root.reference, level);
  }

  /** A root with one child gives way to it. */
  private collapse(reference: NodeReference, height: number): TreeRoot {
    if (height > 1 && reference.payloadBytes === LONELY_BRANCH_BYTES) {
      const branch = this.store.read(reference, height - 1);
      assert(branch.count === 1, 'a branch of that size has one child', height);
      this.store.free(reference);
      return this.collapse(branch.reference(0), height - 1);
    }
    return { reference, height };
  }

  private childrenAt(level: number): ChildList {
    assert(level <= TREE_HEIGHT_MAX, 'a tree is not higher than its bound', level, TREE_HEIGHT_MAX);
    while (this.branches.length <= level) this.branches.push(new ChildList());
    return this.branches[level];
  }

  private closeLeaf(): void {
    if (this.leaf.count === 0) return;
    const child = this.store.writeLeaf(this.leaf, this.separator, this.leasts);
    this.leaf.reset();
    this.leasts = new Leasts();
    this.addChild(1, child);
  }

  private closeBranch(level: number): void {
    const list = this.childrenAt(level);
    if (list.length === 0) return;
    this.branches[level] = new ChildList();
    this.addChild(level + 1, this.store.writeBranch(level, list));
  }

  /** Adds a node of the level below to the open branch of `level`, which is written when it is full. */
  private addChild(level: number, child: Child): void {
    const list = this.childrenAt(level);
    if (this.balance === undefined) list.push(child);
    else this.balance.push(list, child, level - 1);
    const rest: Child[] = [];
    while (list.length > 2 && list.payloadBytes > this.store.targetBytes) {
      const last = list.pop();
      if (last !== undefined) rest.unshift(last);
    }
    if (rest.length === 0) return;
    sometimes('branch split');
    this.closeBranch(level);
    for (const one of rest) this.addChild(level, one);
  }
}
