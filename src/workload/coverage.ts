/**
 * What generated programs really contained and met. A generator with a hole lets every oracle pass (Pebble's prefix
 * filter lost keys for years because its metamorphic test made the wrong keys), so the holes are counted.
 */
import { lengthOfText, type BytesText } from '../contract/bytes-text.ts';
import { type Capabilities, supports } from '../contract/driver.ts';
import type { KeyRange, Operation, OperationKind } from '../contract/operations.ts';
import type { Outcome } from '../contract/outcomes.ts';

const EVENTS: readonly OperationKind[] = ['flush', 'merge', 'collect', 'reopen', 'crash', 'openSnapshot'];
const READS: readonly OperationKind[] = ['get', 'scan', 'snapshotGet', 'snapshotScan', 'txGet', 'txScan'];

function sizeClass(length: number): string {
  if (length === 0) return '0';
  if (length < 255) return '1 to 254';
  if (length <= 256) return '255 and 256';
  if (length < 4095) return '257 to 4094';
  if (length <= 4097) return '4095 to 4097';
  if (length < 65_535) return '4098 to 65534';
  return length <= 1 << 20 ? '65535 and more' : 'over 1 MiB';
}

function firstByte(text: BytesText): string {
  return typeof text === 'string' ? text.slice(0, 2) : text.repeat.slice(0, 2);
}

/** Counts features of operations and of what they came back with. */
export class GeneratorCoverage {
  private readonly counted = new Map<string, number>();
  private begun = 0;
  private lastEvent: OperationKind | undefined;
  private written = new Set<string>();
  private snapshotsOpen = 0;
  private transactionsOpen = 0;

  /** Features and how often each was met. */
  get counts(): ReadonlyMap<string, number> {
    return this.counted;
  }

  /** How many programs were begun. */
  get programs(): number {
    return this.begun;
  }

  /** A program begins. */
  begin(): void {
    this.begun++;
    this.lastEvent = undefined;
    this.written = new Set();
    this.snapshotsOpen = 0;
    this.transactionsOpen = 0;
  }

  /** An operation was carried out. */
  note(operation: Operation, outcome: Outcome): void {
    this.count(`operation ${operation.kind}`);
    this.count(
      `${operation.kind} gives ${outcome.kind === 'rows' && outcome.rows.length === 0 ? 'no rows' : outcome.kind}`,
    );
    if ('key' in operation) this.noteKey(operation.key);
    if ('value' in operation) this.count(`value of ${sizeClass(lengthOfText(operation.value))} bytes`);
    if ('value' in operation && operation.value === 'ffffffff') this.count('value ffffffff');
    if ('range' in operation) this.noteRange(operation.kind, operation.range);
    if ('deadline' in operation && operation.deadline !== undefined) this.count('put with a deadline');
    if (this.lastEvent !== undefined && READS.includes(operation.kind)) {
      this.count(`${operation.kind} after ${this.lastEvent}`);
    }
    if (EVENTS.includes(operation.kind)) {
      this.lastEvent = operation.kind;
      if (this.snapshotsOpen > 0) this.count(`${operation.kind} with a snapshot open`);
      if (this.transactionsOpen > 0) this.count(`${operation.kind} with a transaction open`);
    }
    this.follow(operation);
  }

  /** Features that an engine of these capabilities should be shown, and that were never met. */
  missing(capabilities: Capabilities): readonly string[] {
    return expectedFeatures(capabilities).filter((feature) => !this.counted.has(feature));
  }

  private count(feature: string): void {
    this.counted.set(feature, (this.counted.get(feature) ?? 0) + 1);
  }

  private noteKey(key: BytesText): void {
    this.count(`key of ${sizeClass(lengthOfText(key))} bytes`);
    const first = firstByte(key);
    if (first === '00' || first === '7f' || first === '80' || first === 'ff') this.count(`key beginning with ${first}`);
  }

  private noteRange(kind: OperationKind, range: KeyRange & { reverse?: boolean; limit?: number }): void {
    const bounds = (['gte', 'gt', 'lte', 'lt', 'prefix'] as const).filter((name) => range[name] !== undefined);
    const direction = range.reverse === true ? 'reverse ' : '';
    if (bounds.length === 0) this.count(`${direction}${kind} of everything`);
    for (const bound of bounds) this.count(`${direction}${kind} with ${bound}`);
    if (range.limit !== undefined) this.count(`${direction}${kind} with limit`);
  }

  private follow(operation: Operation): void {
    if (operation.kind === 'put') {
      const key = JSON.stringify(operation.key);
      if (this.written.has(key)) this.count('put over a key written before');
      this.written.add(key);
    }
    if (operation.kind === 'delete' && this.written.has(JSON.stringify(operation.key))) {
      this.count('delete of a key written before');
    }
    if (operation.kind === 'openSnapshot') this.snapshotsOpen++;
    if (operation.kind === 'releaseSnapshot') this.snapshotsOpen--;
    if (operation.kind === 'begin') this.transactionsOpen++;
    if (operation.kind === 'commit' || operation.kind === 'abort') this.transactionsOpen--;
    if (operation.kind === 'reopen' || operation.kind === 'crash') {
      this.snapshotsOpen = 0;
      this.transactionsOpen = 0;
    }
  }
}

/** Features that every campaign of some size must meet. */
function expectedFeatures(capabilities: Capabilities): readonly string[] {
  const can = (operation: Operation, ...features: string[]): string[] =>
    supports(capabilities, operation) ? features : [];
  const scans = (direction: string): string[] =>
    ['of everything', 'with gte', 'with gt', 'with lte', 'with lt', 'with prefix', 'with limit'].map(
      (what) => `${direction}scan ${what}`,
    );
  return [
    'get gives value',
    'get gives absent',
    'put over a key written before',
    'delete of a key written before',
    'value ffffffff',
    'value of 0 bytes',
    'value of 255 and 256 bytes',
    ...['00', '7f', '80', 'ff'].map((byte) => `key beginning with ${byte}`),
    ...can({ kind: 'scan', range: {} }, 'scan gives rows', 'scan gives no rows', ...scans('')),
    ...can({ kind: 'scan', range: { reverse: true } }, ...scans('reverse ')),
    ...can({ kind: 'clear', range: {} }, 'operation clear', 'clear with gte', 'clear with prefix'),
    ...can({ kind: 'batch', operations: [] }, 'operation batch'),
    ...can({ kind: 'reopen' }, 'get after reopen', 'scan after reopen'),
    ...can({ kind: 'flush' }, 'get after flush', 'scan after flush'),
    ...can({ kind: 'merge' }, 'get after merge', 'scan after merge'),
    ...can({ kind: 'openSnapshot', snapshot: 1 }, 'snapshotGet gives value', 'snapshotScan gives rows'),
    ...(capabilities.snapshots && capabilities.merge ? ['merge with a snapshot open'] : []),
    ...(capabilities.transactions.length > 0 ? ['commit gives ok', 'commit gives conflict', 'txGet gives value'] : []),
    ...(capabilities.deadlines ? ['put with a deadline', 'operation advanceClock'] : []),
  ];
}
