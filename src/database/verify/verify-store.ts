/**
 * `verifyIntegrity`: reads every byte of a store by a path of its own, without the cache and without the readers that
 * answer queries, and says what is wrong. It changes nothing and never throws for damage.
 *
 * In a cleanly closed store every byte is under a checksum or known to be zero, so any change of any byte is found. In
 * one that was not closed, free blocks of `tree.db` may hold what an unfinished merge left; they are not judged.
 */
import { crc32 } from '../../base/checksum.ts';
import { errnoOf } from '../../base/errors.ts';
import type { Engine } from '../../engine/index.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import { filesOf, isStoreFile, MANIFEST_FILE, runFileName, walFileName } from '../../engine/file-names.ts';
import type { ManifestState, SegmentState } from '../../engine/manifest-format.ts';
import { decodeManifest } from '../../engine/manifest-reader.ts';
import { Memtable } from '../../engine/memtable.ts';
import { isBlobFile } from '../blobs/blob-format.ts';
import { BlobsNamed, unnamedBlobs, verifyBlobs } from './blob-check.ts';
import { finish } from '../read-only/read-store.ts';
import { verifyRunInSlices } from './run-check.ts';
import { verifyTreeFiles } from './tree-check.ts';
import type { Finding } from './finding.ts';
import { readSegment } from '../../engine/wal-reader.ts';
import { readWholeFile, WatchedVfs } from '../../vfs/watched-vfs.ts';

/** What an examination found. */
export interface IntegrityReport {
  /** Nothing is damaged. What an unclean stop leaves is not damage. */
  readonly sound: boolean;
  /** Nothing is damaged, and the store was closed cleanly (or is open). */
  readonly clean: boolean;
  readonly findings: Finding[];
  readonly filesRead: number;
}

/**
 * Examines the store in a folder. With `isOpen` it belongs to an engine of this process that has just synced.
 * Cost: one read of every file.
 * @throws LightningError for operating system errors other than a missing file
 */
export function verifyStore(vfs: Vfs, options: { readonly isOpen: boolean }): IntegrityReport {
  return finish(verifyStoreInSlices(vfs, options));
}

/** The same in slices of a node, a segment or a chunk of a blob; yields the bytes of each. The files must stand still. */
export function* verifyStoreInSlices(
  vfs: Vfs,
  { isOpen }: { readonly isOpen: boolean },
): Generator<number, IntegrityReport> {
  const findings: Finding[] = [];
  const filesRead = yield* examine(new WatchedVfs(vfs, () => undefined), isOpen, findings);
  const sound = findings.every((finding) => finding.severity !== 'damage');
  return { sound, clean: findings.length === 0, findings, filesRead };
}

/**
 * Examines the store of an open engine: makes everything durable, then reads its files. An empty list: nothing is wrong.
 * @param vfs the files that the engine was opened on
 * @throws LightningError `LIGHTNING_CLOSED`, `LIGHTNING_POISONED`, environment errors
 */
export function verifyOpenStore(engine: Engine, vfs: Vfs): Finding[] {
  engine.sync();
  return verifyStore(vfs, { isOpen: true }).findings;
}

function* examine(vfs: Vfs, isOpen: boolean, findings: Finding[]): Generator<number, number> {
  const bytes = readOrReport(vfs, MANIFEST_FILE, findings);
  if (bytes === undefined) return 0;
  const reading = decodeManifest(bytes);
  if (!reading.ok) {
    findings.push(damage(MANIFEST_FILE, undefined, reading.problem));
    return 1;
  }
  const manifest = reading.value;
  const blobs = new BlobsNamed();
  for (const segment of manifest.segments) {
    yield verifySegment(vfs, manifest, segment, { isOpen, blobs }, findings);
  }
  for (const run of manifest.runs) {
    findings.push(
      ...(yield* verifyRunInSlices(vfs, runFileName(run.fileNumber), run, manifest.databaseId, blobs.judge)),
    );
  }
  if (manifest.tree.blockCount > 0) findings.push(...(yield* verifyTreeFiles(vfs, manifest, blobs.judge)));
  const isReadWhole = findings.length === 0;
  findings.push(...(yield* verifyBlobs(vfs, manifest.databaseId, blobs)));
  if (!isOpen) findings.push(...unclean(vfs, manifest, isReadWhole ? unnamedBlobs(vfs, blobs) : []));
  return (
    1 + manifest.segments.length + manifest.runs.length + (manifest.tree.blockCount > 0 ? 2 : 0) + blobs.references.size
  );
}

function damage(file: string, offset: number | undefined, problem: string): Finding {
  return { severity: 'damage', file, offset, problem };
}

function readOrReport(vfs: Vfs, name: string, findings: Finding[]): Uint8Array | undefined {
  try {
    return readWholeFile(vfs, name);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    findings.push(damage(name, undefined, 'missing'));
    return undefined;
  }
}

/** Returns the bytes that were read. */
function verifySegment(
  vfs: Vfs,
  manifest: ManifestState,
  segment: SegmentState,
  { isOpen, blobs }: { readonly isOpen: boolean; readonly blobs: BlobsNamed },
  findings: Finding[],
): number {
  const name = walFileName(segment.fileNumber);
  const bytes = readOrReport(vfs, name, findings);
  if (bytes === undefined) return 0;
  const identity = { databaseId: manifest.databaseId, databaseSeed: crc32(manifest.databaseId) };
  const memtable = new Memtable();
  const reading = readSegment(bytes, { ...identity, ...segment }, memtable);
  if (reading.state === 'corrupt') {
    findings.push(damage(name, reading.offset, reading.problem));
    return bytes.length;
  }
  if (reading.state === 'torn') {
    findings.push({
      severity: isOpen ? 'damage' : 'unclean',
      file: name,
      offset: reading.end,
      problem: `torn tail: ${reading.problem}`,
    });
  }
  const cursor = memtable.cursor();
  for (cursor.first(); cursor.valid; cursor.next()) {
    const problem = blobs.judge(cursor);
    if (problem !== undefined) findings.push(damage(name, undefined, problem));
  }
  return bytes.length;
}

/** What only a clean close guarantees. */
function unclean(vfs: Vfs, manifest: ManifestState, blobsLeft: readonly string[]): Finding[] {
  const findings: Finding[] = [];
  const report = (file: string, problem: string): void => {
    findings.push({ severity: 'unclean', file, offset: undefined, problem });
  };
  if (!manifest.cleanlyClosed)
    report(MANIFEST_FILE, 'the store was not closed, or an older manifest was put in its place');
  const named = filesOf(manifest);
  for (const name of vfs.list('')) {
    if (isStoreFile(name) && !named.has(name) && !isBlobFile(name))
      report(name, 'the manifest does not name this file');
  }
  for (const name of blobsLeft) report(name, 'no version refers to this blob');
  return findings;
}
