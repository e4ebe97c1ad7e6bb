/** The blobs of one commit, from the first byte written until it is known what came of the commit. */
import { compareBytes } from '../../base/bytes.ts';
import type { WriteOperation } from '../../engine/index.ts';
import type { BlobWriter } from './blob-writer.ts';

/** A put of a value or of a reference. */
export type Put = Extract<WriteOperation, { type: 'put' }>;

/** See the head of the file. */
export class WrittenBlobs {
  readonly writers: BlobWriter[] = [];
  /** What takes the place of each put of a large value. */
  readonly references = new Map<WriteOperation, Put>();
  /** Whether the log may hold the commit. */
  isMade = false;

  /** The operations of the commit: references in the place of what was written, and nothing that a later one of them undoes. */
  operations(given: readonly WriteOperation[]): readonly WriteOperation[] {
    if (this.references.size === 0) return given;
    return withoutShadowed(given).map((operation) => this.references.get(operation) ?? operation);
  }
}

/**
 * The operations of a batch without the puts that a later one of them overwrites, deletes or clears: of those no value
 * is ever read, and a blob would be named by nothing.
 */
export function withoutShadowed(operations: readonly WriteOperation[]): readonly WriteOperation[] {
  if (operations.length <= 1) return operations;
  const keys = new Set<string>();
  const clears: Extract<WriteOperation, { type: 'clear' }>[] = [];
  const kept: WriteOperation[] = [];
  for (const operation of operations.toReversed()) {
    if (operation.type === 'clear') {
      clears.push(operation);
      kept.push(operation);
      continue;
    }
    const name = Buffer.from(operation.key).toString('latin1');
    const { key } = operation;
    const isShadowed =
      keys.has(name) ||
      clears.some(
        ({ start, end }) => compareBytes(key, start) >= 0 && (end === undefined || compareBytes(key, end) < 0),
      );
    keys.add(name);
    if (!isShadowed || operation.type === 'delete') kept.push(operation);
  }
  return kept.reverse();
}
