/** Rows of a scan as iterators, synchronous and asynchronous. A scan is opened by the first `next`. */
import type { Scan } from '../engine/index.ts';

/** A key and its value; the caller owns both. */
export type Row = [key: Uint8Array, value: Uint8Array];

/** Rows between two chances for the event loop to do something else. */
const ROWS_A_TURN = 1024;

/** @param open makes the scan, which is closed at the end, by `return` and by an error */
export function* rowsOf(open: () => Scan): Generator<Row, undefined> {
  const scan = open();
  try {
    while (scan.next()) yield [scan.current.key(), scan.current.value()];
  } finally {
    scan.close();
  }
  return undefined;
}

/** The same with promises. Every thousandth row waits for the event loop; the others are there at once. */
export function rowsOfAsync(open: () => Scan): AsyncIterableIterator<Row> {
  const rows = rowsOf(open);
  let count = 0;
  return {
    async next(): Promise<IteratorResult<Row>> {
      if (++count % ROWS_A_TURN === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      return rows.next();
    },
    async return(): Promise<IteratorResult<Row>> {
      return rows.return(undefined);
    },
    [Symbol.asyncIterator](): AsyncIterableIterator<Row> {
      return this;
    },
  };
}
