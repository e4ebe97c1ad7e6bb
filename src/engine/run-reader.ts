/**
 * Reads one sorted run (spec/formats/run.md): its tree through the reader of all trees, its footer once, when it is
 * opened. Nothing here writes; the file never changes.
 */
import { bloomHash, BloomFilter } from '../base/bloom.ts';
import type { BlockCache } from '../base/block-cache.ts';
import { ByteReader, compareBytes } from '../base/bytes.ts';
import type { Vfs } from '../vfs/vfs.ts';
import type { Version } from './cursor.ts';
import { believe, corruption, refuse } from './damage.ts';
import { runFileName } from './file-names.ts';
import type { Layer } from './layers.ts';
import { KEY_BYTES_MAX } from './limits.ts';
import type { RunMeta } from './run-format.ts';
import { openTreeFile } from './tree-file.ts';
import { RUN_BLOCK_SIZE_BYTES, type TreeFile, type TreeHeader } from './tree-format.ts';
import { readFooter } from './tree-node-reader.ts';
import { TreeReader } from './tree-reader.ts';
import type { Decoded, RangeTombstone, Sequence } from './types.ts';

/** What a run has besides its versions. */
export interface RunFooter {
  readonly filter: BloomFilter;
  /** As they were added to the run. */
  readonly rangeTombstones: readonly RangeTombstone[];
}

export class RunReader extends TreeReader implements Layer {
  readonly meta: RunMeta;
  readonly rangeTombstones: readonly RangeTombstone[];
  private readonly filter: BloomFilter;

  private constructor(tree: TreeFile, meta: RunMeta, footer: RunFooter, cache: BlockCache) {
    super(tree, meta.root, cache);
    this.meta = meta;
    this.filter = footer.filter;
    this.rangeTombstones = footer.rangeTombstones;
  }

  /**
   * Opens the run that a manifest describes and loads its footer; a file that differs is damage.
   * @throws LightningError `LIGHTNING_CORRUPTION` for a missing, foreign or damaged file, `LIGHTNING_UNSUPPORTED_FORMAT`
   *   for one of a later version; operating system errors other than ENOENT as they come. No descriptor is left open.
   */
  static open(vfs: Vfs, expected: RunMeta, databaseId: Uint8Array, cache: BlockCache): RunReader {
    const path = runFileName(expected.fileNumber);
    return openTreeFile(vfs, path, 'read', runHeaderOf(expected, databaseId), (tree) => {
      const sizeBytes = tree.file.size();
      if (sizeBytes !== expected.sizeBytes) {
        throw corruption(path, undefined, `${sizeBytes} bytes where the manifest expects ${expected.sizeBytes}`);
      }
      const footer = believe(readRunFooter(tree, expected), path, expected.footer.block * RUN_BLOCK_SIZE_BYTES);
      return new RunReader(tree, expected, footer, cache);
    });
  }

  get greatestSequence(): Sequence {
    return this.meta.greatestSequence;
  }

  /** Whether the run may hold versions of `key`; "no" is certain. Range tombstones are not looked at. */
  mayContain(key: Uint8Array): boolean {
    return this.filter.mayContain(bloomHash(key, 0, key.length));
  }

  override get(key: Uint8Array, sequence: Sequence, into: Version): boolean {
    into.valid = false;
    return this.mayContain(key) && super.get(key, sequence, into);
  }
}

/** What the header of a run has to say. */
export function runHeaderOf({ fileNumber }: RunMeta, databaseId: Uint8Array): Omit<TreeHeader, 'nodeTargetBytes'> {
  return { databaseId, fileNumber, blockSizeBytes: RUN_BLOCK_SIZE_BYTES };
}

/** Reads the footer that the manifest names, which ends with the file. */
export function readRunFooter(tree: TreeFile, { footer, sizeBytes, ...run }: RunMeta): Decoded<RunFooter> {
  const extentBytes = footer.blocks * RUN_BLOCK_SIZE_BYTES;
  if (footer.block * RUN_BLOCK_SIZE_BYTES + extentBytes !== sizeBytes) return refuse('the footer is not at the end');
  const payload = readFooter(tree, footer);
  if (!payload.ok) return payload;
  const reader = new ByteReader(payload.value);
  const filter = BloomFilter.decode(reader.byteString(reader.uint32()));
  if (!filter.ok) return filter;
  const rangeTombstones = decodeRangeTombstones(reader, run.leastSequence, run.greatestSequence);
  if (!rangeTombstones.ok) return rangeTombstones;
  return { ok: true, value: { filter: filter.value, rangeTombstones: rangeTombstones.value } };
}

/** The rest of a footer: count u32, then that many. Every one is non-empty and inside the sequence bounds. */
function decodeRangeTombstones(
  reader: ByteReader,
  leastSequence: Sequence,
  greatestSequence: Sequence,
): Decoded<readonly RangeTombstone[]> {
  const tombstones: RangeTombstone[] = [];
  for (let left = reader.uint32(); left > 0; left--) {
    const sequence = reader.uint48() as Sequence;
    const start = reader.byteString(reader.uint32());
    const bound = reader.byteString(reader.uint32());
    if (reader.failed) return refuse('the range tombstones are cut');
    const end = bound.length === 0 ? undefined : bound;
    if (end !== undefined && compareBytes(start, end) >= 0) return refuse('a range tombstone is empty');
    if (Math.max(start.length, bound.length) > KEY_BYTES_MAX + 1)
      return refuse('a range tombstone has too long a bound');
    if (sequence < leastSequence || sequence > greatestSequence) {
      return refuse(`a range tombstone has sequence ${sequence} outside the run's bounds`);
    }
    tombstones.push({ start, end, sequence });
  }
  return reader.remaining === 0 && !reader.failed ? { ok: true, value: tombstones } : refuse('bytes after the footer');
}
