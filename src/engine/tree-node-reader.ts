/**
 * Reads the nodes of a tree file. The bytes are hostile: every check gives a problem as a value, and
 * memory is bounded by what the reference names. A node is validated once, when it is loaded; its accessors trust it.
 */
import { assert } from '../base/assert.ts';
import { decompressBlock } from '../base/block-compression.ts';
import { allZero, readFloat64, readUint16, readUint32, readUint48, UINT48_MAX } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import type { LightningError } from '../base/errors.ts';
import type { CachedBlock } from '../base/block-cache.ts';
import { Version } from './cursor.ts';
import { corruption, refuse } from './damage.ts';
import { EntryBlock } from './entry-block.ts';
import * as format from './tree-format.ts';
import type { NodeReference, NodeSurroundings, Separator, TreeFile } from './tree-format.ts';
import { type BlockNumber, type Decoded, type Generation, KIND_PUT, NO_DEADLINE, SEQUENCE_MAX } from './types.ts';

/** What a cached node weighs beyond its bytes: its objects and its place in the cache. */
const NODE_OVERHEAD_BYTES = 256;

/** Decodes the reference at `at`; the caller vouches for `REFERENCE_BYTES` there. */
export function readReference(bytes: Uint8Array, at: number): NodeReference {
  const leastDroppable = readUint48(bytes, at + 18);
  return {
    block: readUint32(bytes, at) as BlockNumber,
    blocks: readUint32(bytes, at + 4),
    generation: readUint48(bytes, at + 8) as Generation,
    payloadBytes: readUint32(bytes, at + 14),
    leastDroppable: leastDroppable === UINT48_MAX ? Infinity : leastDroppable,
    leastDeadline: readFloat64(bytes, at + 24),
  };
}

/** Blocks of a node that stores so many bytes behind its header. */
export function blocksFor(storedBytes: number, blockSizeBytes: number): number {
  return Math.ceil((format.NODE_HEADER_BYTES + storedBytes) / blockSizeBytes);
}

/** What is impossible about a reference, if anything. */
export function referenceProblem(reference: NodeReference, blockSizeBytes: number): string | undefined {
  const { block, blocks, payloadBytes } = reference;
  if (block === 0 || block + blocks > 0x1_0000_0000) return 'a reference to no node';
  if (blocks === 0 || blocks > blocksFor(payloadBytes, blockSizeBytes)) return 'payload and extent differ';
  if (payloadBytes > format.NODE_BYTES_MAX) return 'a reference to an impossible extent';
  if (Number.isNaN(reference.leastDeadline)) return 'a reference whose deadline is no number';
  return undefined;
}

/** A node in memory. The entries of a branch are the separators before its children, their values the references. */
export class TreeNode implements CachedBlock {
  readonly sizeBytes: number;
  readonly generation: number;
  readonly level: number;
  readonly entries: EntryBlock;

  constructor(generation: number, level: number, entries: EntryBlock) {
    this.sizeBytes = entries.bytes.length + NODE_OVERHEAD_BYTES;
    this.generation = generation;
    this.level = level;
    this.entries = entries;
  }

  get isLeaf(): boolean {
    return this.level === 0;
  }

  /** Children of a branch, versions of a leaf. */
  get count(): number {
    return this.entries.count;
  }

  /** Index of the child whose range holds (key, sequence). O(log count). */
  search(key: Uint8Array, sequence: number): number {
    return this.entries.search(key, Math.ceil(sequence) - 1) - 1;
  }

  reference(index: number): NodeReference {
    assert(index >= 0 && index < this.count, 'a child index is inside its branch', index, this.count);
    return readReference(this.entries.bytes, this.entries.valueAt(index));
  }

  /** The separator before child `index`; its key is a view of this node's bytes. */
  separator(index: number): Separator {
    const version = new Version();
    this.entries.load(index, version);
    return { key: version.bytes.subarray(version.keyStart, version.keyEnd), sequence: version.sequence };
  }
}

/** What is wrong with the children of a branch. */
function branchProblem(entries: EntryBlock, blockSizeBytes: number): string | undefined {
  const child = new Version();
  for (let i = 0; i < entries.count; i++) {
    entries.load(i, child);
    const isReference = child.valueEnd - child.keyEnd === format.REFERENCE_BYTES;
    if (!isReference || child.kind !== KIND_PUT || child.deadline !== NO_DEADLINE) return `child ${i} is no reference`;
    if (i === 0 && (child.keyEnd !== child.keyStart || child.sequence !== SEQUENCE_MAX)) {
      return 'child 0 has a separator';
    }
    const problem = referenceProblem(readReference(child.bytes, child.keyEnd), blockSizeBytes);
    if (problem !== undefined) return `child ${i}: ${problem}`;
  }
  return undefined;
}

/**
 * Takes header, checksum and compression off the node that `reference` names.
 * @param bytes exactly its extent
 * @returns the payload, a view of `bytes` or fresh bytes
 */
function decodePayload(
  bytes: Uint8Array,
  reference: NodeReference,
  kind: number,
  level: number,
  tree: NodeSurroundings,
): Decoded<Uint8Array> {
  const { databaseSeed, fileNumber, blockSizeBytes } = tree;
  assert(bytes.length === reference.blocks * blockSizeBytes, 'a node is decoded from its whole extent', bytes.length);
  const seed = identitySeed(databaseSeed, fileNumber, reference.block);
  if (readUint32(bytes, 0) !== crc32(bytes, 4, bytes.length, seed)) return refuse('node checksum differs');
  if (readUint16(bytes, 4) !== format.NODE_MAGIC) return refuse('not a node: wrong magic');
  if (bytes[8] !== format.NODE_FORMAT_VERSION) return refuse('unknown format version of the node');
  if (readUint48(bytes, 10) !== reference.generation) {
    return refuse(`node of generation ${readUint48(bytes, 10)}, expected ${reference.generation}`);
  }
  if (bytes[7] !== level) return refuse(`node of level ${bytes[7]}, expected ${level}`);
  if (bytes[6] !== kind) return refuse(`node of kind ${bytes[6]}, expected ${kind}`);
  if (bytes[9] !== 0 && kind !== format.NODE_LEAF) return refuse('only leaves are compressed');
  const payloadBytes = readUint32(bytes, 16);
  const storedBytes = readUint32(bytes, 20);
  if (payloadBytes !== reference.payloadBytes || blocksFor(storedBytes, blockSizeBytes) !== reference.blocks) {
    return refuse('node size differs from its reference');
  }
  const end = format.NODE_HEADER_BYTES + storedBytes;
  if (!allZero(bytes, end, bytes.length)) return refuse('bytes after the payload are not zero');
  const payloadBytesMax = kind === format.NODE_FOOTER ? bytes.length : format.NODE_BYTES_MAX;
  return decompressBlock(bytes.subarray(format.NODE_HEADER_BYTES, end), bytes[9], payloadBytes, payloadBytesMax);
}

/** Decodes the leaf or branch that `reference` names, from exactly the bytes of its extent. */
export function decodeNode(
  bytes: Uint8Array,
  reference: NodeReference,
  level: number,
  tree: NodeSurroundings,
): Decoded<TreeNode> {
  const kind = level === 0 ? format.NODE_LEAF : format.NODE_BRANCH;
  const payload = decodePayload(bytes, reference, kind, level, tree);
  if (!payload.ok) return payload;
  const entries = EntryBlock.decode(payload.value, 0, payload.value.length);
  if (!entries.ok) return entries;
  if (entries.value.count === 0) return refuse('a node holds nothing');
  const problem = level === 0 ? undefined : branchProblem(entries.value, tree.blockSizeBytes);
  if (problem !== undefined) return refuse(problem);
  return { ok: true, value: new TreeNode(reference.generation, level, entries.value) };
}

/** Reads the payload of a file's footer. */
export function readFooter(tree: TreeFile, footer: NodeReference): Decoded<Uint8Array> {
  const bytes = readExtent(tree, footer);
  if (bytes === undefined) return refuse('the file ends inside the footer');
  return decodePayload(bytes, footer, format.NODE_FOOTER, 0, tree);
}

/** The bytes of an extent; `undefined` when the file ends inside it. */
export function readExtent(tree: TreeFile, reference: NodeReference): Uint8Array | undefined {
  const bytes = new Uint8Array(reference.blocks * tree.blockSizeBytes);
  const count = tree.file.read(bytes, 0, bytes.length, reference.block * tree.blockSizeBytes);
  return count === bytes.length ? bytes : undefined;
}

/** Reads and validates a node. Errors of the operating system pass through. */
export function readNode(tree: TreeFile, reference: NodeReference, level: number): Decoded<TreeNode> {
  const impossible = referenceProblem(reference, tree.blockSizeBytes);
  if (impossible !== undefined) return refuse(impossible);
  const bytes = readExtent(tree, reference);
  return bytes === undefined ? refuse('the file ends inside the node') : decodeNode(bytes, reference, level, tree);
}

/**
 * The same.
 * @throws LightningError `LIGHTNING_CORRUPTION` with file, offset and problem; the store is unchanged
 */
export function loadNode(tree: TreeFile, reference: NodeReference, level: number): TreeNode {
  const decoded = readNode(tree, reference, level);
  if (!decoded.ok) throw damagedNode(tree, reference, decoded.problem);
  return decoded.value;
}

/** The error for a damaged node. */
export function damagedNode(tree: TreeFile, reference: NodeReference, problem: string): LightningError {
  return corruption(tree.fileName, reference.block * tree.blockSizeBytes, problem);
}
