/**
 * What a backup holds and how it is laid out (spec/formats/backup.md). No behaviour.
 *
 * A folder of backups has two files for each: `backup-<n>.data`, chunks without gaps, and `backup-<n>.manifest`, which
 * appears last and makes the backup exist.
 *
 *   manifest  magic 8 · format u16 · compatible u32 · incompatible u32 · database id 16 · timeline 16 · number u32
 *             · parent u32 (0: full) · crc of the parent's manifest u32 · sequence u48 · time f64 (ms since 1970)
 *             · data bytes u48 · file count u32 · file* · crc u32 over all before it
 *   file      name length u8 · name (ASCII) · size u48 · chunk*: one for each begun 64 KiB
 *   chunk     backup u32 (this one or an ancestor) · offset in its data u48 · sha-256 32
 */
export const BACKUP_MAGIC = 'LDBBAK\r\n';
export const BACKUP_FORMAT = 1;
export const BACKUP_HEADER_BYTES = 86;
export const BACKUP_CHUNK_ENTRY_BYTES = 42;

/** Where the bytes of one chunk lie, and what they are. */
export interface BackupChunk {
  readonly backup: number;
  readonly offset: number;
  readonly sha256: Uint8Array;
}

/** One file of the store. */
export interface BackupFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly chunks: readonly BackupChunk[];
}

/** One backup: a whole store, of which a part may lie in older backups. */
export interface BackupState {
  readonly databaseId: Uint8Array;
  readonly timeline: Uint8Array;
  /** From 1. */
  readonly number: number;
  /** The backup that it builds on; 0: none. */
  readonly parent: number;
  /** Checksum of the parent's manifest, so that no other can stand in for it. */
  readonly parentCrc: number;
  /** The last commit in it. */
  readonly sequence: number;
  /** When it was begun, milliseconds since 1970. */
  readonly time: number;
  readonly dataBytes: number;
  readonly files: readonly BackupFile[];
}

/** Name of the manifest of backup `number`. */
export function backupManifestName(number: number): string {
  return `backup-${number}.manifest`;
}

/** Name of the chunks of backup `number`. */
export function backupDataName(number: number): string {
  return `backup-${number}.data`;
}

/** The number in the name of a manifest or of data; `undefined` for any other name. */
export function backupNumberOf(name: string): number | undefined {
  const match = /^backup-([1-9]\d{0,8})\.(?:manifest|data)(?:\.tmp)?$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}
