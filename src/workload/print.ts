/** Programs as a story for people: one numbered line an operation, in words, with what came back where it is known. */
import { type BytesText, decodeBytes } from '../contract/bytes-text.ts';
import type { BatchOperation, KeyRange, Operation, Program, ScanRange } from '../contract/operations.ts';
import { describeOutcome, type Outcome } from '../contract/outcomes.ts';

const PRINTABLE = /^[\x21-\x7e]{1,24}$/;
const HEX_SHOWN_MAX = 24;

/** Bytes as `"abc"` where they are printable, `0x00ff` otherwise, long ones with their length. */
export function printBytes(text: BytesText): string {
  if (typeof text !== 'string') return `${printBytes(text.repeat)} repeated to ${text.length} bytes`;
  if (text === '') return 'empty';
  const plain = Buffer.from(decodeBytes(text)).toString('latin1');
  if (PRINTABLE.test(plain)) return JSON.stringify(plain);
  return text.length <= HEX_SHOWN_MAX ? `0x${text}` : `0x${text.slice(0, HEX_SHOWN_MAX)}… (${text.length / 2} bytes)`;
}

function printRange(range: KeyRange): string {
  const parts: string[] = [];
  if (range.prefix !== undefined) parts.push(`beginning with ${printBytes(range.prefix)}`);
  if (range.gte !== undefined) parts.push(`from ${printBytes(range.gte)}`);
  if (range.gt !== undefined) parts.push(`above ${printBytes(range.gt)}`);
  if (range.lte !== undefined) parts.push(`up to ${printBytes(range.lte)}`);
  if (range.lt !== undefined) parts.push(`below ${printBytes(range.lt)}`);
  return parts.length === 0 ? 'everything' : `keys ${parts.join(', ')}`;
}

function printScan(range: ScanRange): string {
  const backwards = range.reverse === true ? ' backwards' : '';
  return `scan ${printRange(range)}${backwards}${range.limit === undefined ? '' : `, at most ${range.limit} rows`}`;
}

function printStep(step: BatchOperation): string {
  if (step.kind === 'clear') return `clear ${printRange(step.range)}`;
  if (step.kind === 'delete') return `delete ${printBytes(step.key)}`;
  const until = step.deadline === undefined ? '' : ` until ${step.deadline}`;
  return `put ${printBytes(step.key)} = ${printBytes(step.value)}${until}`;
}

function printPlain(operation: Operation): string {
  switch (operation.kind) {
    case 'put':
    case 'delete':
    case 'clear':
      return printStep(operation);
    case 'batch':
      return `batch: ${operation.operations.map(printStep).join('; ') || 'nothing'}`;
    case 'get':
      return `get ${printBytes(operation.key)}`;
    case 'scan':
      return printScan(operation.range);
    case 'openSnapshot':
      return `open snapshot ${operation.snapshot}`;
    case 'snapshotGet':
      return `snapshot ${operation.snapshot}: get ${printBytes(operation.key)}`;
    case 'snapshotScan':
      return `snapshot ${operation.snapshot}: ${printScan(operation.range)}`;
    case 'releaseSnapshot':
      return `release snapshot ${operation.snapshot}`;
    case 'begin':
      return `begin transaction ${operation.transaction} (${operation.isolation ?? 'snapshot'})`;
    case 'txGet':
      return `transaction ${operation.transaction}: get ${printBytes(operation.key)}`;
    case 'txScan':
      return `transaction ${operation.transaction}: ${printScan(operation.range)}`;
    case 'txPut':
      return `transaction ${operation.transaction}: ${printStep({ ...operation, kind: 'put' })}`;
    case 'txDelete':
      return `transaction ${operation.transaction}: delete ${printBytes(operation.key)}`;
    case 'txClear':
      return `transaction ${operation.transaction}: clear ${printRange(operation.range)}`;
    case 'commit':
      return `commit transaction ${operation.transaction}`;
    case 'abort':
      return `abort transaction ${operation.transaction}`;
    case 'backup':
      return operation.incremental === true ? 'begin an incremental backup' : 'begin a backup';
    case 'crash':
      return 'power cut, then open';
    case 'reopen':
      return 'close and open';
    case 'advanceClock':
      return `clock ${operation.milliseconds < 0 ? 'back' : 'on'} by ${Math.abs(operation.milliseconds)} ms`;
    case 'sync':
    case 'flush':
    case 'merge':
    case 'collect':
      return operation.kind;
  }
}

/** One operation in words. */
export function printOperation(operation: Operation): string {
  const synced = 'sync' in operation && operation.sync === true ? ', synced' : '';
  return `${printPlain(operation)}${synced}`;
}

/** A program as numbered lines, with outcomes beside those operations that have one. */
export function printProgram(program: Program, outcomes: readonly (Outcome | undefined)[] = []): readonly string[] {
  const options = Object.entries(program.options).map(([name, value]) => `${name}=${String(value)}`);
  const width = String(Math.max(0, program.operations.length - 1)).length;
  return [
    options.length === 0 ? 'open' : `open with ${options.join(' ')}`,
    ...program.operations.map((operation, index) => {
      const outcome = outcomes[index];
      const came = outcome === undefined ? '' : `  → ${describeOutcome(outcome)}`;
      return `${String(index).padStart(width)}  ${printOperation(operation)}${came}`;
    }),
  ];
}
