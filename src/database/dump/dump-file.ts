/** Which decoder a file of a store has, by its name or by its first bytes. */
import { fileNumberOf, MANIFEST_FILE, MANIFEST_TEMPORARY_FILE, TREE_FILE } from '../../engine/file-names.ts';
import { MANIFEST_MAGIC, type ManifestState } from '../../engine/manifest-format.ts';
import { decodeManifest } from '../../engine/manifest-reader.ts';
import { SEAL_BYTES, sealedFileNumber } from '../../engine/sealed-file.ts';
import { TREE_KIND } from '../../engine/tree-format.ts';
import { WAL_MAGIC } from '../../engine/wal-format.ts';
import { readWholeFile } from '../../vfs/watched-vfs.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import { type Dump, type DumpSource } from './item.ts';
import { dumpManifest } from './manifest.ts';
import { dumpRun } from './run.ts';
import { dumpTree } from './tree.ts';
import { dumpWal } from './wal.ts';

/** Decodes one file. */
export type Dumper = (source: DumpSource) => Dump;

/** First bytes of each kind of file, for those that bear another name. */
const MAGICS: readonly (readonly [string, Dumper])[] = [
  [MANIFEST_MAGIC, dumpManifest],
  [WAL_MAGIC, dumpWal],
  [Buffer.from(TREE_KIND.magic).toString('latin1'), dumpTree],
];

/** The name counts before the content, so that a damaged file is known for what it was. */
export function dumperByName(name: string): Dumper | undefined {
  if (name === MANIFEST_FILE || name === MANIFEST_TEMPORARY_FILE) return dumpManifest;
  if (name === TREE_FILE) return dumpTree;
  if (fileNumberOf(name) === undefined) return undefined;
  return name.startsWith('wal-') ? dumpWal : dumpRun;
}

/** What the first bytes of a file say that it is. */
export function dumperByContent(vfs: Vfs, path: string): Dumper | undefined {
  const file = vfs.open(path, 'read');
  try {
    const start = new Uint8Array(SEAL_BYTES);
    const text = Buffer.from(start.subarray(0, file.read(start, 0, start.length, 0))).toString('latin1');
    const dumper = MAGICS.find(([magic]) => text.startsWith(magic))?.[1];
    // A tree file with a number is a run.
    return dumper === dumpTree && sealedFileNumber(start) !== 0 ? dumpRun : dumper;
  } finally {
    file.close();
  }
}

/** The manifest of a store, if it is there and sound. */
export function manifestIn(vfs: Vfs): ManifestState | undefined {
  if (vfs.kind(MANIFEST_FILE) !== 'file') return undefined;
  const reading = decodeManifest(readWholeFile(vfs, MANIFEST_FILE));
  return reading.ok ? reading.value : undefined;
}
