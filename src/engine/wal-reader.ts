/**
 * Reads one WAL segment, and tells a torn tail from corruption.
 *
 * A record that does not check is damage. It is a *torn tail* (the end of the log) only in a segment that was not sealed
 * and only above everything known to be durable: the segment header's durable sequence, the mark of every valid record
 * before the damage, and of every valid record found anywhere behind it. Otherwise it is *corruption*: an error that
 * names file, offset and expectation. A record is never skipped.
 */
import { assert } from '../base/assert.ts';
import { equalBytes, readUint16, readUint32, readUint48 } from '../base/bytes.ts';
import { crc32, identitySeed } from '../base/checksum.ts';
import type { Memtable } from './memtable.ts';
import { type FileNumber, KIND_DELETE, KIND_PUT, KIND_REFERENCE, type Sequence } from './types.ts';
import * as format from './wal-format.ts';

/** What binds a segment's bytes to their place. */
export interface SegmentIdentity {
  readonly databaseId: Uint8Array;
  readonly databaseSeed: number;
  readonly fileNumber: FileNumber;
}

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
    end: start + format.RECORD_HEADER_BYTES + readUint32(bytes, start + format.RECORD_LENGTH_AT),
    sequence: readUint48(bytes, start + format.RECORD_SEQUENCE_AT) as Sequence,
    durable: readUint48(bytes, start + format.RECORD_DURABLE_AT) as Sequence,
  };
}

function problemOfRecord(bytes: Uint8Array, start: number, identity: SegmentIdentity): string | undefined {
  if (start + format.RECORD_HEADER_BYTES > bytes.length) return 'the record header is cut';
  const end = start + format.RECORD_HEADER_BYTES + readUint32(bytes, start + format.RECORD_LENGTH_AT);
  if (end > bytes.length) return 'the record is cut';
  const seed = identitySeed(identity.databaseSeed, identity.fileNumber, start);
  if (crc32(bytes, start + format.RECORD_LENGTH_AT, end, seed) !== readUint32(bytes, start))
    return 'the checksum does not match';
  return undefined;
}

/** Problem of a segment header, or the durable sequence it holds. */
function readHeader(bytes: Uint8Array, identity: SegmentIdentity): Sequence | string {
  if (bytes.length < format.WAL_HEADER_BYTES) return 'the segment header is cut';
  for (let i = 0; i < format.WAL_MAGIC.length; i++)
    if (bytes[i] !== format.WAL_MAGIC.charCodeAt(i)) return 'not a WAL segment';
  if (readUint16(bytes, 8) !== format.WAL_FORMAT) return `format version ${readUint16(bytes, 8)} is not known`;
  if (readUint32(bytes, 14) !== 0) return 'an incompatible feature is not known';
  const seed = identitySeed(identity.databaseSeed, identity.fileNumber, 0);
  if (crc32(bytes, 0, format.WAL_HEADER_CRC_AT, seed) !== readUint32(bytes, format.WAL_HEADER_CRC_AT)) {
    return 'the checksum of the segment header does not match';
  }
  if (!equalBytes(bytes.subarray(18, 34), identity.databaseId)) return 'the segment belongs to another store';
  if (readUint32(bytes, 34) !== identity.fileNumber) return 'the segment carries another file number';
  return readUint48(bytes, 38) as Sequence;
}

/**
 * Reads a whole segment. Cost: linear; behind damage, one check a byte until a valid record is found.
 * @param into gets the versions of the records, which point into `bytes`; without it payloads are not looked at. Of a
 *   corrupt segment it may hold a part
 */
export function readSegment(bytes: Uint8Array, expected: SegmentExpectation, into?: Memtable): SegmentReading {
  const corrupt = (offset: number, problem: string): SegmentReading => ({ state: 'corrupt', offset, problem });
  const header = readHeader(bytes, expected);
  if (typeof header === 'string') return corrupt(0, header);
  let mark: number = header;
  let next: number = expected.firstSequence;
  let at = format.WAL_HEADER_BYTES;
  let problem: string | undefined;
  while (at < bytes.length) {
    problem = problemOfRecord(bytes, at, expected);
    if (problem !== undefined) break;
    const { end, sequence, durable } = recordAt(bytes, at);
    if (sequence !== next) return corrupt(at, `the record has sequence ${sequence}, not ${next}`);
    if (durable >= sequence && durable > header)
      return corrupt(at, 'a record claims to be durable before it was written');
    if (into !== undefined && !addToMemtable(bytes, at, end, sequence, into))
      return corrupt(at, 'a record with a right checksum does not hold whole operations');
    mark = Math.max(mark, durable);
    at = end;
    next++;
  }
  const lastSequence = (next - 1) as Sequence;
  const { sealed } = expected;
  if (sealed !== undefined) {
    if (problem !== undefined) return corrupt(at, `in a sealed segment ${problem}`);
    if (at !== sealed.length || lastSequence !== sealed.lastSequence) {
      const found = `${at} bytes up to sequence ${lastSequence}`;
      const wanted = `${sealed.length} bytes up to sequence ${sealed.lastSequence}`;
      return corrupt(at, `the sealed segment holds ${found}, not ${wanted}`);
    }
    return { state: 'whole', end: at, lastSequence };
  }
  if (problem !== undefined) mark = Math.max(mark, laterMark(bytes, at + 1, next, expected));
  if (mark >= next) {
    const lost = `at sequence ${next}, but everything up to ${mark} was durable`;
    return corrupt(at, `${problem ?? 'the segment ends'} ${lost}`);
  }
  if (problem === undefined) return { state: 'whole', end: at, lastSequence };
  return { state: 'torn', end: at, lastSequence, problem };
}

/** The greatest durable mark of any valid record behind the damage; 0 if there is none. */
function laterMark(bytes: Uint8Array, from: number, next: number, identity: SegmentIdentity): number {
  let mark = 0;
  for (let at = from; at + format.RECORD_HEADER_BYTES <= bytes.length; at++) {
    // Cheap conditions first: a checksum over garbage lengths at every byte would be quadratic.
    const sequence = readUint48(bytes, at + format.RECORD_SEQUENCE_AT);
    if (sequence <= next || sequence > next + bytes.length) continue;
    const durable = readUint48(bytes, at + format.RECORD_DURABLE_AT);
    if (durable >= sequence || durable < mark) continue;
    const record = readRecord(bytes, at, identity);
    if (typeof record === 'string') continue;
    assert(record.sequence === sequence, 'a record is read twice alike');
    mark = durable;
    at = record.end - 1;
  }
  return mark;
}

/** Bit f is set where f are flags of an operation: a delete, a put with or without a deadline, a clear with or without an end. */
const KNOWN_FLAGS =
  1 |
  (1 << format.OPERATION_PUT) |
  (1 << (format.OPERATION_PUT | format.OPERATION_DEADLINE)) |
  (1 << (format.OPERATION_PUT | format.OPERATION_REFERENCE)) |
  (1 << (format.OPERATION_PUT | format.OPERATION_REFERENCE | format.OPERATION_DEADLINE)) |
  (1 << format.OPERATION_CLEAR) |
  (1 << (format.OPERATION_CLEAR | format.OPERATION_UNBOUNDED));

/** Whether a reader knows these flags, and they allow a second byte string of that length (found by fuzzing). */
function isKnownOperation(flags: number, secondLength: number): boolean {
  if (flags > 31 || ((KNOWN_FLAGS >>> flags) & 1) === 0) return false;
  return secondLength === 0 || (flags !== 0 && (flags & format.OPERATION_UNBOUNDED) === 0);
}

/**
 * Adds the versions of one valid record to a memtable. The entries point into `bytes`.
 * @returns false when the payload is not a list of whole, known operations, one at least; the memtable may then hold a
 *   part of it
 */
export function addToMemtable(
  bytes: Uint8Array,
  start: number,
  end: number,
  sequence: Sequence,
  memtable: Memtable,
): boolean {
  let at = start + format.RECORD_HEADER_BYTES;
  let remaining = readUint32(bytes, start + format.RECORD_COUNT_AT);
  while (at + format.OPERATION_HEADER_BYTES <= end) {
    const flags = bytes[at];
    const keyLength = readUint16(bytes, at + 1);
    const secondLength = readUint32(bytes, at + 3);
    if (!isKnownOperation(flags, secondLength)) return false;
    at += format.OPERATION_HEADER_BYTES;
    let deadline: number | undefined;
    if ((flags & format.OPERATION_DEADLINE) !== 0) {
      if (at + format.DEADLINE_BYTES > end) return false;
      deadline = new DataView(bytes.buffer, bytes.byteOffset + at, format.DEADLINE_BYTES).getFloat64(0, true);
      if (!Number.isSafeInteger(deadline)) return false;
      at += format.DEADLINE_BYTES;
    }
    const keyEnd = at + keyLength;
    const valueEnd = keyEnd + secondLength;
    if (valueEnd > end || remaining-- === 0) return false;
    if ((flags & format.OPERATION_CLEAR) !== 0) {
      const unbounded = (flags & format.OPERATION_UNBOUNDED) !== 0;
      memtable.addRangeTombstone({
        start: bytes.slice(at, keyEnd),
        end: unbounded ? undefined : bytes.slice(keyEnd, valueEnd),
        sequence,
      });
    } else {
      const put = (flags & format.OPERATION_REFERENCE) !== 0 ? KIND_REFERENCE : KIND_PUT;
      const kind = (flags & format.OPERATION_PUT) !== 0 ? put : KIND_DELETE;
      memtable.insert(bytes, at, keyEnd, valueEnd, sequence, kind, deadline);
    }
    at = valueEnd;
  }
  return at === end && at > start + format.RECORD_HEADER_BYTES && remaining === 0;
}
