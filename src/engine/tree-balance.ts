/**
 * Keeps the neighbours in a branch well filled: a small node is merged with its left neighbour where the two fit
 * together.
 *
 * Invariants of a finished tree (tree-check.ts checks them). A node is small below a quarter of the target payload; two
 * nodes fit together when one node of the target size holds the contents of both.
 *   T1  where one of two adjacent children of a branch is small, the two do not fit together
 *   T2  a branch has a child at least, the root two; a leaf has one version at least
 *   T3  a node is larger than the target only if it is a leaf with one version, or a branch with at most three children
 */
import { sometimes } from '../base/assert.ts';
import { compareSlices } from '../base/bytes.ts';
import { Version } from './cursor.ts';
import { BLOCK_HEADER_BYTES, EntryBlockBuilder } from './entry-block.ts';
import type { Child, Separator } from './tree-format.ts';
import { ChildList, Leasts, type NodeStore } from './tree-node-store.ts';
import { newerAcross } from './tree-separator.ts';

/** Whether the contents of two adjacent nodes of a level fit into one of the target size. */
export function fitTogether(
  level: number,
  leftBytes: number,
  rightBytes: number,
  separator: Separator,
  targetBytes: number,
): boolean {
  // One block header goes; the separator between two branches becomes that of a child.
  const saved = BLOCK_HEADER_BYTES - (level === 0 ? 0 : separator.key.length);
  return leftBytes + rightBytes - saved <= targetBytes;
}

/** Evens out the children of one branch; every node it replaces is freed. */
export class TreeBalance {
  private readonly store: NodeStore;
  private readonly entries = new EntryBlockBuilder();

  constructor(store: NodeStore) {
    this.store = store;
  }

  /** Appends a node of `level` to the children of a branch, merged with its neighbours where T1 asks. */
  push(list: ChildList, child: Child, level: number): void {
    const { smallBytes, targetBytes } = this.store;
    let added = child;
    for (;;) {
      const last = list.children.at(-1);
      if (last === undefined) break;
      const left = last.reference.payloadBytes;
      const right = added.reference.payloadBytes;
      if (left >= smallBytes && right >= smallBytes) break;
      if (!fitTogether(level, left, right, added.separator, targetBytes)) break;
      list.pop();
      added = level === 0 ? this.mergeLeaves(last, added) : this.mergeBranches(level, last, added);
    }
    list.push(added);
  }

  private mergeLeaves(left: Child, right: Child): Child {
    sometimes('leaves merged');
    const { entries, store } = this;
    const leasts = new Leasts();
    const version = new Version();
    const previous = new Version();
    entries.reset();
    for (const { reference } of [left, right]) {
      const leaf = store.read(reference, 0).entries;
      for (let i = 0; i < leaf.count; i++) {
        leaf.load(i, version);
        const newer = newerOf(version, previous, left.separator);
        leasts.addVersion(version.sequence, newer, version.kind, version.deadline);
        entries.addFrom(version);
        previous.assign(version);
      }
      store.free(reference);
    }
    return store.writeLeaf(entries, left.separator, leasts);
  }

  private mergeBranches(level: number, left: Child, right: Child): Child {
    sometimes('branches merged');
    const { store } = this;
    const list = new ChildList();
    for (const node of [left, right]) {
      const branch = store.read(node.reference, level);
      for (let i = 0; i < branch.count; i++) {
        const separator = i === 0 ? node.separator : branch.separator(i);
        // The last child on the left and the first on the right are neighbours now, so T1 has to hold for them too.
        this.push(list, { separator, reference: branch.reference(i) }, level - 1);
      }
      store.free(node.reference);
    }
    return store.writeBranch(level, list);
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
