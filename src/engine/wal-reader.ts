/**
 * Reads one WAL segment, and tells a torn tail from corruption.
 *
 * A record that does not check is damage. It is a *torn tail* (the end of the log) only in a segment that was not sealed
 * and only above everything known to be durable: the segment header's durable sequence, the mark of every valid record
 * before the damage, and of every valid record found anywhere behind it. Otherwise it is *corruption*: an error that
 * names file, offset and expectation. A record is never skipped.
 */
import { assert } from '../base/assert.ts';
import { readUint16, readUint32, readUint48 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import { equalBytes } from '../base/bytes.ts';
import type { Sequence } from './types.ts';
import {
  RECORD_DURABLE_AT,
  RECORD_HEADER_BYTES,
  RECORD_LENGTH_AT,
  RECORD_SEQUENCE_AT,
  WAL_FORMAT,
  WAL_HEADER_BYTES,
  WAL_HEADER_CRC_AT,
  WAL_MAGIC,
} from './wal-format.ts';
import type { SegmentIdentity } from './wal-writer.ts';

/** A whole record: `bytes[start, end)` of the segment. */
export interface WalRecord {
  readonly start: number;
  readonly end: number;
  readonly sequence: Sequence;
  readonly durable: Sequence;
}

/**
 * What a segment says. Whole records stand from its header to `end`, one behind the other ({@link recordAt}); the last has
 * `lastSequence` (`firstSequence − 1` when there is none).
 */
export type SegmentReading =
  | { readonly state: 'whole'; readonly end: number; readonly lastSequence: Sequence }
  | { readonly state: 'torn'; readonly end: number; readonly lastSequence: Sequence; readonly problem: string }
  | { readonly state: 'corrupt'; readonly offset: number; readonly problem: string };

/** What the manifest says of a segment. */
export interface SegmentExpectation extends SegmentIdentity {
  /** Sequence of the segment's first record. */
  readonly firstSequence: Sequence;
  /** For a sealed segment, its length in bytes and its last sequence (`firstSequence − 1` when it holds none). */
  readonly sealed: { readonly length: number; readonly lastSequence: Sequence } | undefined;
}

/** Checks one record at `start`; the problem in words, or the record. Reads nothing behind `bytes`. */
export function readRecord(bytes: Uint8Array, start: number, identity: SegmentIdentity): WalRecord | string {
  return problemOfRecord(bytes, start, identity) ?? recordAt(bytes, start);
}

/** The fields of the record at `start`, which was checked before. Small enough that a loop keeps no object of it. */
export function recordAt(bytes: Uint8Array, start: number): WalRecord {
  return {
    start,
    end: start + RECORD_HEADER_BYTES + readUint32(bytes, start + RECORD_LENGTH_AT),
    sequence: readUint48(bytes, start + RECORD_SEQUENCE_AT) as Sequence,
    durable: readUint48(bytes, start + RECORD_DURABLE_AT) as Sequence,
  };
}

function problemOfRecord(bytes: Uint8Array, start: number, identity: SegmentIdentity): string | undefined {
  if (start + RECORD_HEADER_BYTES > bytes.length) return 'the record header is cut';
  const end = start + RECORD_HEADER_BYTES + readUint32(bytes, start + RECORD_LENGTH_AT);
  if (end > bytes.length) return 'the record is cut';
  const seed = identitySeed(identity.databaseSeed, identity.fileNumber, start);
  if (crc32(bytes, start + RECORD_LENGTH_AT, end, seed) !== readUint32(bytes, start))
    return 'the checksum does not match';
  return undefined;
}

/** Problem of a segment header, or the durable sequence it holds. */
function readHeader(bytes: Uint8Array, identity: SegmentIdentity): Sequence | string {
  if (bytes.length < WAL_HEADER_BYTES) return 'the segment header is cut';
  for (let i = 0; i < WAL_MAGIC.length; i++) if (bytes[i] !== WAL_MAGIC.charCodeAt(i)) return 'not a WAL segment';
  if (readUint16(bytes, 8) !== WAL_FORMAT) return `format version ${readUint16(bytes, 8)} is not known`;
  if (readUint32(bytes, 14) !== 0) return 'an incompatible feature is not known';
  const seed = identitySeed(identity.databaseSeed, identity.fileNumber, 0);
  if (crc32(bytes, 0, WAL_HEADER_CRC_AT, seed) !== readUint32(bytes, WAL_HEADER_CRC_AT)) {
    return 'the checksum of the segment header does not match';
  }
  if (!equalBytes(bytes.subarray(18, 34), identity.databaseId)) return 'the segment belongs to another store';
  if (readUint32(bytes, 34) !== identity.fileNumber) return 'the segment carries another file number';
  return readUint48(bytes, 38) as Sequence;
}

/** Reads a whole segment. Cost: linear; behind damage, one check a byte until a valid record is found. */
export function readSegment(bytes: Uint8Array, expected: SegmentExpectation): SegmentReading {
  const header = readHeader(bytes, expected);
  if (typeof header === 'string') return { state: 'corrupt', offset: 0, problem: header };
  let mark: number = header;
  let next: number = expected.firstSequence;
  let at = WAL_HEADER_BYTES;
  let problem: string | undefined;
  while (at < bytes.length) {
    problem = problemOfRecord(bytes, at, expected);
    if (problem !== undefined) break;
    const record = recordAt(bytes, at);
    if (record.sequence !== next) {
      return { state: 'corrupt', offset: at, problem: `the record has sequence ${record.sequence}, not ${next}` };
    }
    if (record.durable >= record.sequence && record.durable > header) {
      return { state: 'corrupt', offset: at, problem: 'a record claims to be durable before it was written' };
    }
    mark = Math.max(mark, record.durable);
    at = record.end;
    next++;
  }
  const lastSequence = (next - 1) as Sequence;
  const sealed = expected.sealed;
  if (sealed !== undefined) {
    if (problem !== undefined) return { state: 'corrupt', offset: at, problem: `in a sealed segment ${problem}` };
    if (at !== sealed.length || lastSequence !== sealed.lastSequence) {
      const found = `${at} bytes up to sequence ${lastSequence}`;
      const wanted = `${sealed.length} bytes up to sequence ${sealed.lastSequence}`;
      return { state: 'corrupt', offset: at, problem: `the sealed segment holds ${found}, not ${wanted}` };
    }
    return { state: 'whole', end: at, lastSequence };
  }
  if (problem !== undefined) mark = Math.max(mark, laterMark(bytes, at + 1, next, expected));
  if (mark >= next) {
    return {
      state: 'corrupt',
      offset: at,
      problem: `${problem ?? 'the segment ends'} at sequence ${next}, but everything up to ${mark} was durable`,
    };
  }
  if (problem === undefined) return { state: 'whole', end: at, lastSequence };
  return { state: 'torn', end: at, lastSequence, problem };
}

/** The greatest durable mark of any valid record behind the damage; 0 if there is none. */
function laterMark(bytes: Uint8Array, from: number, next: number, identity: SegmentIdentity): number {
  let mark = 0;
  for (let at = from; at + RECORD_HEADER_BYTES <= bytes.length; at++) {
    // Cheap conditions first: a checksum over garbage lengths at every byte would be quadratic.
    const sequence = readUint48(bytes, at + RECORD_SEQUENCE_AT);
    if (sequence <= next || sequence > next + bytes.length) continue;
    const durable = readUint48(bytes, at + RECORD_DURABLE_AT);
    if (durable >= sequence || durable < mark) continue;
    const record = readRecord(bytes, at, identity);
    if (typeof record === 'string') continue;
    assert(record.sequence === sequence, 'a record is read twice alike');
    mark = durable;
    at = record.end - 1;
  }
  return mark;
}
