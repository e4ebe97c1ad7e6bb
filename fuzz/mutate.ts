/**
 * A few seeded mutations: for the part of the stage that has to be a function of its seed, and around each input of
 * jsfuzz, which spends most of its time between two processes and not on the input.
 */
import { crc32 } from 'node:zlib';
import { Prng } from '../src/base/prng.ts';

const EDITS_MAX = 4;

/** A changed copy of an input: bytes set, flipped, repeated or cut out. */
export function mutate(input: Uint8Array, random: Prng): Uint8Array {
  let bytes = Buffer.from(input);
  for (let edits = random.between(1, EDITS_MAX); edits > 0 && bytes.length > 1; edits--) {
    const at = random.below(bytes.length);
    const length = random.between(1, Math.min(8, bytes.length - at));
    switch (random.below(4)) {
      case 0:
        bytes[at] = random.pick([0, 1, 127, 128, 255, random.below(256)]);
        break;
      case 1:
        bytes[at] ^= 1 << random.below(8);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
        break;
      default:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    }
  }
  return new Uint8Array(bytes);
}

const NEIGHBOURS = 12;

/** Inputs close to one; a function of it and the seed, so that they can be made again. */
export function neighbours(input: Uint8Array, seed: number): Uint8Array[] {
  const random = new Prng(crc32(input, seed >>> 0));
  return Array.from({ length: NEIGHBOURS }, () => mutate(input, random));
}
