/**
 * Reads what an engine wrote, for traces: records of a segment and the names in a manifest, from their bytes alone and by
 * code of its own (spec/formats/wal.md, spec/formats/manifest.md). A trace that asked the engine's own decoders would
 * believe what it is meant to judge. Checksums are not verified here: what is read was recorded on its way to the disk.
 */

/** Where records begin in a segment. */
export const SEGMENT_HEADER_BYTES = 64;
const RECORD_HEADER_BYTES = 24;

/** What one commit writes, as it stands in its record. */
export interface WrittenOperation {
  readonly kind: 'put' | 'delete' | 'clear';
  readonly key: string;
  /** Of a put; `undefined` when it never expires. */
  readonly deadline: number | undefined;
  /** Of a put: its value as text. */
  readonly value: string;
}

/** One record of a segment. Positions are bytes from the start of the file. */
export interface WrittenRecord {
  readonly start: number;
  readonly end: number;
  readonly sequence: number;
  /** The durable sequence that it carries. */
  readonly mark: number;
  readonly operations: readonly WrittenOperation[];
  /** Its operations as they are, to tell records apart. */
  readonly payload: string;
}

function uint48(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint16(at + 4, true) * 0x1_0000_0000;
}

function readOperations(view: DataView, start: number, count: number): WrittenOperation[] {
  const text = new TextDecoder('latin1');
  const operations: WrittenOperation[] = [];
  let at = start;
  for (let index = 0; index < count; index++) {
    const flags = view.getUint8(at);
    const keyLength = view.getUint16(at + 1, true);
    const secondLength = view.getUint32(at + 3, true);
    const hasDeadline = (flags & 4) !== 0;
    const deadline = hasDeadline ? view.getFloat64(at + 7, true) : undefined;
    at += hasDeadline ? 15 : 7;
    const bytes = (from: number, length: number): string =>
      text.decode(new Uint8Array(view.buffer, view.byteOffset + from, length));
    const kind = (flags & 2) !== 0 ? 'clear' : (flags & 1) !== 0 ? 'put' : 'delete';
    operations.push({ kind, key: bytes(at, keyLength), deadline, value: bytes(at + keyLength, secondLength) });
    at += keyLength + secondLength;
  }
  return operations;
}

/**
 * The records in `bytes`, which begin at a record's start.
 * @param position where `bytes` stand in their file
 * @returns the whole records, and how many bytes behind them are none
 */
export function readRecords(bytes: Uint8Array, position: number): { records: WrittenRecord[]; restBytes: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const records: WrittenRecord[] = [];
  let at = 0;
  while (at + RECORD_HEADER_BYTES <= bytes.length) {
    const length = view.getUint32(at + 4, true);
    const end = at + RECORD_HEADER_BYTES + length;
    const sequence = uint48(view, at + 8);
    const count = view.getUint32(at + 20, true);
    if (length === 0 || end > bytes.length || sequence === 0) break;
    let operations: WrittenOperation[];
    try {
      operations = readOperations(view, at + RECORD_HEADER_BYTES, count);
    } catch {
      // Lengths that lead out of the record: the rest is no record.
      break;
    }
    const payload = Buffer.from(bytes.subarray(at + RECORD_HEADER_BYTES, end)).toString('base64');
    const mark = uint48(view, at + 14);
    records.push({ start: position + at, end: position + end, sequence, mark, operations, payload });
    at = end;
  }
  return { records, restBytes: bytes.length - at };
}

/** What a manifest says of the log and of structure. */
export interface WrittenManifest {
  /** File numbers of the segments, oldest first. */
  readonly segments: readonly number[];
  readonly flushed: number;
  readonly collectTime: number;
  /** File numbers of the runs, oldest first. */
  readonly runs: readonly number[];
  /** The build that wrote the tree's footer: another one after each merge; 0 without a tree. */
  readonly treeBuild: number;
}

const SEGMENTS_AT = 63;
const SEGMENT_BYTES = 23;
const RUN_BYTES = 61;
const RUN_HEIGHT_AT = 60;
const REFERENCE_BYTES = 32;
/** The generation of the tree's footer, behind the number of blocks. */
const TREE_BUILD_AT = 18;

/** Decodes a manifest. The bytes are a whole one. */
export function readManifestBytes(bytes: Uint8Array): WrittenManifest {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = SEGMENTS_AT + 4;
  const numbers = (countAt: number, sizeAt: (place: number) => number): number[] =>
    Array.from({ length: view.getUint32(countAt, true) }, () => {
      const number = view.getUint32(at, true);
      at += sizeAt(at);
      return number;
    });
  const segments = numbers(SEGMENTS_AT, () => SEGMENT_BYTES);
  const runsAt = at;
  at += 4;
  // A run without a version has no root.
  const runs = numbers(runsAt, (place) => RUN_BYTES + (view.getUint8(place + RUN_HEIGHT_AT) > 0 ? REFERENCE_BYTES : 0));
  return {
    segments,
    flushed: uint48(view, 49),
    collectTime: view.getFloat64(55, true),
    runs,
    treeBuild: view.getUint32(at, true) === 0 ? 0 : uint48(view, at + TREE_BUILD_AT),
  };
}
