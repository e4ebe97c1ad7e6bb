/** Rows of a scan as iterators, synchronous and asynchronous. A scan is opened by the first `next`. */
import { LightningError } from '../base/errors.ts';
import type { BlobFiles } from './blobs/blob-files.ts';
import type { Scan, ScanOptions } from '../engine/index.ts';
import type { Handles } from './handles.ts';

/** A key and its value; the caller owns both. */
export type Row = [key: Uint8Array, value: Uint8Array];

/** Rows between two chances for the event loop to do something else. */
const ROWS_A_TURN = 1024;

/** Bounds of an asynchronous scan, and what ends it from outside. */
export interface AsyncScanOptions extends ScanOptions {
  readonly signal?: AbortSignal;
}

/** What rows are taken from. */
export type RowSource = Pick<Scan, 'next' | 'current' | 'close'>;

/**
 * @param open makes the scan, which is closed at the end, by `return` and by an error
 * @param handles watches over iterators that are dropped half read
 */
export function rowsOf(open: () => RowSource, handles?: Handles): IterableIterator<Row> {
  return rowsAs(open, (current) => [current.key(), current.value()], handles);
}

/** What `take` makes of each row; it is called while the scan stands on the row. */
function rowsAs<T>(
  open: () => RowSource,
  take: (current: Scan['current']) => T,
  handles?: Handles,
): IterableIterator<T> {
  let scan: RowSource | undefined;
  let unwatch: (() => void) | undefined;
  let done = false;
  const finish = (): IteratorResult<T> => {
    done = true;
    unwatch?.();
    scan?.close();
    scan = undefined;
    return { done: true, value: undefined };
  };
  const iterator: IterableIterator<T> = {
    next(): IteratorResult<T> {
      if (done) return { done: true, value: undefined };
      try {
        if (scan === undefined) {
          scan = open();
          unwatch = handles?.watch(iterator, 'scan', closerOf(scan));
        }
        if (scan.next()) return { done: false, value: take(scan.current) };
      } catch (error) {
        finish();
        throw error;
      }
      return finish();
    },
    return(): IteratorResult<T> {
      return finish();
    },
    [Symbol.iterator](): IterableIterator<T> {
      return iterator;
    },
  };
  return iterator;
}

/** A closure of its own: one made inside `rowsOf` would lead back to the iterator, which could never be collected. */
function closerOf(scan: RowSource): () => void {
  return () => scan.close();
}

/**
 * The same with promises. Every thousandth row waits for the event loop, and so does each slice of a blob; the others are
 * there at once.
 * @param signal ends it: the next row is rejected with `LIGHTNING_ABORTED`, and nothing is pinned any more
 */
export function rowsOfAsync(
  open: () => RowSource,
  blobs: BlobFiles,
  signal?: AbortSignal,
  handles?: Handles,
): AsyncIterableIterator<Row> {
  const rows = rowsAs(open, (current) => ({ key: current.key(), stored: current.stored() }), handles);
  let count = 0;
  return {
    async next(): Promise<IteratorResult<Row>> {
      if (++count % ROWS_A_TURN === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      if (signal?.aborted === true) {
        rows.return?.();
        throw new LightningError('LIGHTNING_ABORTED', 'the signal ended the scan', {}, signal.reason);
      }
      const step = rows.next();
      if (step.done === true) return step;
      const { key, stored } = step.value;
      try {
        return { done: false, value: [key, await blobs.valueOf(stored)] };
      } catch (error) {
        rows.return?.();
        throw error;
      }
    },
    async return(): Promise<IteratorResult<Row>> {
      rows.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator](): AsyncIterableIterator<Row> {
      return this;
    },
  };
}
