/** Items of a dump as lines and as JSON. */
import type { DumpItem, DumpValue } from '../database/dump/item.ts';
import { bytesField, showBytes } from './data-bytes.ts';

/** Bytes of a key or value that a line shows; JSON has all. */
const SHOWN_BYTES_MAX = 64;

function showValue(value: DumpValue, hex: boolean): string {
  if (typeof value === 'string') return showBytes(Buffer.from(value), false);
  if (!(value instanceof Uint8Array)) return String(value);
  if (value.length <= SHOWN_BYTES_MAX) return `"${showBytes(value, hex)}"`;
  return `"${showBytes(value.subarray(0, SHOWN_BYTES_MAX), hex)}"… (${value.length} bytes)`;
}

/** One line, indented below the line with the file's name. */
export function itemLine({ offset, what, fields }: DumpItem, hex: boolean): string {
  const place = (offset === undefined ? '' : String(offset)).padStart(10);
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${showValue(value, hex)}`);
  return [place, what, ...shown].join('  ').trimEnd();
}

/** One JSON object. */
export function itemJson({ file, offset, what, fields }: DumpItem, hex: boolean): string {
  const shown = Object.entries(fields).map(([name, value]) =>
    value instanceof Uint8Array ? bytesField(name, value, hex) : { [name]: value },
  );
  return JSON.stringify(Object.assign({ file, ...(offset === undefined ? {} : { offset }), what }, ...shown));
}
