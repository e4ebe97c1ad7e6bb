/**
 * The nodes that one build reads, writes and frees. Every write goes to blocks that this build allocated, never to live
 * ones.
 */
import { assert, sometimes } from '../base/assert.ts';
import type { FreeMapBuild } from '../base/free-map.ts';
import { BLOCK_HEADER_BYTES, EntryBlockBuilder, entryBytes } from './entry-block.ts';
import * as format from './tree-format.ts';
import type { Child, NodeReference, Separator, TreeBuildInput, TreeFile } from './tree-format.ts';
import { damagedNode, decodeNode, loadNode, type TreeNode } from './tree-node-reader.ts';
import { encodeReference, NodeWriter } from './tree-node-writer.ts';
import { droppableAt } from './retention.ts';
import { type Kind, KIND_PUT, NO_DEADLINE, type Sequence } from './types.ts';

/** Bytes that a child takes in a branch; the first one's separator is not stored. */
export function childBytes(separator: Separator, isFirst: boolean): number {
  return entryBytes(isFirst ? 0 : separator.key.length, format.REFERENCE_BYTES, NO_DEADLINE);
}

/** Children of a branch that is being built, and the payload they take. */
export class ChildList {
  readonly children: Child[] = [];
  payloadBytes: number = BLOCK_HEADER_BYTES;

  get length(): number {
    return this.children.length;
  }

  push(child: Child): void {
    this.payloadBytes += childBytes(child.separator, this.children.length === 0);
    this.children.push(child);
  }

  pop(): Child | undefined {
    const child = this.children.pop();
    if (child !== undefined) this.payloadBytes -= childBytes(child.separator, this.children.length === 0);
    return child;
  }
}

/** The two minima of rule 8, over what enters a node. */
export class Leasts {
  droppable = Infinity;
  deadline = Infinity;

  /** @param newer the next newer version of the key that is kept; `Infinity` for the newest */
  addVersion(sequence: Sequence, newer: number, kind: Kind, deadline: number): void {
    const droppable = droppableAt(sequence, newer, kind);
    if (droppable < this.droppable) this.droppable = droppable;
    if (deadline < this.deadline) this.deadline = deadline;
  }

  addChild(reference: NodeReference): void {
    this.droppable = Math.min(this.droppable, reference.leastDroppable);
    this.deadline = Math.min(this.deadline, reference.leastDeadline);
  }
}

/** Reads any node, writes and frees in the blocks of one build. */
export class NodeStore {
  readonly tree: TreeFile;
  /** Payload that nodes are packed to. */
  readonly targetBytes: number;
  private readonly blocks: FreeMapBuild;
  private readonly writer: NodeWriter;
  private readonly branch = new EntryBlockBuilder();
  nodesWritten = 0;
  leavesWritten = 0;
  nodesFreed = 0;

  constructor(input: TreeBuildInput) {
    this.tree = input.tree;
    this.blocks = input.blocks;
    this.targetBytes = input.nodeTargetBytes - format.NODE_HEADER_BYTES;
    this.writer = new NodeWriter(input);
  }

  get bytesWritten(): number {
    return this.writer.bytesWritten;
  }

  /** A node with less payload is small, and merged with a neighbour where they fit together. */
  get smallBytes(): number {
    return this.targetBytes / 4;
  }

  writeLeaf(entries: EntryBlockBuilder, separator: Separator, leasts: Leasts): Child {
    assert(entries.count > 0, 'a leaf holds a version');
    const { sizeBytes } = entries;
    assert(sizeBytes <= this.targetBytes || entries.count === 1, 'only one entry makes a leaf large', sizeBytes);
    if (sizeBytes > this.targetBytes) sometimes('leaf larger than its target');
    this.leavesWritten++;
    return this.write(0, entries, separator, leasts);
  }

  writeBranch(level: number, { children, payloadBytes }: ChildList): Child {
    assert(level > 0 && children.length > 0, 'a branch stands above its children', level, children.length);
    const { branch } = this;
    const leasts = new Leasts();
    branch.reset();
    for (const [i, { separator, reference }] of children.entries()) {
      const { key, sequence } = i === 0 ? format.MINUS_INFINITY : separator;
      const value = encodeReference(reference);
      branch.add(key, 0, key.length, sequence, KIND_PUT, NO_DEADLINE, value, 0, value.length);
      leasts.addChild(reference);
    }
    assert(branch.sizeBytes === payloadBytes, 'children fill their branch', branch.sizeBytes, payloadBytes);
    return this.write(level, branch, children[0].separator, leasts);
  }

  /** Writes the node that a file has besides its tree. */
  writeFooter(payload: Uint8Array): NodeReference {
    return this.writer.write(format.NODE_FOOTER, 0, payload, Infinity, Infinity);
  }

  private write(level: number, entries: EntryBlockBuilder, separator: Separator, leasts: Leasts): Child {
    this.nodesWritten++;
    const kind = level === 0 ? format.NODE_LEAF : format.NODE_BRANCH;
    return {
      separator,
      reference: this.writer.write(kind, level, entries.packed(), leasts.droppable, leasts.deadline),
    };
  }

  /**
   * Reads a node of the old tree or of this build, past the cache.
   * @throws LightningError `LIGHTNING_CORRUPTION`; the build has to be dropped
   */
  read(reference: NodeReference, level: number): TreeNode {
    const { tree, blocks } = this;
    for (let i = reference.block; i < reference.block + reference.blocks; i++) {
      if (!blocks.willBeUsed(i)) throw damagedNode(tree, reference, 'the node lies in free blocks, or was met twice');
    }
    const pending = blocks.isOwn(reference.block) ? this.writer.pending(reference.block, reference.blocks) : undefined;
    if (pending === undefined) return loadNode(tree, reference, level);
    const decoded = decodeNode(pending, reference, level, tree);
    if (!decoded.ok) throw damagedNode(tree, reference, decoded.problem);
    return decoded.value;
  }

  /** Gives the node's blocks back. Its contents are somewhere else by now, or dropped. */
  free(reference: NodeReference): void {
    this.blocks.free(reference.block, reference.blocks);
    this.nodesFreed++;
  }

  flush(): void {
    this.writer.flush();
  }
}
