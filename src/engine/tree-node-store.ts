/**
 * The nodes that one build reads, writes and frees. Every write goes to blocks that this build allocated, never to live
 * ones.
 */
import { assert, sometimes } from '../base/assert.ts';
import type { EntryBlockBuilder } from './entry-block.ts';
import type { FreeMapBuild } from './free-map.ts';
import * as format from './tree-format.ts';
import type { NodeReference, Separator, TreeFile } from './tree-format.ts';
import { blocksFor, damagedNode, decodeNode, loadNode, type TreeNode } from './tree-node-reader.ts';
import { type Child, childBytes, NodeWriter, packBranch } from './tree-node-writer.ts';
import { droppableAt } from './retention.ts';
import type { Generation, Kind, Sequence } from './types.ts';

/** Children of a branch that is being built, and the payload they take. */
export class ChildList {
  readonly children: Child[] = [];
  payloadBytes: number = format.BRANCH_HEADER_BYTES;

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

/** What a build is made with. */
export interface TreeBuildInput {
  readonly tree: TreeFile;
  /** Size that nodes are packed to; the tree's header has it. */
  readonly nodeTargetBytes: number;
  readonly generation: Generation;
  readonly blocks: FreeMapBuild;
}

/** Reads any node, writes and frees in the blocks of one build. */
export class NodeStore {
  readonly tree: TreeFile;
  readonly blocks: FreeMapBuild;
  readonly generation: Generation;
  /** Payload that nodes are packed to. */
  readonly targetBytes: number;
  private readonly writer: NodeWriter;
  nodesWritten = 0;
  leavesWritten = 0;
  nodesFreed = 0;

  constructor(input: TreeBuildInput) {
    this.tree = input.tree;
    this.blocks = input.blocks;
    this.generation = input.generation;
    this.targetBytes = input.nodeTargetBytes - format.NODE_HEADER_BYTES;
    this.writer = new NodeWriter(input.tree, input.generation);
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
    const payloadBytes = entries.sizeBytes;
    assert(payloadBytes <= this.targetBytes || entries.count === 1, 'only one entry makes a leaf large', payloadBytes);
    if (payloadBytes > this.targetBytes) sometimes('leaf larger than its target');
    this.leavesWritten++;
    return this.write(0, payloadBytes, separator, leasts, (target, at) => entries.pack(target, at));
  }

  writeBranch(level: number, list: ChildList): Child {
    assert(level > 0 && list.length > 0, 'a branch stands above its children', level, list.length);
    const leasts = new Leasts();
    for (const { reference } of list.children) leasts.addChild(reference);
    const { children } = list;
    return this.write(level, list.payloadBytes, children[0].separator, leasts, (target, at) =>
      packBranch(children, target, at),
    );
  }

  private write(
    level: number,
    payloadBytes: number,
    separator: Separator,
    leasts: Leasts,
    pack: (target: Uint8Array, at: number) => number,
  ): Child {
    const blocks = blocksFor(payloadBytes, this.tree.blockSizeBytes);
    const block = this.blocks.allocate(blocks);
    for (let i = block; i < block + blocks; i++) assert(this.blocks.isOwn(i), 'a build writes its own blocks only', i);
    this.writer.write(block, blocks, level, payloadBytes, pack);
    this.nodesWritten++;
    return {
      separator,
      reference: {
        block,
        blocks,
        generation: this.generation,
        payloadBytes,
        leastDroppable: leasts.droppable,
        leastDeadline: leasts.deadline,
      },
    };
  }

  /** Whether this build wrote the node. */
  isOwn(reference: NodeReference): boolean {
    return this.blocks.isOwn(reference.block);
  }

  /**
   * Reads a node of the old tree or of this build, past the cache.
   * @throws LightningError `LIGHTNING_CORRUPTION`; the build has to be dropped
   */
  read(reference: NodeReference, level: number): TreeNode {
    const { tree } = this;
    for (let i = reference.block; i < reference.block + reference.blocks; i++) {
      if (!this.blocks.willBeUsed(i))
        throw damagedNode(tree, reference, 'the node lies in free blocks, or was met twice');
    }
    const pending = this.isOwn(reference) ? this.writer.pending(reference.block, reference.blocks) : undefined;
    if (pending === undefined) return loadNode(tree, reference, level);
    const decoded = decodeNode(pending, reference, level, tree.databaseSeed, tree.blockSizeBytes);
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
