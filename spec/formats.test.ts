/** The worked examples of wal.md and manifest.md are decoded, and made again byte for byte; damage to them is found. */
import { expect, test } from 'vitest';
import { fromText, toHex } from '../src/base/bytes.ts';
import { crc32 } from '../src/base/checksum.ts';
import type { ManifestState } from '../src/engine/manifest-format.ts';
import { decodeManifest } from '../src/engine/manifest-reader.ts';
import { encodeManifest } from '../src/engine/manifest-writer.ts';
import { Memtable } from '../src/engine/memtable.ts';
import { asBlockNumber, asFileNumber, asGeneration, asSequence, KIND_DELETE, KIND_PUT } from '../src/engine/types.ts';
import { WAL_HEADER_BYTES } from '../src/engine/wal-format.ts';
import { addToMemtable, readSegment, recordAt, type SegmentExpectation } from '../src/engine/wal-reader.ts';
import { encodeSegmentHeader, WalWriter } from '../src/engine/wal-writer.ts';
import type { WriteOperation } from '../src/engine/write-operation.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { fencedBlocks, hexBytes, readPage } from './pages.fixture.ts';

const DATABASE_ID = fromText('0123456789abcdef');
const SEGMENT = { databaseId: DATABASE_ID, databaseSeed: crc32(DATABASE_ID), fileNumber: asFileNumber(3) };
const FIRST = asSequence(5);
const LAST = asSequence(6);
const OPEN: SegmentExpectation = { ...SEGMENT, firstSequence: FIRST, sealed: undefined };
const COMMITS: readonly (readonly WriteOperation[])[] = [
  [
    { type: 'put', key: fromText('ant'), value: fromText('six'), deadline: 1000 },
    { type: 'delete', key: fromText('bee') },
  ],
  [
    { type: 'clear', start: fromText('c'), end: fromText('d') },
    { type: 'clear', start: fromText('x'), end: undefined },
  ],
];

function example(name: string): Uint8Array {
  const blocks = fencedBlocks(readPage(`spec/formats/${name}`), 'hex');
  expect(blocks).toHaveLength(1);
  return hexBytes(blocks[0]);
}

test('wal.md is decoded', () => {
  const bytes = example('wal.md');
  const sealed = { length: bytes.length, lastSequence: LAST };
  for (const expected of [OPEN, { ...OPEN, sealed }]) {
    expect(readSegment(bytes, expected)).toEqual({
      state: 'whole',
      end: bytes.length,
      lastSequence: LAST,
    });
    expect(recordAt(bytes, 64)).toEqual({ start: 64, end: 119, sequence: 5, durable: 4 });
    expect(recordAt(bytes, 119)).toEqual({ start: 119, end: 160, sequence: 6, durable: 5 });
  }
  const memtable = new Memtable();
  expect(addToMemtable(bytes, 64, 119, FIRST, memtable)).toBe(true);
  expect(addToMemtable(bytes, 119, 160, LAST, memtable)).toBe(true);
  const text = (from: number, to: number): string => Buffer.from(bytes.subarray(from, to)).toString();
  const entries = [...memtable.entries()].map((e) => ({
    key: text(e.keyStart, e.keyEnd),
    value: text(e.keyEnd, e.valueEnd),
    sequence: e.sequence as number,
    kind: e.kind,
    deadline: e.deadline,
  }));
  expect(entries).toEqual([
    { key: 'ant', value: 'six', sequence: 5, kind: KIND_PUT, deadline: 1000 },
    { key: 'bee', value: '', sequence: 5, kind: KIND_DELETE, deadline: undefined },
  ]);
  expect(memtable.rangeTombstones).toEqual([
    { start: fromText('c'), end: fromText('d'), sequence: LAST },
    { start: fromText('x'), end: undefined, sequence: LAST },
  ]);
});

test('wal.md is made again', () => {
  const file = new SimulatedDisk().open('wal-3.log', 'create');
  const header = encodeSegmentHeader(SEGMENT, asSequence(4));
  file.write(header, 0, header.length, 0);
  const writer = new WalWriter(file, SEGMENT, WAL_HEADER_BYTES, asSequence(4));
  COMMITS.forEach((operations, i) => {
    writer.append(operations, asSequence(FIRST + i), asSequence(FIRST + i - 1), new Memtable());
  });
  const made = new Uint8Array(file.size());
  file.read(made, 0, made.length, 0);
  file.close();
  expect(toHex(made)).toBe(toHex(example('wal.md')));
});

test('wal.md tells a torn tail from corruption as it says', () => {
  const bytes = example('wal.md');
  const stateOf = (changed: Uint8Array, expected: SegmentExpectation): string => readSegment(changed, expected).state;
  const sealed: SegmentExpectation = { ...OPEN, sealed: { length: bytes.length, lastSequence: LAST } };
  for (let at = 0; at < bytes.length; at++) {
    const flipped = bytes.slice();
    flipped[at] ^= 0x10;
    expect([at, stateOf(flipped, sealed)]).toEqual([at, 'corrupt']);
    // Commit 5 was durable when commit 6 was appended: damage to it is no torn tail. Nothing says so of commit 6.
    expect([at, stateOf(flipped, OPEN)]).toEqual([at, at < 119 ? 'corrupt' : 'torn']);
    const cut = bytes.subarray(0, at);
    expect([at, stateOf(cut, sealed)]).toEqual([at, 'corrupt']);
    const open = at < 64 ? 'corrupt' : at === 64 || at === 119 ? 'whole' : 'torn';
    expect([at, stateOf(cut, OPEN)]).toEqual([at, open]);
  }
  expect(stateOf(bytes, { ...OPEN, fileNumber: asFileNumber(4) })).toBe('corrupt');
});

const NODE = { generation: asGeneration(8), leastDroppable: Infinity, leastDeadline: Infinity };
const MANIFEST: ManifestState = {
  databaseId: DATABASE_ID,
  generation: asGeneration(9),
  cleanlyClosed: false,
  blockSizeBytes: 4096,
  nextFileNumber: asFileNumber(8),
  flushedSequence: asSequence(4),
  collectTime: 1000,
  segments: [
    { fileNumber: asFileNumber(3), firstSequence: FIRST, sealed: { length: 160, lastSequence: LAST } },
    { fileNumber: asFileNumber(7), firstSequence: asSequence(7), sealed: undefined },
  ],
  runs: [
    {
      fileNumber: asFileNumber(5),
      sizeBytes: 256,
      entryCount: 2,
      leastSequence: asSequence(3),
      greatestSequence: asSequence(4),
      root: { reference: { ...NODE, block: asBlockNumber(1), blocks: 2, payloadBytes: 47 }, height: 1 },
      footer: { ...NODE, block: asBlockNumber(3), blocks: 1, payloadBytes: 38 },
    },
  ],
  tree: {
    blockCount: 3,
    greatestSequence: asSequence(2),
    footer: { ...NODE, block: asBlockNumber(2), blocks: 1, payloadBytes: 1 },
    root: { reference: { ...NODE, block: asBlockNumber(1), blocks: 1, payloadBytes: 69 }, height: 1 },
  },
};

test('manifest.md is decoded, and made again', () => {
  const bytes = example('manifest.md');
  expect(decodeManifest(bytes)).toEqual({ ok: true, value: MANIFEST });
  expect(toHex(encodeManifest(MANIFEST))).toBe(toHex(bytes));
});

test('manifest.md refuses every changed byte and every cut, for the reason that it says', () => {
  const bytes = example('manifest.md');
  const reasonOf = (changed: Uint8Array): string => {
    const reading = decodeManifest(changed);
    return reading.ok ? 'ok' : reading.reason;
  };
  for (let at = 0; at < bytes.length; at++) {
    const flipped = bytes.slice();
    flipped[at] ^= 0x10;
    const isVersion = at === 8 || at === 9 || (at >= 14 && at < 18);
    expect([at, reasonOf(flipped)]).toEqual([at, at < 8 ? 'foreign' : isVersion ? 'format' : 'damaged']);
    expect([at, reasonOf(bytes.subarray(0, at))]).toEqual([at, 'damaged']);
  }
});
