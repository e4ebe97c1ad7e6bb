/** A 32-bit hash of byte strings, for bloom filters and event hashes; not for secrets. */

/**
 * FNV-1a over the bytes, finished by the avalanche step of MurmurHash3 (Appleby, public domain) so that low and high
 * bits are both usable.
 * @returns an unsigned 32-bit number
 */
export function hash32(bytes: Uint8Array, start = 0, end: number = bytes.length, seed = 0): number {
  let h = 0x811c9dc5 ^ seed;
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i], 0x01000193);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
