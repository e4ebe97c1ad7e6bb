/** What an operation came back with. Every driver translates its engine's answers and errors into these. */
import { compareBytes, toHex } from '../base/bytes.ts';

/** One key and its value. */
export type Row = readonly [key: Uint8Array, value: Uint8Array];

/** What an acknowledged write survives: `volatile` a process that ends, or less; `synced` a power cut as well. */
export type DurabilityClass = 'volatile' | 'synced';

/** Result of one operation. */
export type Outcome =
  /** A point read that found its key. */
  | { readonly kind: 'value'; readonly value: Uint8Array }
  /** A point read that found nothing. */
  | { readonly kind: 'absent' }
  /** A scan, in the order asked for. */
  | { readonly kind: 'rows'; readonly rows: readonly Row[] }
  /** Done. A write says what it survives. */
  | { readonly kind: 'ok'; readonly durability?: DurabilityClass }
  /** A commit that lost against another one; nothing of it is in the store. */
  | { readonly kind: 'conflict' }
  /** Not done (`definite`), or perhaps done (`definite: false`: it may be there after reopening). */
  | { readonly kind: 'error'; readonly code: string; readonly definite: boolean; readonly message: string };

/** The outcome `ok` without more. */
export const OK: Outcome = { kind: 'ok' };
/** The outcome of a point read that found nothing. */
export const ABSENT: Outcome = { kind: 'absent' };
/** The outcome of a commit that lost. */
export const CONFLICT: Outcome = { kind: 'conflict' };

/** A coded error outcome, definite unless said otherwise. */
export function errorOutcome(code: string, message = '', definite = true): Outcome {
  return { kind: 'error', code, definite, message };
}

/** Whether two outcomes say the same: durability classes and messages do not count. */
export function sameOutcome(a: Outcome, b: Outcome): boolean {
  if (a.kind === 'value' && b.kind === 'value') return Buffer.compare(a.value, b.value) === 0;
  if (a.kind === 'rows' && b.kind === 'rows') {
    if (a.rows.length !== b.rows.length) return false;
    return a.rows.every(
      ([key, value], i) => compareBytes(key, b.rows[i][0]) === 0 && Buffer.compare(value, b.rows[i][1]) === 0,
    );
  }
  if (a.kind === 'error' && b.kind === 'error') return a.code === b.code && a.definite === b.definite;
  return a.kind === b.kind;
}

const SHOWN_BYTES_MAX = 12;
const SHOWN_ROWS_MAX = 6;

/** Bytes for a person: hexadecimal, cut with the length beside it. */
export function describeBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return '(empty)';
  if (bytes.length <= SHOWN_BYTES_MAX) return toHex(bytes);
  return `${toHex(bytes.subarray(0, SHOWN_BYTES_MAX))}… (${bytes.length} bytes)`;
}

/** An outcome for a person, on one line. */
export function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'value':
      return describeBytes(outcome.value);
    case 'absent':
      return 'absent';
    case 'rows': {
      const shown = outcome.rows
        .slice(0, SHOWN_ROWS_MAX)
        .map(([key, value]) => `${describeBytes(key)} = ${describeBytes(value)}`);
      const more = outcome.rows.length > SHOWN_ROWS_MAX ? `, … ${outcome.rows.length} rows in all` : '';
      return outcome.rows.length === 0 ? 'no rows' : `${shown.join(', ')}${more}`;
    }
    case 'ok':
      return outcome.durability === undefined ? 'ok' : `ok (${outcome.durability})`;
    case 'conflict':
      return 'conflict';
    case 'error':
      return `${outcome.code} (${outcome.definite ? 'definite' : 'indefinite'})${outcome.message === '' ? '' : `: ${outcome.message}`}`;
  }
}
