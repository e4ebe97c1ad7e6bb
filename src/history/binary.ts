/**
 * Histories as columns in one file (`spec/formats/history.md`): read where it lies, with nothing made for an operation, so that
 * reading is no bottleneck. Input is hostile: every number is looked at before anybody indexes with it.
 */
import { LightningError } from '../base/errors.ts';
import { crc32 } from '../base/checksum.ts';
import {
  ACCESS,
  DURABILITY_NAMES,
  type HistoryColumns,
  OUTCOME_NAMES,
  type RangeColumns,
  type Texts,
} from './columns.ts';
import { HISTORY_KINDS, type HistoryMarker } from './history.ts';
import { HISTORY_EVENTS_MAX } from './limits.ts';

/** What a binary history begins with. */
export const BINARY_MAGIC = 'LDB-HIST';
const VERSION = 1;
const COUNTS_AT = 16;
const HEADER_BYTES = 56;
const ACCESS_KINDS = Object.keys(ACCESS).length;

function refuse(problem: string): never {
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `history, binary: ${problem}`, { problem });
}

const aligned = (bytes: number): number => 8 * Math.ceil(bytes / 8);

/** Counts of a header, in its order. */
interface Counts {
  readonly operations: number;
  readonly accesses: number;
  readonly keys: number;
  readonly cells: number;
  readonly lists: number;
  readonly elements: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly tailBytes: number;
}

/** Sizes of the sections in bytes, in their order. */
function sizesOf(counts: Counts): readonly number[] {
  const { operations: n, accesses: a, keys: k, cells: c, lists: l, elements: e } = counts;
  const numbers = [
    8 * n,
    8 * n,
    8 * n,
    8 * n,
    4 * (n + 1),
    4 * a,
    4 * a,
    4 * k,
    4 * c,
    4 * (l + 1),
    4 * e,
    4 * k,
    4 * c,
  ];
  return [...numbers, n, n, n, a, counts.keyBytes, counts.valueBytes, counts.tailBytes];
}

interface TextBytes {
  readonly ends: Uint32Array;
  readonly bytes: Buffer;
}

function bytesOfTexts(texts: Texts): TextBytes {
  const parts = Array.from({ length: texts.count }, (_, i) => Buffer.from(texts.at(i), 'utf8'));
  const ends = new Uint32Array(parts.length);
  let end = 0;
  parts.forEach((part, i) => (ends[i] = end += part.length));
  if (end >= 2 ** 32) refuse('texts of more than 4 GiB');
  return { ends, bytes: Buffer.concat(parts) };
}

/** The bytes of a history. Texts are kept as UTF-8. */
export function encodeColumns(columns: HistoryColumns): Uint8Array {
  const [keys, values] = [bytesOfTexts(columns.keys), bytesOfTexts(columns.values)];
  const ranges = columns.ranges.map(({ from, to, rows }) => ({ from, to, rows: [...rows] }));
  const tail = Buffer.from(JSON.stringify({ ranges, markers: columns.markers }), 'utf8');
  const counts: Counts = {
    operations: columns.count,
    accesses: columns.what.length,
    keys: columns.keys.count,
    cells: columns.cellCount,
    lists: columns.listFirst.length - 1,
    elements: columns.elements.length,
    keyBytes: keys.bytes.length,
    valueBytes: values.bytes.length,
    tailBytes: tail.length,
  };
  const sections: readonly Uint8Array[] = [
    ...[columns.id, columns.client, columns.call, columns.return, columns.first, columns.key, columns.cell],
    ...[columns.absent, columns.cellKey, columns.listFirst, columns.elements, keys.ends, values.ends],
    ...[columns.kind, columns.outcome, columns.durability, columns.what, keys.bytes, values.bytes, tail],
  ].map((section) => new Uint8Array(section.buffer, section.byteOffset, section.byteLength));
  const total = sections.reduce((sum, { length }) => sum + aligned(length), HEADER_BYTES);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from(BINARY_MAGIC, 'latin1'));
  view.setUint32(12, VERSION, true);
  Object.values(counts).forEach((count: number, i) => view.setUint32(COUNTS_AT + 4 * i, count, true));
  let at = HEADER_BYTES;
  for (const section of sections) {
    bytes.set(section, at);
    at += aligned(section.length);
  }
  view.setUint32(8, crc32(bytes, 12), true);
  return bytes;
}

/** Whether bytes claim to be a binary history. */
export function isBinaryHistory(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 8)).toString('latin1') === BINARY_MAGIC;
}

function readCounts(bytes: Uint8Array): Counts {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_BYTES || !isBinaryHistory(bytes)) refuse('it does not begin as one');
  if (view.getUint32(12, true) !== VERSION) refuse(`version ${view.getUint32(12, true)} is not known`);
  const count = (i: number): number => view.getUint32(COUNTS_AT + 4 * i, true);
  const [operations, accesses, keys, cells, lists, elements] = [0, 1, 2, 3, 4, 5].map(count);
  const counts = { operations, accesses, keys, cells, lists, elements };
  const [keyBytes, valueBytes, tailBytes] = [6, 7, 8].map(count);
  const all = { ...counts, keyBytes, valueBytes, tailBytes };
  if (operations > HISTORY_EVENTS_MAX) refuse('too many operations');
  const total = sizesOf(all).reduce((sum, size) => sum + aligned(size), HEADER_BYTES);
  if (total !== bytes.length) refuse(`${bytes.length} bytes, not the ${total} that it announces`);
  if (view.getUint32(8, true) !== crc32(bytes, 12)) refuse('the checksum does not fit');
  return all;
}

/**
 * Reads a history; its columns lie in the bytes, which must not change. Cost: linear, a few nanoseconds an entry.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for anything that is not one, damaged ones included
 */
export function decodeColumns(given: Uint8Array): HistoryColumns {
  const bytes = given.byteOffset % 8 === 0 ? given : given.slice();
  const counts = readCounts(bytes);
  const sizes = sizesOf(counts);
  const starts: number[] = [];
  let at = HEADER_BYTES;
  for (const size of sizes) {
    starts.push(bytes.byteOffset + at);
    at += aligned(size);
  }
  const buffer = bytes.buffer;
  const doubles = (i: number): Float64Array => new Float64Array(buffer, starts[i], sizes[i] / 8);
  const ints = (i: number): Int32Array => new Int32Array(buffer, starts[i], sizes[i] / 4);
  const small = (i: number): Uint8Array => new Uint8Array(buffer, starts[i], sizes[i]);
  const texts = (ends: number, i: number): Texts =>
    textsOf(
      new Uint32Array(buffer, starts[ends], sizes[ends] / 4),
      Buffer.from(buffer as ArrayBuffer, starts[i], sizes[i]),
    );
  const { ranges, markers } = readTail(Buffer.from(small(19)).toString('utf8'));
  const columns: HistoryColumns = {
    count: counts.operations,
    id: doubles(0),
    client: doubles(1),
    call: doubles(2),
    return: doubles(3),
    first: ints(4),
    key: ints(5),
    cell: ints(6),
    absent: ints(7),
    cellKey: ints(8),
    listFirst: ints(9),
    elements: ints(10),
    keys: texts(11, 17),
    values: texts(12, 18),
    kind: small(13),
    outcome: small(14),
    durability: small(15),
    what: small(16),
    cellCount: counts.cells,
    ranges,
    markers,
  };
  checkColumns(columns);
  return columns;
}

function textsOf(ends: Uint32Array, bytes: Buffer): Texts {
  let before = 0;
  for (const end of ends) {
    if (end < before) refuse('texts that end before they begin');
    before = end;
  }
  if (before !== bytes.length) refuse('texts of another length');
  return { count: ends.length, at: (i) => bytes.toString('utf8', i === 0 ? 0 : ends[i - 1], ends[i]) };
}

function readTail(text: string): { ranges: readonly RangeColumns[]; markers: readonly HistoryMarker[] } {
  let tail: unknown;
  try {
    tail = JSON.parse(text);
  } catch (error) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'history, binary: its tail is not JSON', {}, error);
  }
  const { ranges, markers } = (tail ?? {}) as { readonly ranges?: unknown; readonly markers?: unknown };
  if (!Array.isArray(ranges) || !Array.isArray(markers)) refuse('its tail has no ranges or markers');
  return { ranges: ranges.map(rangeOf), markers: markers.map(markerOf) };
}

function rangeOf(value: unknown): RangeColumns {
  const { from, to, rows } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const isEnd = to === null || typeof to === 'string';
  if (typeof from !== 'string' || !isEnd || !Array.isArray(rows)) refuse('a range that is none');
  return { from, to, rows: Int32Array.from(rows, (row: unknown) => (typeof row === 'number' ? row : -1)) };
}

function markerOf(value: unknown): HistoryMarker {
  const { kind, index } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if ((kind !== 'crash' && kind !== 'reopen') || typeof index !== 'number') refuse('a marker that is none');
  return { kind, index };
}

function within(numbers: Int32Array | Uint8Array, bound: number, what: string): void {
  for (const number of numbers) if (number < 0 || number >= bound) refuse(`${what} ${number} of ${bound}`);
}

function rising(first: Int32Array, end: number, what: string): void {
  for (let i = 0; i < first.length; i++) {
    if (first[i] < (i === 0 ? 0 : first[i - 1]) || (i === 0 && first[0] !== 0)) refuse(`${what} that do not rise`);
  }
  if (first[first.length - 1] !== end) refuse(`${what} that end elsewhere`);
}

function checkColumns(columns: HistoryColumns): void {
  const { what, key, cell, cellKey, cellCount, absent, elements, keys, ranges } = columns;
  within(columns.kind, HISTORY_KINDS.length, 'kind');
  within(columns.outcome, OUTCOME_NAMES.length, 'outcome');
  within(columns.durability, DURABILITY_NAMES.length, 'durability');
  within(what, ACCESS_KINDS, 'access');
  within(cellKey, keys.count, 'key of a cell');
  within(absent, cellCount, 'cell');
  within(elements, cellCount, 'cell');
  rising(columns.first, what.length, 'accesses');
  rising(columns.listFirst, elements.length, 'lists');
  absent.forEach((one, k) => {
    if (cellKey[one] !== k) refuse(`the absent cell of key ${k} is another key's`);
  });
  for (const { rows } of ranges) within(rows, cellCount, 'row');
  if (new Set(Array.from({ length: keys.count }, (_, k) => keys.at(k))).size < keys.count) refuse('a key twice');
  checkCompared(columns);
  const bounds = [cellCount, cellCount, cellCount, columns.listFirst.length - 1, ranges.length, cellCount, cellCount];
  for (let a = 0; a < what.length; a++) {
    if (cell[a] < 0 || cell[a] >= bounds[what[a]]) refuse(`access ${a} of a cell that is not there`);
    if (what[a] === ACCESS.range) continue;
    if (key[a] < 0 || key[a] >= keys.count) refuse(`access ${a} of a key that is not there`);
    if (what[a] !== ACCESS.list && cellKey[cell[a]] !== key[a]) refuse(`access ${a} of another key's cell`);
  }
}

/** Where something else was seen than a cell, a cell's value must not stand for another number, too. */
function checkCompared({ what, key, cellKey, absent, values }: HistoryColumns): void {
  if (!what.includes(ACCESS.differs)) return;
  const compared = new Set(key.filter((_, a) => what[a] === ACCESS.differs));
  const seen = new Set<string>();
  for (let one = 0; one < cellKey.length; one++) {
    const k = cellKey[one];
    if (!compared.has(k) || absent[k] === one) continue;
    const name = `${k} ${values.at(one)}`;
    if (seen.has(name)) refuse(`a value of key ${k} twice`);
    seen.add(name);
  }
}
