/**
 * Reads the header and the nodes of `tree.db`. The bytes are hostile: every check gives a problem as a value, and memory
 * is bounded by the extent that the reference names. A node is validated once, when it is loaded; its accessors trust it.
 */
import { assert } from '../base/assert.ts';
import { allZero, compareSlices, equalBytes, readUint16, readUint32, readUint48, UINT48_MAX } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import { LightningError } from '../base/errors.ts';
import type { CachedBlock } from '../base/block-cache.ts';
import { compareInternal } from './cursor.ts';
import { EntryBlock } from './entry-block.ts';
import { BLOCK_SIZE_BYTES_MAX, BLOCK_SIZE_BYTES_MIN } from './limits.ts';
import * as format from './tree-format.ts';
import type { ChildReference, NodeReference, Separator, TreeFile, TreeHeader } from './tree-format.ts';
import { type BlockNumber, type Decoded, type Generation, type Sequence, SEQUENCE_MAX } from './types.ts';

const refuse = (problem: string): { ok: false; problem: string } => ({ ok: false, problem });

/** Whether these sizes may be those of a tree. */
export function treeSizesAreSound(blockSizeBytes: number, nodeTargetBytes: number): boolean {
  return (
    blockSizeBytes >= BLOCK_SIZE_BYTES_MIN &&
    blockSizeBytes <= BLOCK_SIZE_BYTES_MAX &&
    (blockSizeBytes & (blockSizeBytes - 1)) === 0 &&
    nodeTargetBytes >= blockSizeBytes &&
    nodeTargetBytes <= format.NODE_TARGET_BYTES_MAX &&
    nodeTargetBytes % blockSizeBytes === 0
  );
}

/** Decodes block 0. `bytes` may hold more than the block. */
export function decodeTreeHeader(bytes: Uint8Array, databaseId: Uint8Array): Decoded<TreeHeader> {
  if (bytes.length < BLOCK_SIZE_BYTES_MIN) return refuse('the file is shorter than its header');
  if (!equalBytes(bytes.subarray(0, 8), format.TREE_MAGIC)) return refuse('not a tree file: wrong magic');
  const blockSizeBytes = readUint32(bytes, 40);
  const nodeTargetBytes = readUint32(bytes, 44);
  if (!treeSizesAreSound(blockSizeBytes, nodeTargetBytes)) return refuse('impossible block or node size');
  if (bytes.length < blockSizeBytes) return refuse('the file is shorter than its header');
  const seed = identitySeed(crc32(databaseId), format.TREE_FILE_NUMBER, 0);
  if (readUint32(bytes, 8) !== crc32(bytes, format.TREE_HEADER_CHECKED_FROM, blockSizeBytes, seed)) {
    return refuse('header checksum differs, or the file belongs to another database');
  }
  if (readUint16(bytes, 12) !== format.TREE_FORMAT_VERSION) return refuse('unknown format version of the tree');
  if (readUint32(bytes, 20) !== 0) return refuse('the tree uses features that are not known here');
  if (!equalBytes(bytes.subarray(24, 40), databaseId)) return refuse('the file belongs to another database');
  if (!allZero(bytes, format.TREE_HEADER_BYTES, blockSizeBytes) || readUint16(bytes, 14) !== 0) {
    return refuse('bytes after the header are not zero');
  }
  return { ok: true, value: { databaseId, blockSizeBytes, nodeTargetBytes } };
}

/** Decodes the reference at `at`; the caller vouches for `REFERENCE_BYTES` there. */
export function readReference(bytes: Uint8Array, at: number): ChildReference {
  const leastDroppable = readUint48(bytes, at + 18);
  return {
    block: readUint32(bytes, at) as BlockNumber,
    blocks: readUint32(bytes, at + 4),
    generation: readUint48(bytes, at + 8) as Generation,
    payloadBytes: readUint32(bytes, at + 14),
    leastDroppable: leastDroppable === UINT48_MAX ? Infinity : leastDroppable,
    leastDeadline: new DataView(bytes.buffer, bytes.byteOffset + at + 24, 8).getFloat64(0, true),
  };
}

/** Blocks of a node with that payload. */
export function blocksFor(payloadBytes: number, blockSizeBytes: number): number {
  return Math.ceil((format.NODE_HEADER_BYTES + payloadBytes) / blockSizeBytes);
}

/** What is impossible about a reference, if anything. */
export function referenceProblem(reference: NodeReference, blockSizeBytes: number): string | undefined {
  const extentBytes = reference.blocks * blockSizeBytes;
  if (reference.block === 0 || reference.block + reference.blocks > 0x1_0000_0000) return 'a reference to no node';
  if (reference.blocks === 0 || extentBytes > format.NODE_BYTES_MAX) return 'a reference to an impossible extent';
  if (Number.isNaN(reference.leastDeadline)) return 'a reference whose deadline is no number';
  return undefined;
}

/** The children of a branch, validated. Holds no copy of the bytes. */
export class BranchBlock {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly count: number;

  private constructor(bytes: Uint8Array, start: number, count: number) {
    this.bytes = bytes;
    this.start = start;
    this.count = count;
  }

  /** Checks everything that the accessors rely on. Cost: linear in the block. */
  static decode(bytes: Uint8Array, start: number, end: number, blockSizeBytes: number): Decoded<BranchBlock> {
    if (end - start < format.BRANCH_HEADER_BYTES) return refuse('branch shorter than its header');
    const count = readUint32(bytes, start);
    let expected = format.BRANCH_HEADER_BYTES + count * format.BRANCH_SLOT_BYTES;
    if (count === 0 || start + expected > end) return refuse('branch has no child, or more slots than bytes');
    const block = new BranchBlock(bytes, start, count);
    for (let i = 0; i < count; i++) {
      const offset = readUint32(bytes, start + format.BRANCH_HEADER_BYTES + i * format.BRANCH_SLOT_BYTES);
      const at = start + offset;
      if (offset !== expected || at + format.CHILD_HEADER_BYTES > end) return refuse(`slot ${i} is wrong`);
      expected += format.CHILD_HEADER_BYTES + readUint16(bytes, at + format.REFERENCE_BYTES + 6);
      if (start + expected > end) return refuse(`child ${i} is cut`);
      const reference = block.reference(i);
      const problem =
        blocksFor(reference.payloadBytes, blockSizeBytes) === reference.blocks
          ? referenceProblem(reference, blockSizeBytes)
          : 'payload and extent differ';
      if (problem !== undefined) return refuse(`child ${i}: ${problem}`);
      if (i === 0) {
        if (block.keyLength(at) !== 0 || block.sequenceOf(at) !== SEQUENCE_MAX)
          return refuse('child 0 has a separator');
      } else if (block.compareSeparators(i - 1, i) >= 0) return refuse(`separator ${i} is out of order`);
    }
    if (start + expected !== end) return refuse('bytes after the last child');
    return { ok: true, value: block };
  }

  private at(index: number): number {
    return this.start + readUint32(this.bytes, this.start + format.BRANCH_HEADER_BYTES + index * 4);
  }

  private keyLength(at: number): number {
    return readUint16(this.bytes, at + format.REFERENCE_BYTES + 6);
  }

  private sequenceOf(at: number): number {
    return readUint48(this.bytes, at + format.REFERENCE_BYTES);
  }

  private compareSeparators(i: number, j: number): number {
    const a = this.at(i);
    const b = this.at(j);
    const aKey = a + format.CHILD_HEADER_BYTES;
    const bKey = b + format.CHILD_HEADER_BYTES;
    const { bytes } = this;
    const aEnd = aKey + this.keyLength(a);
    const bEnd = bKey + this.keyLength(b);
    return compareInternal(bytes, aKey, aEnd, this.sequenceOf(a), bytes, bKey, bEnd, this.sequenceOf(b));
  }

  /** Index of the child whose range holds (key, sequence). O(log count). */
  search(key: Uint8Array, sequence: number): number {
    const bytes = this.bytes;
    let low = 1;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = this.at(middle);
      const keyAt = at + format.CHILD_HEADER_BYTES;
      const byKey = compareSlices(bytes, keyAt, keyAt + this.keyLength(at), key, 0, key.length);
      if (byKey < 0 || (byKey === 0 && this.sequenceOf(at) >= sequence)) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Block of child `index`, for the cache. */
  blockOf(index: number): number {
    return readUint32(this.bytes, this.at(index));
  }

  generationOf(index: number): number {
    return readUint48(this.bytes, this.at(index) + 8);
  }

  reference(index: number): ChildReference {
    assert(index >= 0 && index < this.count, 'a child index is inside its branch', index, this.count);
    return readReference(this.bytes, this.at(index));
  }

  /** The separator before child `index`; its key is a view of this node's bytes. */
  separator(index: number): Separator {
    const at = this.at(index);
    const keyAt = at + format.CHILD_HEADER_BYTES;
    return {
      key: this.bytes.subarray(keyAt, keyAt + this.keyLength(at)),
      sequence: this.sequenceOf(at) as Sequence,
    };
  }
}

/** A node in memory: a leaf has `entries`, a branch has `branch`. */
export class TreeNode implements CachedBlock {
  readonly sizeBytes: number;
  readonly generation: number;
  readonly level: number;
  readonly entries: EntryBlock | undefined;
  readonly branch: BranchBlock | undefined;

  constructor(bytes: Uint8Array, generation: number, level: number, body: EntryBlock | BranchBlock) {
    this.sizeBytes = bytes.length;
    this.generation = generation;
    this.level = level;
    this.entries = body instanceof EntryBlock ? body : undefined;
    this.branch = body instanceof BranchBlock ? body : undefined;
  }
}

/** Decodes the node that `reference` names, from exactly the bytes of its extent. */
export function decodeNode(
  bytes: Uint8Array,
  reference: NodeReference,
  level: number,
  databaseSeed: number,
  blockSizeBytes: number,
): Decoded<TreeNode> {
  assert(bytes.length === reference.blocks * blockSizeBytes, 'a node is decoded from its whole extent', bytes.length);
  const seed = identitySeed(databaseSeed, format.TREE_FILE_NUMBER, reference.block);
  if (readUint32(bytes, 0) !== crc32(bytes, 4, bytes.length, seed)) return refuse('node checksum differs');
  if (readUint16(bytes, 4) !== format.NODE_MAGIC) return refuse('not a node: wrong magic');
  if (readUint16(bytes, 8) !== format.NODE_FORMAT_VERSION) return refuse('unknown format version of the node');
  if (readUint48(bytes, 10) !== reference.generation) {
    return refuse(`node of generation ${readUint48(bytes, 10)}, expected ${reference.generation}`);
  }
  if (bytes[7] !== level) return refuse(`node of level ${bytes[7]}, expected ${level}`);
  if (bytes[6] !== (level === 0 ? format.NODE_LEAF : format.NODE_BRANCH)) return refuse('node kind and level differ');
  const payloadBytes = readUint32(bytes, 16);
  if (readUint32(bytes, 20) !== reference.blocks || blocksFor(payloadBytes, blockSizeBytes) !== reference.blocks) {
    return refuse('node size differs from its reference');
  }
  if (payloadBytes !== (reference.payloadBytes ?? payloadBytes)) return refuse('node size differs from its reference');
  const end = format.NODE_HEADER_BYTES + payloadBytes;
  if (!allZero(bytes, end)) return refuse('padding is not zero');
  const body =
    level === 0
      ? EntryBlock.decode(bytes, format.NODE_HEADER_BYTES, end)
      : BranchBlock.decode(bytes, format.NODE_HEADER_BYTES, end, blockSizeBytes);
  if (!body.ok) return body;
  if (body.value.count === 0) return refuse('empty node');
  return { ok: true, value: new TreeNode(bytes, reference.generation, level, body.value) };
}

/** Reads the bytes of an extent; `undefined` when the file ends inside it. */
export function readExtent(tree: TreeFile, reference: NodeReference): Uint8Array | undefined {
  const bytes = new Uint8Array(reference.blocks * tree.blockSizeBytes);
  const count = tree.file.read(bytes, 0, bytes.length, reference.block * tree.blockSizeBytes);
  return count === bytes.length ? bytes : undefined;
}

/**
 * Reads and validates a node.
 * @throws LightningError `LIGHTNING_CORRUPTION` with file, offset and problem; the store is unchanged. Errors of the
 *   operating system pass through.
 */
export function loadNode(tree: TreeFile, reference: NodeReference, level: number): TreeNode {
  const impossible = referenceProblem(reference, tree.blockSizeBytes);
  const bytes = impossible === undefined ? readExtent(tree, reference) : undefined;
  const decoded =
    bytes === undefined
      ? refuse(impossible ?? 'the file ends inside the node')
      : decodeNode(bytes, reference, level, tree.databaseSeed, tree.blockSizeBytes);
  if (!decoded.ok) throw damagedNode(tree, reference, decoded.problem);
  return decoded.value;
}

/** The error for a damaged node. */
export function damagedNode(tree: TreeFile, reference: NodeReference, problem: string): LightningError {
  const offset = reference.block * tree.blockSizeBytes;
  return new LightningError('LIGHTNING_CORRUPTION', `${tree.fileName} at ${offset}: ${problem}`, {
    file: tree.fileName,
    offset,
    problem,
  });
}
