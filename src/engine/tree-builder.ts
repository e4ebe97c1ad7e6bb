/**
 * Builds a tree from left to right: versions in internal order and whole subtrees of the old tree that are kept as they
 * are. One open node a level; memory is bounded by the height times the node size. Nodes are written when they are
 * full. Where the input is a tree already, a small node is then merged with its left neighbour if the two fit together;
 * what is built once and never changed, a sorted run, needs no such thing.
 *
 * Invariants of a finished tree (tree-check.ts checks them). A node is small below a quarter of the target payload; two
 * nodes fit together when one node of the target size holds the contents of both.
 *   T1  where one of two adjacent children of a branch is small, the two do not fit together
 *   T2  a branch has a child at least, the root two; a leaf has one version at least
 *   T3  a node is larger than the target only if it is a leaf with one version, or a branch with two children
 */
import { assert, sometimes } from '../base/assert.ts';
import { Version } from './cursor.ts';
import { BLOCK_HEADER_BYTES, entryBytes } from './entry-block.ts';
import { TREE_HEIGHT_MAX } from './limits.ts';
import { type Child, MINUS_INFINITY, type NodeReference, type Separator, type TreeRoot } from './tree-format.ts';
import type { NodeStore } from './tree-node-store.ts';
import { childBytes, OpenNode } from './tree-open-node.ts';
import { separatorBetween } from './tree-separator.ts';

/** Payload of a branch with one child. */
const LONELY_BRANCH_BYTES = BLOCK_HEADER_BYTES + childBytes(MINUS_INFINITY);

/** Whether T1 asks that two adjacent nodes of a level become one. */
export function belongTogether(level: number, left: NodeReference, right: Child, targetBytes: number): boolean {
  const [leftBytes, rightBytes] = [left.payloadBytes, right.reference.payloadBytes];
  if (Math.min(leftBytes, rightBytes) >= targetBytes / 4) return false;
  // One block header goes; the separator between two branches becomes that of a child.
  const saved = BLOCK_HEADER_BYTES - (level === 0 ? 0 : right.separator.key.length);
  return leftBytes + rightBytes - saved <= targetBytes;
}

/** One build, used once: `add` and `keep` from left to right, then `finish`. */
export class TreeBuilder {
  private readonly store: NodeStore;
  private readonly isBalanced: boolean;
  /** The open node of each level, leaves first. */
  private readonly open: OpenNode[] = [new OpenNode()];
  entriesWritten = 0;

  constructor(store: NodeStore, isBalanced: boolean) {
    this.store = store;
    this.isBalanced = isBalanced;
  }

  /**
   * Adds a version; it must come after everything added so far. Its bytes are copied.
   * @param newer the next newer version of its key that is in the tree; `Infinity` for the newest
   */
  add(version: Version, newer: number): void {
    const leaf = this.open[0];
    const size = entryBytes(version.valueEnd - version.keyStart, version.deadline);
    if (leaf.entries.count > 0 && leaf.entries.sizeBytes + size > this.store.targetBytes) {
      const separator = separatorBetween(leaf.entries.last, version);
      if (newer !== Infinity) sometimes('a key straddles leaves');
      this.close(0);
      leaf.separator = separator;
      sometimes('leaf split');
    }
    leaf.addVersion(version, newer);
    this.entriesWritten++;
  }

  /**
   * Takes over a subtree as it is.
   * @param after the bound behind it; `undefined` at the end of the old tree
   */
  keep(level: number, child: Child, after: Separator | undefined): void {
    for (let below = 0; below <= level; below++) this.close(below);
    this.addChild(level + 1, child);
    if (after !== undefined) this.open[0].separator = after;
    sometimes('subtree kept');
  }

  /** Packs what is open; the caller flushes the node store. @returns the new root; `undefined` for an empty tree */
  finish(): TreeRoot | undefined {
    this.close(0);
    let level = 1;
    while (this.open.slice(level + 1).some((node) => node.last !== undefined) || this.at(level).entries.count > 1) {
      this.close(level);
      level++;
    }
    const { last } = this.at(level);
    return last === undefined ? undefined : this.collapse(last.reference, level);
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

  private at(level: number): OpenNode {
    assert(level <= TREE_HEIGHT_MAX, 'a tree is not higher than its bound', level, TREE_HEIGHT_MAX);
    while (this.open.length <= level) this.open.push(new OpenNode());
    return this.open[level];
  }

  /** Writes the open node of a level, if it holds anything. */
  private close(level: number): void {
    const node = this.at(level);
    if (node.entries.count === 0) return;
    const child = this.store.write(level, node);
    node.reset();
    this.addChild(level + 1, child);
  }

  /** Adds a node of the level below to the open branch of `level`, which is written when it is full. */
  private addChild(level: number, child: Child): void {
    const branch = this.at(level);
    const { count, sizeBytes } = branch.entries;
    const isFull = count > 1 && sizeBytes + childBytes(child.separator) > this.store.targetBytes;
    if (isFull && !this.joinsLast(branch, child, level - 1)) {
      sometimes('branch split');
      this.close(level);
    }
    this.append(branch, child, level - 1);
  }

  private joinsLast({ last }: OpenNode, child: Child, level: number): boolean {
    return (
      this.isBalanced && last !== undefined && belongTogether(level, last.reference, child, this.store.targetBytes)
    );
  }

  private append(branch: OpenNode, child: Child, level: number): void {
    const { last } = branch;
    if (last !== undefined && this.joinsLast(branch, child, level)) branch.replaceLast(this.join(level, last, child));
    else branch.addChild(child);
  }

  /** One node with the contents of two neighbours, which are freed. */
  private join(level: number, left: Child, right: Child): Child {
    if (level === 0) sometimes('leaves merged');
    else sometimes('branches merged');
    const node = new OpenNode();
    const version = new Version();
    for (const { separator, reference } of [left, right]) {
      const source = this.store.read(reference, level);
      for (let i = 0; i < source.count; i++) {
        if (level === 0) {
          source.entries.load(i, version);
          node.entries.add(version);
        } else {
          // The last child on the left and the first on the right are neighbours now, so T1 has to hold for them too.
          const child = { separator: i === 0 ? separator : source.separator(i), reference: source.reference(i) };
          this.append(node, child, level - 1);
        }
      }
      node.coverNode(reference);
      this.store.free(reference);
    }
    node.separator = left.separator;
    return this.store.write(level, node);
  }
}
