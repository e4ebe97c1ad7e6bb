/** Writes a manifest: a new file, fsynced, renamed over the old one, its folder fsynced. */
import { assert } from '../base/assert.ts';
import { fromText } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import { FieldWriter } from '../base/fields.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { MANIFEST_FILE, MANIFEST_TEMPORARY_FILE } from './file-names.ts';
import { manifestFields } from './manifest-fields.ts';
import { MANIFEST_FORMAT, MANIFEST_IDENTITY, MANIFEST_MAGIC, type ManifestState } from './manifest-format.ts';
import { manifestInconsistency } from './manifest-reader.ts';
import { createWholeFile } from '../vfs/watched-vfs.ts';
import { asGeneration, type FileNumber } from './types.ts';

/** The bytes of a manifest. */
export function encodeManifest(state: ManifestState): Uint8Array {
  const { databaseId } = state;
  assert(databaseId.length === 16, 'a database id has 16 bytes');
  const problem = manifestInconsistency(state);
  assert(problem === undefined, 'what is written is a manifest that a reader accepts', problem);
  const fields = new FieldWriter();
  const bytes = fields.bytesWritten;
  bytes.append(fromText(MANIFEST_MAGIC)).uint16(MANIFEST_FORMAT).uint32(0).uint32(0).append(databaseId);
  manifestFields(fields, databaseId, state);
  const seed = identitySeed(crc32(databaseId), MANIFEST_IDENTITY, 0);
  return bytes.uint32(crc32(bytes.finish(), 0, bytes.length, seed)).finish();
}

/** What one manifest changes of the one before. */
export type ManifestChanges = Partial<Omit<ManifestState, 'generation' | 'nextFileNumber' | 'databaseId'>>;

/** Makes the successor of a manifest, one generation on, durable as {@link swapManifest} does. Returns it. */
export function swapSuccessor(
  vfs: Vfs,
  old: ManifestState,
  nextFileNumber: FileNumber,
  changes: ManifestChanges,
): ManifestState {
  const generation = asGeneration(old.generation + 1);
  const next: ManifestState = { ...old, cleanlyClosed: false, ...changes, generation, nextFileNumber };
  swapManifest(vfs, next);
  return next;
}

/**
 * Makes `state` the durable structure of the store. The caller has made durable everything that it names.
 * @throws LightningError. A full disk before the first fsync leaves everything as it was; any other failure is reported
 *   to the watcher of the Vfs, which poisons the store
 */
export function swapManifest(vfs: Vfs, state: ManifestState): void {
  const bytes = encodeManifest(state);
  if (vfs.kind(MANIFEST_TEMPORARY_FILE) !== undefined) vfs.unlink(MANIFEST_TEMPORARY_FILE);
  createWholeFile(vfs, MANIFEST_TEMPORARY_FILE, bytes, false).close();
  vfs.rename(MANIFEST_TEMPORARY_FILE, MANIFEST_FILE);
  vfs.syncDirectory('');
}
