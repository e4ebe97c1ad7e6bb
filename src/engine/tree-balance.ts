/**
 * Keeps the neighbours in a branch well filled: a small node is merged with its neighbour, or entries move over.
 *
 * Invariants of a finished tree (tree-check.ts checks them). A node is small below a quarter of the target payload; two
 * nodes fit together when one node of the target size holds the contents of both.
 *   T1  where one of two adjacent children of a branch is small, the two do not fit together
 *   T2  a branch has two children at least; a leaf has one version at least
 *   T3  a node is larger than the target only if it is a leaf with one version, or a branch with at most three children
 */
import { assert, sometimes } from '../base/assert.ts';
import { compareSlices } from '../base/bytes.ts';
import { Version } from './cursor.ts';
import { BLOCK_HEADER_BYTES, type EntryBlock, EntryBlockBuilder, entryBytes } from './entry-block.ts';
import { BRANCH_HEADER_BYTES, type NodeReference, type Separator } from './tree-format.ts';
import { ChildList, Leasts, type NodeStore } from './tree-node-store.ts';
import { type Child, childBytes } from './tree-node-writer.ts';
import { newerAcross, separatorBetween } from './tree-separator.ts';

/** Whether the contents of two adjacent nodes of a level fit into one of the target size. */
export function fitTogether(
  level: number,
  leftBytes: number,
  rightBytes: number,
  separator: Separator,
  targetBytes: number,
): boolean {
  const saved = level === 0 ? BLOCK_HEADER_BYTES : BRANCH_HEADER_BYTES - separator.key.length;
  return leftBytes + rightBytes - saved <= targetBytes;
}

/** A branch that may be larger than the target. */
const FEW_CHILDREN = 3;

/** Evens out the children of one branch; every node it replaces is freed. */
export class TreeBalance {
  private readonly store: NodeStore;
  private readonly entries = new EntryBlockBuilder();

  constructor(store: NodeStore) {
    this.store = store;
  }

  /** Appends a node of `level` to the children of a branch, merged with or filled up from its neighbour where T1 asks. */
  push(list: ChildList, child: Child, level: number): void {
    let added = child;
    for (;;) {
      const last = list.children.at(-1);
      const pair = last === undefined ? undefined : this.balance(level, last, added);
      if (pair === undefined) break;
      list.pop();
      if (pair.length === 2) {
        this.push(list, pair[0], level);
        if (list.children.at(-1) === pair[0]) {
          list.push(pair[1]);
          return;
        }
      }
      added = pair[pair.length - 1];
    }
    list.push(added);
  }

  /** The one or two nodes that replace two neighbours; `undefined` when they stay as they are. */
  private balance(level: number, left: Child, right: Child): Child[] | undefined {
    const { smallBytes, targetBytes } = this.store;
    const a = left.reference.payloadBytes;
    const b = right.reference.payloadBytes;
    if (a >= smallBytes && b >= smallBytes) return undefined;
    const fits = fitTogether(level, a, b, right.separator, targetBytes);
    // Neighbours of the old tree that stay side by side were looked at when they were made.
    if (!fits && !this.store.isOwn(left.reference) && !this.store.isOwn(right.reference)) return undefined;
    return level === 0 ? this.balanceLeaves(left, right, fits) : this.balanceBranches(level, left, right, fits);
  }

  private balanceLeaves(left: Child, right: Child, fits: boolean): Child[] | undefined {
    const { smallBytes, targetBytes } = this.store;
    if (!fits && Math.max(left.reference.payloadBytes, right.reference.payloadBytes) > targetBytes) return undefined;
    const a = this.leaf(left.reference);
    const b = this.leaf(right.reference);
    const count = a.count + b.count;
    const version = new Version();
    const load = (index: number): void => (index < a.count ? a.load(index, version) : b.load(index - a.count, version));
    let split = count;
    if (!fits) {
      const sizes: number[] = [];
      for (let i = 0; i < count; i++) {
        load(i);
        sizes.push(
          entryBytes(version.keyEnd - version.keyStart, version.valueEnd - version.valueStart, version.deadline),
        );
      }
      split = middle(sizes, (before, after) => {
        const smaller = Math.min(before, after) + BLOCK_HEADER_BYTES;
        return smaller >= smallBytes && Math.max(before, after) + BLOCK_HEADER_BYTES <= targetBytes;
      });
      if (split === 0) return undefined;
    }
    sometimes(fits ? 'leaves merged' : 'leaves balanced');
    this.store.free(left.reference);
    this.store.free(right.reference);
    return this.rewriteLeaves(left.separator, count, split, load, version);
  }

  /** Writes versions `[0, split)` and `[split, count)` as leaves. */
  private rewriteLeaves(
    separator: Separator,
    count: number,
    split: number,
    load: (index: number) => void,
    version: Version,
  ): Child[] {
    const { entries } = this;
    const nodes: Child[] = [];
    const previous = new Version();
    let leasts = new Leasts();
    let bound = separator;
    entries.reset();
    for (let i = 0; i < count; i++) {
      load(i);
      if (i === split) {
        nodes.push(this.store.writeLeaf(entries, bound, leasts));
        bound = separatorBetween(previous.key(), previous.sequence, version);
        leasts = new Leasts();
        entries.reset();
      }
      leasts.addVersion(version.sequence, newerOf(version, previous, separator), version.kind, version.deadline);
      entries.addFrom(version);
      previous.assign(version);
    }
    nodes.push(this.store.writeLeaf(entries, bound, leasts));
    return nodes;
  }

  private balanceBranches(level: number, left: Child, right: Child, fits: boolean): Child[] | undefined {
    const { smallBytes, targetBytes } = this.store;
    const a = this.childrenOf(left, level);
    const b = this.childrenOf(right, level);
    const joined = new ChildList();
    for (const child of [...a, ...b]) joined.push(child);
    const lonely = a.length === 1 || b.length === 1;
    if (!fits && joined.length > FEW_CHILDREN && !lonely && splitBranch(joined, targetBytes, smallBytes) === 0) {
      return undefined;
    }
    sometimes(fits ? 'branches merged' : 'branches balanced');
    this.store.free(left.reference);
    this.store.free(right.reference);
    // The last child on the left and the first on the right are neighbours now, so T1 has to hold for them too.
    const list = new ChildList();
    for (const child of a) list.push(child);
    for (const child of b) this.push(list, child, level - 1);
    const isOne = list.payloadBytes <= targetBytes || list.length <= FEW_CHILDREN;
    const split = isOne ? 0 : splitBranch(list, targetBytes, smallBytes) || splitBranch(list, targetBytes, 0);
    assert(isOne || split > 0, 'children of two branches fit into two', list.payloadBytes, targetBytes);
    if (isOne) return [this.store.writeBranch(level, list)];
    const halves = [new ChildList(), new ChildList()];
    for (const [i, child] of list.children.entries()) halves[i < split ? 0 : 1].push(child);
    return halves.map((half) => this.store.writeBranch(level, half));
  }

  private leaf(reference: NodeReference): EntryBlock {
    const { entries } = this.store.read(reference, 0);
    assert(entries !== undefined, 'a node of level 0 is a leaf');
    return entries;
  }

  /** The children of a branch; the first one gets the branch's own separator. */
  private childrenOf(node: Child, level: number): Child[] {
    const { branch } = this.store.read(node.reference, level);
    assert(branch !== undefined, 'a node above level 0 is a branch', level);
    return Array.from({ length: branch.count }, (_, i) => ({
      separator: i === 0 ? node.separator : branch.separator(i),
      reference: branch.reference(i),
    }));
  }
}

/** The sequence of the next newer kept version of the key, seen from `version`; `bound` stands before the first one. */
function newerOf(version: Version, previous: Version, bound: Separator): number {
  const { bytes, keyStart, keyEnd } = version;
  if (previous.valid) {
    const same = compareSlices(bytes, keyStart, keyEnd, previous.bytes, previous.keyStart, previous.keyEnd) === 0;
    return same ? previous.sequence : Infinity;
  }
  return version.compareKey(bound.key) === 0 ? (newerAcross(bound) ?? Infinity) : Infinity;
}

/** The split of a row of sizes that leaves the smallest larger half, among the allowed ones; 0 if there is none. */
function middle(sizes: readonly number[], allowed: (before: number, after: number, index: number) => boolean): number {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let best = 0;
  let bestSize = Infinity;
  let before = 0;
  for (let i = 1; i < sizes.length; i++) {
    before += sizes[i - 1];
    const larger = Math.max(before, total - before);
    if (larger < bestSize && allowed(before, total - before, i)) {
      best = i;
      bestSize = larger;
    }
  }
  return best;
}

/** Where to part children into two branches that T2 and T3 allow and that have `leastBytes` each; 0 if nowhere. */
function splitBranch(list: ChildList, targetBytes: number, leastBytes: number): number {
  const { children } = list;
  const sizes = children.map((child, i) => childBytes(child.separator, i === 0));
  return middle(sizes, (left, right, i) => {
    const leftBytes = BRANCH_HEADER_BYTES + left;
    const rightBytes = BRANCH_HEADER_BYTES + right - children[i].separator.key.length;
    const leftSound = i >= 2 && (leftBytes <= targetBytes || i <= FEW_CHILDREN);
    const rightCount = children.length - i;
    const rightSound = rightCount >= 2 && (rightBytes <= targetBytes || rightCount <= FEW_CHILDREN);
    return leftSound && rightSound && Math.min(leftBytes, rightBytes) >= leastBytes;
  });
}
