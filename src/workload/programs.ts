/**
 * A seeded generator of programs. Swarm testing (Groce et al., "Swarm Testing", ISSTA 2012): each program uses a random
 * subset of the kinds of operation with skewed weights, because a program that does a little of everything reaches less
 * than many that each overdo something. Identifiers of snapshots and transactions are always live ones.
 */
import type { Prng } from '../base/prng.ts';
import type { BytesText } from '../contract/bytes-text.ts';
import { CLOCK_START_MILLISECONDS, PROGRAM_KEY_BYTES_MAX } from '../contract/limits.ts';
import { type Capabilities, supports } from '../contract/driver.ts';
import {
  type BatchOperation,
  type KeyRange,
  type OpenOptions,
  type Operation,
  type OperationKind,
  OPERATION_KINDS,
  type Program,
  type ScanRange,
} from '../contract/operations.ts';
import { drawKey, drawKeyPool, drawValue, drawValueStyle, type KeyPool, type ValueStyle } from './material.ts';
import { drawStoreOptions } from './store-options.ts';

/** What to generate. */
export interface GeneratorOptions {
  readonly capabilities: Capabilities;
  /** About how many operations; a few more at the end read everything back. */
  readonly operations: number;
  /** Kinds never used, whatever the capabilities. */
  readonly without?: readonly OperationKind[];
  /** Options that are not drawn. */
  readonly options?: OpenOptions;
  /** Keys and values of edge and huge sizes; default true. */
  readonly longMaterial?: boolean;
  /** Only one writer, no transaction left open: what crash campaigns want. Default false. */
  readonly plain?: boolean;
}

/** How often each kind is used when it is used at all. */
const BASE_WEIGHTS: Readonly<Record<OperationKind, number>> = {
  put: 24,
  delete: 8,
  batch: 8,
  clear: 3,
  get: 14,
  scan: 8,
  openSnapshot: 3,
  snapshotGet: 5,
  snapshotScan: 3,
  releaseSnapshot: 2,
  begin: 5,
  txGet: 9,
  txScan: 4,
  txPut: 9,
  txDelete: 4,
  txClear: 1,
  commit: 5,
  abort: 1,
  sync: 2,
  flush: 4,
  merge: 3,
  collect: 2,
  backup: 0,
  reopen: 2,
  crash: 1,
  advanceClock: 3,
};

const OPEN_TRANSACTIONS_MAX = 4;
const OPEN_SNAPSHOTS_MAX = 4;

/** Draws one program. A function of the generator's state and the options alone. */
export function generateProgram(prng: Prng, options: GeneratorOptions): Program {
  return new Generator(prng, options).program();
}

class Generator {
  private readonly prng: Prng;
  private readonly options: GeneratorOptions;
  private readonly pool: KeyPool;
  private readonly style: ValueStyle;
  private readonly weights: number[];
  private readonly withDeadlines: number;
  private readonly clockRunsBack: boolean;
  private readonly tooLongKeys: boolean;
  private readonly operations: Operation[] = [];
  private snapshots: number[] = [];
  private transactions: number[] = [];
  private nextIdentity = 1;
  private serial = 0;
  private clock = CLOCK_START_MILLISECONDS;

  constructor(prng: Prng, options: GeneratorOptions) {
    this.prng = prng;
    this.options = options;
    const long = options.longMaterial !== false;
    this.pool = drawKeyPool(prng, options.capabilities, long && prng.chance(0.15));
    const style = drawValueStyle(prng);
    this.style = long ? style : { ...style, edgeSizes: 0, hugeSizes: 0 };
    this.weights = OPERATION_KINDS.map((kind) => this.weightOf(kind));
    this.withDeadlines = options.capabilities.deadlines ? prng.pick([0, 0.1, 0.5]) : 0;
    this.clockRunsBack = prng.chance(0.15);
    this.tooLongKeys = long && prng.chance(0.1);
  }

  program(): Program {
    const fixed = this.options.options;
    const options = drawStoreOptions(this.prng, fixed);
    while (this.operations.length < this.options.operations) this.step();
    this.readEverythingBack();
    return { format: 1, options, operations: this.operations };
  }

  private weightOf(kind: OperationKind): number {
    const unwanted = this.options.without?.includes(kind) === true;
    const usual =
      kind === 'put' || kind === 'get' || kind === 'begin' || kind === 'commit' || kind === 'releaseSnapshot';
    const skewed = BASE_WEIGHTS[kind] * this.prng.pick([0.25, 1, 1, 3]);
    return unwanted || !(usual || this.prng.chance(0.65)) ? 0 : skewed;
  }

  /** Adds an operation if the engine can be asked for it. */
  private add(operation: Operation): boolean {
    const unwanted = this.options.without?.includes(operation.kind) === true;
    if (unwanted || !supports(this.options.capabilities, operation)) return false;
    this.operations.push(operation);
    return true;
  }

  private step(): void {
    const kind = OPERATION_KINDS[this.prng.weighted(this.weights)];
    const operation = this.draw(kind);
    if (operation === undefined || !this.add(operation)) {
      this.add({ kind: 'put', key: this.key(), value: this.value() });
      return;
    }
    this.follow(operation);
    if (this.prng.chance(0.05)) this.crossCheck();
    if (this.tooLongKeys && this.prng.chance(0.02)) this.tryTooLongKey();
  }

  /** One byte more than the engine says it accepts. */
  private tryTooLongKey(): void {
    const length = this.options.capabilities.keyBytesMax + 1;
    if (length <= PROGRAM_KEY_BYTES_MAX) this.add({ kind: 'put', key: { repeat: '6b', length }, value: '00' });
  }

  private key(): BytesText {
    return drawKey(this.prng, this.pool);
  }

  private value(): BytesText {
    return drawValue(this.prng, this.style, this.serial++, this.options.capabilities);
  }

  private sync(): { sync?: boolean } {
    return this.options.capabilities.syncWrites && this.prng.chance(0.1) ? { sync: true } : {};
  }

  private deadline(): { deadline?: number } {
    if (!this.prng.chance(this.withDeadlines)) return {};
    return { deadline: this.clock + this.prng.pick([-1, 0, 1, 10, 10, 100, 1000, 100_000]) };
  }

  private range(): KeyRange {
    const { prng } = this;
    if (prng.chance(0.2)) return {};
    if (prng.chance(0.25)) {
      const key = this.key();
      if (typeof key === 'string') return { prefix: key.slice(0, 2 * prng.below(key.length / 2 + 1)) };
    }
    const range: { gte?: BytesText; gt?: BytesText; lte?: BytesText; lt?: BytesText } = {};
    if (prng.chance(0.7)) range[prng.chance(0.5) ? 'gte' : 'gt'] = this.key();
    if (prng.chance(0.7)) range[prng.chance(0.5) ? 'lte' : 'lt'] = this.key();
    return range;
  }

  private scanRange(): ScanRange {
    const { prng } = this;
    return {
      ...this.range(),
      ...(prng.chance(0.4) ? { reverse: true } : {}),
      ...(prng.chance(0.3) ? { limit: prng.pick([0, 1, 1, 2, 3, 10]) } : {}),
    };
  }

  private batch(): BatchOperation[] {
    const steps: BatchOperation[] = [];
    const count = this.prng.pick([1, 2, 2, 3, 5, 12]);
    for (let i = 0; i < count; i++) {
      const kind = this.prng.weighted([6, 2, this.options.capabilities.batchDeleteRange ? 0.4 : 0]);
      if (kind === 0) steps.push({ kind: 'put', key: this.key(), value: this.value(), ...this.deadline() });
      else if (kind === 1) steps.push({ kind: 'delete', key: this.key() });
      else steps.push({ kind: 'clear', range: this.range() });
    }
    return steps;
  }

  /** An operation of a kind; `undefined` when there is no live identifier for it. */
  private draw(kind: OperationKind): Operation | undefined {
    const { prng } = this;
    const snapshot = this.snapshots.length === 0 ? undefined : prng.pick(this.snapshots);
    const transaction = this.transactions.length === 0 ? undefined : prng.pick(this.transactions);
    switch (kind) {
      case 'put':
        return { kind, key: this.key(), value: this.value(), ...this.deadline(), ...this.sync() };
      case 'delete':
        return { kind, key: this.key(), ...this.sync() };
      case 'batch':
        return { kind, operations: this.batch(), ...this.sync() };
      case 'clear':
        return { kind, range: this.range(), ...this.sync() };
      case 'get':
        return { kind, key: this.key() };
      case 'scan':
        return { kind, range: this.scanRange() };
      case 'openSnapshot':
        return this.snapshots.length >= OPEN_SNAPSHOTS_MAX ? undefined : { kind, snapshot: this.nextIdentity++ };
      case 'snapshotGet':
        return snapshot === undefined ? undefined : { kind, snapshot, key: this.key() };
      case 'snapshotScan':
        return snapshot === undefined ? undefined : { kind, snapshot, range: this.scanRange() };
      case 'releaseSnapshot':
        return snapshot === undefined ? undefined : { kind, snapshot };
      case 'begin': {
        if (this.transactions.length >= OPEN_TRANSACTIONS_MAX) return undefined;
        if (this.options.capabilities.transactions.length === 0) return undefined;
        return { kind, transaction: this.nextIdentity++, isolation: prng.pick(this.options.capabilities.transactions) };
      }
      case 'txGet':
        return transaction === undefined ? undefined : { kind, transaction, key: this.key() };
      case 'txScan':
        return transaction === undefined ? undefined : { kind, transaction, range: this.scanRange() };
      case 'txPut':
        if (transaction === undefined) return undefined;
        return { kind, transaction, key: this.key(), value: this.value(), ...this.deadline() };
      case 'txDelete':
        return transaction === undefined ? undefined : { kind, transaction, key: this.key() };
      case 'txClear':
        return transaction === undefined ? undefined : { kind, transaction, range: this.range() };
      case 'commit':
        return transaction === undefined ? undefined : { kind, transaction, ...this.sync() };
      case 'abort':
        return transaction === undefined ? undefined : { kind, transaction };
      case 'advanceClock': {
        const back = this.clockRunsBack && prng.chance(0.4);
        return { kind, milliseconds: back ? -prng.pick([1, 10, 100]) : prng.pick([1, 9, 10, 100, 1000]) };
      }
      case 'sync':
      case 'flush':
      case 'merge':
      case 'collect':
      case 'backup':
      case 'reopen':
      case 'crash':
        return { kind };
    }
  }

  /** Keeps the lists of live identifiers, and the clock. */
  private follow(operation: Operation): void {
    if (operation.kind === 'openSnapshot') this.snapshots.push(operation.snapshot);
    if (operation.kind === 'begin') this.transactions.push(operation.transaction);
    if (operation.kind === 'advanceClock') this.clock += operation.milliseconds;
    if (operation.kind === 'releaseSnapshot') {
      this.snapshots = this.snapshots.filter((snapshot) => snapshot !== operation.snapshot);
    }
    if (operation.kind === 'commit' || operation.kind === 'abort') {
      this.transactions = this.transactions.filter((transaction) => transaction !== operation.transaction);
    }
    if (operation.kind === 'reopen' || operation.kind === 'crash') {
      this.snapshots = [];
      this.transactions = [];
    }
  }

  /** One key asked for in every way, because point reads and scans go different ways through an engine. */
  private crossCheck(): void {
    const key = this.key();
    this.add({ kind: 'get', key });
    this.add({ kind: 'scan', range: { gte: key, limit: 1 } });
    this.add({ kind: 'scan', range: { lte: key, limit: 1, reverse: true } });
  }

  private readEverythingBack(): void {
    if (this.options.plain === true) return;
    this.add({ kind: 'scan', range: {} });
    this.add({ kind: 'scan', range: { reverse: true } });
    if (this.prng.chance(0.5)) this.add({ kind: 'merge' });
    this.add({ kind: 'reopen' });
    this.add({ kind: 'scan', range: {} });
    for (const key of this.pool.keys.slice(0, 12)) this.add({ kind: 'get', key });
  }
}
