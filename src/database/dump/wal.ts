/** Dumps `wal-<n>.log`: its header, each record with its operations, and how it ends. */
import { ByteReader, readUint16, readUint32, readUint48, toHex } from '../../base/bytes.ts';
import { crc32 } from '../../base/checksum.ts';
import { fileNumberOf } from '../../engine/file-names.ts';
import { asFileNumber, KIND_DELETE, KIND_PUT, KIND_REFERENCE, NO_DEADLINE, type Sequence } from '../../engine/types.ts';
import * as format from '../../engine/wal-format.ts';
import { readRecord, readSegment, type WalRecord } from '../../engine/wal-reader.ts';
import { readWholeFile } from '../../vfs/watched-vfs.ts';
import { damageItem, type Dump, type DumpItem, type DumpSource, versionFields } from './item.ts';

/** Records as far as they check, then the verdict of the reader that recovery uses. */
export function* dumpWal({ vfs, path, name, manifest }: DumpSource): Dump {
  const bytes = readWholeFile(vfs, path);
  if (bytes.length < format.WAL_HEADER_BYTES) {
    yield damageItem(name, 0, 'the segment header is cut');
    return;
  }
  const fileNumber = fileNumberOf(name) ?? asFileNumber(readUint32(bytes, 34));
  const named = manifest?.segments.find((segment) => segment.fileNumber === fileNumber);
  const databaseId = named === undefined || manifest === undefined ? bytes.slice(18, 34) : manifest.databaseId;
  const identity = { databaseId, databaseSeed: crc32(databaseId), fileNumber };
  const durable = readUint48(bytes, 38);
  const first = readRecord(bytes, format.WAL_HEADER_BYTES, identity);
  const firstSequence =
    named?.firstSequence ?? (typeof first === 'string' ? ((durable + 1) as Sequence) : first.sequence);
  const reading = readSegment(bytes, { ...identity, firstSequence, sealed: named?.sealed });
  if (reading.state === 'corrupt' && reading.offset === 0) {
    yield damageItem(name, 0, reading.problem);
    return;
  }
  yield {
    file: name,
    offset: 0,
    what: 'segment',
    fields: { databaseId: toHex(databaseId), fileNumber, format: readUint16(bytes, 8), durable },
  };
  const end = reading.state === 'corrupt' ? reading.offset : reading.end;
  for (let at = format.WAL_HEADER_BYTES; at < end;) {
    const record = readRecord(bytes, at, identity);
    if (typeof record === 'string') break;
    yield* recordItems(bytes, record, name);
    at = record.end;
  }
  if (reading.state === 'corrupt') yield damageItem(name, reading.offset, reading.problem);
  else if (reading.state === 'torn') {
    yield { file: name, offset: reading.end, what: 'torn tail', fields: { problem: reading.problem } };
  } else {
    yield {
      file: name,
      offset: reading.end,
      what: 'end',
      fields: { records: reading.lastSequence - firstSequence + 1 },
    };
  }
}

function* recordItems(bytes: Uint8Array, { start, end, sequence, durable }: WalRecord, file: string): Dump {
  const count = readUint32(bytes, start + format.RECORD_COUNT_AT);
  yield { file, offset: start, what: 'record', fields: { sequence, durable, operations: count, bytes: end - start } };
  const reader = new ByteReader(bytes, start + format.RECORD_HEADER_BYTES, end);
  for (let i = 0; i < count; i++) {
    const item = operationItem(reader, file);
    if (reader.failed) {
      yield damageItem(file, start, 'a record with a right checksum does not hold whole operations');
      return;
    }
    yield item;
  }
}

function operationItem(reader: ByteReader, file: string): DumpItem {
  const offset = reader.position;
  const flags = reader.uint8();
  const keyLength = reader.uint16();
  const secondLength = reader.uint32();
  const deadlineBytes = (flags & format.OPERATION_DEADLINE) === 0 ? undefined : reader.byteString(8);
  const key = reader.byteString(keyLength);
  const second = reader.byteString(secondLength);
  if ((flags & format.OPERATION_CLEAR) !== 0) {
    const end = (flags & format.OPERATION_UNBOUNDED) === 0 ? { end: second } : {};
    return { file, offset, what: 'operation', fields: { kind: 'clear', start: key, ...end } };
  }
  const deadline =
    deadlineBytes?.length === 8
      ? new DataView(deadlineBytes.buffer, deadlineBytes.byteOffset, 8).getFloat64(0, true)
      : NO_DEADLINE;
  const put = (flags & format.OPERATION_REFERENCE) === 0 ? KIND_PUT : KIND_REFERENCE;
  const kind = (flags & format.OPERATION_PUT) === 0 ? KIND_DELETE : put;
  return { file, offset, what: 'operation', fields: versionFields(kind, key, second, deadline) };
}
