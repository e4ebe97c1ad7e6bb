/** Writes one sorted run from its first byte to its last (spec/formats/run.md). */
import { assert } from '../base/assert.ts';
import { BloomBuilder, bloomHash } from '../base/bloom.ts';
import { ByteWriter, compareBytes } from '../base/bytes.ts';
import { FreeMap } from '../base/free-map.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { compareKeys, Version } from './cursor.ts';
import { runFileName } from './file-names.ts';
import type { Layer } from './layers.ts';
import { KEY_BYTES_MAX } from './limits.ts';
import type { EngineOptions } from './options.ts';
import { NO_END, type RunMeta } from './run-format.ts';
import { TreeBuilder } from './tree-builder.ts';
import { createTreeFile } from './tree-file.ts';
import { RUN_BLOCK_SIZE_BYTES } from './tree-format.ts';
import { NodeStore } from './tree-node-store.ts';
import { asSequence, type FileNumber, type Generation, type RangeTombstone } from './types.ts';

/** What a run is made with. Nodes are packed to `runBlockBytes`, rounded up to blocks. */
export interface RunOptions extends Pick<
  EngineOptions,
  'runBlockBytes' | 'compression' | 'bloomBitsPerKey' | 'sliceBytes'
> {
  readonly vfs: Vfs;
  readonly databaseId: Uint8Array;
  readonly fileNumber: FileNumber;
  readonly generation: Generation;
}

/**
 * Writes all versions and range tombstones of a layer, in slices. Yields bytes of work done. What the run holds is durable
 * once this returns, its name once the caller has synced the folder.
 * @returns what the manifest needs to name exactly this run
 * @throws an operating system error, EEXIST among them. The file is closed then, as when the generator is dropped; the
 *   caller removes it
 */
export function* writeRun(
  options: RunOptions,
  source: Pick<Layer, 'cursor' | 'rangeTombstones'>,
): Generator<number, RunMeta> {
  const { vfs, databaseId, fileNumber, generation, compression, sliceBytes } = options;
  const blockSizeBytes = RUN_BLOCK_SIZE_BYTES;
  const nodeTargetBytes = Math.ceil(options.runBlockBytes / blockSizeBytes) * blockSizeBytes;
  const header = { databaseId, fileNumber, blockSizeBytes, nodeTargetBytes };
  const tree = createTreeFile(vfs, runFileName(fileNumber), header);
  try {
    const blocks = FreeMap.ofEmptyFile().begin();
    const nodes = new NodeStore({ tree, nodeTargetBytes, compression, generation, blocks });
    const builder = new TreeBuilder(nodes, false);
    const filter = new BloomBuilder();
    const { rangeTombstones } = source;
    let leastSequence = Infinity;
    let greatestSequence = 0;
    const cover = (sequence: number): void => {
      leastSequence = Math.min(leastSequence, sequence);
      greatestSequence = Math.max(greatestSequence, sequence);
    };
    const previous = new Version();
    const cursor = source.cursor();
    let slice = 0;
    for (cursor.first(); cursor.valid; cursor.next()) {
      const order = previous.valid ? compareKeys(previous, cursor) : -1;
      const newer = order === 0 ? previous.sequence : Infinity;
      assert(order <= 0 && cursor.sequence < newer, 'versions enter a run in internal order');
      if (order !== 0) filter.add(bloomHash(cursor.bytes, cursor.keyStart, cursor.keyEnd));
      builder.add(cursor, newer);
      cover(cursor.sequence);
      previous.assign(cursor);
      slice += cursor.valueEnd - cursor.keyStart;
      if (slice < sliceBytes) continue;
      yield slice;
      slice = 0;
    }
    for (const { sequence } of rangeTombstones) cover(sequence);
    assert(greatestSequence > 0, 'a run holds a version or a range tombstone');
    const root = builder.finish();
    const footer = nodes.writeFooter(encodeRunFooter(filter.finish(options.bloomBitsPerKey), rangeTombstones));
    nodes.flush();
    tree.file.sync();
    return {
      fileNumber,
      sizeBytes: blocks.commit().blockCount * blockSizeBytes,
      entryCount: builder.entriesWritten,
      leastSequence: asSequence(leastSequence),
      greatestSequence: asSequence(greatestSequence),
      root,
      footer,
    };
  } finally {
    tree.file.close();
  }
}

/** The payload of a footer. */
export function encodeRunFooter(filter: Uint8Array, tombstones: readonly RangeTombstone[]): Uint8Array {
  const writer = new ByteWriter(64 + filter.length).uint32(filter.length).append(filter).uint32(tombstones.length);
  for (const { start, end, sequence } of tombstones) {
    assert(end === undefined || compareBytes(start, end) < 0, 'a range tombstone covers something');
    // The successor of the longest key is one byte longer than it.
    assert(start.length <= KEY_BYTES_MAX + 1 && (end?.length ?? 0) <= KEY_BYTES_MAX + 1, 'a range bound is bounded');
    // Nothing is before the empty key, so that it stands for no end.
    const bound = end ?? NO_END;
    writer.uint48(sequence).uint32(start.length).append(start).uint32(bound.length).append(bound);
  }
  return writer.finish();
}
