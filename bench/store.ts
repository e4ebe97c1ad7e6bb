/**
 * What the bench asks of an engine. Each engine does a whole slice in a loop of its own, by the calls that its
 * documentation recommends, so that nobody pays for a common denominator.
 */
import type { Rows } from './material.ts';

/** Sizes that are the same for every engine that has the knob. */
export interface StoreSettings {
  /** Whether a write returns only when it is durable. */
  readonly durable: boolean;
  /** Bytes of cache for blocks or pages. LMDB has none of its own: the page cache holds its file. */
  readonly cacheBytes: number;
  /** Bytes of writes held in memory before they are sorted to disk, where the engine does so. */
  readonly writeBufferBytes: number;
}

/** Rows `[from, to)`. */
export interface Slice {
  readonly rows: Rows;
  readonly from: number;
  readonly to: number;
}

/** An open store; a call that waits for nothing returns nothing to wait for. */
export interface BenchStore {
  /** One put after the other, each a commit of its own; synchronous where the engine can. */
  putEach(slice: Slice): void | Promise<void>;
  /** The same through the asynchronous call, each awaited; absent where there is none. */
  readonly putEachAwaited?: (slice: Slice) => Promise<void>;
  /** All of the slice as one atomic batch. */
  putBatch(slice: Slice): void | Promise<void>;
  /** Deletes every second row of the slice as one atomic batch. */
  deleteBatch(slice: Slice): void | Promise<void>;
  /** Gets the rows of these numbers; returns how many were found. */
  getEach(rows: Rows, wanted: Uint32Array): number | Promise<number>;
  /** Walks all rows in key order and takes key and value of each; returns how many there were. */
  scanAll(): number | Promise<number>;
  /** Waits for the background work that the engine can wait for by itself. */
  settle(): Promise<void>;
  /** Brings everything written into its final place, as far as the engine has such a call. */
  compact(): Promise<void>;
  /** Structural work so far, where the engine says. */
  counts(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

/** An engine that may be measured. */
export interface BenchEngine {
  readonly name: string;
  /** Whether its single put is asynchronous only. */
  readonly putIsAsynchronous: boolean;
  /** @throws LightningError `LIGHTNING_MISSING_CAPABILITY` when the engine is not installed here */
  prepare(): Promise<{ readonly version: string; readonly calls: Readonly<Record<string, string>> }>;
  /** Makes a store in an empty folder, or opens the one that is there. After `prepare`. */
  open(folder: string, settings: StoreSettings): Promise<BenchStore>;
}
