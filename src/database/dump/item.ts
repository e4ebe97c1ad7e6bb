/** What a dump consists of: items with a place in a file. */
import type { ManifestState } from '../../engine/manifest-format.ts';
import { blobFileName } from '../blobs/blob-format.ts';
import { decodeReference } from '../blobs/blob-reader.ts';
import { type Kind, KIND_DELETE, KIND_PUT, KIND_REFERENCE, NO_DEADLINE } from '../../engine/types.ts';
import type { Vfs } from '../../vfs/vfs.ts';

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
