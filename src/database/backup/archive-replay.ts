/**
 * Commits archived segments again, in their order, on the store of a backup. Each commit gets the sequence that it had:
 * anything else is refused. A segment's torn tail ends it; the commits behind it are in the segment that recovery made.
 */
import { crc32 } from '../../base/checksum.ts';
import { LightningError } from '../../base/errors.ts';
import type { Engine, Sequence, WriteOperation } from '../../engine/index.ts';
import { fileNumberOf } from '../../engine/file-names.ts';
import { Memtable } from '../../engine/memtable.ts';
import { KIND_DELETE, KIND_REFERENCE, NO_DEADLINE } from '../../engine/types.ts';
import { WAL_HEADER_BYTES } from '../../engine/wal-format.ts';
import { addToMemtable, readRecord, type WalRecord } from '../../engine/wal-reader.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import { readWholeFile } from '../../vfs/watched-vfs.ts';
import { blobFileName } from '../blobs/blob-format.ts';
import { decodeReference } from '../blobs/blob-reader.ts';
import { archivedBlobName, checkArchivedBlob, copyDurably } from './archived-blobs.ts';
import { archivePrefix } from './archive-vfs.ts';
import type { BackupState } from './backup-format.ts';

interface Segment {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly records: readonly WalRecord[];
}

/**
 * Brings `engine`, which stands at the backup's last commit in the folder `target`, to `toCommit`. Returns how many commits were made.
 * @throws LightningError `LIGHTNING_NOT_FOUND` when the archive does not hold every commit on the way
 */
export function* replayArchive(
  engine: Engine,
  archive: Vfs,
  backup: BackupState,
  { toCommit, target }: { readonly toCommit: number; readonly target: Vfs },
): Generator<number, number> {
  const first = engine.published + 1;
  let next = first;
  for (const name of segmentNames(archive, backup)) {
    if (next > toCommit) break;
    const segment = readArchived(archive, name, backup);
    for (const record of segment.records) {
      if (record.sequence !== next || next > toCommit) continue;
      const operations = operationsOf(segment, record);
      for (const bytes of referencesOf(operations)) bringBlob(archive, backup, target, bytes);
      commitRecord(engine, segment, record, operations);
      next++;
      yield record.end - record.start;
    }
  }
  if (next <= toCommit) throw missingCommit(next);
  return next - first;
}

/**
 * Whether the archive holds every commit behind the backup, up to `toCommit`. Changes nothing. Yields bytes read.
 * @throws LightningError `LIGHTNING_NOT_FOUND` naming the first commit that is missing
 */
export function* checkArchive(archive: Vfs, backup: BackupState, toCommit: number): Generator<number, void> {
  let next = backup.sequence + 1;
  for (const name of segmentNames(archive, backup)) {
    if (next > toCommit) return;
    const segment = readArchived(archive, name, backup);
    for (const record of segment.records) {
      if (record.sequence !== next || next > toCommit) continue;
      next++;
      yield* checkBlobs(archive, backup, operationsOf(segment, record));
    }
    yield segment.bytes.length;
  }
  if (next <= toCommit) throw missingCommit(next);
}

function missingCommit(commit: number): LightningError {
  return new LightningError('LIGHTNING_NOT_FOUND', `the archive does not hold commit ${commit}`, { commit });
}

/** Segments of the backup's timeline, oldest first: numbers are never used twice. */
function segmentNames(archive: Vfs, { timeline }: BackupState): string[] {
  const prefix = archivePrefix(timeline);
  const numbered = archive.list('').flatMap((name) => {
    const number = name.startsWith(prefix) ? fileNumberOf(name.slice(prefix.length)) : undefined;
    return number === undefined ? [] : [{ name, number }];
  });
  return numbered.sort((a, b) => a.number - b.number).map(({ name }) => name);
}

function readArchived(archive: Vfs, name: string, { databaseId, timeline }: BackupState): Segment {
  const bytes = readWholeFile(archive, name);
  const fileNumber = fileNumberOf(name.slice(archivePrefix(timeline).length));
  const records: WalRecord[] = [];
  if (fileNumber !== undefined) {
    const identity = { databaseId, databaseSeed: crc32(databaseId), fileNumber };
    for (let at = WAL_HEADER_BYTES; at < bytes.length;) {
      const record = readRecord(bytes, at, identity);
      if (typeof record === 'string') break;
      records.push(record);
      at = record.end;
    }
  }
  return { name, bytes, records };
}

function* checkBlobs(
  archive: Vfs,
  { databaseId, timeline, files }: BackupState,
  operations: readonly WriteOperation[],
): Generator<number, void> {
  for (const bytes of referencesOf(operations)) {
    const reference = decodeReference(bytes);
    if (reference !== undefined && files.some(({ name }) => name === blobFileName(reference.number))) continue;
    yield* checkArchivedBlob(archive, databaseId, timeline, bytes);
  }
}

/** Puts a blob into the store that is being restored, unless the backup had it. */
function bringBlob(archive: Vfs, { timeline }: BackupState, target: Vfs, bytes: Uint8Array): void {
  const reference = decodeReference(bytes);
  if (reference === undefined) return;
  copyDurably(archive, archivedBlobName(timeline, reference), target, blobFileName(reference.number));
}

function referencesOf(operations: readonly WriteOperation[]): Uint8Array[] {
  return operations.flatMap((one) => (one.type === 'put' && one.isReference === true ? [one.value] : []));
}

function commitRecord(
  engine: Engine,
  { name }: Segment,
  record: WalRecord,
  operations: readonly WriteOperation[],
): void {
  const sequence = commitMakingRoom(engine, operations);
  if (sequence === record.sequence) return;
  throw new LightningError('LIGHTNING_CORRUPTION', `${name}: commit ${record.sequence} became ${sequence}`, {
    file: name,
    offset: record.start,
  });
}

function commitMakingRoom(engine: Engine, operations: readonly WriteOperation[]): Sequence {
  while (engine.pendingWork() !== undefined) engine.step();
  return engine.commit(operations);
}

/** The operations of one record. Clears come first: a point version of the same commit beats them. */
function operationsOf({ name, bytes }: Segment, record: WalRecord): WriteOperation[] {
  const memtable = new Memtable();
  if (!addToMemtable(bytes, record.start, record.end, record.sequence, memtable)) {
    throw new LightningError('LIGHTNING_CORRUPTION', `${name}: a record does not hold whole operations`, {
      file: name,
      offset: record.start,
    });
  }
  const operations: WriteOperation[] = [];
  for (const { start, end } of memtable.rangeTombstones) operations.push({ type: 'clear', start, end });
  for (const entry of memtable.entries()) {
    const key = entry.bytes.slice(entry.keyStart, entry.keyEnd);
    const value = entry.bytes.slice(entry.keyEnd, entry.valueEnd);
    const { deadline = NO_DEADLINE } = entry;
    if (entry.kind === KIND_DELETE) operations.push({ type: 'delete', key });
    else operations.push({ type: 'put', key, value, deadline, isReference: entry.kind === KIND_REFERENCE });
  }
  return operations;
}
