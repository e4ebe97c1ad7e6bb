/** Free maps: which blocks of `tree.db` are used. */
import { FreeMap } from '../../src/base/free-map.ts';
import { type Fields, joinInput, sameBytes, splitInput } from '../byte-tools.ts';
import { agree, type DecoderTarget, type Judgement } from '../decoder-target.ts';

function isUsed(fields: Fields, block: number): boolean {
  const at = block >>> 3;
  return at < fields.length && ((fields.bytes[at] >>> (block & 7)) & 1) === 1;
}

/** Used blocks by the bitmap, and the number of the last one. */
function countBlocks(fields: Fields): { readonly used: number; readonly last: number } {
  let used = 0;
  let last = -1;
  for (let block = 0; block < fields.length * 8; block++) {
    if (!isUsed(fields, block)) continue;
    used++;
    last = block;
  }
  return { used, last };
}

function check(input: Uint8Array): Judgement {
  const { fields } = splitInput(input, 1);
  const decoded = FreeMap.fromBytes(fields.bytes);
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
  agree(sameBytes(map.toBytes(), fields.bytes), 'written again, a map is the same');
  return { kind: 'accepted' };
}

const bitmap = (...bits: readonly number[]): Uint8Array => joinInput(0, Uint8Array.from(bits));

/** Fuzz target. */
export const target: DecoderTarget = {
  name: 'free-map',
  extraBytesMax: 0,
  samples: () =>
    new Map([
      ['holes', bitmap(0b0111_0011, 0, 0xff, 0b0001_0000, 0xff, 0x80)],
      ['full', bitmap(0xff, 0xff, 0xff, 0xff, 1)],
      ['header-alone', bitmap(1)],
    ]),
  check,
};
