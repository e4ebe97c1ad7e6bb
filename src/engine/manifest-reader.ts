/** Reads and validates a manifest. Hostile input is a problem in words, never an exception. */
import { ByteReader } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import { BLOCK_SIZE_BYTES_MAX, BLOCK_SIZE_BYTES_MIN, TREE_HEIGHT_MAX } from './limits.ts';
import {
  FLAG_CLEANLY_CLOSED,
  MANIFEST_FORMAT,
  MANIFEST_HEADER_BYTES,
  MANIFEST_IDENTITY,
  MANIFEST_MAGIC,
  type ManifestState,
  type SegmentState,
  type TreeState,
} from './manifest-format.ts';
import type { RunMeta } from './run-format.ts';
import { type NodeReference, REFERENCE_BYTES, RUN_BLOCK_SIZE_BYTES, type TreeRoot } from './tree-format.ts';
import { readReference } from './tree-node-reader.ts';
import type { FileNumber, Generation, Sequence } from './types.ts';

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
  for (let i = 0; i < MANIFEST_MAGIC.length; i++) {
    // The beginning of ours, down to nothing at all, is a manifest that lost its end, not somebody else's file.
    if (i === bytes.length) return no('damaged', 'the manifest is cut');
    if (r.uint8() !== MANIFEST_MAGIC.charCodeAt(i)) return no('foreign', 'not a manifest of this engine');
  }
  if (bytes.length < MANIFEST_HEADER_BYTES + 4) return no('damaged', 'the manifest is cut');
  const databaseId = bytes.slice(18, 34);
  const end = bytes.length - 4;
  const seed = identitySeed(crc32(databaseId), MANIFEST_IDENTITY, 0);
  const checks = crc32(bytes, 0, end, seed) === new ByteReader(bytes, end).uint32();
  const format = r.uint16();
  r.uint32();
  const incompatible = r.uint32();
  // A later format may keep its checksum elsewhere, so the version is told first; a flipped bit there reads the same.
  if (format !== MANIFEST_FORMAT) return no('format', `format version ${format} is not known`);
  if (incompatible !== 0) return no('format', 'an incompatible feature is not known');
  if (!checks) return no('damaged', 'the checksum does not match');
  const body = new ByteReader(bytes, MANIFEST_HEADER_BYTES, end);
  const state = decodeBody(body, databaseId);
  if (body.failed || body.remaining !== 0) return no('damaged', 'the fields do not fill the manifest');
  const problem = manifestInconsistency(state);
  return problem === undefined ? { ok: true, value: state } : no('damaged', problem);
}

function decodeBody(r: ByteReader, databaseId: Uint8Array): ManifestState {
  const generation = r.uint48() as Generation;
  const flags = r.uint8();
  const blockSizeBytes = r.uint32();
  const nextFileNumber = r.uint32() as FileNumber;
  const flushedSequence = r.uint48() as Sequence;
  const collectTime = r.float64();
  const segments: SegmentState[] = [];
  for (let n = r.uint32(); n > 0 && !r.failed; n--) segments.push(decodeSegment(r));
  const runs: RunMeta[] = [];
  for (let n = r.uint32(); n > 0 && !r.failed; n--) runs.push(decodeRun(r));
  const tree = decodeTree(r);
  if (flags > FLAG_CLEANLY_CLOSED) r.failed = true;
  return {
    databaseId,
    generation,
    cleanlyClosed: flags === FLAG_CLEANLY_CLOSED,
    blockSizeBytes,
    nextFileNumber,
    flushedSequence,
    collectTime,
    segments,
    runs,
    tree,
  };
}

function decodeSegment(r: ByteReader): SegmentState {
  const fileNumber = r.uint32() as FileNumber;
  const firstSequence = r.uint48() as Sequence;
  const sealed = r.uint8();
  const length = r.uint48();
  const lastSequence = r.uint48() as Sequence;
  if (sealed > 1) r.failed = true;
  return { fileNumber, firstSequence, sealed: sealed === 1 ? { length, lastSequence } : undefined };
}

function decodeRun(r: ByteReader): RunMeta {
  const fileNumber = r.uint32() as FileNumber;
  const sizeBytes = r.uint48();
  const entryCount = r.uint48();
  const leastSequence = r.uint48() as Sequence;
  const greatestSequence = r.uint48() as Sequence;
  const footer = decodeReference(r);
  const root = decodeRoot(r);
  return { fileNumber, sizeBytes, entryCount, leastSequence, greatestSequence, root, footer };
}

function decodeReference(r: ByteReader): NodeReference {
  const bytes = r.byteString(REFERENCE_BYTES);
  return readReference(r.failed ? new Uint8Array(REFERENCE_BYTES) : bytes, 0);
}

function decodeRoot(r: ByteReader): TreeRoot | undefined {
  const height = r.uint8();
  return height === 0 ? undefined : { reference: decodeReference(r), height };
}

function decodeTree(r: ByteReader): TreeState {
  const blockCount = r.uint32();
  const greatestSequence = r.uint48() as Sequence;
  const footer = blockCount === 0 ? undefined : decodeReference(r);
  return { root: decodeRoot(r), footer, blockCount, greatestSequence };
}

/**
 * What is wrong with the structure that a manifest describes: nothing in one that the engine writes, anything in one with a
 * right checksum that somebody made.
 */
export function manifestInconsistency(state: ManifestState): string | undefined {
  const size = state.blockSizeBytes;
  if (size < BLOCK_SIZE_BYTES_MIN || size > BLOCK_SIZE_BYTES_MAX || (size & (size - 1)) !== 0)
    return `block size ${size}`;
  if (Number.isNaN(state.collectTime)) return 'the collect time is not a number';
  if (state.segments.length === 0) return 'no WAL segment';
  const numbers = new Set<number>();
  let sequence = state.flushedSequence + 1;
  for (const [i, segment] of state.segments.entries()) {
    if (segment.firstSequence !== sequence) return `segment ${segment.fileNumber} does not follow its predecessor`;
    if (segment.sealed === undefined && i < state.segments.length - 1)
      return `segment ${segment.fileNumber} is not sealed`;
    if (segment.sealed !== undefined && segment.sealed.lastSequence < segment.firstSequence - 1)
      return 'a segment ends before it begins';
    numbers.add(segment.fileNumber);
    sequence = (segment.sealed?.lastSequence ?? 0) + 1;
  }
  let older = state.tree.greatestSequence;
  for (const run of state.runs) {
    if (run.leastSequence <= older || run.greatestSequence < run.leastSequence)
      return `run ${run.fileNumber} overlaps an older one`;
    const blockCount = run.sizeBytes / RUN_BLOCK_SIZE_BYTES;
    const problem = Number.isInteger(blockCount)
      ? runInconsistency(run, blockCount)
      : 'a size that is no run of blocks';
    if (problem !== undefined) return `run ${run.fileNumber}: ${problem}`;
    numbers.add(run.fileNumber);
    older = run.greatestSequence;
  }
  if (older > state.flushedSequence) return 'a run is newer than what was flushed';
  if (numbers.size !== state.segments.length + state.runs.length) return 'a file number is used twice';
  for (const number of numbers)
    if (number === 0 || number >= state.nextFileNumber) return `file number ${number} is out of range`;
  return treeInconsistency(state.tree);
}

function treeInconsistency({ root, footer, blockCount }: TreeState): string | undefined {
  if (footer === undefined) return root === undefined ? undefined : 'a root in a tree without blocks';
  return nodesInconsistency(root, footer, blockCount);
}

function runInconsistency({ root, footer, entryCount }: RunMeta, blockCount: number): string | undefined {
  if ((root === undefined) !== (entryCount === 0)) return 'a root without versions, or versions without a root';
  if (root !== undefined && root.reference.block + root.reference.blocks > footer.block)
    return 'a root behind the footer';
  return nodesInconsistency(root, footer, blockCount);
}

function nodesInconsistency(root: TreeRoot | undefined, footer: NodeReference, blockCount: number): string | undefined {
  if (root !== undefined && root.height > TREE_HEIGHT_MAX) return `a tree of ${root.height} levels`;
  const problem = root === undefined ? undefined : referenceInconsistency(root.reference, blockCount);
  return problem ?? referenceInconsistency(footer, blockCount);
}

function referenceInconsistency(
  { block, blocks, leastDeadline }: NodeReference,
  blockCount: number,
): string | undefined {
  if (Number.isNaN(leastDeadline)) return 'the deadline of a reference is not a number';
  if (block === 0 || blocks === 0 || block + blocks > blockCount) return 'a reference outside its file';
  return undefined;
}
