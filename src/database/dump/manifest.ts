/** Dumps `MANIFEST`. */
import { toHex } from '../../base/bytes.ts';
import { runFileName, walFileName } from '../../engine/file-names.ts';
import type { ManifestState } from '../../engine/manifest-format.ts';
import { decodeManifest } from '../../engine/manifest-reader.ts';
import { readWholeFile } from '../../vfs/watched-vfs.ts';
import { damageItem, type Dump, type DumpSource } from './item.ts';

/** Everything that a manifest says. */
export function* dumpManifest({ vfs, path, name }: DumpSource): Dump {
  const reading = decodeManifest(readWholeFile(vfs, path));
  if (!reading.ok) {
    yield damageItem(name, 0, reading.problem);
    return;
  }
  yield* manifestItems(name, reading.value);
}

function* manifestItems(file: string, manifest: ManifestState): Dump {
  const { generation, cleanlyClosed, blockSizeBytes, nextFileNumber, flushedSequence, collectTime } = manifest;
  const databaseId = toHex(manifest.databaseId);
  const item = (what: string, fields: Readonly<Record<string, string | number | boolean>>) => ({
    file,
    offset: undefined,
    what,
    fields,
  });
  yield item('manifest', {
    databaseId,
    generation,
    cleanlyClosed,
    blockSizeBytes,
    nextFileNumber,
    flushedSequence,
    // JSON has no infinities.
    collectTime: Number.isFinite(collectTime) ? collectTime : 'none',
  });
  for (const { fileNumber, firstSequence, sealed } of manifest.segments) {
    const name = walFileName(fileNumber);
    yield item('segment', { name, firstSequence, sealed: sealed !== undefined, ...sealed });
  }
  for (const { fileNumber, root, footer, ...run } of manifest.runs) {
    const place = { height: root?.height ?? 0, footerBlock: footer.block, footerGeneration: footer.generation };
    yield item('run', { name: runFileName(fileNumber), ...run, ...place });
  }
  const { root, footer, blockCount, greatestSequence } = manifest.tree;
  if (footer === undefined) return;
  const { block, blocks, generation: rootGeneration } = root?.reference ?? footer;
  yield item('tree', {
    height: root?.height ?? 0,
    blockCount,
    footerBlock: footer.block,
    footerGeneration: footer.generation,
    greatestSequence,
    ...(root === undefined ? {} : { rootBlock: block, rootBlocks: blocks, rootGeneration }),
  });
}
