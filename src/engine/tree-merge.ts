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
import { compareKeys, compareVersions, type Cursor, Version } from './cursor.ts';
import { type EntryBlock, entryBytes } from './entry-block.ts';
import type { Retention } from './retention.ts';
import { TreeBuilder } from './tree-builder.ts';
import {
  MINUS_INFINITY,
  type NodeReference,
  type Separator,
  type TreeBuildInput,
  type TreeRoot,
} from './tree-format.ts';
import { damagedNode } from './tree-node-reader.ts';
import { NodeStore } from './tree-node-store.ts';
import { isBefore, newerAcross } from './tree-separator.ts';
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
  /** Point versions in internal order, read from its first one; none to collect only. */
  readonly source: Cursor;
  readonly rangeTombstones: readonly RangeTombstone[];
  readonly retention: Retention;
  /** Gets every reference that is dropped. */
  readonly dropped?: Uint8Array[];
}

/** A subtree of the old tree, and the bounds of its range. */
interface Subtree {
  readonly reference: NodeReference;
  readonly level: number;
  readonly lower: Separator;
  readonly upper: Separator | undefined;
}

/** What a merge made. */
export interface TreeMergeResult {
  /** The new tree; `undefined` if it is empty. */
  readonly root: TreeRoot | undefined;
  /** What says which blocks are free once this tree is the one. */
  readonly footer: NodeReference;
}

/**
 * Yields the bytes of work of each slice, about 64 KiB; one large entry or node can make it more. Dropping the generator
 * and its free map build at any point leaves the old tree as it was. When it returns, all nodes are with the operating
 * system; the caller syncs `tree.db`.
 * @throws LightningError `LIGHTNING_CORRUPTION` for a damaged node, and operating system errors; drop the build then
 */
export function mergeTree(input: TreeMergeInput): Generator<number, TreeMergeResult> {
  return new TreeMerge(input).run();
}

class TreeMerge {
  private readonly input: TreeMergeInput;
  private readonly store: NodeStore;
  private readonly builder: TreeBuilder;
  /** The greatest sequence of the horizon. */
  private readonly published: number;
  private readonly tombstones: TombstoneSweep;
  /** Where the merge stands in a leaf of the old tree. */
  private readonly old = new Version();

  /** The key whose versions are being offered, while valid. */
  private readonly key = new Version();
  /** Sequence of the last version offered, kept or not; of the last one kept. */
  private newer = Infinity;
  private newerKept = Infinity;
  /** Of the range tombstones that cover the key. */
  private covering: readonly Sequence[] = NONE;
  private work = 0;

  constructor(input: TreeMergeInput) {
    this.input = input;
    this.store = new NodeStore(input);
    this.builder = new TreeBuilder(this.store, true);
    this.published = input.retention.horizon[input.retention.horizon.length - 1];
    this.tombstones = new TombstoneSweep(input.rangeTombstones, input.retention);
  }

  *run(): Generator<number, TreeMergeResult> {
    const { source, root: old, footer, blocks } = this.input;
    if (footer !== undefined) blocks.free(footer.block, footer.blocks);
    source.first();
    if (old === undefined) yield* this.mergeLeaf(undefined, undefined);
    else {
      const { reference, height } = old;
      yield* this.visit({ reference, level: height - 1, lower: MINUS_INFINITY, upper: undefined });
    }
    assert(!source.valid, 'every source version falls into the range of some leaf');
    const root = this.builder.finish();
    if (old !== undefined && root === undefined) sometimes('tree emptied');
    if ((root?.height ?? 0) > (old?.height ?? 0)) sometimes('root grown');
    if ((root?.height ?? 0) < (old?.height ?? 0)) sometimes('root collapsed');
    const newFooter = this.store.writeFooter(blocks.commit().toBytes());
    this.store.flush();
    yield this.takeWork();
    return { root, footer: newFooter };
  }

  private takeWork(): number {
    const { work } = this;
    this.work = 0;
    return work;
  }

  private isTouched({ reference, lower, upper }: Subtree): boolean {
    const { retention, source } = this.input;
    return (
      reference.leastDroppable <= retention.oldest ||
      reference.leastDeadline <= retention.collectTime ||
      (source.valid && isBefore(source, upper)) ||
      this.tombstones.overlaps(lower, upper)
    );
  }

  /** Takes a subtree of the old tree apart, or over as it is. */
  private *visit(subtree: Subtree): Generator<number, void> {
    const { reference, level, lower, upper } = subtree;
    if (this.work >= SLICE_BYTES) yield this.takeWork();
    if (!this.isTouched(subtree)) {
      this.keep(subtree);
      return;
    }
    const node = this.store.read(reference, level);
    this.store.free(reference);
    this.work += reference.blocks * this.input.tree.blockSizeBytes;
    if (node.isLeaf) {
      this.checkBounds(node.entries, subtree);
      yield* this.mergeLeaf(node.entries, upper);
      return;
    }
    for (let i = 0; i < node.count; i++) {
      const from = i === 0 ? lower : node.separator(i);
      const to = i + 1 < node.count ? node.separator(i + 1) : upper;
      yield* this.visit({ reference: node.reference(i), level: level - 1, lower: from, upper: to });
    }
  }

  private keep({ reference, level, lower, upper }: Subtree): void {
    this.builder.keep(level, { separator: lower, reference }, upper);
    this.work += 64;
    const newer = upper === undefined ? undefined : newerAcross(upper);
    this.key.valid = false;
    if (upper !== undefined && newer !== undefined) this.startKey(upper.key, 0, upper.key.length, newer);
  }

  private checkBounds(entries: EntryBlock, { reference, lower, upper }: Subtree): void {
    entries.load(entries.count - 1, this.old);
    const isBelow = isBefore(this.old, upper);
    entries.load(0, this.old);
    if (isBelow && !isBefore(this.old, lower)) return;
    throw damagedNode(this.input.tree, reference, 'an entry lies outside the bounds of its leaf');
  }

  /** Offers the versions of a leaf, none where the tree is empty, and those of the source that fall into its range. */
  private *mergeLeaf(entries: EntryBlock | undefined, upper: Separator | undefined): Generator<number, void> {
    const { source } = this.input;
    const { old } = this;
    const count = entries?.count ?? 0;
    const sourceIsInside = (): boolean => source.valid && isBefore(source, upper);
    let index = 0;
    let isInside = sourceIsInside();
    entries?.load(0, old);
    while (isInside || index < count) {
      if (isInside && (index === count || compareVersions(source, old) < 0)) {
        this.offer(source);
        source.next();
        isInside = sourceIsInside();
      } else {
        this.offer(old);
        index++;
        if (index < count) entries?.load(index, old);
      }
      if (this.work >= SLICE_BYTES) yield this.takeWork();
    }
  }

  private offer(version: Version): void {
    const { keyStart, keyEnd, valueEnd, sequence, deadline } = version;
    const order = this.key.valid ? compareKeys(version, this.key) : 1;
    if (order !== 0) {
      assert(order > 0, 'a merge sees keys in ascending order', order);
      this.startKey(version.bytes, keyStart, keyEnd, Infinity);
      this.covering = this.tombstones.coveringKeyOf(version);
    }
    for (const deleted of this.covering) {
      if (deleted > sequence && deleted < this.newer) this.offerDeletion(deleted);
    }
    this.settle(version);
    this.work += entryBytes(valueEnd - keyStart, deadline);
  }

  /** A range tombstone, seen as a version of the current key. */
  private offerDeletion(sequence: Sequence): void {
    const deletion = new Version();
    deletion.assign(this.key);
    deletion.sequence = sequence;
    if (this.settle(deletion)) sometimes('range tombstone became a deletion');
  }

  private settle(version: Version): boolean {
    const { sequence, kind, deadline } = version;
    assert(sequence <= this.published, 'what is merged is published', sequence, this.published);
    const kept = this.input.retention.keeps(sequence, this.newer, kind, deadline);
    if (kept) {
      this.builder.add(version, this.newerKept);
      this.newerKept = sequence;
    } else if (kind === KIND_REFERENCE) this.input.dropped?.push(version.value());
    this.newer = sequence;
    return kept;
  }

  /** Nothing of the key is in the new tree, but for a version at `newer`. */
  private startKey(bytes: Uint8Array, start: number, end: number, newer: number): void {
    this.key.set(bytes, start, end, end, 0 as Sequence, KIND_DELETE, NO_DEADLINE);
    this.newer = newer;
    this.newerKept = newer;
    this.covering = NONE;
  }
}
