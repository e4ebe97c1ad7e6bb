/**
 * The contract between the harness and an engine under test. A driver says honestly what its engine can do, opens it in
 * a directory, and carries out operations one call at a time; it never repairs, caches, retries or hides an answer.
 *
 * Obligations, checked by src/contract/conformance.ts:
 * 1. An outcome is given only after the engine has given its own.
 * 2. What the engine reports as an error is an `error` outcome; `execute` rejects only when the driver itself broke.
 * 3. An operation outside the capabilities is answered with `LIGHTNING_MISSING_CAPABILITY` and has no effect.
 * 4. Bytes pass unchanged: keys and values are never text.
 * 5. `close` makes what the engine's own close makes durable, and no more.
 */
import type { IsolationLevel, OpenOptions, Operation } from './operations.ts';
import type { DurabilityClass, Outcome } from './outcomes.ts';

/** What an engine can do behind its driver. Generators ask only for this; nothing branches on an engine's name. */
export interface Capabilities {
  /** `scan` with bounds, prefix and limit, ascending. */
  readonly orderedScan: boolean;
  /** `scan` with `reverse`. */
  readonly reverseScan: boolean;
  /** `batch`: all or nothing, to readers and to crashes. */
  readonly batch: boolean;
  /** `clear`, also inside transactions where those are there. */
  readonly deleteRange: boolean;
  /** `clear` as a step of a batch. */
  readonly batchDeleteRange: boolean;
  /** `openSnapshot`, `snapshotGet`, `snapshotScan`, `releaseSnapshot`. */
  readonly snapshots: boolean;
  /** `begin` … `commit`, several open at once beside plain writes; empty when there are none. */
  readonly transactions: readonly IsolationLevel[];
  /** When a transaction's snapshot is taken. */
  readonly transactionSnapshotAt: 'begin' | 'first-read';
  /** Deadlines on puts, and a clock that `advanceClock` moves. */
  readonly deadlines: boolean;
  /** `sync`. */
  readonly sync: boolean;
  /** `sync: true` on a write. */
  readonly syncWrites: boolean;
  /** `reopen`: what was written is there after a clean close and an open. */
  readonly reopen: boolean;
  /** `crash`: a simulated disk that can lose what was not synced, or a process that is killed. */
  readonly crash: boolean;
  readonly flush: boolean;
  readonly merge: boolean;
  readonly collect: boolean;
  /** What a plain acknowledged write survives. */
  readonly acknowledges: DurabilityClass;
  /** Whether the empty byte string is a key. */
  readonly emptyKey: boolean;
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
}

/** An open store. One operation at a time unless the driver's capabilities come with a promise of more. */
export interface EngineSession {
  execute(operation: Operation): Promise<Outcome>;
  /** A clean close. No operation afterwards. */
  close(): Promise<void>;
}

/** An engine under test. */
export interface EngineDriver {
  readonly name: string;
  /** Version of the engine, for reports; `undefined` until it is loaded. */
  readonly version: string | undefined;
  readonly capabilities: Capabilities;
  /**
   * Opens the store in `directory` (absolute, there already, nobody else's), with options the driver knows; others are
   * ignored.
   * @throws LightningError `LIGHTNING_MISSING_CAPABILITY` when the engine's package is not installed
   */
  open(directory: string, options: OpenOptions): Promise<EngineSession>;
}

/** Whether an engine of these capabilities can be asked for an operation. */
export function supports(capabilities: Capabilities, operation: Operation): boolean {
  if ('sync' in operation && operation.sync === true && !capabilities.syncWrites) return false;
  switch (operation.kind) {
    case 'get':
    case 'delete':
      return true;
    case 'put':
      return operation.deadline === undefined || capabilities.deadlines;
    case 'batch':
      return (
        capabilities.batch &&
        operation.operations.every((step) =>
          step.kind === 'clear'
            ? capabilities.batchDeleteRange
            : step.kind === 'delete' || step.deadline === undefined || capabilities.deadlines,
        )
      );
    case 'clear':
      return capabilities.deleteRange;
    case 'scan':
      return operation.range.reverse === true ? capabilities.reverseScan : capabilities.orderedScan;
    case 'openSnapshot':
    case 'snapshotGet':
    case 'releaseSnapshot':
      return capabilities.snapshots;
    case 'snapshotScan':
      return (
        capabilities.snapshots &&
        (operation.range.reverse === true ? capabilities.reverseScan : capabilities.orderedScan)
      );
    case 'begin':
      return capabilities.transactions.includes(operation.isolation ?? 'snapshot');
    case 'txPut':
      return capabilities.transactions.length > 0 && (operation.deadline === undefined || capabilities.deadlines);
    case 'txScan':
      return (
        capabilities.transactions.length > 0 &&
        (operation.range.reverse === true ? capabilities.reverseScan : capabilities.orderedScan)
      );
    case 'txClear':
      return capabilities.transactions.length > 0 && capabilities.deleteRange;
    case 'txGet':
    case 'txDelete':
    case 'commit':
    case 'abort':
      return capabilities.transactions.length > 0;
    case 'sync':
      return capabilities.sync;
    case 'flush':
      return capabilities.flush;
    case 'merge':
      return capabilities.merge;
    case 'collect':
      return capabilities.collect;
    case 'backup':
      // Drivers are given no place for backups; stages that have one bring a client of their own.
      return false;
    case 'reopen':
      return capabilities.reopen;
    case 'crash':
      return capabilities.crash;
    case 'advanceClock':
      return capabilities.deadlines;
  }
}
