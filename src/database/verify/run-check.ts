/**
 * Looks at every byte of a run from the first to the last, by a path of its own: no cache, no reader, no filter in
 * front. What it checks is the list of invariants in run-format.ts and everything that index, filter and footer claim
 * about the versions.
 */
import { compareSlices } from '../../base/bytes.ts';
import { errnoOf } from '../../base/errors.ts';
import type { Vfs, VfsFile } from '../../vfs/vfs.ts';
import { BloomFilter, bloomHash } from '../../base/bloom.ts';
import { compareInternal, Cursor } from '../../engine/cursor.ts';
import { EntryBlock } from '../../engine/entry-block.ts';
import { BLOCK_BYTES_MAX } from '../../engine/limits.ts';
import {
  decodeFrame,
  decodeRangeTombstones,
  decodeRunFooter,
  decodeRunHeader,
  type RunIdentity,
} from '../../engine/run-decode.ts';
import {
  type BlockPlace,
  FRAME_HEADER_BYTES,
  RUN_FOOTER_BYTES,
  RUN_HEADER_BYTES,
  type RunFooter,
  type RunMeta,
} from '../../engine/run-format.ts';
import { RunIndex } from '../../engine/run-index.ts';
import type { Decoded, RangeTombstone } from '../../engine/types.ts';
import type { Finding } from './finding.ts';

/**
 * Everything that is wrong with a run; empty when nothing is.
 * Cost: one read of the whole file, and memory for its largest block, index, filter and range tombstones.
 * @throws an operating system error other than ENOENT
 */
export function verifyRun(
  vfs: Vfs,
  path: string,
  expected: RunMeta,
  databaseSeed: number,
  databaseId: Uint8Array,
): Finding[] {
  let file: VfsFile;
  try {
    file = vfs.open(path, 'read');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return [{ severity: 'damage', file: path, offset: undefined, problem: 'named by the manifest but missing' }];
  }
  try {
    const verifier = new RunVerifier(file, path, expected, {
      databaseSeed,
      databaseId,
      fileNumber: expected.fileNumber,
    });
    verifier.verify();
    return verifier.findings;
  } finally {
    file.close();
  }
}

/** Findings kept of one run; a file that is wrong throughout needs no more to be known as such. */
const FINDINGS_MAX = 1000;

/** Where an entry block is walked; only its fields are used. */
class EntryView extends Cursor {
  override seek(): void {}
  override seekBefore(): void {}
  override first(): void {}
  override last(): void {}
  override next(): void {}
  override previous(): void {}
}

class RunVerifier {
  readonly findings: Finding[] = [];
  private readonly file: VfsFile;
  private readonly path: string;
  private readonly expected: RunMeta;
  private readonly identity: RunIdentity;
  private readonly view = new EntryView();

  private entryCount = 0;
  private keyCount = 0;
  private leastSequence = Infinity;
  private greatestSequence = -Infinity;
  /** The last version seen; its block stays alive for the comparison with the next one. */
  private lastBytes: Uint8Array = new Uint8Array(0);
  private lastKeyStart = 0;
  private lastKeyEnd = 0;
  private lastSequence = 0;

  constructor(file: VfsFile, path: string, expected: RunMeta, identity: RunIdentity) {
    this.file = file;
    this.path = path;
    this.expected = expected;
    this.identity = identity;
  }

  /** Header, then the end of the file for what it says of the middle, then the middle in the order of the file. */
  verify(): void {
    const sizeBytes = this.file.size();
    if (sizeBytes !== this.expected.sizeBytes) {
      this.report(undefined, `${sizeBytes} bytes where the manifest expects ${this.expected.sizeBytes}`);
      return;
    }
    if (sizeBytes < RUN_HEADER_BYTES + RUN_FOOTER_BYTES) {
      this.report(undefined, 'too short for a run');
      return;
    }
    const header = this.take(0, decodeRunHeader(this.read(0, RUN_HEADER_BYTES), this.identity));
    if (header?.unsupported !== undefined) this.report(0, `${header.unsupported} is not known here`);
    const footerAt = sizeBytes - RUN_FOOTER_BYTES;
    const footerBytes = this.read(footerAt, RUN_FOOTER_BYTES);
    const footer = this.take(footerAt, decodeRunFooter(footerBytes, this.expected, this.identity));
    if (footer !== undefined) this.verifyBlocks(footer);
  }

  private verifyBlocks(footer: RunFooter): void {
    const indexBody = this.unframe(footer.index, footer.index.length - FRAME_HEADER_BYTES);
    const filterBody = this.unframe(footer.filter, footer.filter.length - FRAME_HEADER_BYTES);
    const tombstoneBody = this.unframe(footer.tombstones, footer.tombstones.length - FRAME_HEADER_BYTES);
    const index = indexBody && this.take(footer.index.offset, RunIndex.decode(indexBody, footer));
    const filter = filterBody && this.take(footer.filter.offset, BloomFilter.decode(filterBody));
    const tombstones =
      tombstoneBody && this.take(footer.tombstones.offset, decodeRangeTombstones(tombstoneBody, footer));
    if (index === undefined) return;
    let whole = tombstones !== undefined;
    for (let i = 0; i < index.count; i++) whole = this.verifyDataBlock(index, i, filter, footer) && whole;
    if (whole && tombstones !== undefined) this.verifyCounts(footer, tombstones);
  }

  /** @returns whether all versions of the block could be seen */
  private verifyDataBlock(index: RunIndex, i: number, filter: BloomFilter | undefined, footer: RunFooter): boolean {
    const place = index.place(i);
    const raw = this.unframe(place, BLOCK_BYTES_MAX);
    const entries = raw && this.take(place.offset, EntryBlock.decode(raw, 0, raw.length));
    if (entries === undefined) return false;
    if (entries.count === 0) this.report(place.offset, 'data block without a version');
    const view = this.view;
    for (let j = 0; j < entries.count; j++) {
      entries.load(j, view);
      if (j === 0 && index.comparePair(i, view.bytes, view.keyStart, view.keyEnd, view.sequence) !== 0) {
        this.report(place.offset, 'data block does not begin with the version that the index names');
      }
      this.verifyVersion(place, j, filter, footer);
    }
    return true;
  }

  private verifyVersion(place: BlockPlace, j: number, filter: BloomFilter | undefined, footer: RunFooter): void {
    const { bytes, keyStart, keyEnd, sequence } = this.view;
    const first = this.entryCount === 0;
    if (!first) {
      const order = compareInternal(
        this.lastBytes,
        this.lastKeyStart,
        this.lastKeyEnd,
        this.lastSequence,
        bytes,
        keyStart,
        keyEnd,
        sequence,
      );
      if (order >= 0) this.report(place.offset, `version ${j} of the block is out of order`);
    }
    if (first || compareSlices(this.lastBytes, this.lastKeyStart, this.lastKeyEnd, bytes, keyStart, keyEnd) !== 0) {
      this.keyCount++;
      if (filter !== undefined && !filter.mayContain(bloomHash(bytes, keyStart, keyEnd))) {
        this.report(place.offset, `filter denies the key of version ${j} of the block`);
      }
    }
    if (sequence < footer.leastSequence || sequence > footer.greatestSequence) {
      this.report(place.offset, `version ${j} of the block has sequence ${sequence} outside the run's bounds`);
    }
    this.entryCount++;
    this.cover(sequence);
    this.lastBytes = bytes;
    this.lastKeyStart = keyStart;
    this.lastKeyEnd = keyEnd;
    this.lastSequence = sequence;
  }

  /** What the footer sums up, against what was seen. Only when everything could be seen. */
  private verifyCounts(footer: RunFooter, tombstones: readonly RangeTombstone[]): void {
    for (const tombstone of tombstones) this.cover(tombstone.sequence);
    const at = this.expected.sizeBytes - RUN_FOOTER_BYTES;
    if (this.entryCount !== footer.entryCount) {
      this.report(at, `${this.entryCount} versions where the footer counts ${footer.entryCount}`);
    }
    if (this.keyCount !== footer.keyCount) {
      this.report(at, `${this.keyCount} keys where the footer counts ${footer.keyCount}`);
    }
    if (this.leastSequence !== footer.leastSequence || this.greatestSequence !== footer.greatestSequence) {
      this.report(at, `sequences ${this.leastSequence} to ${this.greatestSequence}, not those of the footer`);
    }
  }

  private cover(sequence: number): void {
    this.leastSequence = Math.min(this.leastSequence, sequence);
    this.greatestSequence = Math.max(this.greatestSequence, sequence);
  }

  private unframe(place: BlockPlace, rawLimit: number): Uint8Array | undefined {
    return this.take(place.offset, decodeFrame(this.read(place.offset, place.length), place, this.identity, rawLimit));
  }

  /** Fewer bytes than asked for are a problem of the decoder that gets them. */
  private read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, this.file.read(bytes, 0, length, offset));
  }

  private take<T>(offset: number, decoded: Decoded<T>): T | undefined {
    if (decoded.ok) return decoded.value;
    this.report(offset, decoded.problem);
    return undefined;
  }

  private report(offset: number | undefined, problem: string): void {
    if (this.findings.length === FINDINGS_MAX) return;
    this.findings.push({ severity: 'damage', file: this.path, offset, problem });
  }
}
