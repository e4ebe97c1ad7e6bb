/** Writes a manifest: a new file, fsynced, renamed over the old one, its folder fsynced. */
import { assert } from '../base/assert.ts';
import { ByteWriter } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { MANIFEST_FILE, MANIFEST_TEMPORARY_FILE } from './file-names.ts';
import {
  FLAG_CLEANLY_CLOSED,
  MANIFEST_FORMAT,
  MANIFEST_IDENTITY,
  MANIFEST_MAGIC,
  type ManifestState,
} from './manifest-format.ts';
import { manifestInconsistency } from './manifest-reader.ts';
import type { TreeRoot } from './tree-format.ts';
import { encodeReference } from './tree-open-node.ts';

function encodeRoot(writer: ByteWriter, root: TreeRoot | undefined): void {
  writer.uint8(root?.height ?? 0);
  if (root !== undefined) writer.append(encodeReference(root.reference));
}

/** The bytes of a manifest. */
export function encodeManifest(state: ManifestState): Uint8Array {
  assert(state.databaseId.length === 16, 'a database id has 16 bytes');
  const problem = manifestInconsistency(state);
  assert(problem === undefined, 'what is written is a manifest that a reader accepts', problem);
  const w = new ByteWriter(512);
  for (let i = 0; i < MANIFEST_MAGIC.length; i++) w.uint8(MANIFEST_MAGIC.charCodeAt(i));
  w.uint16(MANIFEST_FORMAT).uint32(0).uint32(0).append(state.databaseId);
  w.uint48(state.generation)
    .uint8(state.cleanlyClosed ? FLAG_CLEANLY_CLOSED : 0)
    .uint32(state.blockSizeBytes)
    .uint32(state.nextFileNumber)
    .uint48(state.flushedSequence)
    .float64(state.collectTime);
  w.uint32(state.segments.length);
  for (const segment of state.segments) {
    w.uint32(segment.fileNumber)
      .uint48(segment.firstSequence)
      .uint8(segment.sealed === undefined ? 0 : 1);
    w.uint48(segment.sealed?.length ?? 0).uint48(segment.sealed?.lastSequence ?? 0);
  }
  w.uint32(state.runs.length);
  for (const run of state.runs) {
    w.uint32(run.fileNumber).uint48(run.sizeBytes).uint48(run.entryCount);
    w.uint48(run.leastSequence).uint48(run.greatestSequence).append(encodeReference(run.footer));
    encodeRoot(w, run.root);
  }
  const { tree } = state;
  w.uint32(tree.blockCount).uint48(tree.greatestSequence);
  if (tree.footer !== undefined) w.append(encodeReference(tree.footer));
  encodeRoot(w, tree.root);
  const body = w.finish();
  const seed = identitySeed(crc32(state.databaseId), MANIFEST_IDENTITY, 0);
  return w.uint32(crc32(body, 0, body.length, seed)).finish();
}

/**
 * Makes `state` the durable structure of the store. The caller has made durable everything that it names.
 * @throws LightningError. A full disk before the first fsync leaves everything as it was; any other failure is reported
 *   to the watcher of the Vfs, which poisons the store
 */
export function swapManifest(vfs: Vfs, state: ManifestState): void {
  const bytes = encodeManifest(state);
  if (vfs.kind(MANIFEST_TEMPORARY_FILE) !== undefined) vfs.unlink(MANIFEST_TEMPORARY_FILE);
  const file = vfs.open(MANIFEST_TEMPORARY_FILE, 'create');
  try {
    file.write(bytes, 0, bytes.length, 0);
    file.sync();
  } finally {
    file.close();
  }
  vfs.rename(MANIFEST_TEMPORARY_FILE, MANIFEST_FILE);
  vfs.syncDirectory('');
}
