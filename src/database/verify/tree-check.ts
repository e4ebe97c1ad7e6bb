/**
 * Checks a whole tree file on disk, `tree.db` or a sorted run, by a path of its own: it uses neither the cache nor the
 * reader, walks every node from the root, and accounts for every block. What is wrong becomes a finding; nothing is thrown but operating system
 * errors.
 *
 * Checked: the header; each node's checksum, identity, generation, level and framing; order inside a node, between
 * neighbours and against separators; of `tree.db` T1 to T3 of tree-builder.ts; rule 8 (no stored minimum above the true
 * one); every block being exactly one of header, reachable, free; after a clean close also that free blocks are zero and
 * the file ends with its last block. A run has no free block and a footer (run-check.ts).
 */
import { allZero } from '../../base/bytes.ts';
import { LightningError } from '../../base/errors.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import { compareInternal, Version } from '../../engine/cursor.ts';
import type { EntryBlock } from '../../engine/entry-block.ts';
import { openNamed } from '../../engine/damage.ts';
import { TREE_FILE } from '../../engine/file-names.ts';
import { freeChunks } from '../../engine/free-blocks.ts';
import type { FreeMap } from '../../base/free-map.ts';
import type { ManifestState } from '../../engine/manifest-format.ts';
import { TREE_HEIGHT_MAX } from '../../engine/limits.ts';
import { belongTogether } from '../../engine/tree-builder.ts';
import * as format from '../../engine/tree-format.ts';
import type { NodeReference, Separator, TreeFile, TreeRoot } from '../../engine/tree-format.ts';
import { readTreeHeader, treeFileOf } from '../../engine/tree-file.ts';
import { readNode, referenceProblem, type TreeNode } from '../../engine/tree-node-reader.ts';
import { droppableAt } from '../../engine/retention.ts';
import { readFreeMap } from '../../engine/tree.ts';
import { isBefore } from '../../engine/tree-separator.ts';
import type { Finding } from './finding.ts';

/** Findings beyond this are not listed. */
const FINDINGS_MAX = 1000;
const DAMAGE_CODES: ReadonlySet<string> = new Set(['LIGHTNING_CORRUPTION', 'LIGHTNING_UNSUPPORTED_FORMAT']);
const BRANCH_CHILDREN_FEW = 2;

/** What is checked, and what it is held against. */
export interface TreeCheckInput {
  readonly tree: TreeFile;
  readonly databaseId: Uint8Array;
  readonly root: TreeRoot | undefined;
  readonly map: Pick<FreeMap, 'blockCount' | 'isUsed' | 'freeExtents'>;
  /** Whether small neighbours had to be merged (T1 to T3). */
  readonly isBalanced: boolean;
  /** What else lies in the file. */
  readonly others: readonly NodeReference[];
  /** Called for each version, in internal order; the problem with it, if any. */
  readonly judge: (version: Version, isNewKey: boolean) => string | undefined;
  /** Whether the store was closed cleanly, so that free blocks must be zero and the size exact. */
  readonly cleanlyClosed: boolean;
}

/** What is wrong, and how much was looked at. */
export interface TreeCheckResult {
  readonly findings: readonly Finding[];
  readonly nodes: number;
  readonly leaves: number;
  readonly entries: number;
  readonly blocksReached: number;
}

/** Yields the bytes of work of each slice. Reads the whole file once. */
export function* checkTree(input: TreeCheckInput): Generator<number, TreeCheckResult> {
  return yield* new TreeCheck(input).run();
}

/** What a subtree really holds. */
interface Truth {
  leastDroppable: number;
  leastDeadline: number;
}

class TreeCheck {
  private readonly input: TreeCheckInput;
  private readonly tree: TreeFile;
  private readonly findings: Finding[] = [];
  private readonly reached: Uint8Array;
  private targetBytes = Infinity;
  /** The last version met, in internal order. */
  private readonly previous = new Version();
  private readonly version = new Version();
  private isWhole = true;
  private nodes = 0;
  private leaves = 0;
  private entries = 0;
  private blocksReached = 0;

  constructor(input: TreeCheckInput) {
    this.input = input;
    this.tree = input.tree;
    this.reached = new Uint8Array(input.map.blockCount);
    this.reached[0] = 1;
  }

  *run(): Generator<number, TreeCheckResult> {
    const { root, others } = this.input;
    this.checkHeader();
    for (const reference of others) this.claim(reference);
    this.checkSize();
    if (root !== undefined) {
      if (root.height < 1 || root.height > TREE_HEIGHT_MAX) this.report(undefined, 'the root has an impossible height');
      else yield* this.walk(root.reference, root.height - 1, format.MINUS_INFINITY, undefined);
    }
    if (this.isWhole) this.checkLeaks();
    if (this.input.cleanlyClosed) yield* this.checkFreeBlocks();
    const { findings, nodes, leaves, entries, blocksReached } = this;
    return { findings, nodes, leaves, entries, blocksReached };
  }

  private report(block: number | undefined, problem: string): void {
    if (this.findings.length >= FINDINGS_MAX) return;
    const offset = block === undefined ? undefined : block * this.tree.blockSizeBytes;
    this.findings.push({ severity: 'damage', file: this.tree.fileName, offset, problem });
  }

  private checkHeader(): void {
    const header = readTreeHeader(this.tree, this.input.databaseId);
    if (!header.ok) this.report(0, header.problem);
    else this.targetBytes = header.value.nodeTargetBytes - format.NODE_HEADER_BYTES;
  }

  private checkSize(): void {
    const size = this.tree.file.size();
    const expected = this.input.map.blockCount * this.tree.blockSizeBytes;
    if (size < expected) this.report(undefined, `the file has ${size} bytes, at least ${expected} belong to it`);
    if (size > expected && this.input.cleanlyClosed) {
      this.report(undefined, `the file has ${size} bytes, but was closed with ${expected}`);
    }
  }

  /** Marks an extent as reached; false when it cannot be followed. */
  private claim(reference: NodeReference): boolean {
    const { block, blocks } = reference;
    const isFooter = this.input.others.includes(reference);
    const problem = isFooter ? undefined : referenceProblem(reference, this.tree.blockSizeBytes);
    if (problem !== undefined || block + blocks > this.reached.length) {
      this.report(undefined, problem ?? `a reference to block ${block} behind the end of the file`);
      return false;
    }
    for (let i = block; i < block + blocks; i++) {
      if (this.reached[i] !== 0) {
        this.report(i, 'a block belongs to two nodes');
        return false;
      }
      if (!this.input.map.isUsed(i)) this.report(i, 'a block of a node is free in the free map');
      this.reached[i] = 1;
    }
    this.blocksReached += blocks;
    return true;
  }

  private *walk(
    reference: NodeReference,
    level: number,
    lower: Separator,
    upper: Separator | undefined,
  ): Generator<number, Truth> {
    const truth: Truth = { leastDroppable: Infinity, leastDeadline: Infinity };
    const decoded = this.claim(reference)
      ? readNode(this.tree, reference, level)
      : { ok: false as const, problem: 'the node cannot be read' };
    if (!decoded.ok) {
      this.isWhole = false;
      this.previous.valid = false;
      this.report(reference.block, decoded.problem);
      return truth;
    }
    this.nodes++;
    yield reference.blocks * this.tree.blockSizeBytes;
    const branch = decoded.value;
    if (branch.isLeaf) this.checkLeaf(branch.entries, reference, lower, upper, truth);
    else {
      if (this.input.isBalanced) this.checkFill(branch, reference, level);
      if (this.input.root?.reference === reference && branch.count < 2) {
        this.report(reference.block, 'the root has a single child (T2)');
      }
      for (let i = 0; i < branch.count; i++) {
        const from = i === 0 ? lower : branch.separator(i);
        const to = i + 1 < branch.count ? branch.separator(i + 1) : upper;
        if (!isOrdered(lower, from) || (to !== undefined && !isOrdered(from, to)) || !isInside(to, upper)) {
          this.report(reference.block, `separator ${i} lies outside the bounds of its branch`);
        }
        const below = yield* this.walk(branch.reference(i), level - 1, from, to);
        truth.leastDroppable = Math.min(truth.leastDroppable, below.leastDroppable);
        truth.leastDeadline = Math.min(truth.leastDeadline, below.leastDeadline);
      }
    }
    if (reference.leastDroppable > truth.leastDroppable) {
      this.report(reference.block, `least droppable ${reference.leastDroppable} is above ${truth.leastDroppable}`);
    }
    if (reference.leastDeadline > truth.leastDeadline) {
      this.report(reference.block, `least deadline ${reference.leastDeadline} is above ${truth.leastDeadline}`);
    }
    return truth;
  }

  /** T1 to T3 for a branch and its children, by what the references say; the children's own bytes are checked against it. */
  private checkFill(branch: TreeNode, reference: NodeReference, level: number): void {
    const { targetBytes } = this;
    if (targetBytes === Infinity) return;
    let left: NodeReference | undefined;
    for (let i = 0; i < branch.count; i++) {
      const right = branch.reference(i);
      const separator = branch.separator(i);
      const child = { separator, reference: right };
      if (left !== undefined && belongTogether(level - 1, left, child, targetBytes)) {
        this.report(right.block, 'a small node and its neighbour fit together (T1)');
      }
      left = right;
    }
    if (reference.payloadBytes > targetBytes && branch.count > BRANCH_CHILDREN_FEW) {
      this.report(reference.block, 'a branch is larger than its children demand (T3)');
    }
  }

  private checkLeaf(
    entries: EntryBlock,
    { block, payloadBytes }: NodeReference,
    lower: Separator,
    upper: Separator | undefined,
    truth: Truth,
  ): void {
    const { version, previous } = this;
    this.leaves++;
    this.entries += entries.count;
    if (payloadBytes > this.targetBytes && entries.count > 1)
      this.report(block, 'a leaf is larger than its entries demand (T3)');
    for (let i = 0; i < entries.count; i++) {
      entries.load(i, version);
      let newer = Infinity;
      if (previous.valid) {
        const byKey = -version.compareKey(previous.bytes.subarray(previous.keyStart, previous.keyEnd));
        if (byKey === 0) newer = previous.sequence;
        if (byKey > 0 || newer <= version.sequence) this.report(block, `entry ${i} is out of order`);
      }
      if (i === 0 && isBefore(version, lower)) this.report(block, 'an entry lies before its separator');
      const problem = this.input.judge(version, newer === Infinity);
      if (problem !== undefined) this.report(block, `entry ${i}: ${problem}`);
      truth.leastDroppable = Math.min(truth.leastDroppable, droppableAt(version.sequence, newer, version.kind));
      truth.leastDeadline = Math.min(truth.leastDeadline, version.deadline);
      previous.assign(version);
    }
    if (!isBefore(version, upper)) this.report(block, 'an entry lies behind the next separator');
  }

  /** Used blocks that no node holds, as extents. */
  private checkLeaks(): void {
    const { map } = this.input;
    for (let block = 1; block < map.blockCount; block++) {
      if (!map.isUsed(block) || this.reached[block] !== 0) continue;
      const start = block;
      while (block + 1 < map.blockCount && map.isUsed(block + 1) && this.reached[block + 1] === 0) block++;
      this.report(start, `${block + 1 - start} blocks are neither reachable nor free`);
    }
  }

  private *checkFreeBlocks(): Generator<number, void> {
    const { file, blockSizeBytes } = this.tree;
    for (const { position, bytes } of freeChunks(file, this.input.map, blockSizeBytes)) {
      if (!allZero(bytes)) this.report(Math.floor(position / blockSizeBytes), 'a free block is not zero');
      yield bytes.length;
    }
  }
}

function isOrdered(a: Separator, b: Separator): boolean {
  return compareInternal(a.key, 0, a.key.length, a.sequence, b.key, 0, b.key.length, b.sequence) <= 0;
}

function isInside(bound: Separator | undefined, upper: Separator | undefined): boolean {
  return upper === undefined || (bound !== undefined && isOrdered(bound, upper));
}

/** What sliced work throws as damage becomes a finding. */
export function* findingsOf(work: () => Generator<number, readonly Finding[]>): Generator<number, Finding[]> {
  try {
    return [...(yield* work())];
  } catch (error) {
    if (!(error instanceof LightningError) || !DAMAGE_CODES.has(error.code)) throw error;
    const { file, offset, problem } = error.details as { file: string; offset?: number; problem?: string };
    return [{ severity: 'damage', file, offset, problem: problem ?? error.message }];
  }
}

/** Examines `tree.db`, every byte of it, against the manifest. Yields the bytes of work of each slice. */
export function* verifyTreeFiles(
  vfs: Vfs,
  manifest: ManifestState,
  judge: TreeCheckInput['judge'] = () => undefined,
): Generator<number, Finding[]> {
  return yield* findingsOf(function* () {
    const { root, footer, blockCount } = manifest.tree;
    if (footer === undefined) return [];
    const file = openNamed(vfs, TREE_FILE, 'read');
    try {
      const { databaseId, blockSizeBytes, cleanlyClosed } = manifest;
      const treeFile = treeFileOf(file, TREE_FILE, { databaseId, fileNumber: format.TREE_FILE_NUMBER, blockSizeBytes });
      const input = { tree: treeFile, databaseId, root, cleanlyClosed, others: [footer] };
      const map = readFreeMap(treeFile, footer, blockCount);
      return (yield* checkTree({ ...input, map, isBalanced: true, judge })).findings;
    } finally {
      file.close();
    }
  });
}
