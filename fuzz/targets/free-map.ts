/** Free maps: which blocks of `tree.db` are used. */
import { encodeFreeMap } from '../../src/engine/free-map-writer.ts';
import { decodeFreeMap } from '../../src/engine/free-map-reader.ts';
import type { FreeMapIdentity } from '../../src/engine/free-map-format.ts';
import { asFileNumber, asGeneration } from '../../src/engine/types.ts';
import { DATABASE_ID, DATABASE_SEED, Fields, joinInput, sameBytes, splitInput } from '../byte-tools.ts';
import { agree, type DecoderTarget, type Judgement } from '../decoder-target.ts';

const HEADER_BYTES = 58;
const CHECKED_FROM = 12;
const IDENTITY: FreeMapIdentity = {
  databaseId: DATABASE_ID,
  databaseSeed: DATABASE_SEED,
  fileNumber: asFileNumber(4),
  generation: asGeneration(6),
};
/** Choices of the harness: block count and used count as the bitmap has them. */
const REPAIR_COUNTS = 1;

function isUsed(fields: Fields, block: number): boolean {
  const at = HEADER_BYTES + (block >>> 3);
  return at < fields.length && ((fields.bytes[at] >>> (block & 7)) & 1) === 1;
}

/** Used blocks by the bitmap, and the number of the last one. */
function countBlocks(fields: Fields): { readonly used: number; readonly last: number } {
  let used = 0;
  let last = -1;
  for (let block = 0; block < (fields.length - HEADER_BYTES) * 8; block++) {
    if (!isUsed(fields, block)) continue;
    used++;
    last = block;
  }
  return { used, last };
}

function repair(fields: Fields, choices: number): void {
  fields.setText(0, 'LDB-FREE');
  fields.bytes.set(DATABASE_ID, 24);
  fields.setUint32(40, IDENTITY.fileNumber);
  fields.setUint48(44, IDENTITY.generation);
  if ((choices & REPAIR_COUNTS) !== 0) {
    const { used, last } = countBlocks(fields);
    fields.setUint32(50, last + 1);
    fields.setUint32(54, used);
  }
  fields.setUint32(8, fields.boundChecksum(CHECKED_FROM, fields.length, IDENTITY.fileNumber, 0));
}

function check(input: Uint8Array): Judgement {
  const { choices, fields } = splitInput(input, HEADER_BYTES);
  repair(fields, choices);
  const decoded = decodeFreeMap(fields.bytes, IDENTITY);
  if (!decoded.ok) return { kind: 'refused', problem: decoded.problem };
  const map = decoded.value;
  const { used, last } = countBlocks(fields);
  agree(map.blockCount === last + 1, 'the last used block of a map is its last block', map.blockCount, last + 1);
  agree(map.usedCount === used, 'a map counts its used blocks', map.usedCount, used);
  agree(isUsed(fields, 0), 'the header block is used');
  let free = 0;
  for (const { block, blocks } of map.freeExtents()) {
    for (let i = block; i < block + blocks; i++) agree(!isUsed(fields, i), 'a free extent is free', i);
    free += blocks;
  }
  agree(free === map.blockCount - used, 'free extents are all that is not used', free);
  for (let i = 0; i < map.blockCount; i++)
    agree(map.isUsed(i) === isUsed(fields, i), 'a block is used as the bitmap says', i);
  // Compatible feature bits are ignored by a reader and not kept by a writer.
  fields.setUint32(16, 0);
  fields.setUint32(8, fields.boundChecksum(CHECKED_FROM, fields.length, IDENTITY.fileNumber, 0));
  agree(sameBytes(encodeFreeMap(map, IDENTITY), fields.bytes), 'written again, a map is the same');
  return { kind: 'accepted' };
}

function bitmap(choices: number, bits: readonly number[]): Uint8Array {
  const fields = new Fields(new Uint8Array(HEADER_BYTES + bits.length));
  fields.setUint16(12, 1);
  fields.bytes.set(bits, HEADER_BYTES);
  repair(fields, REPAIR_COUNTS);
  return joinInput(choices, fields.bytes);
}

/** Fuzz target. */
export const target: DecoderTarget = {
  name: 'free-map',
  extraBytesMax: 0,
  samples: () =>
    new Map([
      ['holes', bitmap(REPAIR_COUNTS, [0b0111_0011, 0, 0xff, 0b0001_0000, 0xff, 0x80])],
      ['full', bitmap(0, [0xff, 0xff, 0xff, 0xff, 1])],
      ['header-alone', bitmap(0, [1])],
    ]),
  check,
};
