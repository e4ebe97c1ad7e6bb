/**
 * Byte strings as compact text, so that a program of megabyte values is a short JSON file: hexadecimal, or a pattern
 * and how long its repetition is.
 */
import { LightningError } from '../base/errors.ts';
import { toHex } from '../base/bytes.ts';
import { PROGRAM_VALUE_BYTES_MAX } from './limits.ts';

/** Hexadecimal text of the bytes, or a pattern (hexadecimal, not empty) repeated and cut to `length` bytes. */
export type BytesText = string | { readonly repeat: string; readonly length: number };

const HEX = /^(?:[0-9a-f]{2})*$/;
const PATTERN_BYTES_MAX = 16;
const PLAIN_BYTES_MAX = 40;

/** Whether a value read from JSON is a {@link BytesText}. */
export function isBytesText(value: unknown): value is BytesText {
  if (typeof value === 'string') return HEX.test(value);
  if (typeof value !== 'object' || value === null || !('repeat' in value) || !('length' in value)) return false;
  const { repeat, length } = value;
  if (typeof repeat !== 'string' || repeat === '' || !HEX.test(repeat)) return false;
  return Number.isInteger(length) && Number(length) >= 0 && Number(length) <= PROGRAM_VALUE_BYTES_MAX;
}

/** The bytes that a text stands for; a fresh copy. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
export function decodeBytes(text: BytesText): Uint8Array {
  if (!isBytesText(text)) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'not hexadecimal text or a repeated pattern', { text });
  }
  if (typeof text === 'string') return new Uint8Array(Buffer.from(text, 'hex'));
  return new Uint8Array(Buffer.alloc(text.length, Buffer.from(text.repeat, 'hex')));
}

/** The shortest text for bytes: a pattern of up to 16 bytes where they repeat one, else hexadecimal. */
export function encodeBytes(bytes: Uint8Array): BytesText {
  if (bytes.length <= PLAIN_BYTES_MAX) return toHex(bytes);
  for (let period = 1; period <= PATTERN_BYTES_MAX; period++) {
    let repeats = true;
    for (let i = period; repeats && i < bytes.length; i++) repeats = bytes[i] === bytes[i - period];
    if (repeats) return { repeat: toHex(bytes.subarray(0, period)), length: bytes.length };
  }
  return toHex(bytes);
}

/** How many bytes a text stands for. */
export function lengthOfText(text: BytesText): number {
  return typeof text === 'string' ? text.length / 2 : text.length;
}
