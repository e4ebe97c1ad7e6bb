/** Programs as JSON: read with clear errors, because a saved program is edited by hand and shared between machines. */
import { LightningError } from '../base/errors.ts';
import { type BytesText, isBytesText } from './bytes-text.ts';
import { BATCH_OPERATIONS_MAX, PROGRAM_OPERATIONS_MAX, PROGRAM_TEXT_MAX } from './limits.ts';
import { type Operation, type OperationKind, OPERATION_KINDS, type Program } from './operations.ts';

type FieldCheck = (value: unknown) => boolean;

interface Field {
  readonly check: FieldCheck;
  readonly optional: boolean;
}

const bytes: FieldCheck = (value): value is BytesText => isBytesText(value);
const identity: FieldCheck = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const integer: FieldCheck = (value) => Number.isSafeInteger(value);
const boolean: FieldCheck = (value) => typeof value === 'boolean';
const isolation: FieldCheck = (value) => value === 'snapshot' || value === 'serializable' || value === 'read-committed';

const must = (check: FieldCheck): Field => ({ check, optional: false });
const may = (check: FieldCheck): Field => ({ check, optional: true });

const RANGE: Readonly<Record<string, Field>> = {
  gte: may(bytes),
  gt: may(bytes),
  lte: may(bytes),
  lt: may(bytes),
  prefix: may(bytes),
};
const SCAN: Readonly<Record<string, Field>> = { ...RANGE, reverse: may(boolean), limit: may(identity) };

const range: FieldCheck = (value) => problemOfFields(value, RANGE) === undefined;
const scanRange: FieldCheck = (value) => problemOfFields(value, SCAN) === undefined;

const BATCH_FIELDS: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  put: { key: must(bytes), value: must(bytes), deadline: may(integer) },
  delete: { key: must(bytes) },
  clear: { range: must(range) },
};

const batch: FieldCheck = (value) =>
  Array.isArray(value) &&
  value.length <= BATCH_OPERATIONS_MAX &&
  value.every((entry: unknown) => problemOfEntry(entry, BATCH_FIELDS) === undefined);

const FIELDS: Readonly<Record<OperationKind, Readonly<Record<string, Field>>>> = {
  put: { key: must(bytes), value: must(bytes), deadline: may(integer), sync: may(boolean) },
  delete: { key: must(bytes), sync: may(boolean) },
  batch: { operations: must(batch), sync: may(boolean) },
  clear: { range: must(range), sync: may(boolean) },
  get: { key: must(bytes) },
  scan: { range: must(scanRange) },
  openSnapshot: { snapshot: must(identity) },
  snapshotGet: { snapshot: must(identity), key: must(bytes) },
  snapshotScan: { snapshot: must(identity), range: must(scanRange) },
  releaseSnapshot: { snapshot: must(identity) },
  begin: { transaction: must(identity), isolation: may(isolation) },
  txGet: { transaction: must(identity), key: must(bytes) },
  txScan: { transaction: must(identity), range: must(scanRange) },
  txPut: { transaction: must(identity), key: must(bytes), value: must(bytes), deadline: may(integer) },
  txDelete: { transaction: must(identity), key: must(bytes) },
  txClear: { transaction: must(identity), range: must(range) },
  commit: { transaction: must(identity), sync: may(boolean) },
  abort: { transaction: must(identity) },
  sync: {},
  flush: {},
  merge: {},
  collect: {},
  backup: { incremental: may(boolean) },
  reopen: {},
  crash: {},
  advanceClock: { milliseconds: must(integer) },
};

/** What is wrong with an object that should have exactly these fields; `undefined` when nothing is. */
function problemOfFields(value: unknown, fields: Readonly<Record<string, Field>>, extra?: string): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not an object';
  const entries = new Map<string, unknown>(Object.entries(value));
  for (const name of entries.keys()) {
    if (name !== extra && !Object.hasOwn(fields, name)) return `unknown field "${name}"`;
  }
  for (const [name, field] of Object.entries(fields)) {
    if (!entries.has(name)) {
      if (!field.optional) return `field "${name}" is missing`;
    } else if (!field.check(entries.get(name))) return `field "${name}" is not valid`;
  }
  return undefined;
}

function problemOfEntry(
  value: unknown,
  table: Readonly<Record<string, Readonly<Record<string, Field>>>>,
): string | undefined {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return 'has no kind';
  const { kind } = value;
  if (typeof kind !== 'string' || !Object.hasOwn(table, kind)) return `unknown kind "${String(kind)}"`;
  return problemOfFields(value, table[kind], 'kind');
}

/** What is wrong with a value that should be an operation; `undefined` when it is one. */
export function problemOfOperation(value: unknown): string | undefined {
  return problemOfEntry(value, FIELDS);
}

function refuse(message: string, details: Readonly<Record<string, unknown>> = {}): never {
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', message, details);
}

/** Checks a value read from JSON. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` naming the operation and field */
export function toProgram(value: unknown): Program {
  if (typeof value !== 'object' || value === null) refuse('a program is an object');
  if (!('format' in value) || value.format !== 1) refuse('a program of an unknown format');
  if (!('options' in value) || typeof value.options !== 'object' || value.options === null) {
    refuse('a program has options');
  }
  for (const [name, option] of Object.entries(value.options)) {
    if (typeof option !== 'string' && typeof option !== 'number' && typeof option !== 'boolean') {
      refuse('an option is text, a number or a boolean', { name });
    }
  }
  if (!('operations' in value) || !Array.isArray(value.operations)) refuse('a program has operations');
  if (value.operations.length > PROGRAM_OPERATIONS_MAX) refuse('a program of too many operations');
  value.operations.forEach((operation: unknown, index) => {
    const problem = problemOfOperation(operation);
    if (problem !== undefined) refuse(`operation ${index}: ${problem}`, { index, problem });
  });
  return {
    format: 1,
    options: value.options as Program['options'],
    operations: value.operations as readonly Operation[],
  };
}

/** Reads a saved program. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
export function parseProgram(text: string): Program {
  if (text.length > PROGRAM_TEXT_MAX) refuse('a program of too many characters');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a program is JSON', {}, error);
  }
  return toProgram(value);
}

/** A program as JSON, one operation a line, so that two of them can be compared line by line. */
export function formatProgram(program: Program): string {
  const lines = program.operations.map((operation) => `    ${JSON.stringify(operation)}`);
  return `{\n  "format": 1,\n  "options": ${JSON.stringify(program.options)},\n  "operations": [\n${lines.join(',\n')}\n  ]\n}\n`;
}

/** Whether a name is a kind of operation. */
export function isOperationKind(name: string): name is OperationKind {
  return OPERATION_KINDS.some((kind) => kind === name);
}
