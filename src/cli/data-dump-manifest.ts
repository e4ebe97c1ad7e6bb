/** Dumps `MANIFEST` and `free-<n>.map`. */
import { readUint32, readUint48, toHex } from '../base/bytes.ts';
import { crc32 } from '../base/checksum.ts';
import { fileNumberOf, freeMapFileName, runFileName, walFileName } from '../engine/file-names.ts';
import { FREE_MAP_HEADER_BYTES, type FreeMapIdentity } from '../engine/free-map-format.ts';
import { decodeFreeMap } from '../engine/free-map-reader.ts';
import type { ManifestState } from '../engine/manifest-format.ts';
import { decodeManifest } from '../engine/manifest-reader.ts';
import { asFileNumber, asGeneration } from '../engine/types.ts';
import { readWholeFile } from '../vfs/watched-vfs.ts';
import { damageItem, type Dump, type DumpSource } from './data-dump-item.ts';

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
  const { root, height, blockCount, freeMap, greatestSequence } = manifest.tree;
  if (blockCount === 0) return;
  yield item('tree', {
    height,
    blockCount,
    freeMap: freeMapFileName(freeMap),
    greatestSequence,
    ...(root === undefined ? {} : { rootBlock: root.block, rootBlocks: root.blocks, rootGeneration: root.generation }),
  });
}

/** What the file itself says it is, where no manifest does. */
function ownIdentity(bytes: Uint8Array, name: string): FreeMapIdentity {
  const databaseId = bytes.slice(24, 40);
  return {
    databaseId,
    databaseSeed: crc32(databaseId),
    fileNumber: fileNumberOf(name) ?? asFileNumber(readUint32(bytes, 40)),
    generation: asGeneration(readUint48(bytes, 44)),
  };
}

/** Header and extents of a free map. */
export function* dumpFreeMap({ vfs, path, name, manifest }: DumpSource): Dump {
  const bytes = readWholeFile(vfs, path);
  if (bytes.length < FREE_MAP_HEADER_BYTES) {
    yield damageItem(name, 0, 'the file is shorter than its header');
    return;
  }
  const isNamed = manifest !== undefined && name === freeMapFileName(manifest.tree.freeMap);
  const identity = isNamed
    ? {
        databaseId: manifest.databaseId,
        databaseSeed: crc32(manifest.databaseId),
        fileNumber: manifest.tree.freeMap,
        generation: manifest.tree.freeMapGeneration,
      }
    : ownIdentity(bytes, name);
  const decoded = decodeFreeMap(bytes, identity);
  if (!decoded.ok) {
    yield damageItem(name, 0, decoded.problem);
    return;
  }
  const { blockCount, usedCount, freeCount } = decoded.value;
  const { fileNumber, generation } = identity;
  yield {
    file: name,
    offset: 0,
    what: 'free map',
    fields: { fileNumber, generation, blockCount, usedCount, freeCount },
  };
  for (const { block, blocks } of decoded.value.freeExtents()) {
    yield { file: name, offset: undefined, what: 'free', fields: { block, blocks } };
  }
}
