/** Dumps `run-<n>.sst`: header, data blocks with their versions, range tombstones, filter, index, footer. */
import { ByteReader, readUint16, readUint32, toHex } from '../base/bytes.ts';
import { crc32 } from '../base/checksum.ts';
import { BloomFilter } from '../base/bloom.ts';
import { COMPRESSION_CODES } from '../base/block-compression.ts';
import { Version } from '../engine/cursor.ts';
import { EntryBlock } from '../engine/entry-block.ts';
import { fileNumberOf } from '../engine/file-names.ts';
import { BLOCK_BYTES_MAX, RUN_BYTES_MAX } from '../engine/limits.ts';
import {
  decodeFrame,
  decodeRangeTombstones,
  decodeRunFooter,
  decodeRunHeader,
  type RunIdentity,
} from '../engine/run-decode.ts';
import {
  type BlockPlace,
  DATABASE_ID_BYTES,
  FOOTER_CRC_AT,
  FRAME_HEADER_BYTES,
  RUN_FOOTER_BYTES,
  RUN_HEADER_BYTES,
  type RunFooter,
  type RunMeta,
} from '../engine/run-format.ts';
import { RunIndex } from '../engine/run-index.ts';
import { asFileNumber, type Decoded, type Sequence } from '../engine/types.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { damageItem, type Dump, type DumpSource, type DumpValue, versionFields } from './data-dump-item.ts';

/** Reads piece by piece; a run may be larger than memory. */
export function* dumpRun(source: DumpSource): Dump {
  const file = source.vfs.open(source.path, 'read');
  try {
    yield* dumpOpen(file, source);
  } finally {
    file.close();
  }
}

function readAt(file: VfsFile, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, file.read(bytes, 0, length, offset));
}

/** What the footer says of its own run, where no manifest names it. */
function ownMeta(footer: Uint8Array, sizeBytes: number, fileNumber: RunMeta['fileNumber']): RunMeta {
  const reader = new ByteReader(footer, 40);
  const entryCount = reader.uint48();
  reader.uint48();
  reader.uint32();
  const leastSequence = reader.uint48() as Sequence;
  const greatestSequence = reader.uint48() as Sequence;
  const footerCrc = readUint32(footer, FOOTER_CRC_AT);
  return { fileNumber, sizeBytes, entryCount, leastSequence, greatestSequence, footerCrc };
}

function* dumpOpen(file: VfsFile, { name, manifest }: DumpSource): Dump {
  const sizeBytes = file.size();
  if (sizeBytes < RUN_HEADER_BYTES + RUN_FOOTER_BYTES || sizeBytes > RUN_BYTES_MAX) {
    yield damageItem(name, undefined, `${sizeBytes} bytes cannot be a run`);
    return;
  }
  const headerBytes = readAt(file, 0, RUN_HEADER_BYTES);
  const footerAt = sizeBytes - RUN_FOOTER_BYTES;
  const footerBytes = readAt(file, footerAt, RUN_FOOTER_BYTES);
  const fileNumber = fileNumberOf(name) ?? asFileNumber(readUint32(headerBytes, 32));
  const named = manifest?.runs.find((run) => run.fileNumber === fileNumber);
  const ownId = headerBytes.slice(16, 16 + DATABASE_ID_BYTES);
  const databaseId = named === undefined || manifest === undefined ? ownId : manifest.databaseId;
  const identity: RunIdentity = { databaseSeed: crc32(databaseId), databaseId, fileNumber };
  if (named !== undefined && named.sizeBytes !== sizeBytes) {
    yield damageItem(name, undefined, `${sizeBytes} bytes where the manifest expects ${named.sizeBytes}`);
    return;
  }
  const header = decodeRunHeader(headerBytes, identity);
  if (!header.ok) yield damageItem(name, 0, header.problem);
  else if (header.value.unsupported !== undefined)
    yield damageItem(name, 0, `${header.value.unsupported} is not known`);
  else {
    const fields = { databaseId: toHex(databaseId), fileNumber, format: readUint16(headerBytes, 4) };
    yield { file: name, offset: 0, what: 'run', fields };
  }
  const footer = decodeRunFooter(footerBytes, named ?? ownMeta(footerBytes, sizeBytes, fileNumber), identity);
  if (footer.ok) yield* new RunDumper(file, name, identity, footer.value).items(footerAt);
  else yield damageItem(name, footerAt, footer.problem);
}

class RunDumper {
  private readonly file: VfsFile;
  private readonly name: string;
  private readonly identity: RunIdentity;
  private readonly footer: RunFooter;

  constructor(file: VfsFile, name: string, identity: RunIdentity, footer: RunFooter) {
    this.file = file;
    this.name = name;
    this.identity = identity;
    this.footer = footer;
  }

  *items(footerAt: number): Dump {
    const { footer } = this;
    const index = this.body(footer.index, (body) => RunIndex.decode(body, footer));
    if (index.ok) for (let i = 0; i < index.value.count; i++) yield* this.dataBlock(index.value.place(i));
    const tombstones = this.body(footer.tombstones, (body) => decodeRangeTombstones(body, footer));
    if (tombstones.ok) {
      const { offset } = footer.tombstones;
      yield this.item(offset, 'range tombstones', { count: tombstones.value.length });
      for (const { start, end, sequence } of tombstones.value) {
        yield this.item(offset, 'range tombstone', { start, ...(end === undefined ? {} : { end }), sequence });
      }
    } else yield damageItem(this.name, footer.tombstones.offset, tombstones.problem);
    const filter = this.body(footer.filter, (body) => BloomFilter.decode(body));
    if (filter.ok) yield this.item(footer.filter.offset, 'filter', { bytes: filter.value.sizeBytes });
    else yield damageItem(this.name, footer.filter.offset, filter.problem);
    if (index.ok) yield this.item(footer.index.offset, 'index', { blocks: index.value.count });
    else yield damageItem(this.name, footer.index.offset, index.problem);
    const { blockCount, entryCount, keyCount, tombstoneCount, leastSequence, greatestSequence } = footer;
    yield this.item(footerAt, 'footer', {
      blockCount,
      entryCount,
      keyCount,
      tombstoneCount,
      leastSequence,
      greatestSequence,
    });
  }

  private *dataBlock(place: BlockPlace): Dump {
    const block = this.body(
      place,
      (raw) => {
        const entries = EntryBlock.decode(raw, 0, raw.length);
        return entries.ok ? { ok: true, value: { entries: entries.value, rawBytes: raw.length } } : entries;
      },
      BLOCK_BYTES_MAX,
    );
    if (!block.ok) {
      yield damageItem(this.name, place.offset, block.problem);
      return;
    }
    const { entries, rawBytes } = block.value;
    const compression = COMPRESSION_CODES[readAt(this.file, place.offset + 4, 1)[0] ?? 0] ?? 'unknown';
    yield this.item(place.offset, 'block', { bytes: place.length, rawBytes, compression, versions: entries.count });
    const version = new Version();
    for (let i = 0; i < entries.count; i++) {
      entries.load(i, version);
      const { sequence, kind, deadline } = version;
      const fields = { sequence, ...versionFields(kind, version.key(), version.value(), deadline) };
      yield this.item(undefined, 'version', fields);
    }
  }

  private body<T>(place: BlockPlace, decode: (raw: Uint8Array) => Decoded<T>, rawLimit?: number): Decoded<T> {
    const bytes = readAt(this.file, place.offset, place.length);
    const raw = decodeFrame(bytes, place, this.identity, rawLimit ?? place.length - FRAME_HEADER_BYTES);
    return raw.ok ? decode(raw.value) : raw;
  }

  private item(offset: number | undefined, what: string, fields: Readonly<Record<string, DumpValue>>) {
    return { file: this.name, offset, what, fields };
  }
}
