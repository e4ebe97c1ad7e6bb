/**
 * Writes one sorted run from its first byte to its last (spec/formats/run.md).
 *
 * States: open --finish()--> finished, open --abandon()--> abandoned. After an error of the operating system from `add`
 * or `finish` the writer is still open and only good for `abandon`. What a finished run holds is durable once `finish`
 * returns, its name once the caller has synced the folder.
 */
import { assert } from '../base/assert.ts';
import { BloomBuilder, bloomHash } from '../base/bloom.ts';
import { ByteWriter, compareBytes, compareSlices } from '../base/bytes.ts';
import { crc32 } from '../base/checksum.ts';
import type { Vfs, VfsFile } from '../vfs/vfs.ts';
import { type Cursor, Version } from './cursor.ts';
import { KEY_BYTES_MAX } from './limits.ts';
import { type RunMeta, TOMBSTONE_HAS_END } from './run-format.ts';
import { TreeBuilder } from './tree-builder.ts';
import { type BlockSource, RUN_BLOCK_SIZE_BYTES } from './tree-format.ts';
import { NodeStore } from './tree-node-store.ts';
import { encodeTreeHeader } from './tree-node-writer.ts';
import {
  type Compression,
  type FileNumber,
  type Generation,
  type RangeTombstone,
  type Sequence,
  SEQUENCE_MAX,
} from './types.ts';

/** What a run is made with. */
export interface RunWriterOptions {
  readonly vfs: Vfs;
  readonly path: string;
  readonly databaseId: Uint8Array;
  readonly fileNumber: FileNumber;
  readonly generation: Generation;
  /** Size that nodes are packed to; rounded up to blocks. */
  readonly runBlockBytes: number;
  readonly compression: Compression;
  readonly bloomBitsPerKey: number;
}

/** One block after the other; nothing is freed. */
class AppendedBlocks implements BlockSource {
  count = 1;

  allocate(blocks: number): number {
    const block = this.count;
    this.count += blocks;
    return block;
  }

  free(block: number): void {
    assert(false, 'a run is built without a node too many', block);
  }

  isOwn(block: number): boolean {
    return block < this.count;
  }

  willBeUsed(block: number): boolean {
    return block < this.count;
  }
}

export class RunWriter {
  private readonly options: RunWriterOptions;
  private readonly file: VfsFile;
  private readonly blocks = new AppendedBlocks();
  private readonly nodes: NodeStore;
  private readonly builder: TreeBuilder;
  private readonly filter = new BloomBuilder();
  private readonly tombstones: RangeTombstone[] = [];
  private readonly previous = new Version();
  private leastSequence = SEQUENCE_MAX;
  private greatestSequence = 0 as Sequence;
  private state: 'open' | 'finished' | 'abandoned' = 'open';
  private closed = false;

  /**
   * Creates the file.
   * @throws an operating system error, EEXIST among them; nothing is left open then
   */
  constructor(options: RunWriterOptions) {
    const { vfs, path, databaseId, fileNumber, generation, compression } = options;
    const blockSizeBytes = RUN_BLOCK_SIZE_BYTES;
    const nodeTargetBytes = Math.ceil(options.runBlockBytes / blockSizeBytes) * blockSizeBytes;
    this.options = options;
    this.file = vfs.open(path, 'create');
    const tree = { file: this.file, fileName: path, fileNumber, databaseSeed: crc32(databaseId), blockSizeBytes };
    this.nodes = new NodeStore({ tree, nodeTargetBytes, compression, generation, blocks: this.blocks });
    this.builder = new TreeBuilder(this.nodes, undefined);
    this.nodes.writeHeader(encodeTreeHeader({ databaseId, fileNumber, blockSizeBytes, nodeTargetBytes }));
  }

  /** Adds the version that a cursor stands on; it must come after the last one in internal order. The bytes are copied. */
  add(cursor: Cursor): void {
    assert(this.state === 'open' && cursor.valid, 'an open run is written, from a valid cursor');
    const { previous } = this;
    const { bytes, keyStart, keyEnd, sequence } = cursor;
    const order = previous.valid
      ? compareSlices(previous.bytes, previous.keyStart, previous.keyEnd, bytes, keyStart, keyEnd)
      : -1;
    const newer = order === 0 ? previous.sequence : Infinity;
    assert(order <= 0 && sequence < newer, 'versions enter a run in internal order');
    if (order !== 0) this.filter.add(bloomHash(bytes, keyStart, keyEnd));
    this.builder.add(cursor, newer);
    this.cover(sequence);
    previous.assign(cursor);
  }

  /** Adds a range tombstone, in any order among themselves and among the versions. */
  addRangeTombstone(tombstone: RangeTombstone): void {
    assert(this.state === 'open', 'an open run is written');
    const { start, end, sequence } = tombstone;
    assert(end === undefined || compareBytes(start, end) < 0, 'a range tombstone covers something');
    // The successor of the longest key is one byte longer than it.
    assert(start.length <= KEY_BYTES_MAX + 1 && (end?.length ?? 0) <= KEY_BYTES_MAX + 1, 'a range bound is bounded');
    this.tombstones.push(tombstone);
    this.cover(sequence);
  }

  private cover(sequence: Sequence): void {
    if (sequence < this.leastSequence) this.leastSequence = sequence;
    if (sequence > this.greatestSequence) this.greatestSequence = sequence;
  }

  /**
   * Writes the rest, syncs the file and closes it. The caller syncs the folder.
   * @returns what the manifest needs to name exactly this run
   * @throws an operating system error; the run is then good for `abandon` only
   */
  finish(): RunMeta {
    assert(this.state === 'open', 'a run is finished once');
    const entryCount = this.builder.entriesWritten;
    assert(entryCount + this.tombstones.length > 0, 'a run holds a version or a range tombstone');
    const root = this.builder.finish();
    const footer = this.nodes.writeFooter(
      encodeRunFooter(this.filter.finish(this.options.bloomBitsPerKey), this.tombstones),
    );
    this.nodes.flush();
    this.file.sync();
    this.closed = true;
    this.file.close();
    this.state = 'finished';
    const sizeBytes = this.blocks.count * RUN_BLOCK_SIZE_BYTES;
    const { leastSequence, greatestSequence } = this;
    return {
      fileNumber: this.options.fileNumber,
      sizeBytes,
      entryCount,
      leastSequence,
      greatestSequence,
      root,
      footer,
    };
  }

  /** Closes the file and removes it. For a run that nobody has been told of; safe after an error. */
  abandon(): void {
    assert(this.state === 'open', 'an unfinished run is abandoned once');
    this.state = 'abandoned';
    try {
      if (!this.closed) {
        this.closed = true;
        this.file.close();
      }
    } finally {
      this.options.vfs.unlink(this.options.path);
    }
  }
}

/** The payload of a footer. */
export function encodeRunFooter(filter: Uint8Array, tombstones: readonly RangeTombstone[]): Uint8Array {
  const writer = new ByteWriter(64 + filter.length).uint32(filter.length).append(filter).uint32(tombstones.length);
  for (const { start, end, sequence } of tombstones) {
    writer.uint8(end === undefined ? 0 : TOMBSTONE_HAS_END).uint48(sequence);
    writer
      .uint32(start.length)
      .uint32(end?.length ?? 0)
      .append(start);
    if (end !== undefined) writer.append(end);
  }
  return writer.finish();
}
