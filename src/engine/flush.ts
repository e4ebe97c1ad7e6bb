/** Writes the oldest frozen memtable as a sorted run, in slices. */
import { assert } from '../base/assert.ts';
import { runFileName, walFileName } from './file-names.ts';
import { RunReader } from './run-reader.ts';
import { RunWriter } from './run-writer.ts';
import type { Store } from './store.ts';
import type { FileNumber } from './types.ts';

/**
 * Run written and fsynced → its name fsynced → manifest → segment deleted. Yields bytes of work done.
 * @throws LightningError; the output is dropped, the memtable stays, and the flush can be tried again unless the store is
 *   poisoned
 */
export function* flushOldest(store: Store): Generator<number, void> {
  const frozen = store.frozen[0];
  assert(frozen !== undefined && !frozen.memtable.isEmpty, 'a flush has something to write');
  assert(frozen.lastSequence <= store.published, 'only published versions are flushed');
  const fileNumber = store.newFileNumber();
  const path = runFileName(fileNumber);
  const writer = new RunWriter({
    vfs: store.vfs,
    path,
    databaseId: store.databaseId,
    fileNumber,
    generation: store.newBuildGeneration(),
    runBlockBytes: store.options.runBlockBytes,
    compression: store.options.compression,
    bloomBitsPerKey: store.options.bloomBitsPerKey,
  });
  let written = false;
  try {
    let slice = 0;
    const cursor = frozen.memtable.cursor();
    for (cursor.first(); cursor.valid; cursor.next()) {
      writer.add(cursor);
      slice += cursor.valueEnd - cursor.keyStart;
      if (slice >= store.options.sliceBytes) {
        yield slice;
        slice = 0;
      }
    }
    for (const tombstone of frozen.memtable.rangeTombstones) writer.addRangeTombstone(tombstone);
    const meta = writer.finish();
    written = true;
    store.vfs.syncDirectory('');
    const { vfs, databaseId, cache } = store;
    const reader = RunReader.open({ vfs, path, expected: meta, databaseId, cache });
    install(store, reader, path, frozen.segment);
  } finally {
    if (!written) writer.abandon();
  }
}

function install(store: Store, reader: RunReader, path: string, segment: FileNumber): void {
  const frozen = store.frozen[0];
  const { manifest } = store;
  try {
    store.swap({
      runs: [...manifest.runs, reader.meta],
      segments: manifest.segments.filter((s) => s.fileNumber !== segment),
      flushedSequence: frozen.lastSequence,
    });
  } catch (error) {
    reader.close();
    store.deleteFile(path);
    throw error;
  }
  store.runs = [...store.runs, reader];
  store.frozen = store.frozen.slice(1);
  store.version++;
  store.observe('flush', reader.meta.fileNumber);
  store.deleteFile(walFileName(segment));
}
