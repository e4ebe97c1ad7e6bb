/** Nodes of `tree.db`: leaves and branches behind their header. */
import { crc32 } from 'node:zlib';
import type { BranchBlock } from '../../src/engine/tree-node-reader.ts';
import { decodeNode } from '../../src/engine/tree-node-reader.ts';
import { type Child, packBranch } from '../../src/engine/tree-node-writer.ts';
import type { NodeReference } from '../../src/engine/tree-format.ts';
import { asBlockNumber, asGeneration } from '../../src/engine/types.ts';
import { boundSeed, DATABASE_SEED, Fields, joinInput, sameBytes, splitInput } from '../byte-tools.ts';
import { agree, type DecoderTarget, type Judgement } from '../decoder-target.ts';
import { agreeOnBlock, packEntries, readEntries, repairSlots, SAMPLE_ENTRIES } from '../naive-entries.ts';

const BLOCK_BYTES = 512;
const HEADER_BYTES = 24;
const BLOCK = 7;
const GENERATION = 9;
const CHILD_BYTES = 40;
/** Choices of the harness: the level that is expected; sizes in the header put right; slots laid anew. */
const LEVEL = 3;
const REPAIR_SIZES = 4;
const REPAIR_SLOTS = 8;

/** A node's bytes from header and body: padded to whole blocks, magic and checksum right, the rest by choice. */
function buildNode(content: Fields, choices: number): Fields {
  const blocks = Math.ceil(content.length / BLOCK_BYTES);
  const fields = new Fields(new Uint8Array(blocks * BLOCK_BYTES));
  fields.bytes.set(content.bytes);
  fields.setUint16(4, 0x544c);
  if ((choices & REPAIR_SIZES) !== 0) {
    fields.bytes[6] = (choices & LEVEL) === 0 ? 1 : 2;
    fields.bytes[7] = choices & LEVEL;
    fields.setUint32(16, content.length - HEADER_BYTES);
    fields.setUint32(20, blocks);
  }
  if ((choices & REPAIR_SLOTS) !== 0) {
    if ((choices & LEVEL) === 0) repairSlots(fields, HEADER_BYTES, content.length, true);
    else repairBranchSlots(fields, HEADER_BYTES, content.length);
  }
  fields.setUint32(0, crc32(fields.bytes.subarray(4), boundSeed(0, BLOCK)));
  return fields;
}

function repairBranchSlots(fields: Fields, start: number, end: number): void {
  if (end - start < 4) return;
  const count = Math.min(fields.uint32(start), Math.floor((end - start - 4) / (4 + CHILD_BYTES)));
  fields.setUint32(start, count);
  let at = start + 4 + 4 * count;
  for (let i = 0; i < count; i++) {
    fields.setUint32(start + 4 + 4 * i, at - start);
    if (at + CHILD_BYTES > end) return;
    const room = end - at - CHILD_BYTES;
    if (i === count - 1 && room < 0x1_0000) fields.setUint16(at + 38, room);
    // A child's extent follows from its payload; left alone, hardly a mutated one would fit.
    fields.setUint32(at + 4, Math.ceil((HEADER_BYTES + fields.uint32(at + 14)) / BLOCK_BYTES));
    at += CHILD_BYTES + fields.uint16(at + 38);
  }
}

/** That the children are what the bytes say, in order, inside the file's limits, and found by search. */
function agreeOnBranch(branch: BranchBlock, fields: Fields, end: number): void {
  const children: Child[] = [];
  const start = HEADER_BYTES;
  let at = start + 4 + 4 * fields.uint32(start);
  agree(branch.count === fields.uint32(start), 'a branch counts its children', branch.count);
  for (let i = 0; i < branch.count; i++) {
    agree(at + CHILD_BYTES <= end, 'an accepted child is inside its branch', i);
    const reference = branch.reference(i);
    const separator = branch.separator(i);
    const key = fields.bytes.subarray(at + CHILD_BYTES, at + CHILD_BYTES + fields.uint16(at + 38));
    agree(reference.block === fields.uint32(at) && reference.block > 0, 'a child names a block', i);
    agree(reference.blocks === fields.uint32(at + 4) && reference.blocks > 0, 'a child has an extent', i);
    agree(!Number.isNaN(reference.leastDeadline), 'the deadline of a child is a number', i);
    agree(sameBytes(separator.key, key), 'a separator has the key of the bytes', i);
    agree(separator.sequence === fields.uint48(at + 32), 'a separator has the sequence of the bytes', i);
    if (i > 0) {
      const before = children[i - 1].separator;
      const order = i === 1 ? -1 : Buffer.compare(before.key, key) || separator.sequence - before.sequence;
      agree(order < 0, 'separators are in internal order', i);
      agree(branch.search(key, separator.sequence) === i, 'a search finds each child', i);
    }
    children.push({ separator, reference });
    at += CHILD_BYTES + key.length;
  }
  agree(at === end, 'accepted children fill their branch', at, end);
  const packed = new Uint8Array(end);
  packBranch(children, packed, start);
  agree(sameBytes(packed.subarray(start), fields.bytes.subarray(start, end)), 'packed again, a branch is the same');
}

function check(input: Uint8Array): Judgement {
  const { choices, fields: content } = splitInput(input, HEADER_BYTES);
  const fields = buildNode(content, choices);
  const reference: NodeReference = {
    block: asBlockNumber(BLOCK),
    blocks: fields.length / BLOCK_BYTES,
    generation: asGeneration(GENERATION),
    leastDroppable: Infinity,
    leastDeadline: Infinity,
  };
  const level = choices & LEVEL;
  const decoded = decodeNode(fields.bytes, reference, level, DATABASE_SEED, BLOCK_BYTES);
  if (!decoded.ok) return { kind: 'refused', problem: decoded.problem };
  const { entries, branch } = decoded.value;
  const end = HEADER_BYTES + fields.uint32(16);
  agree(end <= fields.length, 'the payload of an accepted node is inside it', end);
  agree(fields.uint48(10) === GENERATION && fields.bytes[7] === level, 'an accepted node is the one that was named');
  agree((entries === undefined) === level > 0, 'leaves are at level 0', level);
  agree((entries?.count ?? branch?.count ?? 0) > 0, 'an accepted node is not empty');
  if (entries !== undefined) agreeOnBlock(entries, readEntries(fields, HEADER_BYTES, end));
  if (branch !== undefined) agreeOnBranch(branch, fields, end);
  return { kind: 'accepted' };
}

function node(choices: number, body: Uint8Array): Uint8Array {
  const fields = new Fields(new Uint8Array(HEADER_BYTES + body.length));
  fields.setUint16(8, 1);
  fields.setUint48(10, GENERATION);
  fields.bytes.set(body, HEADER_BYTES);
  return joinInput(choices, buildNode(fields, choices | REPAIR_SIZES).bytes.subarray(0, fields.length));
}

/** The body of a branch over these separators. */
function branchBody(separators: readonly (readonly [string, number])[]): Uint8Array {
  const size = separators.reduce((sum, [key]) => sum + 4 + CHILD_BYTES + key.length, 4);
  const fields = new Fields(new Uint8Array(size));
  fields.setUint32(0, separators.length);
  let at = 4 + 4 * separators.length;
  for (const [i, [key, sequence]] of separators.entries()) {
    fields.setUint32(4 + 4 * i, at);
    fields.setUint32(at, 10 + 2 * i);
    fields.setUint32(at + 4, 1);
    fields.setUint48(at + 8, GENERATION);
    fields.setUint32(at + 14, 300 + i);
    fields.setUint48(at + 18, i === 1 ? 12 : 2 ** 48 - 1);
    new DataView(fields.bytes.buffer).setFloat64(at + 24, i === 2 ? 1_700_000_000_000 : Infinity, true);
    fields.setUint48(at + 32, sequence);
    fields.setUint16(at + 38, key.length);
    fields.setText(at + CHILD_BYTES, key);
    at += CHILD_BYTES + key.length;
  }
  return fields.bytes;
}

function samples(): ReadonlyMap<string, Uint8Array> {
  const branch = branchBody([
    ['', 2 ** 48 - 1],
    ['bee', 40],
    ['bee', 12],
    ['cat', 2 ** 48 - 1],
  ]);
  const close = branchBody([['', 2 ** 48 - 1], ...[8, 7, 6, 5, 4, 3].map((sequence) => ['k', sequence] as const)]);
  const leaf = packEntries(SAMPLE_ENTRIES);
  return new Map([
    ['leaf', node(REPAIR_SIZES | REPAIR_SLOTS, leaf)],
    ['leaf-as-it-is', node(0, leaf)],
    ['branch', node(1 | REPAIR_SIZES | REPAIR_SLOTS, branch)],
    ['branch-of-one-key', node(1 | REPAIR_SIZES, close)],
    ['branch-as-it-is', node(2 | REPAIR_SIZES, branch)],
  ]);
}

/** Fuzz target. */
export const target: DecoderTarget = { name: 'tree-node', extraBytesMax: 0, samples, check };
