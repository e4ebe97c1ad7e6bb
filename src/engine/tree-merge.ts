/**
 * Merges sorted versions into the tree, copy-on-write, in slices: the old tree stays readable and untouched on disk, and
 * nothing exists of the new one until a manifest names its root. Without a source it collects garbage alone.
 *
 * A subtree is opened only if a source version falls into its range, a range tombstone overlaps it, or it holds
 * something to collect (rule 8 of spec/semantics.md); all others are kept by reference, unread.
 *
 * Invariants:
 *   M1  versions of a key are offered to the retention rule newest first, each with its next newer version
 *   M2  a version on the right of a bound between versions of one key has that bound's sequence + 1 as its next newer
 *       one; it may have been dropped since, but then nobody reads between it and the one after
 *   M3  a range tombstone counts as a deletion of a key only where an older version of the key is met
 */
import { assert, sometimes } from '../base/assert.ts';
import { compareSlices } from '../base/bytes.ts';
import type { FreeMapBuild } from '../base/free-map.ts';
import { type Cursor, Version } from './cursor.ts';
import { type EntryBlock, entryBytes } from './entry-block.ts';
import type { Retention } from './retention.ts';
import { TreeBuilder } from './tree-builder.ts';
import { TreeBalance } from './tree-balance.ts';
import {
  MINUS_INFINITY,
  type NodeReference,
  type Separator,
  type TreeBuildInput,
  type TreeRoot,
} from './tree-format.ts';
import { damagedNode, type TreeNode } from './tree-node-reader.ts';
import { NodeStore } from './tree-node-store.ts';
import { compareVersions, isBefore, newerAcross } from './tree-separator.ts';
import { TombstoneSweep } from './tree-tombstones.ts';
import { KIND_DELETE, KIND_REFERENCE, NO_DEADLINE, type RangeTombstone, type Sequence } from './types.ts';

/** Work between two yields. */
const SLICE_BYTES = 64 * 1024;
const NONE: readonly Sequence[] = [];

/** What a merge reads, and what it is made with. */
export interface TreeMergeInput extends TreeBuildInput {
  /** The old tree; `undefined` if it is empty. */
  readonly root: TreeRoot | undefined;
  /** Its footer; `undefined` in a new file. */
  readonly footer: NodeReference | undefined;
  /** Point versions in internal order, read from its first one; `undefined` to collect only. */
  readonly source: Cursor | undefined;
  readonly rangeTombstones: readonly RangeTombstone[];
  readonly retention: Retention;
  /** Gets every reference that is dropped. */
  readonly dropped?: Uint8Array[];
}

/** What a merge made, and what it took. */
export interface TreeMergeResult {
  /** The new tree; `undefined` if it is empty. */
  readonly root: TreeRoot | undefined;
  /** What says which blocks are free once this tree is the one. */
  readonly footer: NodeReference;
  /** Versions in the new tree minus versions in the old one. */
  readonly entryCountChange: number;
  readonly nodeCountChange: number;
  readonly entriesWritten: number;
  readonly bytesWritten: number;
  readonly nodesWritten: number;
  readonly leavesWritten: number;
  /** Subtrees kept by reference. */
  readonly nodesKept: number;
  /** Nodes whose blocks became free, those that the build itself wrote and replaced included. */
  readonly nodesFreed: number;
  readonly versionsDropped: number;
  /** Keys that were met and of which no version was kept. */
  readonly keysDropped: number;
}

/** A branch of the old tree whose children are being visited. */
interface Frame {
  readonly branch: TreeNode;
  readonly lower: Separator;
  readonly upper: Separator | undefined;
  next: number;
}

/**
 * Yields the bytes of work of each slice, about 64 KiB; one large entry or node can make it more. Dropping the generator
 * and its free map build at any point leaves the old tree as it was. When it returns, all nodes are with the operating
 * system; the caller syncs `tree.db`.
 * @throws LightningError `LIGHTNING_CORRUPTION` for a damaged node, and operating system errors; drop the build then
 */
export function* mergeTree(input: TreeMergeInput): Generator<number, TreeMergeResult> {
  return yield* new TreeMerge(input).run();
}

class TreeMerge {
  private readonly store: NodeStore;
  private readonly builder: TreeBuilder;
  private readonly retention: Retention;
  /** The greatest sequence of the horizon. */
  private readonly published: number;
  private readonly tombstones: TombstoneSweep;
  private readonly source: Cursor | undefined;
  private readonly dropped: Uint8Array[] | undefined;
  private readonly oldRoot: TreeRoot | undefined;
  private readonly blocks: FreeMapBuild;

  private readonly frames: Frame[] = [];
  /** The leaf of the old tree that is being merged, and where in it the merge stands. */
  private leaf: EntryBlock | undefined;
  private leafIndex = 0;
  private readonly old = new Version();
  /** The bound behind that leaf. */
  private upper: Separator | undefined;
  private sourceIsBelow = false;

  /** The key whose versions are being offered. */
  private keyBytes = new Uint8Array(256);
  private keyLength = 0;
  private hasKey = false;
  /** Sequence of the last version offered, kept or not; of the last one kept. */
  private newer = Infinity;
  private newerKept = Infinity;
  private covering: readonly Sequence[] = NONE;
  private readonly virtual = new Version();

  private work = 0;
  private entriesRead = 0;
  private nodesKept = 0;
  private versionsDropped = 0;
  private keysDropped = 0;

  constructor(input: TreeMergeInput) {
    this.store = new NodeStore(input);
    this.builder = new TreeBuilder(this.store, new TreeBalance(this.store));
    this.retention = input.retention;
    this.published = input.retention.horizon[input.retention.horizon.length - 1];
    this.tombstones = new TombstoneSweep(input.rangeTombstones, input.retention);
    this.source = input.source;
    this.dropped = input.dropped;
    this.oldRoot = input.root;
    this.blocks = input.blocks;
    if (input.footer !== undefined) this.blocks.free(input.footer.block, input.footer.blocks);
  }

  *run(): Generator<number, TreeMergeResult> {
    this.source?.first();
    const old = this.oldRoot;
    if (old !== undefined && !this.isTouched(old.reference, MINUS_INFINITY, undefined)) return this.result(old);
    if (old !== undefined) this.open(old.reference, old.height - 1, MINUS_INFINITY, undefined);
    else this.checkSource();
    for (;;) {
      while (this.mergeOne()) if (this.work >= SLICE_BYTES) yield this.takeWork();
      this.leaf = undefined;
      while (this.leaf === undefined && this.frames.length > 0) {
        this.visitNext();
        if (this.work >= SLICE_BYTES) yield this.takeWork();
      }
      if (this.leaf === undefined) break;
    }
    assert(this.source?.valid !== true, 'every source version falls into the range of some leaf');
    this.endKey();
    const root = this.builder.finish();
    if (old !== undefined && root === undefined) sometimes('tree emptied');
    if ((root?.height ?? 0) > (old?.height ?? 0)) sometimes('root grown');
    if ((root?.height ?? 0) < (old?.height ?? 0)) sometimes('root collapsed');
    yield this.takeWork();
    return this.result(root);
  }

  private takeWork(): number {
    const { work } = this;
    this.work = 0;
    return work;
  }

  private result(root: TreeRoot | undefined): TreeMergeResult {
    const { store, builder } = this;
    const footer = store.writeFooter(this.blocks.commit().toBytes());
    store.flush();
    return {
      root,
      footer,
      entryCountChange: builder.entriesWritten - this.entriesRead,
      nodeCountChange: store.nodesWritten - store.nodesFreed,
      entriesWritten: builder.entriesWritten,
      bytesWritten: store.bytesWritten,
      nodesWritten: store.nodesWritten,
      leavesWritten: store.leavesWritten,
      nodesKept: this.nodesKept,
      nodesFreed: store.nodesFreed,
      versionsDropped: this.versionsDropped,
      keysDropped: this.keysDropped,
    };
  }

  private isTouched(reference: NodeReference, lower: Separator, upper: Separator | undefined): boolean {
    return (
      reference.leastDroppable <= this.retention.oldest ||
      reference.leastDeadline <= this.retention.collectTime ||
      (this.source?.valid === true && isBefore(this.source, upper)) ||
      this.tombstones.overlaps(lower, upper)
    );
  }

  private visitNext(): void {
    const frame = this.frames[this.frames.length - 1];
    const { branch } = frame;
    if (frame.next === branch.count) {
      this.frames.pop();
      return;
    }
    const index = frame.next++;
    const lower = index === 0 ? frame.lower : branch.separator(index);
    const upper = index + 1 < branch.count ? branch.separator(index + 1) : frame.upper;
    const reference = branch.reference(index);
    if (this.isTouched(reference, lower, upper)) this.open(reference, branch.level - 1, lower, upper);
    else this.keep(reference, branch.level - 1, lower, upper);
  }

  private keep(reference: NodeReference, level: number, lower: Separator, upper: Separator | undefined): void {
    this.endKey();
    this.builder.keep(level, { separator: lower, reference }, upper);
    this.nodesKept++;
    this.work += 64;
    const newer = upper === undefined ? undefined : newerAcross(upper);
    if (upper === undefined || newer === undefined) return;
    this.startKey(upper.key, 0, upper.key.length);
    this.newer = newer;
    this.newerKept = newer;
  }

  /** Takes a node of the old tree apart. */
  private open(reference: NodeReference, level: number, lower: Separator, upper: Separator | undefined): void {
    const node = this.store.read(reference, level);
    const { entries } = node;
    this.store.free(reference);
    this.work += reference.blocks * this.store.tree.blockSizeBytes;
    if (!node.isLeaf) {
      this.frames.push({ branch: node, lower, upper, next: 0 });
      return;
    }
    entries.load(entries.count - 1, this.old);
    let isInside = isBefore(this.old, upper);
    entries.load(0, this.old);
    isInside &&= !isBefore(this.old, lower);
    if (!isInside) throw damagedNode(this.store.tree, reference, 'an entry lies outside the bounds of its leaf');
    this.leaf = entries;
    this.leafIndex = 0;
    this.entriesRead += entries.count;
    this.upper = upper;
    this.checkSource();
  }

  private checkSource(): void {
    this.sourceIsBelow = this.source?.valid === true && isBefore(this.source, this.upper);
  }

  /** Offers the next version of the leaf's range; false when there is none. */
  private mergeOne(): boolean {
    const { source, old } = this;
    const fromLeaf = this.leaf !== undefined && this.leafIndex < this.leaf.count;
    if (source !== undefined && this.sourceIsBelow && (!fromLeaf || compareVersions(source, old) < 0)) {
      this.offer(source);
      source.next();
      this.checkSource();
      return true;
    }
    if (!fromLeaf || this.leaf === undefined) return false;
    this.offer(old);
    this.leafIndex++;
    if (this.leafIndex < this.leaf.count) this.leaf.load(this.leafIndex, old);
    return true;
  }

  private offer(version: Version): void {
    const { keyStart, keyEnd, sequence } = version;
    const order = this.hasKey ? compareSlices(version.bytes, keyStart, keyEnd, this.keyBytes, 0, this.keyLength) : 1;
    if (order !== 0) {
      assert(order > 0, 'a merge sees keys in ascending order', order);
      this.endKey();
      this.startKey(version.bytes, keyStart, keyEnd);
      this.covering = this.tombstones.coveringKeyOf(version);
    }
    for (const deleted of this.covering) {
      if (deleted > sequence && deleted < this.newer) this.offerDeletion(deleted);
    }
    this.settle(version);
    this.work += entryBytes(keyEnd - keyStart, version.valueEnd - version.valueStart, version.deadline);
  }

  /** A range tombstone, seen as a version of the current key. */
  private offerDeletion(sequence: Sequence): void {
    const { virtual } = this;
    virtual.bytes = this.keyBytes;
    virtual.keyEnd = this.keyLength;
    virtual.valueStart = virtual.valueEnd = this.keyLength;
    virtual.sequence = sequence;
    virtual.kind = KIND_DELETE;
    virtual.deadline = NO_DEADLINE;
    if (this.settle(virtual)) sometimes('range tombstone became a deletion');
  }

  private settle(version: Version): boolean {
    const { sequence, kind, deadline } = version;
    assert(sequence <= this.published, 'what is merged is published', sequence, this.published);
    const kept = this.retention.keeps(sequence, this.newer, kind, deadline);
    if (kept) {
      this.builder.add(version, this.newerKept);
      this.newerKept = sequence;
    } else {
      this.versionsDropped++;
      if (kind === KIND_REFERENCE) this.dropped?.push(version.value());
    }
    this.newer = sequence;
    return kept;
  }

  private startKey(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length > this.keyBytes.length) this.keyBytes = new Uint8Array(length * 2);
    if (length <= 32) for (let i = 0; i < length; i++) this.keyBytes[i] = bytes[start + i];
    else this.keyBytes.set(bytes.subarray(start, end));
    this.keyLength = length;
    this.hasKey = true;
    this.newer = Infinity;
    this.newerKept = Infinity;
    this.covering = NONE;
  }

  private endKey(): void {
    if (this.hasKey && this.newer !== Infinity && this.newerKept === Infinity) this.keysDropped++;
    this.hasKey = false;
  }
}
