/**
 * Decoders of the pieces of a run (spec/formats/run.md), for hostile input: a problem is a value, never an exception,
 * and no decoder holds more memory than its input. Shared by the reader and by the verifier; the index has a file of
 * its own.
 */
import { ByteReader, compareBytes, equalBytes, readUint32, toHex } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import { LightningError } from '../base/errors.ts';
import { decompressBlock } from '../base/block-compression.ts';
import { KEY_BYTES_MAX } from './limits.ts';
import {
  type BlockPlace,
  DATABASE_ID_BYTES,
  FOOTER_CRC_AT,
  FRAME_HEADER_BYTES,
  RUN_END_MAGIC,
  RUN_FOOTER_BYTES,
  RUN_FORMAT_VERSION,
  RUN_HEADER_BYTES,
  RUN_INCOMPATIBLE_KNOWN,
  RUN_MAGIC,
  type RunFooter,
  type RunMeta,
  TOMBSTONE_HAS_END,
  TOMBSTONE_HEADER_BYTES,
} from './run-format.ts';
import type { Decoded, FileNumber, RangeTombstone, Sequence } from './types.ts';

/** Whose file it is: half of what every checksum covers. */
export interface RunIdentity {
  readonly databaseSeed: number;
  readonly databaseId: Uint8Array;
  readonly fileNumber: FileNumber;
}

type Problem = { readonly ok: false; readonly problem: string };

function problem(text: string): Problem {
  return { ok: false, problem: text };
}

/** The error for damage found while reading. */
export function runCorruption(file: string, offset: number | undefined, text: string): LightningError {
  const where = offset === undefined ? '' : ` at byte ${offset}`;
  return new LightningError('LIGHTNING_CORRUPTION', `${file}${where}: ${text}`, { file, offset, problem: text });
}

/** Validates a header; a format from the future is told apart from damage by `unsupported`. */
export function decodeRunHeader(bytes: Uint8Array, identity: RunIdentity): Decoded<{ readonly unsupported?: string }> {
  if (bytes.length !== RUN_HEADER_BYTES) return problem('header is cut');
  const reader = new ByteReader(bytes);
  if (reader.uint32() !== RUN_MAGIC) return problem('not a run: wrong magic at the start');
  const version = reader.uint16();
  const zero = reader.uint16();
  reader.uint32();
  const incompatible = reader.uint32();
  const databaseId = reader.byteString(DATABASE_ID_BYTES);
  const fileNumber = reader.uint32();
  if (!equalBytes(databaseId, identity.databaseId)) return problem(`belongs to database ${toHex(databaseId)}`);
  if (fileNumber !== identity.fileNumber) return problem(`is run ${fileNumber}, not ${identity.fileNumber}`);
  const seed = identitySeed(identity.databaseSeed, identity.fileNumber, 0);
  if (reader.uint32() !== crc32(bytes, 0, RUN_HEADER_BYTES - 4, seed)) return problem('wrong checksum of the header');
  if (version !== RUN_FORMAT_VERSION) return { ok: true, value: { unsupported: `format version ${version}` } };
  const unknown = (incompatible & ~RUN_INCOMPATIBLE_KNOWN) >>> 0;
  if (unknown !== 0) return { ok: true, value: { unsupported: `feature bits ${unknown.toString(16)}` } };
  return zero === 0 ? { ok: true, value: {} } : problem('header has a reserved field that is not zero');
}

/** The footer's checksum: everything but itself. */
export function footerChecksum(bytes: Uint8Array, databaseSeed: number, fileNumber: number, offset: number): number {
  const before = crc32(bytes, 0, FOOTER_CRC_AT, identitySeed(databaseSeed, fileNumber, offset));
  return crc32(bytes, FOOTER_CRC_AT + 4, RUN_FOOTER_BYTES, before);
}

/** Validates a footer against what the manifest says and against the size of the file. */
export function decodeRunFooter(bytes: Uint8Array, expected: RunMeta, identity: RunIdentity): Decoded<RunFooter> {
  if (bytes.length !== RUN_FOOTER_BYTES) return problem('footer is cut');
  const offset = expected.sizeBytes - RUN_FOOTER_BYTES;
  const crc = readUint32(bytes, FOOTER_CRC_AT);
  if (readUint32(bytes, FOOTER_CRC_AT + 4) !== RUN_END_MAGIC) return problem('wrong magic at the end');
  if (crc !== footerChecksum(bytes, identity.databaseSeed, identity.fileNumber, offset)) {
    return problem('wrong checksum of the footer');
  }
  const reader = new ByteReader(bytes);
  const place = (): BlockPlace => ({ offset: reader.uint32(), length: reader.uint32(), crc: reader.uint32() });
  const footer: RunFooter = {
    tombstones: place(),
    filter: place(),
    index: place(),
    blockCount: reader.uint32(),
    entryCount: reader.uint48(),
    keyCount: reader.uint48(),
    tombstoneCount: reader.uint32(),
    leastSequence: reader.uint48() as Sequence,
    greatestSequence: reader.uint48() as Sequence,
    crc,
  };
  return checkFooter(footer, expected, offset);
}

function checkFooter(footer: RunFooter, expected: RunMeta, end: number): Decoded<RunFooter> {
  const { tombstones, filter, index } = footer;
  if (footer.crc !== expected.footerCrc) return problem('another run than the one that the manifest names');
  if (
    footer.entryCount !== expected.entryCount ||
    footer.leastSequence !== expected.leastSequence ||
    footer.greatestSequence !== expected.greatestSequence
  ) {
    return problem('counts or sequences differ from the manifest');
  }
  if (
    tombstones.offset < RUN_HEADER_BYTES ||
    tombstones.length < FRAME_HEADER_BYTES ||
    filter.length < FRAME_HEADER_BYTES ||
    index.length < FRAME_HEADER_BYTES ||
    tombstones.offset + tombstones.length !== filter.offset ||
    filter.offset + filter.length !== index.offset ||
    index.offset + index.length !== end
  ) {
    return problem('places in the footer do not tile the file');
  }
  if (footer.entryCount + footer.tombstoneCount === 0) return problem('a run of nothing');
  if (
    footer.leastSequence > footer.greatestSequence ||
    footer.keyCount > footer.entryCount ||
    footer.blockCount > footer.entryCount ||
    (footer.blockCount === 0) !== (footer.entryCount === 0) ||
    (footer.keyCount === 0) !== (footer.entryCount === 0)
  ) {
    return problem('counts in the footer contradict each other');
  }
  return { ok: true, value: footer };
}

/**
 * Takes the frame off one block: checksum with identity, then decompression.
 * @param bytes exactly the stored block, frame header included
 * @param rawLimit raw bytes that are believed at most
 */
export function decodeFrame(
  bytes: Uint8Array,
  place: BlockPlace,
  identity: RunIdentity,
  rawLimit: number,
): Decoded<Uint8Array> {
  if (bytes.length !== place.length || bytes.length < FRAME_HEADER_BYTES) return problem('block is cut');
  const crc = readUint32(bytes, 0);
  const seed = identitySeed(identity.databaseSeed, identity.fileNumber, place.offset);
  if (crc !== crc32(bytes, 4, bytes.length, seed)) return problem('wrong checksum of a block');
  if (crc !== place.crc) return problem('a block of another writing than its index or footer names');
  return decompressBlock(bytes.subarray(FRAME_HEADER_BYTES), bytes[4], readUint32(bytes, 5), rawLimit);
}

/** Decodes a range tombstone block: count u32, then that many. Every one is non-empty and inside the sequence bounds. */
export function decodeRangeTombstones(body: Uint8Array, footer: RunFooter): Decoded<readonly RangeTombstone[]> {
  const reader = new ByteReader(body);
  const count = reader.uint32();
  if (reader.failed || count !== footer.tombstoneCount) return problem('wrong number of range tombstones');
  if (count * TOMBSTONE_HEADER_BYTES > reader.remaining) return problem('range tombstone block is cut');
  const tombstones: RangeTombstone[] = [];
  for (let i = 0; i < count; i++) {
    const flags = reader.uint8();
    const sequence = reader.uint48() as Sequence;
    const startLength = reader.uint32();
    const endLength = reader.uint32();
    const start = reader.byteString(startLength);
    const endBytes = reader.byteString(endLength);
    if (reader.failed) return problem(`range tombstone ${i} is cut`);
    // The successor of the longest key is one byte longer than it.
    if (startLength > KEY_BYTES_MAX + 1 || endLength > KEY_BYTES_MAX + 1) {
      return problem(`range tombstone ${i} has a bound that is too long`);
    }
    if (flags > TOMBSTONE_HAS_END || (flags === 0 && endLength > 0))
      return problem(`range tombstone ${i} has unknown flags`);
    const end = flags === TOMBSTONE_HAS_END ? endBytes : undefined;
    if (end !== undefined && compareBytes(start, end) >= 0) return problem(`range tombstone ${i} is empty`);
    if (sequence < footer.leastSequence || sequence > footer.greatestSequence) {
      return problem(`range tombstone ${i} has sequence ${sequence} outside the run's bounds`);
    }
    tombstones.push({ start, end, sequence });
  }
  return reader.remaining === 0 ? { ok: true, value: tombstones } : problem('bytes after the last range tombstone');
}
