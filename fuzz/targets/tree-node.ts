/** Nodes of `tree.db`: leaves and branches behind their header. */
import { crc32 } from 'node:zlib';
import { decodeNode, type TreeNode } from '../../src/engine/tree-node-reader.ts';
import type { NodeReference } from '../../src/engine/tree-format.ts';
import { asBlockNumber, asGeneration } from '../../src/engine/types.ts';
import { boundSeed, DATABASE_SEED, Fields, joinInput, sameBytes, splitInput } from '../byte-tools.ts';
import { agree, type DecoderTarget, type Judgement } from '../decoder-target.ts';
import {
  agreeOnBlock,
  type NaiveEntry,
  packEntries,
  readEntries,
  repairSlots,
  SAMPLE_ENTRIES,
} from '../naive-entries.ts';

const BLOCK_BYTES = 512;
const HEADER_BYTES = 24;
const BLOCK = 7;
const GENERATION = 9;
const REFERENCE_BYTES = 32;
const PLACE = { databaseSeed: DATABASE_SEED, fileNumber: 0, blockSizeBytes: BLOCK_BYTES };
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
    fields.setUint32(20, content.length - HEADER_BYTES);
  }
  if ((choices & REPAIR_SLOTS) !== 0) {
    repairSlots(fields, HEADER_BYTES, content.length, (choices & LEVEL) === 0);
  }
  fields.setUint32(0, crc32(fields.bytes.subarray(4), boundSeed(0, BLOCK)));
  return fields;
}

/** That the children are what the bytes say, in order, inside the file's limits, and found by search. */
function agreeOnBranch(branch: TreeNode, entries: readonly NaiveEntry[]): void {
  agree(branch.count === entries.length, 'a branch counts its children', branch.count);
  for (const [i, entry] of entries.entries()) {
    const value = new Fields(entry.value.slice());
    const { key, sequence } = branch.separator(i);
    const reference = branch.reference(i);
    agree(entry.isPut && entry.deadline === undefined, 'a child is an entry that does not expire', i);
    agree(value.length === REFERENCE_BYTES, 'a child is a reference', i);
    agree(reference.block === value.uint32(0) && reference.block > 0, 'a child names a block', i);
    agree(reference.blocks === value.uint32(4) && reference.blocks > 0, 'a child has an extent', i);
    agree(!Number.isNaN(reference.leastDeadline), 'the deadline of a child is a number', i);
    agree(sameBytes(key, entry.key), 'a separator has the key of the bytes', i);
    agree(sequence === entry.sequence, 'a separator has the sequence of the bytes', i);
    agree(i > 0 || (key.length === 0 && sequence === 2 ** 48 - 1), 'before the first child stands nothing', i);
    agree(branch.search(key, sequence) === i, 'a search finds each child', i);
  }
}

function check(input: Uint8Array): Judgement {
  const { choices, fields: content } = splitInput(input, HEADER_BYTES);
  const fields = buildNode(content, choices);
  const reference: NodeReference = {
    block: asBlockNumber(BLOCK),
    blocks: fields.length / BLOCK_BYTES,
    generation: asGeneration(GENERATION),
    payloadBytes: fields.uint32(16),
    leastDroppable: Infinity,
    leastDeadline: Infinity,
  };
  const level = choices & LEVEL;
  const decoded = decodeNode(fields.bytes, reference, level, PLACE);
  if (!decoded.ok) return { kind: 'refused', problem: decoded.problem };
  const found = decoded.value;
  agree(fields.uint48(10) === GENERATION && fields.bytes[7] === level, 'an accepted node is the one that was named');
  agree(found.isLeaf === (level === 0), 'leaves are at level 0', level);
  agree(found.count > 0, 'an accepted node is not empty');
  const end = HEADER_BYTES + fields.uint32(20);
  agree(end <= fields.length, 'the payload of an accepted node is inside it', end);
  // Packed payloads are judged by what the reader makes of them alone.
  if (fields.bytes[9] !== 0) return { kind: 'accepted' };
  const entries = readEntries(fields, HEADER_BYTES, end);
  if (found.isLeaf) agreeOnBlock(found.entries, entries);
  else agreeOnBranch(found, entries);
  return { kind: 'accepted' };
}

function node(choices: number, body: Uint8Array): Uint8Array {
  const fields = new Fields(new Uint8Array(HEADER_BYTES + body.length));
  fields.bytes[8] = 1;
  fields.setUint48(10, GENERATION);
  fields.bytes.set(body, HEADER_BYTES);
  return joinInput(choices, buildNode(fields, choices | REPAIR_SIZES).bytes.subarray(0, fields.length));
}

/** The body of a branch over these separators. */
function branchBody(separators: readonly (readonly [string, number])[]): Uint8Array {
  const children = separators.map(([key, sequence], i): NaiveEntry => {
    const value = new Fields(new Uint8Array(REFERENCE_BYTES));
    value.setUint32(0, 10 + 2 * i);
    value.setUint32(4, 1);
    value.setUint48(8, GENERATION);
    value.setUint32(14, 300 + i);
    value.setUint48(18, i === 1 ? 12 : 2 ** 48 - 1);
    new DataView(value.bytes.buffer).setFloat64(24, i === 2 ? 1_700_000_000_000 : Infinity, true);
    return { key: new Uint8Array(Buffer.from(key)), sequence, isPut: true, deadline: undefined, value: value.bytes };
  });
  return packEntries(children);
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
export const target: DecoderTarget = {
  name: 'tree-node',
  // A packed node may unpack to the largest payload.
  extraBytesMax: 32 * 1024 * 1024,
  samples,
  check,
};
