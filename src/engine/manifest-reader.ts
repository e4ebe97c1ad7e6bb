/** Reads and validates a manifest. Hostile input is a problem in words, never an exception. */
import { ByteReader } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import { FieldReader } from '../base/fields.ts';
import { BLOCK_SIZE_BYTES_MAX, BLOCK_SIZE_BYTES_MIN, TREE_HEIGHT_MAX } from './limits.ts';
import { manifestFields } from './manifest-fields.ts';
import * as format from './manifest-format.ts';
import type { ManifestState, TreeState } from './manifest-format.ts';
import { RUN_BLOCK_SIZE_BYTES } from './tree-format.ts';

/** `foreign`: no manifest of ours; `format`: ours, but of a version or with a feature that is not known here. */
export type ManifestReading =
  | { readonly ok: true; readonly value: ManifestState }
  | { readonly ok: false; readonly reason: 'foreign' | 'format' | 'damaged'; readonly problem: string };

function no(reason: 'foreign' | 'format' | 'damaged', problem: string): ManifestReading {
  return { ok: false, reason, problem };
}

/** Decodes a manifest. Cost: linear. */
export function decodeManifest(bytes: Uint8Array): ManifestReading {
  const r = new ByteReader(bytes);
  for (let i = 0; i < format.MANIFEST_MAGIC.length; i++) {
    // The beginning of ours, down to nothing at all, is a manifest that lost its end, not somebody else's file.
    if (i === bytes.length) return no('damaged', 'the manifest is cut');
    if (r.uint8() !== format.MANIFEST_MAGIC.charCodeAt(i)) return no('foreign', 'not a manifest of this engine');
  }
  if (bytes.length < format.MANIFEST_HEADER_BYTES + 4) return no('damaged', 'the manifest is cut');
  const databaseId = bytes.slice(18, 34);
  const end = bytes.length - 4;
  const seed = identitySeed(crc32(databaseId), format.MANIFEST_IDENTITY, 0);
  const checks = crc32(bytes, 0, end, seed) === new ByteReader(bytes, end).uint32();
  const version = r.uint16();
  r.uint32();
  const incompatible = r.uint32();
  // A later format may keep its checksum elsewhere, so the version is told first; a flipped bit there reads the same.
  if (version !== format.MANIFEST_FORMAT) return no('format', `format version ${version} is not known`);
  if (incompatible !== 0) return no('format', 'an incompatible feature is not known');
  if (!checks) return no('damaged', 'the checksum does not match');
  const fields = new FieldReader(bytes, format.MANIFEST_HEADER_BYTES, end);
  const state = manifestFields(fields, databaseId, {});
  if (!fields.isWhole) return no('damaged', 'the fields do not fill the manifest');
  const problem = manifestInconsistency(state);
  return problem === undefined ? { ok: true, value: state } : no('damaged', problem);
}

/**
 * What is wrong with the structure that a manifest describes: nothing in one that the engine writes, anything in one with a
 * right checksum that somebody made.
 */
export function manifestInconsistency(state: ManifestState): string | undefined {
  const { blockSizeBytes: size, collectTime, segments, runs, tree } = state;
  if (size < BLOCK_SIZE_BYTES_MIN || size > BLOCK_SIZE_BYTES_MAX || (size & (size - 1)) !== 0)
    return `block size ${size}`;
  if (Number.isNaN(collectTime)) return 'the collect time is not a number';
  if (segments.length === 0) return 'no WAL segment';
  let next = state.flushedSequence + 1;
  for (const [i, { fileNumber, firstSequence, sealed }] of segments.entries()) {
    if (firstSequence !== next) return `segment ${fileNumber} does not follow its predecessor`;
    if (sealed === undefined && i < segments.length - 1) return `segment ${fileNumber} is not sealed`;
    if (sealed !== undefined && sealed.lastSequence < firstSequence - 1) return 'a segment ends before it begins';
    next = (sealed?.lastSequence ?? 0) + 1;
  }
  let older = tree.greatestSequence;
  for (const { fileNumber, leastSequence, greatestSequence, sizeBytes, entryCount, root, footer } of runs) {
    if (leastSequence <= older || greatestSequence < leastSequence) return `run ${fileNumber} overlaps an older one`;
    if ((root === undefined) !== (entryCount === 0)) return `run ${fileNumber} counts versions without a root`;
    if (root !== undefined && root.reference.block + root.reference.blocks > footer.block)
      return `the root of run ${fileNumber} is behind its footer`;
    const problem = nodesInconsistency({ root, footer, blockCount: sizeBytes / RUN_BLOCK_SIZE_BYTES });
    if (problem !== undefined) return `run ${fileNumber}: ${problem}`;
    older = greatestSequence;
  }
  if (older > state.flushedSequence) return 'a run is newer than what was flushed';
  const numbers = [...segments, ...runs].map(({ fileNumber }) => fileNumber);
  if (new Set(numbers).size !== numbers.length) return 'a file number is used twice';
  const wrong = numbers.find((number) => number === 0 || number >= state.nextFileNumber);
  return wrong === undefined ? nodesInconsistency(tree) : `file number ${wrong} is out of range`;
}

/** Of a tree file: what is wrong with its size, its root or its footer. */
function nodesInconsistency({ root, footer, blockCount }: Omit<TreeState, 'greatestSequence'>): string | undefined {
  if (!Number.isInteger(blockCount)) return 'a size that is no number of blocks';
  if (root !== undefined && footer === undefined) return 'a root in a tree without blocks';
  if (root !== undefined && root.height > TREE_HEIGHT_MAX) return `a tree of ${root.height} levels`;
  for (const reference of [root?.reference, footer]) {
    if (reference === undefined) continue;
    const { block, blocks, leastDeadline } = reference;
    if (Number.isNaN(leastDeadline)) return 'the deadline of a reference is not a number';
    if (block === 0 || blocks === 0 || block + blocks > blockCount) return 'a reference outside its file';
  }
  return undefined;
}
