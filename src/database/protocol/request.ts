/** Requests of the protocol: from a line to checked fields. What is not understood is refused, never guessed. */
import { LightningError } from '../../base/errors.ts';
import type { RangeBounds, ScanOptions, WriteOperation } from '../../engine/index.ts';
import { clearOf } from '../writes.ts';
import { fitting, fromBase64 } from './frames.ts';

/** What a client calls its request; the answer carries it. */
export type RequestId = string | number;

/** A request whose outer form is right. */
export interface Request {
  readonly id: RequestId;
  readonly op: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const ID_LENGTH_MAX = 64;
const BOUNDS = ['gte', 'gt', 'lte', 'lt', 'prefix'] as const;

function invalid(message: string): LightningError {
  return new LightningError('LIGHTNING_INVALID_ARGUMENT', message);
}

function objectOf(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(`${name} is not an object`);
  return Object.fromEntries(Object.entries(value));
}

/** The id of a line that may be wrong otherwise, for the answer to it. */
export function idOf(value: unknown): RequestId | null {
  if (typeof value !== 'object' || value === null || !('id' in value)) return null;
  const { id } = value;
  if (typeof id === 'string' && id.length <= ID_LENGTH_MAX) return id;
  return typeof id === 'number' && Number.isSafeInteger(id) ? id : null;
}

/** @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
export function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a frame is one line of JSON', {}, error);
  }
}

/** @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
export function toRequest(value: unknown): Request {
  const { id, op, ...fields } = objectOf(value, 'a request');
  const named = idOf({ id });
  if (named === null) throw invalid('id is text of at most 64 characters or a whole number');
  if (typeof op !== 'string') throw invalid('op is text');
  return { id: named, op, fields };
}

/** Refuses fields that an operation does not know. @throws LightningError `LIGHTNING_UNKNOWN_OPTION` */
export function allowOnly(fields: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  for (const name of Object.keys(fields)) {
    if (!names.includes(name)) throw new LightningError('LIGHTNING_UNKNOWN_OPTION', `unknown field ${name}`, { name });
  }
}

/** A 64-bit number, which travels as decimal text. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
export function numberOf(value: unknown, name: string): number {
  if (typeof value === 'string' && /^-?\d{1,16}$/.test(value)) {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
  }
  throw invalid(`${name} is a whole number as decimal text, at most 2^53 - 1`);
}

/** The number a client gave a snapshot or transaction. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
export function handleOf(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(`${name} is a whole number from 0`);
}

/** A whole number, of either sign. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
export function wholeOf(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw invalid(`${name} is a whole number`);
}

/** Whether a write waits for its fsync. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
export function syncOf(fields: Readonly<Record<string, unknown>>): { readonly sync?: boolean } {
  const { sync } = fields;
  if (sync === undefined) return {};
  if (typeof sync !== 'boolean') throw invalid('sync is true or false');
  return { sync };
}

/** A put's deadline. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
export function deadlineOf(fields: Readonly<Record<string, unknown>>): { readonly deadline?: number } {
  return fields['deadline'] === undefined ? {} : { deadline: numberOf(fields['deadline'], 'deadline') };
}

/** Bounds of a range. @throws LightningError usage errors */
export function boundsOf(value: unknown): RangeBounds {
  const range = value === undefined ? {} : objectOf(value, 'range');
  allowOnly(range, BOUNDS);
  const bounds: Record<string, Uint8Array> = {};
  for (const name of BOUNDS) if (range[name] !== undefined) bounds[name] = fromBase64(range[name], name);
  return bounds;
}

/** Bounds, direction and limit of a scan. @throws LightningError usage errors */
export function scanOf(value: unknown): ScanOptions {
  const { reverse, limit, ...range } = value === undefined ? {} : objectOf(value, 'range');
  if (reverse !== undefined && typeof reverse !== 'boolean') throw invalid('reverse is true or false');
  if (limit !== undefined && (typeof limit !== 'number' || !Number.isSafeInteger(limit) || limit < 0)) {
    throw invalid('limit is a whole number from 0');
  }
  return {
    ...boundsOf(range),
    ...(reverse === undefined ? {} : { reverse }),
    ...(limit === undefined ? {} : { limit }),
  };
}

/** One step of a batch, or a write alone. @throws LightningError usage errors */
export function writeOf(kind: unknown, fields: Readonly<Record<string, unknown>>): WriteOperation {
  switch (kind) {
    case 'put':
      allowOnly(fields, ['key', 'value', 'deadline']);
      return {
        type: 'put',
        key: fromBase64(fields['key'], 'key'),
        value: fitting(fromBase64(fields['value'], 'value')),
        ...deadlineOf(fields),
      };
    case 'delete':
      allowOnly(fields, ['key']);
      return { type: 'delete', key: fromBase64(fields['key'], 'key') };
    case 'clear':
      allowOnly(fields, ['range']);
      return clearOf(boundsOf(fields['range']));
    default:
      throw invalid(`no such write: ${String(kind)}`);
  }
}

/** The steps of a batch. @throws LightningError usage errors */
export function batchOf(value: unknown): WriteOperation[] {
  if (!Array.isArray(value)) throw invalid('operations is a list');
  return value.map((step: unknown) => {
    const { op, ...fields } = objectOf(step, 'a step of a batch');
    return writeOf(op, fields);
  });
}
