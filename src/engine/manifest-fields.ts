/** What a manifest holds, in the order of its bytes (manifest-format.ts), for reader and writer alike. */
import type { Fields } from '../base/fields.ts';
import type { ManifestState, SegmentState, TreeState } from './manifest-format.ts';
import type { RunMeta } from './run-format.ts';
import { type NodeReference, REFERENCE_BYTES, type TreeRoot } from './tree-format.ts';
import { readReference } from './tree-node-reader.ts';
import { encodeReference } from './tree-open-node.ts';
import type { Sequence } from './types.ts';

const NO_REFERENCE = new Uint8Array(REFERENCE_BYTES);
const NO_SEQUENCE = 0 as Sequence;

/** The body of a manifest, for the database that is named before it. */
export function manifestFields(f: Fields, databaseId: Uint8Array, state: Partial<ManifestState>): ManifestState {
  return {
    databaseId,
    generation: f.uint48(state.generation),
    cleanlyClosed: f.flag(state.cleanlyClosed),
    blockSizeBytes: f.uint32(state.blockSizeBytes),
    nextFileNumber: f.uint32(state.nextFileNumber),
    flushedSequence: f.uint48(state.flushedSequence),
    collectTime: f.float64(state.collectTime),
    segments: f.list(state.segments, (segment) => segmentFields(f, segment)),
    runs: f.list(state.runs, (run) => runFields(f, run)),
    tree: treeFields(f, state.tree ?? {}),
  };
}

function segmentFields(f: Fields, segment: Partial<SegmentState>): SegmentState {
  const fileNumber = f.uint32(segment.fileNumber);
  const firstSequence = f.uint48(segment.firstSequence);
  const isSealed = f.flag(segment.sealed !== undefined);
  const { length = 0, lastSequence = NO_SEQUENCE } = segment.sealed ?? {};
  const sealed = { length: f.uint48(length), lastSequence: f.uint48(lastSequence) };
  return { fileNumber, firstSequence, sealed: isSealed ? sealed : undefined };
}

function runFields(f: Fields, run: Partial<RunMeta>): RunMeta {
  return {
    fileNumber: f.uint32(run.fileNumber),
    sizeBytes: f.uint48(run.sizeBytes),
    entryCount: f.uint48(run.entryCount),
    leastSequence: f.uint48(run.leastSequence),
    greatestSequence: f.uint48(run.greatestSequence),
    footer: referenceFields(f, run.footer),
    root: rootFields(f, run.root),
  };
}

function treeFields(f: Fields, tree: Partial<TreeState>): TreeState {
  const blockCount = f.uint32(tree.blockCount);
  const greatestSequence = f.uint48(tree.greatestSequence);
  const footer = blockCount === 0 ? undefined : referenceFields(f, tree.footer);
  return { blockCount, greatestSequence, footer, root: rootFields(f, tree.root) };
}

function rootFields(f: Fields, root: TreeRoot | undefined): TreeRoot | undefined {
  const height = f.uint8(root?.height ?? 0);
  return height === 0 ? undefined : { reference: referenceFields(f, root?.reference), height };
}

function referenceFields(f: Fields, reference: NodeReference | undefined): NodeReference {
  return readReference(f.bytes(reference === undefined ? NO_REFERENCE : encodeReference(reference)), 0);
}
