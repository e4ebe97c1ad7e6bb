/** Reads backups: their manifests, which come from outside, and the store in one of them as a folder of files. */
import { ByteReader, equalBytes } from '../../base/bytes.ts';
import { crc32 } from '../../base/checksum.ts';
import { errnoOf, LightningError } from '../../base/errors.ts';
import { isStoreFile, LOCK_FILE, MANIFEST_FILE } from '../../engine/file-names.ts';
import type { Vfs, VfsFile } from '../../vfs/vfs.ts';
import { readWholeFile } from '../../vfs/watched-vfs.ts';
import {
  BACKUP_CHUNK_ENTRY_BYTES,
  BACKUP_FORMAT,
  BACKUP_HEADER_BYTES,
  BACKUP_MAGIC,
  backupDataName,
  type BackupChunk,
  type BackupFile,
  backupManifestName,
  backupNumberOf,
  type BackupState,
} from './backup-format.ts';
import { CHUNK_BYTES } from './frozen-vfs.ts';
import { sha256 } from './sha256.ts';

/** @throws LightningError `LIGHTNING_CORRUPTION` */
function damaged(file: string, problem: string): never {
  throw new LightningError('LIGHTNING_CORRUPTION', `${file}: ${problem}`, { file, problem });
}

/**
 * Decodes a manifest. Memory is bounded by the input.
 * @throws LightningError `LIGHTNING_NOT_A_STORE` (something else), `LIGHTNING_UNSUPPORTED_FORMAT`, `LIGHTNING_CORRUPTION`
 */
export function decodeBackup(bytes: Uint8Array, file: string): BackupState {
  for (let i = 0; i < BACKUP_MAGIC.length; i++) {
    if (bytes[i] !== BACKUP_MAGIC.charCodeAt(i))
      throw new LightningError('LIGHTNING_NOT_A_STORE', `${file} is not a backup`, { file });
  }
  if (bytes.length < BACKUP_HEADER_BYTES + 4) damaged(file, 'the manifest is cut');
  const body = new ByteReader(bytes, 0, bytes.length - 4);
  const crc = new ByteReader(bytes, bytes.length - 4).uint32();
  if (crc !== crc32(bytes, 0, bytes.length - 4)) damaged(file, 'the checksum does not match');
  body.position = BACKUP_MAGIC.length;
  const format = body.uint16();
  body.uint32();
  if (format !== BACKUP_FORMAT || body.uint32() !== 0) {
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', `${file}: backup format ${format} is not known here`, {
      file,
      format,
    });
  }
  const databaseId = body.byteString(16);
  const timeline = body.byteString(16);
  const number = body.uint32();
  const parent = body.uint32();
  const parentCrc = body.uint32();
  const sequence = body.uint48();
  const timeAt = body.byteString(8);
  const time = new DataView(timeAt.buffer).getFloat64(0, true);
  const dataBytes = body.uint48();
  const count = body.uint32();
  const files: BackupFile[] = [];
  for (let i = 0; i < count && !body.failed; i++) files.push(decodeFile(body, file));
  if (body.failed || body.remaining !== 0) damaged(file, 'the list of files is not whole');
  if (file !== backupManifestName(number) || parent >= number)
    damaged(file, `the manifest says it is number ${number}`);
  if (new Set(files.map(({ name }) => name)).size !== files.length) damaged(file, 'a file is named twice');
  if (!files.some(({ name }) => name === MANIFEST_FILE)) damaged(file, `the backup holds no ${MANIFEST_FILE}`);
  return { databaseId, timeline, number, parent, parentCrc, sequence, time, dataBytes, files };
}

function decodeFile(body: ByteReader, file: string): BackupFile {
  const name = String.fromCharCode(...body.byteString(body.uint8()));
  const sizeBytes = body.uint48();
  const count = Math.ceil(sizeBytes / CHUNK_BYTES);
  // Names come from outside: only those that a store has, so that nothing is ever written beside the target.
  if (!isStoreFile(name) || name === LOCK_FILE) damaged(file, 'a name that no file of a store has');
  if (count * BACKUP_CHUNK_ENTRY_BYTES > body.remaining) damaged(file, 'the list of chunks is cut');
  const chunks: BackupChunk[] = [];
  for (let i = 0; i < count; i++) {
    chunks.push({ backup: body.uint32(), offset: body.uint48(), sha256: body.byteString(32) });
  }
  return { name, sizeBytes, chunks };
}

/** Numbers of the backups in a folder, ascending: those whose manifest is there. */
export function listBackups(folder: Vfs): number[] {
  const numbers = folder
    .list('')
    .filter((name) => name.endsWith('.manifest'))
    .flatMap((name) => backupNumberOf(name) ?? []);
  return numbers.sort((a, b) => a - b);
}

/** One manifest, and its checksum. */
export interface LoadedBackup {
  readonly state: BackupState;
  readonly crc: number;
}

/**
 * The manifest of backup `number`.
 * @throws LightningError `LIGHTNING_NOT_FOUND`, and those of {@link decodeBackup}
 */
export function loadBackup(folder: Vfs, number: number): LoadedBackup {
  const name = backupManifestName(number);
  let bytes: Uint8Array;
  try {
    bytes = readWholeFile(folder, name);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw new LightningError('LIGHTNING_NOT_FOUND', `there is no backup ${number}`, { number }, error);
  }
  return { state: decodeBackup(bytes, name), crc: crc32(bytes) };
}

/**
 * A backup with everything that it builds on, newest first, each held against what the next younger says of it.
 * @throws LightningError `LIGHTNING_CORRUPTION` when one is missing or not the one that was built on
 */
export function loadChain(folder: Vfs, number: number): LoadedBackup[] {
  const chain = [loadBackup(folder, number)];
  for (;;) {
    const child = chain[chain.length - 1].state;
    if (child.parent === 0) return chain;
    const parent = parentOf(folder, child);
    if (!equalBytes(parent.state.databaseId, child.databaseId) || !equalBytes(parent.state.timeline, child.timeline))
      damaged(backupManifestName(child.parent), 'a backup of another store, or of another timeline');
    chain.push(parent);
  }
}

function parentOf(folder: Vfs, child: BackupState): LoadedBackup {
  const name = backupManifestName(child.parent);
  try {
    const parent = loadBackup(folder, child.parent);
    return parent.crc === child.parentCrc ? parent : damaged(name, `not the one that backup ${child.number} builds on`);
  } catch (error) {
    if (error instanceof LightningError && error.code === 'LIGHTNING_NOT_FOUND')
      damaged(name, `missing, and backup ${child.number} builds on it`);
    throw error;
  }
}

/**
 * Reads chunks, and checks each against what was written. Holds one descriptor a backup until `close`.
 */
export class ChunkReader {
  private readonly folder: Vfs;
  private readonly open = new Map<number, VfsFile>();
  private readonly buffer = new Uint8Array(CHUNK_BYTES);

  constructor(folder: Vfs) {
    this.folder = folder;
  }

  /** The bytes of chunk `index` of a file, which the next call overwrites. @throws LightningError `LIGHTNING_CORRUPTION` */
  read(file: BackupFile, index: number): Uint8Array {
    const chunk = file.chunks[index];
    const bytes = this.buffer.subarray(0, Math.min(CHUNK_BYTES, file.sizeBytes - index * CHUNK_BYTES));
    this.readData(chunk.backup, bytes, 0, bytes.length, chunk.offset);
    if (!equalBytes(sha256(bytes), chunk.sha256))
      damaged(backupDataName(chunk.backup), `chunk at ${chunk.offset} (${file.name}) is not what was written`);
    return bytes;
  }

  /**
   * Bytes of a file without a look at their digests, for what is checked in another way; those that lie side by side are
   * read at once.
   * @throws LightningError `LIGHTNING_CORRUPTION` when the data ends before them
   */
  readUnchecked(file: BackupFile, target: Uint8Array, offset: number, length: number, position: number): void {
    for (let done = 0; done < length;) {
      const index = Math.floor((position + done) / CHUNK_BYTES);
      const { backup, offset: start } = file.chunks[index];
      let next = index + 1;
      while (next * CHUNK_BYTES < position + length && isBehind(file, index, next)) next++;
      const count = Math.min(length - done, next * CHUNK_BYTES - position - done);
      this.readData(backup, target, offset + done, count, start + position + done - index * CHUNK_BYTES);
      done += count;
    }
  }

  private readData(backup: number, target: Uint8Array, offset: number, length: number, position: number): void {
    const name = backupDataName(backup);
    const got = this.data(backup, name).read(target, offset, length, position);
    if (got < length) damaged(name, `ends before ${position + length}`);
  }

  private data(number: number, name: string): VfsFile {
    let file = this.open.get(number);
    if (file !== undefined) return file;
    try {
      file = this.folder.open(name, 'read');
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
      damaged(name, 'missing');
    }
    this.open.set(number, file);
    return file;
  }

  close(): void {
    for (const file of this.open.values()) file.close();
    this.open.clear();
  }
}

/** Whether chunk `next` lies where it would if everything from `index` on had been written at once. */
function isBehind({ chunks }: BackupFile, index: number, next: number): boolean {
  const { backup, offset } = chunks[next];
  return backup === chunks[index].backup && offset === chunks[index].offset + (next - index) * CHUNK_BYTES;
}
