/** Reads a free map. The bytes are hostile. */
import { equalBytes, readUint16, readUint32, readUint48 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { believe, readNamed, refuse } from './damage.ts';
import * as format from './free-map-format.ts';
import { FreeMap } from '../base/free-map.ts';
import type { Decoded } from './types.ts';

/** Decodes the bytes of a whole file, which must be the map named by `identity`. */
export function decodeFreeMap(bytes: Uint8Array, identity: format.FreeMapIdentity): Decoded<FreeMap> {
  if (bytes.length < format.FREE_MAP_HEADER_BYTES) return refuse('the file is shorter than its header');
  if (!equalBytes(bytes.subarray(0, 8), format.FREE_MAP_MAGIC)) return refuse('not a free map: wrong magic');
  const seed = identitySeed(identity.databaseSeed, identity.fileNumber, 0);
  if (readUint32(bytes, 8) !== crc32(bytes, format.FREE_MAP_CHECKED_FROM, bytes.length, seed)) {
    return refuse('checksum differs');
  }
  if (readUint16(bytes, 12) !== format.FREE_MAP_FORMAT_VERSION) return refuse('unknown format version');
  if (readUint16(bytes, 14) !== 0) return refuse('a reserved field is not zero');
  if (readUint32(bytes, 20) !== 0) return refuse('the map uses features that are not known here');
  if (!equalBytes(bytes.subarray(24, 40), identity.databaseId)) return refuse('the map of another database');
  if (readUint32(bytes, 40) !== identity.fileNumber) return refuse('the map has another file number');
  if (readUint48(bytes, 44) !== identity.generation) return refuse('the map of another generation');
  const blockCount = readUint32(bytes, 50);
  const bitmapBytes = bytes.length - format.FREE_MAP_HEADER_BYTES;
  if (blockCount === 0 || bitmapBytes !== Math.ceil(blockCount / 8)) return refuse('block count and size differ');
  const bits = new Uint32Array(Math.ceil(blockCount / 32));
  for (let i = 0; i < bitmapBytes; i++) bits[i >>> 2] |= bytes[format.FREE_MAP_HEADER_BYTES + i] << ((i & 3) * 8);
  if ((bits[0] & 1) === 0) return refuse('the header block is free');
  const last = bits[bits.length - 1];
  if (32 - Math.clz32(last) !== ((blockCount - 1) & 31) + 1) return refuse('the last used block is not the last block');
  const map = new FreeMap(bits, blockCount);
  if (map.usedCount !== readUint32(bytes, 54)) return refuse('used count differs');
  return { ok: true, value: map };
}

/**
 * Reads the map that the manifest names.
 * @throws LightningError `LIGHTNING_CORRUPTION` with file, offset and problem, also when the file is missing; other
 *   operating system errors pass through
 */
export function readFreeMap(vfs: Vfs, path: string, identity: format.FreeMapIdentity): FreeMap {
  return believe(decodeFreeMap(readNamed(vfs, path), identity), path, 0);
}
