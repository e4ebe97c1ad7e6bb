/** Writes a free map as a file of its own. */
import { assert } from '../base/assert.ts';
import { writeUint16, writeUint32, writeUint48 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import type { Vfs } from '../vfs/vfs.ts';
import * as format from './free-map-format.ts';
import type { FreeMap } from '../base/free-map.ts';

/** The bytes of the file. */
export function encodeFreeMap(map: FreeMap, identity: format.FreeMapIdentity): Uint8Array {
  assert(identity.databaseId.length === 16, 'a database id has 16 bytes', identity.databaseId.length);
  const bytes = new Uint8Array(format.FREE_MAP_HEADER_BYTES + Math.ceil(map.blockCount / 8));
  bytes.set(format.FREE_MAP_MAGIC);
  writeUint16(bytes, format.FREE_MAP_FORMAT_VERSION, 12);
  bytes.set(identity.databaseId, 24);
  writeUint32(bytes, identity.fileNumber, 40);
  writeUint48(bytes, identity.generation, 44);
  writeUint32(bytes, map.blockCount, 50);
  writeUint32(bytes, map.usedCount, 54);
  for (let at = format.FREE_MAP_HEADER_BYTES, i = 0; at < bytes.length; at++, i++) {
    bytes[at] = map.bits[i >>> 2] >>> ((i & 3) * 8);
  }
  const seed = identitySeed(identity.databaseSeed, identity.fileNumber, 0);
  writeUint32(bytes, crc32(bytes, format.FREE_MAP_CHECKED_FROM, bytes.length, seed), 8);
  return bytes;
}

/**
 * Creates the file, writes it whole and syncs it. Its name is durable once the caller has synced the directory.
 * @returns its size in bytes
 * @throws an operating system error (EEXIST when the file is there); a part of the file may then exist
 */
export function writeFreeMap(vfs: Vfs, path: string, map: FreeMap, identity: format.FreeMapIdentity): number {
  const bytes = encodeFreeMap(map, identity);
  const file = vfs.open(path, 'create');
  try {
    file.write(bytes, 0, bytes.length, 0);
    file.sync();
  } finally {
    file.close();
  }
  return bytes.length;
}
