/** Encodes the manifest of a backup. */
import { assert } from '../../base/assert.ts';
import { ByteWriter } from '../../base/bytes.ts';
import { crc32 } from '../../base/checksum.ts';
import {
  BACKUP_FORMAT,
  BACKUP_HEADER_BYTES,
  BACKUP_MAGIC,
  type BackupFile,
  type BackupState,
} from './backup-format.ts';
import { CHUNK_BYTES } from './frozen-vfs.ts';

/** The bytes of a backup's manifest. */
export function encodeBackup(state: BackupState): Uint8Array {
  assert(state.databaseId.length === 16 && state.timeline.length === 16, 'ids have 16 bytes');
  assert(state.parent < state.number, 'a backup builds on an older one', state.parent, state.number);
  const w = new ByteWriter(4096);
  for (let i = 0; i < BACKUP_MAGIC.length; i++) w.uint8(BACKUP_MAGIC.charCodeAt(i));
  w.uint16(BACKUP_FORMAT).uint32(0).uint32(0).append(state.databaseId).append(state.timeline);
  w.uint32(state.number).uint32(state.parent).uint32(state.parentCrc).uint48(state.sequence);
  const time = new Uint8Array(8);
  new DataView(time.buffer).setFloat64(0, state.time, true);
  w.append(time).uint48(state.dataBytes).uint32(state.files.length);
  assert(w.length === BACKUP_HEADER_BYTES, 'the header has its length', w.length, BACKUP_HEADER_BYTES);
  for (const file of state.files) encodeFile(w, file);
  return w.uint32(crc32(w.finish())).finish();
}

function encodeFile(w: ByteWriter, file: BackupFile): void {
  assert(file.chunks.length === Math.ceil(file.sizeBytes / CHUNK_BYTES), 'a file is whole', file.chunks.length);
  w.uint8(file.name.length);
  for (let i = 0; i < file.name.length; i++) w.uint8(file.name.charCodeAt(i));
  w.uint48(file.sizeBytes);
  for (const { backup, offset, sha256 } of file.chunks) w.uint32(backup).uint48(offset).append(sha256);
}
