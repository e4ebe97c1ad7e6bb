/** What a dump consists of: items with a place in a file, shown as lines or as JSON. */
import type { ManifestState } from '../engine/manifest-format.ts';
import { blobFileName } from '../database/blobs/blob-format.ts';
import { decodeReference } from '../database/blobs/blob-reader.ts';
import { type Kind, KIND_DELETE, KIND_PUT, KIND_REFERENCE, NO_DEADLINE } from '../engine/types.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { bytesField, showBytes } from './data-bytes.ts';

/** A value of an item: bytes are shown as keys and values are. */
export type DumpValue = string | number | boolean | Uint8Array;

/** One thing found in a file. */
export interface DumpItem {
  readonly file: string;
  /** Bytes from the start of the file; `undefined` when it concerns the whole file. */
  readonly offset: number | undefined;
  /** What it is, in a word or two; `damage` for what cannot be read. */
  readonly what: string;
  readonly fields: Readonly<Record<string, DumpValue>>;
}

/** Items of one file, in the order of the file as far as it has one. */
export type Dump = Generator<DumpItem, void>;

/** A file to be dumped. */
export interface DumpSource {
  readonly vfs: Vfs;
  /** Name of the file, for items. */
  readonly name: string;
  /** Path of the file in `vfs`. */
  readonly path: string;
  /** The manifest beside it, if there is a sound one. */
  readonly manifest: ManifestState | undefined;
}

/** The word for what cannot be read. */
export const DAMAGE = 'damage';

/** An item that says where damage begins. */
export function damageItem(file: string, offset: number | undefined, problem: string): DumpItem {
  return { file, offset, what: DAMAGE, fields: { problem } };
}

/** Fields of one version or operation. */
export function versionFields(
  kind: Kind,
  key: Uint8Array,
  value: Uint8Array,
  deadline: number,
): Readonly<Record<string, DumpValue>> {
  return {
    kind: kind === KIND_DELETE ? 'delete' : 'put',
    key,
    ...(kind === KIND_PUT ? { value } : kind === KIND_REFERENCE ? blobFields(value) : {}),
    ...(deadline === NO_DEADLINE ? {} : { deadline }),
  };
}

/** Where a large value lies. */
function blobFields(reference: Uint8Array): Readonly<Record<string, DumpValue>> {
  const decoded = decodeReference(reference);
  if (decoded === undefined) return { reference };
  return { blob: blobFileName(decoded.number), bytes: decoded.length };
}

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
