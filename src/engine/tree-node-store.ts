/**
 * The nodes that one build reads, writes and frees. Every write goes to blocks that this build allocated, never to live
 * ones. Nodes that lie side by side are collected and written together; what is not written yet is read from there.
 */
import { assert, sometimes } from '../base/assert.ts';
import { compressBlock, COMPRESSION_CODES } from '../base/block-compression.ts';
import { writeUint16, writeUint32, writeUint48 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import * as format from './tree-format.ts';
import type { Child, NodeReference, TreeBuildInput } from './tree-format.ts';
import { blocksFor, damagedNode, decodeNode, loadNode, type TreeNode } from './tree-node-reader.ts';
import type { OpenNode } from './tree-open-node.ts';
import { asBlockNumber } from './types.ts';

/** Buffered bytes that are written with one call. */
const BUFFER_BYTES = 1024 * 1024;

type Leasts = Pick<NodeReference, 'leastDroppable' | 'leastDeadline'>;

/** A write that fails leaves the blocks of the build undefined and everything else unchanged. */
export class NodeStore {
  /** Payload that nodes are packed to. */
  readonly targetBytes: number;
  private readonly input: TreeBuildInput;
  private buffer = new Uint8Array(8 * 1024);
  /** Place of the buffer in the file. */
  private position = 0;
  private length = 0;

  constructor(input: TreeBuildInput) {
    this.input = input;
    this.targetBytes = input.nodeTargetBytes - format.NODE_HEADER_BYTES;
  }

  /** Writes a leaf (level 0) or a branch. */
  write(level: number, node: OpenNode): Child {
    const { entries, separator } = node;
    const { sizeBytes, count } = entries;
    assert(count > 0, 'a node holds a version or a child', level);
    if (level === 0 && sizeBytes > this.targetBytes) {
      assert(count === 1, 'only one entry makes a leaf large', sizeBytes);
      sometimes('leaf larger than its target');
    }
    const kind = level === 0 ? format.NODE_LEAF : format.NODE_BRANCH;
    return { separator, reference: this.put(kind, level, entries.packed(), node) };
  }

  /** Writes the node that a file has besides its tree. */
  writeFooter(payload: Uint8Array): NodeReference {
    return this.put(format.NODE_FOOTER, 0, payload, { leastDroppable: Infinity, leastDeadline: Infinity });
  }

  /** Puts a node into blocks of its own, a leaf compressed where that is smaller. */
  private put(kind: number, level: number, payload: Uint8Array, least: Leasts): NodeReference {
    const { leastDroppable, leastDeadline } = least;
    const { tree, blocks: source, compression, generation } = this.input;
    // Branches are read on the way to every leaf, and what a footer takes in memory is bounded by what it takes on disk.
    const packed = kind === format.NODE_LEAF ? compressBlock(payload, compression) : undefined;
    const stored = packed ?? payload;
    const blocks = blocksFor(stored.length, tree.blockSizeBytes);
    const block = asBlockNumber(source.allocate(blocks));
    for (let i = block; i < block + blocks; i++) assert(source.isOwn(i), 'a build writes its own blocks only', i);
    const sizeBytes = blocks * tree.blockSizeBytes;
    const at = this.place(block * tree.blockSizeBytes, sizeBytes);
    const { buffer } = this;
    const end = at + format.NODE_HEADER_BYTES + stored.length;
    assert(end <= at + sizeBytes, 'a node fits its extent', end - at, sizeBytes);
    buffer.set(stored, at + format.NODE_HEADER_BYTES);
    buffer.fill(0, end, at + sizeBytes);
    writeUint16(buffer, format.NODE_MAGIC, at + 4);
    buffer[at + 6] = kind;
    buffer[at + 7] = level;
    buffer[at + 8] = format.NODE_FORMAT_VERSION;
    buffer[at + 9] = packed === undefined ? 0 : COMPRESSION_CODES.indexOf(compression);
    writeUint48(buffer, generation, at + 10);
    writeUint32(buffer, payload.length, at + 16);
    writeUint32(buffer, stored.length, at + 20);
    const seed = identitySeed(tree.databaseSeed, tree.fileNumber, block);
    writeUint32(buffer, crc32(buffer, at + 4, at + sizeBytes, seed), at);
    return { block, blocks, generation, payloadBytes: payload.length, leastDroppable, leastDeadline };
  }

  /** Makes room for bytes of the file and returns where they stand in the buffer. */
  private place(position: number, sizeBytes: number): number {
    let at = position - this.position;
    if (this.length > 0 && (at < 0 || at > this.length || at + sizeBytes > BUFFER_BYTES)) this.flush();
    if (this.length === 0) {
      this.position = position;
      at = 0;
    }
    const needed = at + sizeBytes;
    if (needed > this.buffer.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(BUFFER_BYTES, this.buffer.length * 4)));
      grown.set(this.buffer.subarray(0, this.length));
      this.buffer = grown;
    }
    this.length = Math.max(this.length, needed);
    return at;
  }

  /**
   * Reads a node of the old tree or of this build, past the cache.
   * @throws LightningError `LIGHTNING_CORRUPTION`; the build has to be dropped
   */
  read(reference: NodeReference, level: number): TreeNode {
    const { tree, blocks } = this.input;
    for (let i = reference.block; i < reference.block + reference.blocks; i++) {
      if (!blocks.willBeUsed(i)) throw damagedNode(tree, reference, 'the node lies in free blocks, or was met twice');
    }
    const at = reference.block * tree.blockSizeBytes - this.position;
    const end = at + reference.blocks * tree.blockSizeBytes;
    const isPending = blocks.isOwn(reference.block) && at >= 0 && end <= this.length;
    if (!isPending) return loadNode(tree, reference, level);
    const decoded = decodeNode(this.buffer.slice(at, end), reference, level, tree);
    if (!decoded.ok) throw damagedNode(tree, reference, decoded.problem);
    return decoded.value;
  }

  /** Gives a node's blocks back. Its contents are somewhere else by now, or dropped. */
  free({ block, blocks }: NodeReference): void {
    this.input.blocks.free(block, blocks);
  }

  /** Hands everything to the operating system; nothing is durable until the caller has synced the file. */
  flush(): void {
    if (this.length > 0) this.input.tree.file.write(this.buffer, 0, this.length, this.position);
    this.length = 0;
  }
}
