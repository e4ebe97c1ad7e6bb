/**
 * WAL segments: which records are whole, and whether what follows is a torn tail or corruption. The naive reading below
 * states the rule of spec/formats/wal.md once more.
 */
import {
  readSegment,
  recordAt as acceptedRecord,
  type SegmentExpectation,
  type SegmentReading,
} from '../../src/engine/wal-reader.ts';
import { asFileNumber, asSequence } from '../../src/engine/types.ts';
import { boundSeed, DATABASE_ID, DATABASE_SEED, Fields, joinInput, splitInput } from '../byte-tools.ts';
import { agree, type DecoderTarget, type Judgement } from '../decoder-target.ts';
import { crc32 } from 'node:zlib';

const FILE_NUMBER = 3;
const FIRST_SEQUENCE = 5;
const HEADER_BYTES = 64;
const RECORD_HEADER_BYTES = 24;
/** Choices of the harness: read it as a sealed segment; bits 1 to 7: leave record 0 to 6 with its wrong checksum. */
const SEALED = 1;

interface NaiveRecord {
  readonly start: number;
  readonly end: number;
  readonly sequence: number;
  readonly durable: number;
}

/** The record at `at`, if it is whole and its checksum is right. */
function recordAt(fields: Fields, at: number): NaiveRecord | undefined {
  if (at + RECORD_HEADER_BYTES > fields.length) return undefined;
  const end = at + RECORD_HEADER_BYTES + fields.uint32(at + 4);
  if (end > fields.length) return undefined;
  if (fields.boundChecksum(at + 4, end, FILE_NUMBER, at) !== fields.uint32(at)) return undefined;
  return { start: at, end, sequence: fields.uint48(at + 8), durable: fields.uint48(at + 14) };
}

/** Puts magic, identity and checksums in place; returns how many records were walked over. */
function repair(fields: Fields, choices: number): number {
  fields.setText(0, 'LDBWAL\r\n');
  fields.bytes.set(DATABASE_ID, 18);
  fields.setUint32(34, FILE_NUMBER);
  fields.setUint32(60, crc32(fields.bytes.subarray(0, 60), boundSeed(FILE_NUMBER, 0)));
  let at = HEADER_BYTES;
  let records = 0;
  for (; at + RECORD_HEADER_BYTES <= fields.length; records++) {
    const end = at + RECORD_HEADER_BYTES + fields.uint32(at + 4);
    if (end > fields.length) break;
    const leave = records < 7 && (choices & (2 << records)) !== 0;
    if (!leave) fields.setUint32(at, fields.boundChecksum(at + 4, end, FILE_NUMBER, at));
    at = end;
  }
  return records;
}

/** What holds of every segment that is not called corrupt. */
function agreeOnReading(reading: SegmentReading, fields: Fields, expected: SegmentExpectation): void {
  if (reading.state === 'corrupt') return;
  let at = HEADER_BYTES;
  let mark = fields.uint48(38);
  const headerMark = mark;
  let accepted = 0;
  for (; at < reading.end; accepted++) {
    const i = accepted;
    const record = acceptedRecord(fields.bytes, at);
    const naive = recordAt(fields, at);
    agree(naive !== undefined, 'an accepted record is whole and its checksum right', i);
    agree(record.start === naive.start && record.end === naive.end, 'a record stands where the bytes say', i);
    agree(record.sequence === naive.sequence, 'a record has the sequence of the bytes', record.sequence);
    agree(record.durable === naive.durable, 'a record has the mark of the bytes', record.durable);
    agree(naive.sequence === FIRST_SEQUENCE + i, 'accepted sequences rise by one', naive.sequence);
    agree(
      naive.durable < naive.sequence || naive.durable <= headerMark,
      'a record is not durable before it is written',
    );
    mark = Math.max(mark, naive.durable);
    at = naive.end;
  }
  const next = FIRST_SEQUENCE + accepted;
  agree(reading.lastSequence === next - 1, 'a reading names its last sequence', reading.lastSequence, next - 1);
  agree(reading.end === at, 'a segment ends with its last record', reading.end, at);
  agree(recordAt(fields, at) === undefined, 'no whole record is left out', at);
  agree((reading.state === 'whole') === (at === fields.length), 'whole means read to the last byte', reading.state);
  if (expected.sealed !== undefined) {
    agree(reading.state === 'whole' && at === expected.sealed.length, 'a sealed segment is whole', reading.state);
    agree(next - 1 === expected.sealed.lastSequence, 'a sealed segment ends with its last sequence', next - 1);
    return;
  }
  for (let later = at + 1; later < fields.length; later++) {
    const naive = recordAt(fields, later);
    if (naive === undefined || naive.sequence <= next || naive.durable >= naive.sequence) continue;
    if (naive.sequence <= next + fields.length) mark = Math.max(mark, naive.durable);
    later = naive.end - 1;
  }
  agree(mark < next, 'nothing that was known to be durable is given up', next, mark);
}

function check(input: Uint8Array): Judgement {
  const { choices, fields } = splitInput(input, HEADER_BYTES);
  const records = repair(fields, choices);
  const sealed =
    (choices & SEALED) === 0
      ? undefined
      : { length: fields.length, lastSequence: asSequence(FIRST_SEQUENCE + records - 1) };
  const expected: SegmentExpectation = {
    databaseId: DATABASE_ID,
    databaseSeed: DATABASE_SEED,
    fileNumber: asFileNumber(FILE_NUMBER),
    firstSequence: asSequence(FIRST_SEQUENCE),
    sealed,
  };
  const reading = readSegment(fields.bytes, expected);
  agreeOnReading(reading, fields, expected);
  return reading.state === 'corrupt' ? { kind: 'refused', problem: reading.problem } : { kind: 'accepted' };
}

/** A segment of records with these marks and payloads; checksums are the harness's business. */
function segment(
  headerMark: number,
  records: readonly { readonly durable: number; readonly payload: string }[],
): Fields {
  const size = records.reduce((sum, { payload }) => sum + RECORD_HEADER_BYTES + payload.length, HEADER_BYTES);
  const fields = new Fields(new Uint8Array(size));
  fields.setUint16(8, 1);
  fields.setUint48(38, headerMark);
  let at = HEADER_BYTES;
  for (const [i, { durable, payload }] of records.entries()) {
    fields.setUint32(at + 4, payload.length);
    fields.setUint48(at + 8, FIRST_SEQUENCE + i);
    fields.setUint48(at + 14, durable);
    fields.setUint32(at + 20, 1);
    fields.setText(at + RECORD_HEADER_BYTES, payload);
    at += RECORD_HEADER_BYTES + payload.length;
  }
  repair(fields, 0);
  return fields;
}

function samples(): ReadonlyMap<string, Uint8Array> {
  const whole = segment(4, [
    { durable: 4, payload: 'one' },
    { durable: 4, payload: '' },
    { durable: 6, payload: 'three, after a sync' },
    { durable: 7, payload: 'four' },
  ]).bytes;
  const unsynced = segment(0, [
    { durable: 0, payload: 'a' },
    { durable: 0, payload: 'damaged' },
    { durable: 0, payload: 'behind the damage' },
  ]).bytes;
  return new Map([
    ['whole', joinInput(0, whole)],
    ['sealed', joinInput(SEALED, whole)],
    ['torn', joinInput(0, whole.subarray(0, whole.length - 2))],
    ['torn-inside', joinInput(4, unsynced)],
    ['empty', joinInput(0, segment(4, []).bytes)],
  ]);
}

/** Fuzz target. */
export const target: DecoderTarget = { name: 'wal-segment', extraBytesMax: 0, samples, check };
