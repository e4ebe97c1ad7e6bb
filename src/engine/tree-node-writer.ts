/** Encodes the header and the nodes of `tree.db`, and writes nodes in few big pieces. */
import { assert } from '../base/assert.ts';
import { UINT48_MAX, writeUint16, writeUint32, writeUint48 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import * as format from './tree-format.ts';
import type { ChildReference, Separator, TreeFile, TreeHeader } from './tree-format.ts';
import { treeSizesAreSound } from './tree-node-reader.ts';
import type { Generation } from './types.ts';

/** The bytes of block 0. */
export function encodeTreeHeader(header: TreeHeader): Uint8Array {
  assert(treeSizesAreSound(header.blockSizeBytes, header.nodeTargetBytes), 'a tree has sound sizes');
  assert(header.databaseId.length === 16, 'a database id has 16 bytes', header.databaseId.length);
  const bytes = new Uint8Array(header.blockSizeBytes);
  bytes.set(format.TREE_MAGIC);
  writeUint16(bytes, format.TREE_FORMAT_VERSION, 12);
  bytes.set(header.databaseId, 24);
  writeUint32(bytes, header.blockSizeBytes, 40);
  writeUint32(bytes, header.nodeTargetBytes, 44);
  const seed = identitySeed(crc32(header.databaseId), format.TREE_FILE_NUMBER, 0);
  writeUint32(bytes, crc32(bytes, format.TREE_HEADER_CHECKED_FROM, bytes.length, seed), 8);
  return bytes;
}

/** Writes a reference of `REFERENCE_BYTES` at `at`. */
export function writeReference(bytes: Uint8Array, reference: ChildReference, at: number): void {
  assert(!Number.isNaN(reference.leastDeadline), 'a deadline is a number');
  assert(reference.leastDroppable >= 0, 'a droppable sequence is not negative', reference.leastDroppable);
  writeUint32(bytes, reference.block, at);
  writeUint32(bytes, reference.blocks, at + 4);
  writeUint48(bytes, reference.generation, at + 8);
  writeUint32(bytes, reference.payloadBytes, at + 14);
  writeUint48(bytes, Math.min(reference.leastDroppable, UINT48_MAX), at + 18);
  new DataView(bytes.buffer, bytes.byteOffset + at + 24, 8).setFloat64(0, reference.leastDeadline, true);
}

/** A child of a branch that is being built. */
export interface Child {
  readonly separator: Separator;
  readonly reference: ChildReference;
}

/** Bytes that a child takes in a branch; the first one's separator is not stored. */
export function childBytes(separator: Separator, isFirst: boolean): number {
  return format.BRANCH_SLOT_BYTES + format.CHILD_HEADER_BYTES + (isFirst ? 0 : separator.key.length);
}

/** Writes the body of a branch into `target` at `at` and returns where it ends. */
export function packBranch(children: readonly Child[], target: Uint8Array, at: number): number {
  writeUint32(target, children.length, at);
  let to = at + format.BRANCH_HEADER_BYTES + children.length * format.BRANCH_SLOT_BYTES;
  for (const [i, { separator, reference }] of children.entries()) {
    const { key, sequence } = i === 0 ? format.MINUS_INFINITY : separator;
    writeUint32(target, to - at, at + format.BRANCH_HEADER_BYTES + i * format.BRANCH_SLOT_BYTES);
    writeReference(target, reference, to);
    writeUint48(target, sequence, to + format.REFERENCE_BYTES);
    writeUint16(target, key.length, to + format.REFERENCE_BYTES + 6);
    target.set(key, to + format.CHILD_HEADER_BYTES);
    to += format.CHILD_HEADER_BYTES + key.length;
  }
  return to;
}

/** Buffered bytes that are written with one call. */
const BUFFER_BYTES = 1024 * 1024;

/**
 * Collects nodes that lie side by side and writes them together. What is not written yet can be read back with
 * `pending`. A write that fails leaves the blocks of the build undefined and everything else unchanged.
 */
export class NodeWriter {
  private readonly tree: TreeFile;
  private readonly generation: Generation;
  private buffer = new Uint8Array(64 * 1024);
  /** Place of the buffer in the file. */
  private position = 0;
  private length = 0;
  bytesWritten = 0;

  constructor(tree: TreeFile, generation: Generation) {
    this.tree = tree;
    this.generation = generation;
  }

  /** Puts a node into the extent; `pack` writes its body and returns where it ends. */
  write(
    block: number,
    blocks: number,
    level: number,
    payloadBytes: number,
    pack: (target: Uint8Array, at: number) => number,
  ): void {
    const sizeBytes = blocks * this.tree.blockSizeBytes;
    const at = this.place(block * this.tree.blockSizeBytes, sizeBytes);
    const { buffer } = this;
    buffer.fill(0, at, at + sizeBytes);
    const end = pack(buffer, at + format.NODE_HEADER_BYTES);
    assert(end === at + format.NODE_HEADER_BYTES + payloadBytes, 'a body fills its payload', end - at, payloadBytes);
    assert(end <= at + sizeBytes, 'a node fits its extent', end - at, sizeBytes);
    writeUint16(buffer, format.NODE_MAGIC, at + 4);
    buffer[at + 6] = level === 0 ? format.NODE_LEAF : format.NODE_BRANCH;
    buffer[at + 7] = level;
    writeUint16(buffer, format.NODE_FORMAT_VERSION, at + 8);
    writeUint48(buffer, this.generation, at + 10);
    writeUint32(buffer, payloadBytes, at + 16);
    writeUint32(buffer, blocks, at + 20);
    const seed = identitySeed(this.tree.databaseSeed, format.TREE_FILE_NUMBER, block);
    writeUint32(buffer, crc32(buffer, at + 4, at + sizeBytes, seed), at);
    this.bytesWritten += sizeBytes;
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
    const at = block * this.tree.blockSizeBytes - this.position;
    const end = at + blocks * this.tree.blockSizeBytes;
    return at >= 0 && end <= this.length ? this.buffer.slice(at, end) : undefined;
  }

  /** Hands everything to the operating system; nothing is durable until the caller has synced the file. */
  flush(): void {
    if (this.length > 0) this.tree.file.write(this.buffer, 0, this.length, this.position);
    this.length = 0;
  }
}
