/** Writes the oldest frozen memtable as a sorted run, in slices. */
import { assert } from '../base/assert.ts';
import { runFileName, walFileName } from './file-names.ts';
import { RunReader } from './run-reader.ts';
import { writeRun } from './run-writer.ts';
import type { Store } from './store.ts';

/**
 * Run written and fsynced → its name fsynced → manifest → segment deleted. Yields bytes of work done.
 * @throws LightningError; the output is dropped, the memtable stays, and the flush can be tried again unless the store is
 *   poisoned
 */
export function* flushOldest(store: Store): Generator<number, void> {
  const frozen = store.frozen[0];
  assert(frozen !== undefined && !frozen.isEmpty, 'a flush has something to write');
  assert(frozen.greatestSequence <= store.published, 'only published versions are flushed');
  const fileNumber = store.newFileNumber();
  const path = runFileName(fileNumber);
  let isInstalled = false;
  try {
    const { vfs, databaseId, cache, options } = store;
    const generation = store.newBuildGeneration();
    const meta = yield* writeRun({ ...options, vfs, databaseId, fileNumber, generation }, frozen);
    vfs.syncDirectory('');
    install(store, RunReader.open(vfs, meta, databaseId, cache));
    isInstalled = true;
  } finally {
    if (!isInstalled) store.deleteFile(path);
  }
}

function install(store: Store, reader: RunReader): void {
  const frozen = store.frozen[0];
  const segment = store.manifest.segments[0].fileNumber;
  const { manifest } = store;
  try {
    store.swap({
      runs: [...manifest.runs, reader.meta],
      segments: manifest.segments.slice(1),
      flushedSequence: frozen.greatestSequence,
    });
  } catch (error) {
    reader.close();
    throw error;
  }
  store.runs = [...store.runs, reader];
  store.frozen = store.frozen.slice(1);
  store.version++;
  store.observe('flush', reader.meta.fileNumber);
  store.deleteFile(walFileName(segment));
}
