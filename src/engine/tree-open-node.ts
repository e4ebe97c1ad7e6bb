/** A node that is being filled, a leaf with versions or a branch with children. */
import { ByteWriter, UINT48_MAX } from '../base/bytes.ts';
import { assert } from '../base/assert.ts';
import { Version } from './cursor.ts';
import { EntryBlockBuilder, entryBytes } from './entry-block.ts';
import { droppableAt } from './retention.ts';
import { type Child, MINUS_INFINITY, type NodeReference, REFERENCE_BYTES, type Separator } from './tree-format.ts';
import { KIND_PUT, NO_DEADLINE } from './types.ts';

/** The `REFERENCE_BYTES` of a reference. */
export function encodeReference(reference: NodeReference): Uint8Array {
  assert(!Number.isNaN(reference.leastDeadline), 'a deadline is a number');
  assert(reference.leastDroppable >= 0, 'a droppable sequence is not negative', reference.leastDroppable);
  const writer = new ByteWriter(REFERENCE_BYTES).uint32(reference.block).uint32(reference.blocks);
  writer.uint48(reference.generation).uint32(reference.payloadBytes);
  return writer.uint48(Math.min(reference.leastDroppable, UINT48_MAX)).float64(reference.leastDeadline).finish();
}

/** Bytes that a child takes in a branch; the first one's separator is not stored. */
export function childBytes(separator: Separator): number {
  return entryBytes(separator.key.length + REFERENCE_BYTES, NO_DEADLINE);
}

export class OpenNode {
  readonly entries: EntryBlockBuilder = new EntryBlockBuilder();
  /** The bound before the node; a branch has that of its first child. */
  separator: Separator = MINUS_INFINITY;
  /** The two minima of rule 8, over what is in the node. */
  leastDroppable = Infinity;
  leastDeadline = Infinity;
  /** The child added last. */
  last: Child | undefined;

  /** Empties the node. */
  reset(): void {
    this.entries.reset();
    this.leastDroppable = Infinity;
    this.leastDeadline = Infinity;
    this.last = undefined;
  }

  /** @param newer the next newer version of the key that is kept; `Infinity` for the newest */
  addVersion(version: Version, newer: number): void {
    this.entries.add(version);
    this.cover(droppableAt(version.sequence, newer, version.kind), version.deadline);
  }

  addChild(child: Child): void {
    const isFirst = this.entries.count === 0;
    if (isFirst) this.separator = child.separator;
    const { key, sequence } = isFirst ? MINUS_INFINITY : child.separator;
    const bytes = new Uint8Array(key.length + REFERENCE_BYTES);
    bytes.set(key);
    bytes.set(encodeReference(child.reference), key.length);
    const entry = new Version();
    entry.set(bytes, 0, key.length, bytes.length, sequence, KIND_PUT, NO_DEADLINE);
    this.entries.add(entry);
    this.last = child;
    this.coverNode(child.reference);
  }

  /** Puts a node that holds more in the place of the last child; the bound before it stays. */
  replaceLast(child: Child): void {
    this.entries.replaceLastValue(encodeReference(child.reference));
    this.last = child;
    this.coverNode(child.reference);
  }

  /** Takes the minima of a whole node into account. */
  coverNode({ leastDroppable, leastDeadline }: NodeReference): void {
    this.cover(leastDroppable, leastDeadline);
  }

  private cover(droppable: number, deadline: number): void {
    if (droppable < this.leastDroppable) this.leastDroppable = droppable;
    if (deadline < this.leastDeadline) this.leastDeadline = deadline;
  }
}
