/** Payloads of WAL records: the operations of one commit, as recovery puts them into a memtable. */
import { Memtable } from '../../src/engine/memtable.ts';
import { asSequence } from '../../src/engine/types.ts';
import { addToMemtable } from '../../src/engine/wal-reader.ts';
import { recordBytes } from '../../src/engine/wal-writer.ts';
import type { WriteOperation } from '../../src/engine/write-operation.ts';
import { Fields, joinInput, sameBytes, splitInput } from '../byte-tools.ts';
import { agree, type DecoderTarget, type Judgement } from '../decoder-target.ts';

const HEADER_BYTES = 24;
const COUNT_AT = 20;
const SEQUENCE = 9;
const PUT = 1;
const CLEAR = 2;
const DEADLINE = 4;
const UNBOUNDED = 8;
const REFERENCE = 16;
/** Choices of the harness: put the number of operations that the payload holds into the header. */
const REPAIR_COUNT = 1;

interface NaiveOperation {
  readonly flags: number;
  readonly deadline: number | undefined;
  readonly key: Uint8Array;
  readonly second: Uint8Array;
}

/** The operations of a payload, as far as they are whole, and where they end. */
function readOperations(fields: Fields): { readonly operations: readonly NaiveOperation[]; readonly end: number } {
  const operations: NaiveOperation[] = [];
  let at = HEADER_BYTES;
  while (at + 7 <= fields.length) {
    const flags = fields.bytes[at];
    const keyAt = at + 7 + ((flags & DEADLINE) !== 0 ? 8 : 0);
    const secondAt = keyAt + fields.uint16(at + 1);
    const end = secondAt + fields.uint32(at + 3);
    if (end > fields.length) break;
    const deadline = (flags & DEADLINE) !== 0 ? fields.float64(at + 7) : undefined;
    const key = fields.bytes.slice(keyAt, secondAt);
    operations.push({ flags, deadline, key, second: fields.bytes.slice(secondAt, end) });
    at = end;
  }
  return { operations, end: at };
}

function agreeOnOperation({ flags, deadline, key, second }: NaiveOperation): void {
  const puts = [PUT, PUT | DEADLINE, PUT | REFERENCE, PUT | REFERENCE | DEADLINE];
  const known = [0, ...puts, CLEAR, CLEAR | UNBOUNDED].includes(flags);
  agree(known, 'an accepted operation is a known one', flags);
  agree(deadline === undefined || Number.isSafeInteger(deadline), 'an accepted deadline is a safe integer', deadline);
  agree(flags !== 0 || second.length === 0, 'an accepted delete has no value', second.length);
  agree(flags !== (CLEAR | UNBOUNDED) || second.length === 0, 'an accepted clear to the last key has no end');
  agree(key.length <= 65_535, 'an accepted key is not too long', key.length);
}

/** That the memtable holds what the operations leave behind: of one key the last, and every clear. */
function agreeOnMemtable(memtable: Memtable, operations: readonly NaiveOperation[]): void {
  const points = new Map<string, NaiveOperation>();
  const clears = operations.filter(({ flags }) => (flags & CLEAR) !== 0);
  for (const one of operations) {
    if ((one.flags & CLEAR) === 0) points.set(Buffer.from(one.key).toString('latin1'), one);
  }
  const sorted = [...points.values()].sort((a, b) => Buffer.compare(a.key, b.key));
  const entries = [...memtable.entries()];
  agree(entries.length === sorted.length, 'a memtable holds one entry a key', entries.length, sorted.length);
  for (const [i, { flags, deadline, key, second }] of sorted.entries()) {
    const entry = entries[i];
    agree(sameBytes(entry.bytes.subarray(entry.keyStart, entry.keyEnd), key), 'an entry has the key of the bytes', i);
    const value = entry.bytes.subarray(entry.keyEnd, entry.valueEnd);
    agree(sameBytes(value, second), 'an entry has the value of the bytes', i);
    const kind = (flags & PUT) === 0 ? 0 : (flags & REFERENCE) === 0 ? 1 : 2;
    agree(entry.kind === kind, 'an entry has the kind of the bytes', i);
    agree(entry.deadline === deadline, 'an entry has the deadline of the bytes', entry.deadline);
    agree(entry.sequence === SEQUENCE, 'an entry has the sequence of its record', entry.sequence);
  }
  agree(memtable.rangeTombstones.length === clears.length, 'a memtable holds every clear', clears.length);
  for (const [i, { start, end }] of memtable.rangeTombstones.entries()) {
    agree(sameBytes(start, clears[i].key), 'a clear has the start of the bytes', i);
    const unbounded = (clears[i].flags & UNBOUNDED) !== 0;
    agree((end === undefined) === unbounded, 'a clear has an end unless its flags say so', i);
    agree(end === undefined || sameBytes(end, clears[i].second), 'a clear has the end of the bytes', i);
  }
  memtable.checkInvariants();
}

/** The operation as a writer would be given it. */
function asWrite({ flags, deadline, key, second }: NaiveOperation): WriteOperation {
  if ((flags & CLEAR) !== 0) return { type: 'clear', start: key, end: (flags & UNBOUNDED) !== 0 ? undefined : second };
  if ((flags & PUT) === 0) return { type: 'delete', key };
  const isReference = (flags & REFERENCE) !== 0;
  return { type: 'put', key, value: second, isReference, ...(deadline === undefined ? {} : { deadline }) };
}

function check(input: Uint8Array): Judgement {
  const { choices, fields } = splitInput(input, HEADER_BYTES);
  const naive = readOperations(fields);
  if ((choices & REPAIR_COUNT) !== 0) fields.setUint32(COUNT_AT, naive.operations.length);
  const memtable = new Memtable();
  const accepted = addToMemtable(fields.bytes, 0, fields.length, asSequence(SEQUENCE), memtable);
  if (!accepted) return { kind: 'refused', problem: 'not a list of whole, known operations' };
  agree(naive.operations.length > 0, 'an accepted record holds an operation');
  agree(naive.end === fields.length, 'accepted operations fill their record', naive.end, fields.length);
  agree(fields.uint32(COUNT_AT) === naive.operations.length, 'a record counts its operations');
  for (const operation of naive.operations) agreeOnOperation(operation);
  agreeOnMemtable(memtable, naive.operations);
  const written = recordBytes(naive.operations.map(asWrite));
  agree(written === fields.length, 'written again, a record has the same size', written, fields.length);
  return { kind: 'accepted' };
}

function record(operations: readonly NaiveOperation[]): Uint8Array {
  const parts = operations.map(({ flags, deadline, key, second }) => {
    const front = Buffer.alloc(deadline === undefined ? 7 : 15);
    front[0] = flags;
    front.writeUInt16LE(key.length, 1);
    front.writeUInt32LE(second.length, 3);
    if (deadline !== undefined) front.writeDoubleLE(deadline, 7);
    return Buffer.concat([front, key, second]);
  });
  const bytes = new Uint8Array(Buffer.concat([Buffer.alloc(HEADER_BYTES), ...parts]));
  new Fields(bytes).setUint32(COUNT_AT, operations.length);
  return bytes;
}

function samples(): ReadonlyMap<string, Uint8Array> {
  const one = (flags: number, key: string, second = '', deadline?: number): NaiveOperation => ({
    flags,
    deadline,
    key: new Uint8Array(Buffer.from(key)),
    second: new Uint8Array(Buffer.from(second)),
  });
  const mixed = record([
    one(PUT, 'ant', 'first'),
    one(0, 'bee'),
    one(PUT | DEADLINE, 'cat', 'expires', 1_700_000_000_000),
    one(CLEAR, 'a', 'b'),
    one(CLEAR | UNBOUNDED, 'x'),
    one(PUT, 'ant', 'second'),
    one(PUT, '', ''),
  ]);
  const references = record([
    one(PUT | REFERENCE, 'ant', 'where it lies'),
    one(PUT | REFERENCE | DEADLINE, 'bee', 'elsewhere', 5),
    one(PUT, 'cat', 'here'),
  ]);
  return new Map([
    ['mixed', joinInput(REPAIR_COUNT, mixed)],
    ['counted', joinInput(0, mixed)],
    ['single', joinInput(REPAIR_COUNT, record([one(PUT | DEADLINE, 'k', 'v', -1)]))],
    ['references', joinInput(REPAIR_COUNT, references)],
  ]);
}

/** Fuzz target. */
export const target: DecoderTarget = { name: 'wal-record', extraBytesMax: 0, samples, check };
