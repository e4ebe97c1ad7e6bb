/**
 * What several clients did and saw, as the checkers read it. Order comes from the event index: a call and its return are
 * separate events in one total order, so no two events are simultaneous; times are for people.
 *
 * Keys and values are text (hexadecimal when they are bytes). Values are unique for each key unless they are `null`,
 * which means absent: after a deletion, or never written.
 */

/**
 * What kind of operation. `scan` reads all keys of a group at once; `transaction` is atomic, reads before writes; `cas`
 * writes its one cell if the key holds `expected`; `append` lengthens the text of its one key; `sync` touches nothing,
 * and when it is acknowledged as synced everything before it is durable.
 */
export const HISTORY_KINDS = ['read', 'write', 'batch', 'scan', 'transaction', 'cas', 'append', 'sync'] as const;

/** One of {@link HISTORY_KINDS}. */
export type HistoryKind = (typeof HISTORY_KINDS)[number];

/** A key and a value; `null` is absent. */
export interface Cell {
  readonly key: string;
  readonly value: string | null;
}

/** One access of a transaction. `null` is absent: a read of it found nothing, a write of it deletes. */
export type Access =
  | { readonly kind: 'read' | 'write'; readonly key: string; readonly value: string | null }
  /** Appends to a list; lists are never deleted, and their elements are unique for each key. */
  | { readonly kind: 'append'; readonly key: string; readonly element: string }
  | { readonly kind: 'list'; readonly key: string; readonly elements: readonly string[] }
  /** All rows with `from` ≤ key < `to` (`null`: no end); every other key of the range was absent. */
  | { readonly kind: 'range'; readonly from: string; readonly to: string | null; readonly rows: readonly Cell[] };

/** How far an acknowledged write had got: `synced` outlives a power cut, `volatile` need not. */
export type Durability = 'volatile' | 'synced';

/** `failed`: definitely without effect. `unknown`: an indefinite error, or no answer before a crash or the end. */
export type HistoryOutcome = 'ok' | 'failed' | 'unknown';

/** One operation with both its ends. */
export interface HistoryOperation {
  readonly id: number;
  /** A client has one operation at a time. */
  readonly client: number;
  readonly kind: HistoryKind;
  /** What it returned; only when the outcome is `ok`. */
  readonly reads: readonly Cell[];
  /** What it asked to write; a deletion writes `null`. */
  readonly writes: readonly Cell[];
  readonly outcome: HistoryOutcome;
  /** What a transaction did, in program order; `reads` and `writes` then hold what is left of it at both ends. */
  readonly accesses?: readonly Access[];
  /** What a `cas` compares with. */
  readonly expected?: string | null;
  /** Whether a `cas` wrote; only when the outcome is `ok`. */
  readonly swapped?: boolean;
  /** Of an acknowledgement that said so. */
  readonly durability?: Durability;
  /** Index of the event of the call. */
  readonly call: number;
  /** Index of the event of the return; `Infinity` when the outcome is `unknown`: it may take effect at any time. */
  readonly return: number;
  readonly callMilliseconds: number;
  readonly returnMilliseconds: number | undefined;
}

/** Where the store stopped or started. */
export interface HistoryMarker {
  readonly kind: 'crash' | 'reopen';
  readonly index: number;
}

/** A recorded history, operations in the order of their calls. */
export interface History {
  readonly operations: readonly HistoryOperation[];
  readonly markers: readonly HistoryMarker[];
}

/** Keys that an operation reads or writes. */
export function keysOf(operation: HistoryOperation): readonly string[] {
  return [...new Set([...operation.reads, ...operation.writes].map((cell) => cell.key))];
}
