/** Dumps `run-<n>.sst`: the nodes of its tree, then filter and range tombstones, where a manifest says where they are. */
import { fileNumberOf } from '../../engine/file-names.ts';
import { readRunFooter, runHeaderOf } from '../../engine/run-reader.ts';
import { sealedFileNumber } from '../../engine/sealed-file.ts';
import { treeFileOf } from '../../engine/tree-file.ts';
import { RUN_BLOCK_SIZE_BYTES } from '../../engine/tree-format.ts';
import { damageItem, type Dump, type DumpSource } from './item.ts';
import { dumpTreeFile } from './tree.ts';

/** Reads piece by piece; a run may be larger than memory. */
export function* dumpRun(source: DumpSource): Dump {
  const { vfs, path, name, manifest } = source;
  const file = vfs.open(path, 'read');
  try {
    const bytes = new Uint8Array(RUN_BLOCK_SIZE_BYTES);
    file.read(bytes, 0, bytes.length, 0);
    const fileNumber = fileNumberOf(name) ?? sealedFileNumber(bytes);
    const meta = manifest?.runs.find((run) => run.fileNumber === fileNumber);
    if (meta === undefined || manifest === undefined) {
      yield* dumpTreeFile(source, fileNumber, undefined);
      return;
    }
    if (file.size() !== meta.sizeBytes) {
      yield damageItem(name, undefined, `${file.size()} bytes where the manifest expects ${meta.sizeBytes}`);
    }
    yield* dumpTreeFile(source, fileNumber, { root: meta.root, blockCount: meta.sizeBytes / RUN_BLOCK_SIZE_BYTES });
    const offset = meta.footer.block * RUN_BLOCK_SIZE_BYTES;
    const footer = readRunFooter(treeFileOf(file, name, runHeaderOf(meta, manifest.databaseId)), meta);
    if (!footer.ok) {
      yield damageItem(name, offset, footer.problem);
      return;
    }
    const { filter, rangeTombstones } = footer.value;
    yield { file: name, offset, what: 'filter', fields: { bytes: filter.sizeBytes } };
    yield { file: name, offset, what: 'range tombstones', fields: { count: rangeTombstones.length } };
    for (const { start, end, sequence } of rangeTombstones) {
      const fields = { start, ...(end === undefined ? {} : { end }), sequence };
      yield { file: name, offset, what: 'range tombstone', fields };
    }
    const { entryCount, leastSequence, greatestSequence } = meta;
    yield { file: name, offset, what: 'footer', fields: { entryCount, leastSequence, greatestSequence } };
  } finally {
    file.close();
  }
}
