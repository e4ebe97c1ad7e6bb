/**
 * A second reading of packed entries (spec/formats/entries.md): the plainest there is, into copies. It is given bytes
 * that the engine has accepted, and says what is wrong with them.
 */
import type { EntryBlock } from '../src/engine/entry-block.ts';
import { Version } from '../src/engine/cursor.ts';
import { type Fields } from './byte-tools.ts';
import { agree } from './decoder-target.ts';

/** One version, spelled out. */
export interface NaiveEntry {
  readonly key: Uint8Array;
  readonly sequence: number;
  readonly isPut: boolean;
  /** Whether the value says where the value lies. */
  readonly isReference?: boolean;
  /** `undefined`: never expires. */
  readonly deadline: number | undefined;
  readonly value: Uint8Array;
}

const HEADER_BYTES = 13;

/** Internal order: key ascending, then sequence descending. */
export function compareEntries(a: NaiveEntry, b: NaiveEntry): number {
  return Buffer.compare(a.key, b.key) || b.sequence - a.sequence;
}

/** The entries of a block that was accepted. */
export function readEntries(fields: Fields, start: number, end: number): NaiveEntry[] {
  const entries: NaiveEntry[] = [];
  const count = fields.uint32(start);
  let at = start + 4 + 4 * count;
  agree(at <= end, 'the slots of an accepted block are inside it', count);
  for (let i = 0; i < count; i++) {
    agree(fields.uint32(start + 4 + 4 * i) === at - start, 'a slot names the place where its entry begins', i);
    agree(at + HEADER_BYTES <= end, 'an accepted entry is inside its block', i);
    const flags = fields.bytes[at];
    agree(flags < 4 || flags === 5 || flags === 7, 'an accepted entry has known flags', flags);
    const keyLength = fields.uint16(at + 1);
    const valueLength = fields.uint32(at + 3);
    const sequence = fields.uint48(at + 7);
    at += HEADER_BYTES;
    let deadline: number | undefined;
    if ((flags & 2) !== 0) {
      agree(at + 8 <= end, 'an accepted deadline is inside its block', i);
      deadline = fields.float64(at);
      agree(Number.isSafeInteger(deadline), 'an accepted deadline is a safe integer', deadline);
      at += 8;
    }
    agree(at + keyLength + valueLength <= end, 'accepted keys and values are inside their block', i);
    const key = fields.bytes.slice(at, at + keyLength);
    const value = fields.bytes.slice(at + keyLength, at + keyLength + valueLength);
    at += keyLength + valueLength;
    const entry = { key, sequence, isPut: flags % 2 === 1, isReference: flags >= 4, deadline, value };
    agree(i === 0 || compareEntries(entries[i - 1], entry) < 0, 'accepted entries are in internal order', i);
    entries.push(entry);
  }
  agree(at === end, 'accepted entries fill their block', at, end);
  return entries;
}

/** That a version is this entry. */
export function agreeOnEntry(version: Version, entry: NaiveEntry, what: string): void {
  agree(version.valid, `${what} is a version`);
  agree(Buffer.compare(version.key(), entry.key) === 0, `${what} has the key that the bytes say`);
  agree(Buffer.compare(version.value(), entry.value) === 0, `${what} has the value that the bytes say`);
  agree(version.sequence === entry.sequence, `${what} has the sequence that the bytes say`, version.sequence);
  const kind = entry.isReference === true ? 2 : entry.isPut ? 1 : 0;
  agree(version.kind === kind, `${what} has the kind that the bytes say`, version.kind);
  agree(Object.is(version.deadline, entry.deadline ?? Infinity), `${what} has the deadline of the bytes`);
}

/** That a decoded block is what the bytes say, entry by entry and by search. */
export function agreeOnBlock(block: EntryBlock, entries: readonly NaiveEntry[]): void {
  agree(block.count === entries.length, 'a block counts its entries', block.count, entries.length);
  const version = new Version();
  for (const [i, entry] of entries.entries()) {
    block.load(i, version);
    agreeOnEntry(version, entry, `entry ${i}`);
    agree(block.search(entry.key, entry.sequence) === i, 'a search finds each entry', i);
  }
}

/** Rewrites slots and lengths so that size-changing mutations stay well-formed; stops where the entries run out. */
export function repairSlots(fields: Fields, start: number, end: number, stretchLast: boolean): void {
  if (end - start < 4) return;
  const count = Math.min(fields.uint32(start), Math.floor((end - start - 4) / (4 + HEADER_BYTES)));
  fields.setUint32(start, count);
  let at = start + 4 + 4 * count;
  for (let i = 0; i < count; i++) {
    fields.setUint32(start + 4 + 4 * i, at - start);
    if (at + HEADER_BYTES > end) return;
    const header = HEADER_BYTES + ((fields.bytes[at] & 2) !== 0 ? 8 : 0);
    const room = end - at - header - fields.uint16(at + 1);
    if (stretchLast && i === count - 1 && room >= 0) fields.setUint32(at + 3, room);
    at += header + fields.uint16(at + 1) + fields.uint32(at + 3);
  }
}

/** Packs entries in internal order. */
export function packEntries(entries: readonly NaiveEntry[]): Uint8Array {
  const parts = entries.map((entry) => {
    const header = Buffer.alloc(HEADER_BYTES + (entry.deadline === undefined ? 0 : 8));
    header[0] = (entry.isPut ? 1 : 0) + (entry.isReference === true ? 4 : 0) + (entry.deadline === undefined ? 0 : 2);
    header.writeUInt16LE(entry.key.length, 1);
    header.writeUInt32LE(entry.value.length, 3);
    header.writeUIntLE(entry.sequence, 7, 6);
    if (entry.deadline !== undefined) header.writeDoubleLE(entry.deadline, HEADER_BYTES);
    return Buffer.concat([header, entry.key, entry.value]);
  });
  const front = Buffer.alloc(4 + 4 * parts.length);
  front.writeUInt32LE(parts.length, 0);
  let offset = front.length;
  for (const [i, part] of parts.entries()) {
    front.writeUInt32LE(offset, 4 + 4 * i);
    offset += part.length;
  }
  return new Uint8Array(Buffer.concat([front, ...parts]));
}

function text(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value));
}

/** A few versions with everything in them: several of one key, a deletion, deadlines, empty key and value. */
export const SAMPLE_ENTRIES: readonly NaiveEntry[] = [
  { key: text(''), sequence: 12, isPut: true, deadline: undefined, value: text('under the empty key') },
  { key: text('ant'), sequence: 9, isPut: true, deadline: 1_700_000_000_000, value: text('expires') },
  { key: text('ant'), sequence: 4, isPut: false, deadline: undefined, value: text('') },
  { key: text('ant'), sequence: 2, isPut: true, deadline: undefined, value: text('first') },
  { key: text('bee'), sequence: 7, isPut: true, deadline: undefined, value: text('') },
  { key: text('bees'), sequence: 2 ** 40, isPut: true, deadline: -1, value: text('longer key') },
];

/** Versions of one key, one sequence apart: neighbours that a flipped bit makes equal. */
export const CLOSE_VERSIONS: readonly NaiveEntry[] = [9, 8, 7, 6, 5, 4, 3, 2].map((sequence) => ({
  key: text('k'),
  sequence,
  isPut: sequence % 3 !== 0,
  deadline: undefined,
  value: text(''),
}));
