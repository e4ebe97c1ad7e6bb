/**
 * The writes of one transaction, kept sorted so that its own reads and scans see them. Of one key there is one write.
 *
 * They stand half a step above the snapshot: newer than everything that it sees, older than everything that it does not.
 */
import { copyBytes } from '../base/bytes.ts';
import { Version } from './cursor.ts';
import { isEmptyRange } from './range.ts';
import { load, Memtable } from './memtable.ts';
import { KIND_DELETE, KIND_PUT, KIND_REFERENCE, type Sequence } from './types.ts';
import type { WriteOperation } from './write-operation.ts';

export class WriteSet {
  readonly memtable = new Memtable();
  private sequence: Sequence;

  /** @param snapshot the sequence that the transaction reads at */
  constructor(snapshot: Sequence) {
    this.sequence = ownSequence(snapshot);
  }

  /** Adds a checked operation; bytes are copied. A clear removes earlier writes in its range. */
  add(operation: WriteOperation): void {
    if (operation.type === 'clear') {
      if (isEmptyRange(operation)) return;
      const end = operation.end === undefined ? undefined : copyBytes(operation.end);
      const tombstone = { start: copyBytes(operation.start), end, sequence: this.sequence };
      this.memtable.removeCovered(tombstone);
      this.memtable.addRangeTombstone(tombstone);
      return;
    }
    const value = operation.type === 'put' ? operation.value : undefined;
    const bytes = new Uint8Array(operation.key.length + (value?.length ?? 0));
    bytes.set(operation.key);
    if (value !== undefined) bytes.set(value, operation.key.length);
    const kind = operation.type === 'delete' ? KIND_DELETE : operation.isReference === true ? KIND_REFERENCE : KIND_PUT;
    const deadline = operation.type === 'put' ? operation.deadline : undefined;
    this.memtable.insert(bytes, 0, operation.key.length, bytes.length, this.sequence, kind, deadline);
  }

  /** What commits it: clears first, then one operation a key. */
  *operations(): Generator<WriteOperation> {
    for (const { start, end } of this.memtable.rangeTombstones) yield { type: 'clear', start, end };
    const version = new Version();
    for (const entry of this.memtable.entries()) {
      load(entry, version);
      const key = version.key();
      const { deadline } = version;
      const isReference = entry.kind === KIND_REFERENCE;
      if (entry.kind === KIND_DELETE) yield { type: 'delete', key };
      else yield { type: 'put', key, value: version.value(), deadline, isReference };
    }
  }
}

/** Where a transaction's own writes stand: between its snapshot and the next commit. Never stored. */
export function ownSequence(snapshot: Sequence): Sequence {
  return (snapshot + 0.5) as Sequence;
}

/**
 * The operations of a batch in a form whose order does not matter: at one sequence a point beats a range tombstone, so
 * points before a clear that covers them must go.
 */
export function withoutShadowedWrites(operations: readonly WriteOperation[]): readonly WriteOperation[] {
  if (!operations.some(({ type }) => type === 'clear')) return operations;
  const set = new WriteSet(0 as Sequence);
  for (const operation of operations) set.add(operation);
  return [...set.operations()];
}
