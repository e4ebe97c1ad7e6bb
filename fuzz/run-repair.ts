/**
 * Makes mutated bytes look like a run of the right store, checksum by checksum (spec/formats/run.md), so that fuzzing
 * reaches what lies behind the checksums. By choice it also lays references anew, so that mutations that change sizes do.
 *
 * An input is the file, then what the manifest claims of it: versions, least and greatest sequence, six bytes each.
 */
import type { RunMeta } from '../src/engine/run-format.ts';
import type { NodeReference } from '../src/engine/tree-format.ts';
import { asBlockNumber, asFileNumber, asGeneration, asSequence } from '../src/engine/types.ts';
import { boundSeed, DATABASE_ID, Fields } from './byte-tools.ts';
import { repairSlots } from './naive-entries.ts';
import { crc32 } from 'node:zlib';

export const RUN_FILE_NUMBER = 5;
export const RUN_GENERATION = 9;
const BLOCK_BYTES = 64;
const NODE_HEADER_BYTES = 24;
const ENTRY_HEADER_BYTES = 13;
const REFERENCE_BYTES = 32;
const CLAIM_BYTES = 18;
const FOOTER_KIND = 3;
/** Header, footer, claims. */
export const RUN_BYTES_MIN: number = 2 * BLOCK_BYTES + CLAIM_BYTES;

/** Choices: references laid anew; payload lengths of unpacked nodes; slots of nodes. */
export const REPAIR_PLACES = 1;
export const REPAIR_LENGTHS = 2;
export const REPAIR_SLOTS = 4;

/** A file, made whole, and what a manifest would say of it. */
export interface RepairedRun {
  readonly bytes: Uint8Array;
  readonly meta: RunMeta;
}

/** Walks the nodes from the front; at least {@link RUN_BYTES_MIN} bytes. */
export function repairRun(input: Fields, choices: number): RepairedRun {
  const sizeBytes = Math.floor((input.length - CLAIM_BYTES) / BLOCK_BYTES) * BLOCK_BYTES;
  const fields = new Fields(input.bytes.slice(0, sizeBytes));
  repairHeader(fields);
  const nodes: { readonly level: number; readonly kind: number; readonly reference: NodeReference }[] = [];
  const unclaimed = new Map<number, NodeReference[]>();
  for (let at = BLOCK_BYTES; at < sizeBytes;) {
    const reference = repairNode(fields, at, choices, unclaimed);
    const [kind, level] = [fields.bytes[at + 6], fields.bytes[at + 7]];
    nodes.push({ kind, level, reference });
    if (kind !== FOOTER_KIND) unclaimed.set(level, [...(unclaimed.get(level) ?? []), reference]);
    at += reference.blocks * BLOCK_BYTES;
  }
  const [footer] = nodes.slice(-1);
  const before = nodes.at(-2);
  const root = before === undefined ? undefined : { reference: before.reference, height: before.level + 1 };
  const claim = (offset: number): number => input.uint48(input.length - CLAIM_BYTES + offset);
  const meta: RunMeta = {
    fileNumber: asFileNumber(RUN_FILE_NUMBER),
    sizeBytes,
    entryCount: claim(0),
    leastSequence: asSequence(claim(6)),
    greatestSequence: asSequence(claim(12)),
    root,
    footer: footer.reference,
  };
  return { bytes: fields.bytes, meta };
}

function repairHeader(fields: Fields): void {
  fields.setText(0, 'LDB-TREE');
  fields.setUint16(12, 1);
  fields.bytes.set(DATABASE_ID, 24);
  fields.setUint32(40, RUN_FILE_NUMBER);
  fields.setUint32(44, BLOCK_BYTES);
  fields.setUint32(8, crc32(fields.bytes.subarray(12, BLOCK_BYTES), boundSeed(RUN_FILE_NUMBER, 0)));
}

/** Brings one node in line with its place and its bytes. */
function repairNode(
  fields: Fields,
  at: number,
  choices: number,
  unclaimed: Map<number, NodeReference[]>,
): NodeReference {
  const room = fields.length - at - NODE_HEADER_BYTES;
  if (fields.uint32(at + 20) > room) fields.setUint32(at + 20, room);
  const storedBytes = fields.uint32(at + 20);
  const end = at + NODE_HEADER_BYTES + storedBytes;
  const blocks = Math.ceil((NODE_HEADER_BYTES + storedBytes) / BLOCK_BYTES);
  const isRaw = fields.bytes[at + 9] === 0;
  fields.setUint16(at + 4, 0x544c);
  fields.setUint48(at + 10, RUN_GENERATION);
  if ((choices & REPAIR_LENGTHS) !== 0 && isRaw) fields.setUint32(at + 16, storedBytes);
  const isFooter = fields.bytes[at + 6] === FOOTER_KIND;
  const isLeaf = fields.bytes[at + 7] === 0;
  if ((choices & REPAIR_SLOTS) !== 0 && isRaw && !isFooter) {
    repairSlots(fields, at + NODE_HEADER_BYTES, end, isLeaf);
  }
  if ((choices & REPAIR_PLACES) !== 0 && isRaw && !isFooter && !isLeaf) {
    repairReferences(fields, at + NODE_HEADER_BYTES, end, unclaimed.get(fields.bytes[at + 7] - 1) ?? []);
  }
  fields.bytes.fill(0, end, at + blocks * BLOCK_BYTES);
  const extentEnd = at + blocks * BLOCK_BYTES;
  fields.setUint32(at, fields.boundChecksum(at + 4, extentEnd, RUN_FILE_NUMBER, at / BLOCK_BYTES));
  return {
    block: asBlockNumber(at / BLOCK_BYTES),
    blocks,
    generation: asGeneration(RUN_GENERATION),
    payloadBytes: fields.uint32(at + 16),
    leastDroppable: 0,
    leastDeadline: -Infinity,
  };
}

/** Lets a branch name the nodes of the level below that nobody names yet, in their order. */
function repairReferences(fields: Fields, start: number, end: number, below: NodeReference[]): void {
  let at = start + 4 + 4 * fields.uint32(start);
  for (let i = 0; i < fields.uint32(start) && at + ENTRY_HEADER_BYTES <= end; i++) {
    const value = at + ENTRY_HEADER_BYTES + fields.uint16(at + 1);
    const child = value + REFERENCE_BYTES <= end ? below.shift() : undefined;
    if (child === undefined) return;
    fields.setUint32(value, child.block);
    fields.setUint32(value + 4, child.blocks);
    fields.setUint48(value + 8, child.generation);
    fields.setUint32(value + 14, child.payloadBytes);
    at = value + fields.uint32(at + 3);
  }
}
