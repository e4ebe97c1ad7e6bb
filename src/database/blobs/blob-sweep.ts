/**
 * Finds blobs that an unclean stop has left without a version: written before a commit that never was, or dropped by a
 * merge whose deletions a power cut took back. Every version of every layer is looked at, visible or not; only files that
 * were there when the store was opened are candidates, and what any version names stays.
 *
 * Others may commit, flush and merge between two slices. A version that is moved meanwhile keeps its place in the order
 * of keys, so it is met; one that a merge drops is no longer named by anything.
 */
import type { Engine, Sequence } from '../../engine/index.ts';
import { removeQuietly } from '../../vfs/watched-vfs.ts';
import { blobFileName } from './blob-format.ts';
import type { BlobFiles } from './blob-files.ts';
import { decodeReference } from './blob-reader.ts';

const VERSIONS_A_SLICE = 512;

interface Place {
  readonly key: Uint8Array;
  readonly sequence: Sequence;
}

/**
 * Yields versions or files looked at; returns how many files were deleted.
 * @param candidates numbers of files; those that are named are taken out of it
 * @throws LightningError `LIGHTNING_CORRUPTION` or an I/O error of reading versions: nothing is deleted then
 */
export function* sweepBlobs(engine: Engine, { files }: BlobFiles, candidates: Set<number>): Generator<number, number> {
  let at: Place | undefined;
  do {
    at = markSlice(engine, candidates, at);
    yield VERSIONS_A_SLICE;
  } while (at !== undefined && candidates.size > 0);
  let deleted = 0;
  for (const number of candidates) {
    if (removeQuietly(files, blobFileName(number))) deleted++;
    yield 1;
  }
  return deleted;
}

/** Takes what the next versions name out of the candidates. Returns where it stands; `undefined` at the end. */
function markSlice(engine: Engine, candidates: Set<number>, from: Place | undefined): Place | undefined {
  const cursor = engine.versions();
  if (from === undefined) cursor.first();
  else cursor.seek(from.key, from.sequence);
  for (let count = 0; cursor.valid; cursor.next()) {
    if (count++ === VERSIONS_A_SLICE) return { key: cursor.key(), sequence: cursor.sequence };
    const { bytes, isReference } = cursor.stored();
    if (isReference) candidates.delete(decodeReference(bytes)?.number ?? -1);
  }
  return undefined;
}
