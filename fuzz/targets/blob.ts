/** Files of large values: header, value and checksums, as a reader meets them that has a reference to them. */
import { crc32 } from 'node:zlib';
import { BlobReader, wholeOf } from '../../src/database/blobs/blob-reader.ts';
import { BlobWriter, encodeReference } from '../../src/database/blobs/blob-writer.ts';
import { isLightningError } from '../../src/base/errors.ts';
import { DATABASE_ID, DATABASE_SEED, Fields, joinInput, sameBytes, splitInput } from '../byte-tools.ts';
import { agree, type DecoderTarget, type Judgement } from '../decoder-target.ts';
import { MemoryVfs } from '../memory-vfs.ts';

const HEADER_BYTES = 64;
const NUMBER = 9;
const NAME = `blob-${NUMBER}`;
/** Choices of the harness: a length that the file has room for; checksums as the value has them. */
const REPAIR_LENGTH = 1;
const REPAIR_SUMS = 2;

function chunkCount(fields: Fields): number {
  const chunkBytes = fields.uint32(44);
  return chunkBytes === 0 ? 0 : Math.ceil(fields.uint48(38) / chunkBytes);
}

function fits(fields: Fields): boolean {
  return HEADER_BYTES + fields.uint48(38) + 4 * (chunkCount(fields) + 1) === fields.length;
}

/** The greatest length that fits the file, for the chunks that it says it has. */
function repairLength(fields: Fields): void {
  if (fields.uint32(44) < 64) fields.setUint32(44, 64);
  for (let length = fields.length - HEADER_BYTES - 4; length >= 0; length--) {
    fields.setUint48(38, length);
    if (fits(fields)) return;
  }
}

function repairSums(fields: Fields): void {
  if (!fits(fields)) return;
  const length = fields.uint48(38);
  const chunkBytes = fields.uint32(44);
  const tableAt = HEADER_BYTES + length;
  for (let i = 0; i < chunkCount(fields); i++) {
    const from = HEADER_BYTES + i * chunkBytes;
    const to = Math.min(from + chunkBytes, tableAt);
    fields.setUint32(tableAt + 4 * i, fields.boundChecksum(from, to, NUMBER, from));
  }
  fields.setUint32(fields.length - 4, wholeChecksum(fields));
}

function wholeChecksum(fields: Fields): number {
  const tableAt = HEADER_BYTES + fields.uint48(38);
  return crc32(fields.bytes.subarray(tableAt, fields.length - 4), fields.boundChecksum(0, HEADER_BYTES, NUMBER, 0));
}

function repair(fields: Fields, choices: number): void {
  fields.setText(0, 'LDBBLB\r\n');
  fields.bytes.set(DATABASE_ID, 18);
  fields.setUint32(34, NUMBER);
  if ((choices & REPAIR_LENGTH) !== 0) repairLength(fields);
  if ((choices & REPAIR_SUMS) !== 0) repairSums(fields);
}

function check(input: Uint8Array): Judgement {
  const { choices, fields } = splitInput(input, HEADER_BYTES + 4);
  repair(fields, choices);
  const vfs = new MemoryVfs();
  vfs.files.set(NAME, fields.bytes);
  // What a version would say that was written with this file.
  const length = fields.uint48(38);
  const reference = encodeReference({ number: NUMBER, length, checksum: fields.uint32(fields.length - 4) });
  let value: Uint8Array;
  try {
    const work = wholeOf(BlobReader.open(vfs, DATABASE_ID, reference));
    for (;;) {
      const step = work.next();
      if (step.done !== true) continue;
      value = step.value;
      break;
    }
  } catch (error) {
    if (!isLightningError(error, 'LIGHTNING_CORRUPTION')) throw error;
    return { kind: 'refused', problem: error.message };
  }
  agree(fits(fields), 'an accepted blob fills its file');
  agree(value.length === length, 'an accepted value has the length of the header', value.length, length);
  agree(
    sameBytes(value, fields.bytes.subarray(HEADER_BYTES, HEADER_BYTES + length)),
    'a value is the bytes of its file',
  );
  const before = fields.bytes.slice();
  repairSums(fields);
  agree(sameBytes(before, fields.bytes), 'an accepted blob has the checksums of its value');
  agreeOnWriting(value, fields, reference);
  return { kind: 'accepted' };
}

function agreeOnWriting(value: Uint8Array, fields: Fields, reference: Uint8Array): void {
  // Compatible feature bits are ignored by a reader and not kept by a writer.
  if (fields.uint32(10) !== 0) return;
  const vfs = new MemoryVfs();
  const identity = { databaseId: DATABASE_ID, databaseSeed: DATABASE_SEED, number: NUMBER };
  const writer = new BlobWriter(vfs, identity, fields.uint32(44));
  for (let at = 0; at < value.length; at += 50) writer.write(value, at, Math.min(value.length, at + 50));
  agree(sameBytes(writer.seal(), reference), 'written again, a blob has the same reference');
  agree(sameBytes(vfs.files.get(NAME) ?? new Uint8Array(0), fields.bytes), 'written again, a blob is the same');
}

function blob(choices: number, valueBytes: number, chunkBytes: number): Uint8Array {
  const chunks = Math.ceil(valueBytes / chunkBytes);
  const fields = new Fields(new Uint8Array(HEADER_BYTES + valueBytes + 4 * (chunks + 1)));
  fields.setUint16(8, 1);
  fields.setUint48(38, valueBytes);
  fields.setUint32(44, chunkBytes);
  for (let i = 0; i < valueBytes; i++) fields.bytes[HEADER_BYTES + i] = (i * 7) & 0xff;
  repair(fields, REPAIR_SUMS);
  return joinInput(choices, fields.bytes);
}

/** Fuzz target. */
export const target: DecoderTarget = {
  name: 'blob',
  extraBytesMax: 1024 * 1024,
  samples: () =>
    new Map([
      ['one-chunk', blob(REPAIR_LENGTH | REPAIR_SUMS, 50, 64)],
      ['three-chunks', blob(REPAIR_LENGTH | REPAIR_SUMS, 150, 64)],
      ['whole-chunks', blob(REPAIR_SUMS, 256, 128)],
      ['as-it-is', blob(0, 70, 64)],
    ]),
  check,
};
