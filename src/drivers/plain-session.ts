/**
 * From the operation language to a store with a few plain calls: what the drivers of engines without transactions have
 * in common. It decodes, asks, and says what came back; it keeps nothing of the data.
 */
import { decodeBytes, lengthOfText } from '../contract/bytes-text.ts';
import { type Capabilities, type EngineSession, supports } from '../contract/driver.ts';
import { type BatchOperation, isWrite, type Operation, type ScanRange } from '../contract/operations.ts';
import { ABSENT, type DurabilityClass, errorOutcome, OK, type Outcome, type Row } from '../contract/outcomes.ts';
import { type Interval, intervalOf } from './interval.ts';

/** One step of an atomic write. */
export type PlainStep =
  | { readonly kind: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: 'delete'; readonly key: Uint8Array }
  | { readonly kind: 'clear'; readonly interval: Interval };

/** A scan in terms of an interval. */
export interface PlainScan {
  readonly interval: Interval;
  readonly reverse: boolean;
  /** -1: no limit. */
  readonly limit: number;
}

/** What a driver's engine does. Calls may return promises or not; errors are thrown as the engine throws them. */
export interface PlainStore<Snapshot> {
  get(key: Uint8Array, snapshot: Snapshot | undefined): Uint8Array | undefined | Promise<Uint8Array | undefined>;
  scan(scan: PlainScan, snapshot: Snapshot | undefined): readonly Row[] | Promise<readonly Row[]>;
  /** All or nothing. */
  write(steps: readonly PlainStep[], sync: boolean): void | Promise<void>;
  openSnapshot?(): Snapshot;
  releaseSnapshot?(snapshot: Snapshot): void | Promise<void>;
  sync?(): void | Promise<void>;
  flush?(): void | Promise<void>;
  merge?(): void | Promise<void>;
  close(): void | Promise<void>;
}

/** Opens the engine in the directory of the session; called again for `reopen`. */
export type OpenPlainStore<Snapshot> = () => PlainStore<Snapshot> | Promise<PlainStore<Snapshot>>;

/** Whether an operation names a key that the engine says it does not accept. */
function hasTooLongKey(operation: Operation, keyBytesMax: number): boolean {
  const steps = operation.kind === 'batch' ? operation.operations : [operation];
  return steps.some((step) => 'key' in step && lengthOfText(step.key) > keyBytesMax);
}

/** An engine's exception as an outcome: its own code, and whether a write happened is not known; bounds have our codes. */
function outcomeOfThrown(error: unknown, operation: Operation, keyBytesMax: number): Outcome {
  if (hasTooLongKey(operation, keyBytesMax)) return errorOutcome('LIGHTNING_KEY_TOO_LARGE', String(error));
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'UNCODED';
  return errorOutcome(code, String(error), !isWrite(operation));
}

function stepOf(operation: BatchOperation): PlainStep | undefined {
  if (operation.kind === 'put') {
    return { kind: 'put', key: decodeBytes(operation.key), value: decodeBytes(operation.value) };
  }
  if (operation.kind === 'delete') return { kind: 'delete', key: decodeBytes(operation.key) };
  const interval = intervalOf(operation.range);
  return interval === undefined ? undefined : { kind: 'clear', interval };
}

/** A session over a {@link PlainStore}. */
export class PlainSession<Snapshot> implements EngineSession {
  private readonly capabilities: Capabilities;
  private readonly openStore: OpenPlainStore<Snapshot>;
  private readonly durability: DurabilityClass;
  private store: PlainStore<Snapshot>;
  private readonly snapshots = new Map<number, Snapshot>();

  private constructor(
    capabilities: Capabilities,
    openStore: OpenPlainStore<Snapshot>,
    store: PlainStore<Snapshot>,
    durability: DurabilityClass,
  ) {
    this.capabilities = capabilities;
    this.openStore = openStore;
    this.store = store;
    this.durability = durability;
  }

  /** Opens the store and a session over it. @param durability what a plain acknowledged write of this session survives */
  static async open<S>(
    capabilities: Capabilities,
    openStore: OpenPlainStore<S>,
    durability: DurabilityClass = capabilities.acknowledges,
  ): Promise<PlainSession<S>> {
    return new PlainSession(capabilities, openStore, await openStore(), durability);
  }

  async execute(operation: Operation): Promise<Outcome> {
    if (!supports(this.capabilities, operation)) return errorOutcome('LIGHTNING_MISSING_CAPABILITY', operation.kind);
    try {
      return await this.perform(operation);
    } catch (error) {
      return outcomeOfThrown(error, operation, this.capabilities.keyBytesMax);
    }
  }

  async close(): Promise<void> {
    await this.releaseAll();
    await this.store.close();
  }

  private async perform(operation: Operation): Promise<Outcome> {
    switch (operation.kind) {
      case 'put':
      case 'delete':
      case 'clear':
        return this.write([operation], operation.sync === true);
      case 'batch':
        return this.write(operation.operations, operation.sync === true);
      case 'get':
        return this.get(decodeBytes(operation.key), undefined);
      case 'scan':
        return this.scan(operation.range, undefined);
      case 'openSnapshot': {
        const snapshot = this.store.openSnapshot?.();
        if (snapshot !== undefined) this.snapshots.set(operation.snapshot, snapshot);
        return snapshot === undefined ? errorOutcome('LIGHTNING_MISSING_CAPABILITY') : OK;
      }
      case 'snapshotGet':
      case 'snapshotScan':
      case 'releaseSnapshot':
        return this.onSnapshot(operation);
      case 'sync':
        await this.store.sync?.();
        return OK;
      case 'flush':
        await this.store.flush?.();
        return OK;
      case 'merge':
        await this.store.merge?.();
        return OK;
      case 'reopen':
        await this.releaseAll();
        await this.store.close();
        this.store = await this.openStore();
        return OK;
      case 'begin':
      case 'txGet':
      case 'txScan':
      case 'txPut':
      case 'txDelete':
      case 'txClear':
      case 'commit':
      case 'abort':
      case 'collect':
      case 'backup':
      case 'crash':
      case 'advanceClock':
        return errorOutcome('LIGHTNING_MISSING_CAPABILITY', operation.kind);
    }
  }

  private async onSnapshot(
    operation: Extract<Operation, { kind: 'snapshotGet' | 'snapshotScan' | 'releaseSnapshot' }>,
  ): Promise<Outcome> {
    const snapshot = this.snapshots.get(operation.snapshot);
    if (snapshot === undefined) return errorOutcome('LIGHTNING_SNAPSHOT_CLOSED');
    if (operation.kind === 'snapshotGet') return this.get(decodeBytes(operation.key), snapshot);
    if (operation.kind === 'snapshotScan') return this.scan(operation.range, snapshot);
    this.snapshots.delete(operation.snapshot);
    await this.store.releaseSnapshot?.(snapshot);
    return OK;
  }

  private async write(operations: readonly BatchOperation[], sync: boolean): Promise<Outcome> {
    const steps = operations.map(stepOf).filter((step) => step !== undefined);
    await this.store.write(steps, sync);
    return { kind: 'ok', durability: sync ? 'synced' : this.durability };
  }

  private async get(key: Uint8Array, snapshot: Snapshot | undefined): Promise<Outcome> {
    const value = await this.store.get(key, snapshot);
    return value === undefined ? ABSENT : { kind: 'value', value };
  }

  private async scan(range: ScanRange, snapshot: Snapshot | undefined): Promise<Outcome> {
    const interval = intervalOf(range);
    if (interval === undefined || range.limit === 0) return { kind: 'rows', rows: [] };
    const scan = { interval, reverse: range.reverse === true, limit: range.limit ?? -1 };
    return { kind: 'rows', rows: await this.store.scan(scan, snapshot) };
  }

  private async releaseAll(): Promise<void> {
    for (const snapshot of this.snapshots.values()) await this.store.releaseSnapshot?.(snapshot);
    this.snapshots.clear();
  }
}
