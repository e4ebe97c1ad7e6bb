/**
 * The language in which programs are written, generated, shrunk, printed and saved. It names what an embedded ordered
 * key-value store can be asked for, and nothing of how it does it. Meaning: spec/semantics.md, in rules that
 * spec/executable carries out.
 *
 * Snapshots and transactions are named by small numbers that the program chooses; a number is used once.
 */
import type { BytesText } from './bytes-text.ts';

/** Keys between bounds; every bound given must hold. No bound: all keys. */
export interface KeyRange {
  readonly gte?: BytesText;
  readonly gt?: BytesText;
  readonly lte?: BytesText;
  readonly lt?: BytesText;
  /** Keys that begin with these bytes. */
  readonly prefix?: BytesText;
}

/** A range to read: ascending, or descending with `reverse`; the first `limit` rows in that order. */
export interface ScanRange extends KeyRange {
  readonly reverse?: boolean;
  readonly limit?: number;
}

/** How much a transaction is kept apart from others; `snapshot` when a program does not say. */
export type IsolationLevel = 'snapshot' | 'serializable' | 'read-committed';

/** One step of a batch; steps take effect in order, all or nothing. */
export type BatchOperation =
  | { readonly kind: 'put'; readonly key: BytesText; readonly value: BytesText; readonly deadline?: number }
  | { readonly kind: 'delete'; readonly key: BytesText }
  | { readonly kind: 'clear'; readonly range: KeyRange };

/** One operation of a program. `deadline` is in milliseconds on the session's clock; `sync` asks for durability now. */
export type Operation =
  | {
      readonly kind: 'put';
      readonly key: BytesText;
      readonly value: BytesText;
      readonly deadline?: number;
      readonly sync?: boolean;
    }
  | { readonly kind: 'delete'; readonly key: BytesText; readonly sync?: boolean }
  | { readonly kind: 'batch'; readonly operations: readonly BatchOperation[]; readonly sync?: boolean }
  | { readonly kind: 'clear'; readonly range: KeyRange; readonly sync?: boolean }
  | { readonly kind: 'get'; readonly key: BytesText }
  | { readonly kind: 'scan'; readonly range: ScanRange }
  | { readonly kind: 'openSnapshot'; readonly snapshot: number }
  | { readonly kind: 'snapshotGet'; readonly snapshot: number; readonly key: BytesText }
  | { readonly kind: 'snapshotScan'; readonly snapshot: number; readonly range: ScanRange }
  | { readonly kind: 'releaseSnapshot'; readonly snapshot: number }
  | { readonly kind: 'begin'; readonly transaction: number; readonly isolation?: IsolationLevel }
  | { readonly kind: 'txGet'; readonly transaction: number; readonly key: BytesText }
  | { readonly kind: 'txScan'; readonly transaction: number; readonly range: ScanRange }
  | {
      readonly kind: 'txPut';
      readonly transaction: number;
      readonly key: BytesText;
      readonly value: BytesText;
      readonly deadline?: number;
    }
  | { readonly kind: 'txDelete'; readonly transaction: number; readonly key: BytesText }
  | { readonly kind: 'txClear'; readonly transaction: number; readonly range: KeyRange }
  | { readonly kind: 'commit'; readonly transaction: number; readonly sync?: boolean }
  | { readonly kind: 'abort'; readonly transaction: number }
  /** Everything acknowledged before it is durable once it returns. */
  | { readonly kind: 'sync' }
  /** Moves what is in memory to sorted runs. */
  | { readonly kind: 'flush' }
  /** Merges the runs into the base level (compaction). */
  | { readonly kind: 'merge' }
  /** Drops versions that nobody can read any more. */
  | { readonly kind: 'collect' }
  /** Begins a backup, of everything acknowledged before it; the operations that follow go on while it is made. */
  | { readonly kind: 'backup'; readonly incremental?: boolean }
  /** A clean close, then an open of the same directory. Ends snapshots and transactions. */
  | { readonly kind: 'reopen' }
  /** A power cut on a simulated disk, then an open. Ends snapshots and transactions. */
  | { readonly kind: 'crash' }
  /** Moves the session's clock; negative runs it backwards. */
  | { readonly kind: 'advanceClock'; readonly milliseconds: number };

/** Name of an operation. */
export type OperationKind = Operation['kind'];

/** How an engine is configured for one program: plain names and values that its driver understands. */
export type OpenOptions = Readonly<Record<string, string | number | boolean>>;

/** A program: what the generator makes, what a failure is shrunk to, what a replay reads. */
export interface Program {
  readonly format: 1;
  readonly options: OpenOptions;
  readonly operations: readonly Operation[];
}

/** Every kind of operation, in the order of the type. */
export const OPERATION_KINDS = [
  'put',
  'delete',
  'batch',
  'clear',
  'get',
  'scan',
  'openSnapshot',
  'snapshotGet',
  'snapshotScan',
  'releaseSnapshot',
  'begin',
  'txGet',
  'txScan',
  'txPut',
  'txDelete',
  'txClear',
  'commit',
  'abort',
  'sync',
  'flush',
  'merge',
  'collect',
  'backup',
  'reopen',
  'crash',
  'advanceClock',
] as const satisfies readonly OperationKind[];

/** The transaction an operation belongs to, if any. */
export function transactionOf(operation: Operation): number | undefined {
  return 'transaction' in operation ? operation.transaction : undefined;
}

/** The snapshot an operation belongs to, if any. */
export function snapshotOf(operation: Operation): number | undefined {
  return 'snapshot' in operation ? operation.snapshot : undefined;
}

/** Whether an operation, when it succeeds, may change what a later read returns. */
export function isWrite(operation: Operation): boolean {
  const kind = operation.kind;
  return kind === 'put' || kind === 'delete' || kind === 'batch' || kind === 'clear' || kind === 'commit';
}
