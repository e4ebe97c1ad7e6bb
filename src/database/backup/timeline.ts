/**
 * Which history a store belongs to. A store begins on the timeline that has its database id as name; a restore begins a
 * new one, so that commits made after it are never mixed with commits of the same number that were made before.
 *
 * `TIMELINE`, 54 bytes: magic 8 · timeline 16 · the timeline it left 16 · last commit in common u48 · zero 4 · crc u32.
 */
import { allZero, ByteReader, ByteWriter, equalBytes } from '../../base/bytes.ts';
import { crc32 } from '../../base/checksum.ts';
import { LightningError } from '../../base/errors.ts';
import { readManifest } from '../../engine/recovery.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import { readWholeFile } from '../../vfs/watched-vfs.ts';

export const TIMELINE_FILE = 'TIMELINE';
const MAGIC = 'LDBTIM\r\n';
const BYTES = 54;

/** The bytes of `TIMELINE`. */
export function encodeTimeline(timeline: Uint8Array, left: Uint8Array, sequence: number): Uint8Array {
  const w = new ByteWriter(BYTES);
  for (let i = 0; i < MAGIC.length; i++) w.uint8(MAGIC.charCodeAt(i));
  w.append(timeline).append(left).uint48(sequence).uint32(0);
  return w.uint32(crc32(w.finish())).finish();
}

/**
 * The timeline of the store in a folder: 16 bytes.
 * @throws LightningError `LIGHTNING_CORRUPTION` for a damaged `TIMELINE`, and those of reading the manifest
 */
export function timelineOf(vfs: Vfs): Uint8Array {
  if (vfs.kind(TIMELINE_FILE) === undefined) return readManifest(vfs).databaseId;
  const bytes = readWholeFile(vfs, TIMELINE_FILE);
  const reader = new ByteReader(bytes);
  const magic = reader.byteString(MAGIC.length);
  const timeline = reader.byteString(16);
  const isWhole = bytes.length === BYTES && equalBytes(magic, Buffer.from(MAGIC, 'latin1'));
  const crc = isWhole ? new ByteReader(bytes, BYTES - 4).uint32() : 0;
  if (!isWhole || crc !== crc32(bytes, 0, BYTES - 4) || !allZero(bytes, BYTES - 8, BYTES - 4)) {
    throw new LightningError('LIGHTNING_CORRUPTION', `${TIMELINE_FILE} is damaged`, { file: TIMELINE_FILE });
  }
  return timeline;
}
