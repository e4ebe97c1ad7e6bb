/**
 * Reads one sorted run (spec/formats/run.md). Between the manifest, which names runs, and the cache, which keeps their
 * data blocks.
 *
 * Invariants
 *   1. Footer, index, filter and range tombstones were validated when the run was opened, and are held in memory.
 *   2. A data block is validated once, when it is loaded: checksum with identity, packing, entries, and that its first
 *      version is the one that the index names. What the cache holds under this file number was validated so.
 *   3. Nothing here writes; the file never changes.
 */
import { assert } from '../base/assert.ts';
import { errnoOf, LightningError } from '../base/errors.ts';
import { bloomHash, BloomFilter } from '../base/bloom.ts';
import type { BlockCache, CachedBlock } from '../base/block-cache.ts';
import type { Vfs, VfsFile } from '../vfs/vfs.ts';
import type { Version } from './cursor.ts';
import { EntryBlock } from './entry-block.ts';
import { BLOCK_BYTES_MAX } from './limits.ts';
import { RunCursor } from './run-cursor.ts';
import {
  decodeFrame,
  decodeRangeTombstones,
  decodeRunFooter,
  decodeRunHeader,
  type RunIdentity,
  runCorruption,
} from './run-decode.ts';
import {
  type BlockPlace,
  FRAME_HEADER_BYTES,
  RUN_FOOTER_BYTES,
  RUN_HEADER_BYTES,
  type RunFooter,
  type RunMeta,
} from './run-format.ts';
import { RunIndex } from './run-index.ts';
import type { Decoded, RangeTombstone, Sequence } from './types.ts';

/** What a cached block weighs beyond its bytes: its objects and its place in the cache. */
const BLOCK_OVERHEAD_BYTES = 256;

/** A data block in memory. */
export class RunBlock implements CachedBlock {
  readonly sizeBytes: number;
  readonly entries: EntryBlock;

  constructor(rawBytes: number, entries: EntryBlock) {
    this.sizeBytes = rawBytes + BLOCK_OVERHEAD_BYTES;
    this.entries = entries;
  }
}

/** What a run is opened with. */
export interface RunReaderOptions {
  readonly vfs: Vfs;
  readonly path: string;
  /** What the manifest says of the run; a file that differs is damage. */
  readonly expected: RunMeta;
  readonly databaseSeed: number;
  readonly databaseId: Uint8Array;
  readonly cache: BlockCache;
}

/** What opening loads: everything but the data blocks. */
interface LoadedRun {
  readonly index: RunIndex;
  readonly filter: BloomFilter;
  readonly rangeTombstones: readonly RangeTombstone[];
}

export class RunReader {
  readonly meta: RunMeta;
  /** As they were added to the run. */
  readonly rangeTombstones: readonly RangeTombstone[];
  readonly index: RunIndex;
  private readonly path: string;
  private readonly file: VfsFile;
  private readonly identity: RunIdentity;
  private readonly cache: BlockCache;
  private readonly filter: BloomFilter;
  private closed = false;

  private constructor(options: RunReaderOptions, identity: RunIdentity, file: VfsFile, loaded: LoadedRun) {
    this.meta = options.expected;
    this.path = options.path;
    this.cache = options.cache;
    this.identity = identity;
    this.file = file;
    this.index = loaded.index;
    this.filter = loaded.filter;
    this.rangeTombstones = loaded.rangeTombstones;
  }

  /**
   * Opens a run and loads everything but its data blocks.
   * @throws LightningError `LIGHTNING_CORRUPTION` for a missing, foreign or damaged file, `LIGHTNING_UNSUPPORTED_FORMAT`
   *   for one of a later version; operating system errors other than ENOENT as they come. No descriptor is left open.
   */
  static open(options: RunReaderOptions): RunReader {
    const { vfs, path, expected, databaseSeed, databaseId } = options;
    const identity: RunIdentity = { databaseSeed, databaseId, fileNumber: expected.fileNumber };
    const file = openNamed(vfs, path);
    try {
      return new RunReader(options, identity, file, loadRun(file, path, expected, identity));
    } catch (error) {
      closeQuietly(file);
      throw error;
    }
  }

  /** Whether the run may hold versions of `key`; "no" is certain. Range tombstones are not looked at. */
  mayContain(key: Uint8Array): boolean {
    return this.filter.mayContain(bloomHash(key, 0, key.length));
  }

  /**
   * Points `into` at the newest version of `key` at or before `sequence`. Range tombstones are not looked at.
   * @returns whether there is one; if not, `into` is not valid
   * @throws LightningError `LIGHTNING_CORRUPTION`, or an operating system error, of this read alone
   */
  get(key: Uint8Array, sequence: Sequence, into: Version): boolean {
    into.valid = false;
    if (!this.mayContain(key)) return false;
    const found = this.index.search(key, sequence);
    if (found >= 0) {
      const entries = this.block(found, false);
      const at = entries.search(key, sequence);
      if (at < entries.count) {
        entries.load(at, into);
        into.valid = into.compareKey(key) === 0;
        return into.valid;
      }
    }
    // Everything in that block is before (key, sequence): what follows it opens the next one.
    const following = found + 1;
    if (following === this.index.count || !this.index.opensWith(following, key)) return false;
    this.block(following, false).load(0, into);
    return true;
  }

  /**
   * A cursor over the point versions, not yet positioned.
   * @param options.bypassCache for merges and long scans: blocks are neither taken from the cache nor put there
   */
  cursor(options: { readonly bypassCache: boolean }): RunCursor {
    assert(!this.closed, 'an open run is read');
    return new RunCursor(this, options.bypassCache);
  }

  /** The entries of one data block, from the cache or the file. For cursors of this run. */
  block(number: number, bypassCache: boolean): EntryBlock {
    assert(!this.closed, 'an open run is read');
    const { cache, index } = this;
    const fileNumber = this.meta.fileNumber;
    if (!bypassCache) {
      const cached = cache.get(fileNumber, index.offset(number));
      if (cached !== undefined) {
        assert(cached instanceof RunBlock, 'a cache holds blocks of runs under the numbers of runs');
        return cached.entries;
      }
    }
    const loaded = this.loadBlock(number);
    if (!bypassCache) cache.put(fileNumber, index.offset(number), loaded);
    return loaded.entries;
  }

  /** Releases the descriptor. Blocks in the cache are the business of whoever removes the file. */
  close(): void {
    assert(!this.closed, 'a run is closed once');
    this.closed = true;
    this.file.close();
  }

  private loadBlock(number: number): RunBlock {
    const place = this.index.place(number);
    const bytes = readExactly(this.file, this.path, place.offset, place.length);
    const raw = believe(decodeFrame(bytes, place, this.identity, BLOCK_BYTES_MAX), this.path, place);
    const entries = believe(EntryBlock.decode(raw, 0, raw.length), this.path, place);
    if (!this.index.isFirstOf(number, entries)) {
      throw runCorruption(this.path, place.offset, 'data block does not begin with the version that the index names');
    }
    return new RunBlock(raw.length, entries);
  }
}

function openNamed(vfs: Vfs, path: string): VfsFile {
  try {
    return vfs.open(path, 'read');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    const problem = 'named by the manifest but missing';
    throw new LightningError(
      'LIGHTNING_CORRUPTION',
      `${path}: ${problem}`,
      { file: path, offset: undefined, problem },
      error,
    );
  }
}

/** The error on its way says what went wrong; a second one while tidying up would only hide it. */
function closeQuietly(file: VfsFile): void {
  try {
    file.close();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}

function loadRun(file: VfsFile, path: string, expected: RunMeta, identity: RunIdentity): LoadedRun {
  const sizeBytes = file.size();
  if (sizeBytes !== expected.sizeBytes) {
    throw runCorruption(path, undefined, `${sizeBytes} bytes where the manifest expects ${expected.sizeBytes}`);
  }
  if (sizeBytes < RUN_HEADER_BYTES + RUN_FOOTER_BYTES) throw runCorruption(path, undefined, 'too short for a run');
  const start = { offset: 0 };
  const header = believe(decodeRunHeader(readExactly(file, path, 0, RUN_HEADER_BYTES), identity), path, start);
  if (header.unsupported !== undefined) {
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', `${path}: ${header.unsupported} is not known here`, {
      file: path,
      found: header.unsupported,
    });
  }
  const end = { offset: sizeBytes - RUN_FOOTER_BYTES };
  const footerBytes = readExactly(file, path, end.offset, RUN_FOOTER_BYTES);
  const footer = believe(decodeRunFooter(footerBytes, expected, identity), path, end);
  return loadMemoryBlocks(file, path, footer, identity);
}

/** The three blocks in front of the footer, in one read. */
function loadMemoryBlocks(file: VfsFile, path: string, footer: RunFooter, identity: RunIdentity): LoadedRun {
  const start = footer.tombstones.offset;
  const bytes = readExactly(file, path, start, footer.index.offset + footer.index.length - start);
  const unframe = (place: BlockPlace): Uint8Array => {
    const stored = bytes.subarray(place.offset - start, place.offset - start + place.length);
    return believe(decodeFrame(stored, place, identity, place.length - FRAME_HEADER_BYTES), path, place);
  };
  const tombstones = decodeRangeTombstones(unframe(footer.tombstones), footer);
  const filter = BloomFilter.decode(unframe(footer.filter));
  const index = RunIndex.decode(unframe(footer.index), footer);
  return {
    rangeTombstones: believe(tombstones, path, footer.tombstones),
    filter: believe(filter, path, footer.filter),
    index: believe(index, path, footer.index),
  };
}

function believe<T>(decoded: Decoded<T>, path: string, place: { readonly offset: number }): T {
  if (!decoded.ok) throw runCorruption(path, place.offset, decoded.problem);
  return decoded.value;
}

function readExactly(file: VfsFile, path: string, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const count = file.read(bytes, 0, length, offset);
  if (count !== length) throw runCorruption(path, offset, `${count} bytes where ${length} are expected`);
  return bytes;
}
