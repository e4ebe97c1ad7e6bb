/**
 * Conformance vectors: programs with the answers that are allowed, as lines of text. They are for engines that have no
 * harness: whoever can carry out the operations needs no specification, no generator and no checker
 * (spec/vectors/README.md has the format).
 */
import { LightningError } from '../base/errors.ts';
import { type Capabilities, type EngineDriver, supports } from '../contract/driver.ts';
import type { Operation } from '../contract/operations.ts';
import { describeOutcome, type Outcome } from '../contract/outcomes.ts';
import { type Objection, runProgram } from './run-program.ts';

/** Format of the lines; a later one has a greater number. */
export const VECTOR_VERSION = 1;

/** A write of a transaction. */
export type VectorWrite =
  readonly ['put', key: string, value: string] | readonly ['delete', key: string] | readonly ['clear'];

/** One step; texts are UTF-8. Readers are numbers, each used once; 0 stands for nobody in particular. */
export type VectorStep =
  | VectorWrite
  | readonly ['snapshot', reader: number]
  | readonly ['release', reader: number]
  | readonly ['begin', reader: number]
  | readonly ['abort', reader: number]
  | readonly ['commit', reader: number, writes: readonly VectorWrite[], allowed: readonly ('ok' | 'conflict')[]]
  | readonly ['flush']
  | readonly ['merge']
  | readonly ['crash']
  | readonly ['see', reader: number, allowed: readonly Readonly<Record<string, string>>[]];

/** One vector. */
export interface Vector {
  readonly version: typeof VECTOR_VERSION;
  readonly id: string;
  readonly about: string;
  readonly steps: readonly VectorStep[];
}

/**
 * Reads vectors, one a line.
 * @throws LightningError `LIGHTNING_UNSUPPORTED_FORMAT` for a line that is none, with its number
 */
export function parseVectors(text: string): Vector[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, index) => {
      const value = parsedLine(line);
      if (isVector(value)) return value;
      throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', `line ${index + 1} is no vector of version 1`, {});
    });
}

function parsedLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

const STEPS: ReadonlySet<unknown> = new Set(
  'put delete clear snapshot release begin abort commit flush merge crash see'.split(' '),
);

function isVector(value: unknown): value is Vector {
  if (typeof value !== 'object' || value === null) return false;
  if (!('version' in value) || value.version !== VECTOR_VERSION || !('steps' in value)) return false;
  const { steps } = value;
  return Array.isArray(steps) && steps.every((step: unknown) => Array.isArray(step) && STEPS.has(step[0]));
}

const hex = (text: string): string => Buffer.from(text, 'utf8').toString('hex');

/** One operation and what it may answer. */
interface Asked {
  readonly operation: Operation;
  /** Each as `answerText` writes it. */
  readonly allowed: readonly string[];
}

/** A vector as operations, each with its allowed answers. */
function askedOf({ steps }: Vector): Asked[] {
  const transactions = new Set<number>();
  return steps.flatMap((step): Asked[] => {
    switch (step[0]) {
      case 'put':
      case 'delete':
      case 'clear':
        return [{ operation: writeOf(step), allowed: ['ok'] }];
      case 'snapshot':
        return [{ operation: { kind: 'openSnapshot', snapshot: step[1] }, allowed: ['ok'] }];
      case 'release':
        return [{ operation: { kind: 'releaseSnapshot', snapshot: step[1] }, allowed: ['ok'] }];
      case 'begin':
        transactions.add(step[1]);
        return [{ operation: { kind: 'begin', transaction: step[1] }, allowed: ['ok'] }];
      case 'abort':
        return [{ operation: { kind: 'abort', transaction: step[1] }, allowed: ['ok'] }];
      case 'commit':
        return [
          ...step[2].map((write) => ({ operation: inTransaction(step[1], write), allowed: ['ok'] })),
          { operation: { kind: 'commit', transaction: step[1] }, allowed: step[3] },
        ];
      case 'flush':
      case 'merge':
      case 'crash':
        return [{ operation: { kind: step[0] }, allowed: ['ok'] }];
      case 'see':
        return [{ operation: scanOf(step[1], transactions), allowed: step[2].map(rowsText) }];
    }
  });
}

function writeOf(write: VectorWrite): Operation {
  if (write[0] === 'put') return { kind: 'put', key: hex(write[1]), value: hex(write[2]) };
  return write[0] === 'delete' ? { kind: 'delete', key: hex(write[1]) } : { kind: 'clear', range: {} };
}

function inTransaction(transaction: number, write: VectorWrite): Operation {
  if (write[0] === 'put') return { kind: 'txPut', transaction, key: hex(write[1]), value: hex(write[2]) };
  return write[0] === 'delete'
    ? { kind: 'txDelete', transaction, key: hex(write[1]) }
    : { kind: 'txClear', transaction, range: {} };
}

function scanOf(reader: number, transactions: ReadonlySet<number>): Operation {
  if (reader === 0) return { kind: 'scan', range: {} };
  return transactions.has(reader)
    ? { kind: 'txScan', transaction: reader, range: {} }
    : { kind: 'snapshotScan', snapshot: reader, range: {} };
}

function rowsText(rows: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(rows).sort(([a], [b]) => (a < b ? -1 : 1));
  return `rows ${sorted.map(([key, value]) => `${hex(key)}=${hex(value)}`).join(' ')}`;
}

function answerText(outcome: Outcome): string {
  if (outcome.kind !== 'rows') return outcome.kind;
  const rows = outcome.rows.map((row) => row.map((bytes) => Buffer.from(bytes).toString('hex')).join('='));
  return `rows ${rows.join(' ')}`;
}

/** Without a simulated disk a crash is a clean close and an open: less is asked, of the same answers. */
function onWhatThereIs(operation: Operation, { crash }: Capabilities): Operation {
  return operation.kind === 'crash' && !crash ? { kind: 'reopen' } : operation;
}

/** Whether an engine of these capabilities can be asked all of it. */
export function canRun(capabilities: Capabilities, vector: Vector): boolean {
  return askedOf(vector).every(({ operation }) => supports(capabilities, onWhatThereIs(operation, capabilities)));
}

/**
 * Runs a vector on an engine, in `directory`.
 * @returns what is wrong with the first answer that is not allowed; `undefined` when all are
 */
export async function runVector(
  driver: EngineDriver,
  directory: string,
  vector: Vector,
): Promise<Objection | undefined> {
  const asked = askedOf(vector);
  const operations = asked.map(({ operation }) => onWhatThereIs(operation, driver.capabilities));
  const program = { format: 1, options: {}, operations } as const;
  const { objection } = await runProgram(driver, directory, program, (operation, outcome, index) => {
    const { allowed } = asked[index];
    if (allowed.includes(answerText(outcome))) return undefined;
    const message = `${vector.id}, operation ${index + 1}, ${operation.kind}: ${describeOutcome(outcome)}; allowed: ${allowed.join(' or ')}`;
    return { class: 'vector-answer', message };
  });
  return objection;
}
