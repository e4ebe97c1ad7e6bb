/** Encodes the nodes of a tree file and writes them in few big pieces. */
import { assert } from '../base/assert.ts';
import { compressBlock, COMPRESSION_CODES } from '../base/block-compression.ts';
import { UINT48_MAX, writeUint16, writeUint32, writeUint48 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import * as format from './tree-format.ts';
import type { NodeReference, TreeBuildInput } from './tree-format.ts';
import { blocksFor } from './tree-node-reader.ts';
import { asBlockNumber } from './types.ts';

/** The `REFERENCE_BYTES` of a reference. */
export function encodeReference(reference: NodeReference): Uint8Array {
  assert(!Number.isNaN(reference.leastDeadline), 'a deadline is a number');
  assert(reference.leastDroppable >= 0, 'a droppable sequence is not negative', reference.leastDroppable);
  const bytes = new Uint8Array(format.REFERENCE_BYTES);
  writeUint32(bytes, reference.block, 0);
  writeUint32(bytes, reference.blocks, 4);
  writeUint48(bytes, reference.generation, 8);
  writeUint32(bytes, reference.payloadBytes, 14);
  writeUint48(bytes, Math.min(reference.leastDroppable, UINT48_MAX), 18);
  new DataView(bytes.buffer).setFloat64(24, reference.leastDeadline, true);
  return bytes;
}

/** Buffered bytes that are written with one call. */
const BUFFER_BYTES = 1024 * 1024;

/**
 * Packs nodes into blocks that the build allocates, collects those that lie side by side and writes them together. What
 * is not written yet can be read back with `pending`. A write that fails leaves the blocks of the build undefined and
 * everything else unchanged.
 */
export class NodeWriter {
  private readonly input: TreeBuildInput;
  private buffer = new Uint8Array(8 * 1024);
  /** Place of the buffer in the file. */
  private position = 0;
  private length = 0;
  bytesWritten = 0;

  constructor(input: TreeBuildInput) {
    this.input = input;
  }

  /** Puts a node into blocks of its own, a leaf compressed where that is smaller. */
  write(
    kind: number,
    level: number,
    payload: Uint8Array,
    leastDroppable: number,
    leastDeadline: number,
  ): NodeReference {
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
    this.bytesWritten += sizeBytes;
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

  /** A copy of an extent that waits to be written; `undefined` when it does not. */
  pending(block: number, blocks: number): Uint8Array | undefined {
    const { blockSizeBytes } = this.input.tree;
    const at = block * blockSizeBytes - this.position;
    const end = at + blocks * blockSizeBytes;
    return at >= 0 && end <= this.length ? this.buffer.slice(at, end) : undefined;
  }

  /** Hands everything to the operating system; nothing is durable until the caller has synced the file. */
  flush(): void {
    if (this.length > 0) this.input.tree.file.write(this.buffer, 0, this.length, this.position);
    this.length = 0;
  }
}
