/**
 * Makes mutated bytes look like a run of the right store, checksum by checksum (spec/formats/run.md), so that fuzzing
 * reaches what lies behind the checksums. By choice it also lays places anew, so that mutations that change sizes do.
 */
import { crc32 } from 'node:zlib';
import type { RunMeta } from '../src/engine/run-format.ts';
import { asFileNumber, asSequence } from '../src/engine/types.ts';
import { boundSeed, DATABASE_ID, type Fields } from './byte-tools.ts';
import { repairSlots } from './naive-entries.ts';

export const RUN_FILE_NUMBER = 5;
const HEADER_BYTES = 40;
const FOOTER_BYTES = 76;
const FOOTER_CRC_AT = 68;
const FRAME_BYTES = 9;
const INDEX_ENTRY_BYTES = 20;
/** Header, three empty frames, footer. */
export const RUN_BYTES_MIN: number = HEADER_BYTES + 3 * FRAME_BYTES + FOOTER_BYTES;

/** Choices: lay the places in the footer and the index anew; raw lengths of unpacked frames; slots of data blocks. */
export const REPAIR_PLACES = 1;
export const REPAIR_LENGTHS = 2;
export const REPAIR_SLOTS = 4;

/** Offsets of the three places in the footer. */
const TOMBSTONES = 0;
const FILTER = 12;
const INDEX = 24;

/** Brings a frame's raw length and checksum in line with its bytes; returns the checksum. 0 if it is not in the file. */
function repairFrame(fields: Fields, offset: number, length: number, choices: number): number {
  const end = offset + length;
  if (offset < HEADER_BYTES || length < FRAME_BYTES || end > fields.length - FOOTER_BYTES) return 0;
  if ((choices & REPAIR_LENGTHS) !== 0 && fields.bytes[offset + 4] === 0) {
    fields.setUint32(offset + 5, length - FRAME_BYTES);
  }
  const checksum = fields.boundChecksum(offset + 4, end, RUN_FILE_NUMBER, offset);
  fields.setUint32(offset, checksum);
  return checksum;
}

/** Lays the three blocks in front of the footer side by side, their lengths as they are. */
function repairPlaces(fields: Fields, footer: number): void {
  let end = footer;
  for (const place of [INDEX, FILTER, TOMBSTONES]) {
    const length = fields.uint32(footer + place + 4);
    if (length > end - HEADER_BYTES) return;
    end -= length;
    fields.setUint32(footer + place, end);
  }
}

/** Walks the index and repairs every data block that it names. */
function repairDataBlocks(fields: Fields, footer: number, choices: number): void {
  const index = fields.uint32(footer + INDEX);
  const indexEnd = Math.min(footer, index + fields.uint32(footer + INDEX + 4));
  if (index < HEADER_BYTES || index + FRAME_BYTES + 4 > indexEnd) return;
  const tombstones = fields.uint32(footer + TOMBSTONES);
  const count = fields.uint32(index + FRAME_BYTES);
  let at = index + FRAME_BYTES + 4;
  let offset = HEADER_BYTES;
  for (let i = 0; i < count && at + INDEX_ENTRY_BYTES <= indexEnd; i++) {
    if ((choices & REPAIR_PLACES) !== 0) {
      fields.setUint32(at, offset);
      if (i === count - 1 && tombstones > offset) fields.setUint32(at + 4, tombstones - offset);
    }
    offset = fields.uint32(at);
    const length = fields.uint32(at + 4);
    if (offset >= HEADER_BYTES && length >= FRAME_BYTES && offset + length <= footer) {
      const unpacked = fields.bytes[offset + 4] === 0;
      if ((choices & REPAIR_SLOTS) !== 0 && unpacked) repairSlots(fields, offset + FRAME_BYTES, offset + length, true);
      fields.setUint32(at + 8, repairFrame(fields, offset, length, choices));
    }
    offset += length;
    at += INDEX_ENTRY_BYTES + fields.uint16(at + 18);
  }
}

/** Repairs a run in place; at least {@link RUN_BYTES_MIN} bytes. */
export function repairRun(fields: Fields, choices: number): void {
  const footer = fields.length - FOOTER_BYTES;
  fields.setUint32(0, 0x4e55_524c);
  fields.bytes.set(DATABASE_ID, 16);
  fields.setUint32(32, RUN_FILE_NUMBER);
  fields.setUint32(36, fields.boundChecksum(0, 36, RUN_FILE_NUMBER, 0));
  fields.setUint32(footer + FOOTER_CRC_AT + 4, 0x4c52_554e);
  if ((choices & REPAIR_PLACES) !== 0) repairPlaces(fields, footer);
  repairDataBlocks(fields, footer, choices);
  for (const place of [TOMBSTONES, FILTER, INDEX]) {
    const checksum = repairFrame(fields, fields.uint32(footer + place), fields.uint32(footer + place + 4), choices);
    fields.setUint32(footer + place + 8, checksum);
  }
  fields.setUint32(footer + FOOTER_CRC_AT, footerChecksum(fields, footer));
}

/** Over the footer without the checksum itself. */
function footerChecksum(fields: Fields, footer: number): number {
  const seed = boundSeed(RUN_FILE_NUMBER, footer);
  const before = crc32(fields.bytes.subarray(footer, footer + FOOTER_CRC_AT), seed);
  return crc32(fields.bytes.subarray(footer + FOOTER_CRC_AT + 4), before);
}

/** What a manifest would say of this run: whatever its footer says. */
export function expectedRun(fields: Fields): RunMeta {
  const footer = fields.length - FOOTER_BYTES;
  return {
    fileNumber: asFileNumber(RUN_FILE_NUMBER),
    sizeBytes: fields.length,
    entryCount: fields.uint48(footer + 40),
    leastSequence: asSequence(fields.uint48(footer + 56)),
    greatestSequence: asSequence(fields.uint48(footer + 62)),
    footerCrc: fields.uint32(footer + FOOTER_CRC_AT),
  };
}
