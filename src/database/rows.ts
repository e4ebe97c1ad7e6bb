/** Rows of a scan as iterators, synchronous and asynchronous. A scan is opened by the first `next`. */
import type { Scan } from '../engine/index.ts';
import type { Handles } from './handles.ts';

/** A key and its value; the caller owns both. */
export type Row = [key: Uint8Array, value: Uint8Array];

/** Rows between two chances for the event loop to do something else. */
const ROWS_A_TURN = 1024;

/** What rows are taken from. */
export type RowSource = Pick<Scan, 'next' | 'current' | 'close'>;

/**
 * @param open makes the scan, which is closed at the end, by `return` and by an error
 * @param handles watches over iterators that are dropped half read
 */
export function rowsOf(open: () => RowSource, handles?: Handles): IterableIterator<Row> {
  let scan: RowSource | undefined;
  let unwatch: (() => void) | undefined;
  let done = false;
  const finish = (): IteratorResult<Row> => {
    done = true;
    unwatch?.();
    scan?.close();
    scan = undefined;
    return { done: true, value: undefined };
  };
  const iterator: IterableIterator<Row> = {
    next(): IteratorResult<Row> {
      if (done) return { done: true, value: undefined };
      try {
        if (scan === undefined) {
          scan = open();
          unwatch = handles?.watch(iterator, 'scan', closerOf(scan));
        }
        if (scan.next()) return { done: false, value: [scan.current.key(), scan.current.value()] };
      } catch (error) {
        finish();
        throw error;
      }
      return finish();
    },
    return(): IteratorResult<Row> {
      return finish();
    },
    [Symbol.iterator](): IterableIterator<Row> {
      return iterator;
    },
  };
  return iterator;
}

/** A closure of its own: one made inside `rowsOf` would lead back to the iterator, which could never be collected. */
function closerOf(scan: RowSource): () => void {
  return () => scan.close();
}

/** The same with promises. Every thousandth row waits for the event loop; the others are there at once. */
export function rowsOfAsync(open: () => RowSource, handles?: Handles): AsyncIterableIterator<Row> {
  const rows = rowsOf(open, handles);
  let count = 0;
  return {
    async next(): Promise<IteratorResult<Row>> {
      if (++count % ROWS_A_TURN === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      return rows.next();
    },
    async return(): Promise<IteratorResult<Row>> {
      return rows.return?.() ?? { done: true, value: undefined };
    },
    [Symbol.asyncIterator](): AsyncIterableIterator<Row> {
      return this;
    },
  };
}
