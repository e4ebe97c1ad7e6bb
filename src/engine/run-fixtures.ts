/** What the tests of sorted runs share: files in memory that count their descriptors, and random versions. */
import { compareBytes } from '../base/bytes.ts';
import { crc32 } from '../base/checksum.ts';
import type { Prng } from '../base/prng.ts';
import type { OpenMode, Vfs, VfsFile, VfsLock } from '../vfs/vfs.ts';
import type { BlockCache } from '../base/block-cache.ts';
import { Cursor } from './cursor.ts';
import type { RunMeta } from './run-format.ts';
import { RunReader } from './run-reader.ts';
import { type RunOptions, writeRun as writeRunInSlices } from './run-writer.ts';
import {
  asFileNumber,
  asGeneration,
  asSequence,
  KIND_DELETE,
  KIND_PUT,
  type Kind,
  NO_DEADLINE,
  type RangeTombstone,
  type Sequence,
} from './types.ts';

/** An operating system error, as Node makes them. */
export function errnoError(code: string): Error {
  return Object.assign(new Error(`${code}: made by a test`), { code });
}

/** Files in memory: no folders, no crash. `log` names every call that changes something. */
export class MemoryVfs implements Vfs {
  readonly files = new Map<string, Uint8Array>();
  readonly log: string[] = [];
  openCount = 0;
  readCount = 0;
  /** Called before each operation; what it throws is what the operation throws. */
  fault: (operation: string) => void = () => {};

  open(path: string, mode: OpenMode): VfsFile {
    this.fault('open');
    if (mode === 'create' && this.files.has(path)) throw errnoError('EEXIST');
    if (mode !== 'create' && !this.files.has(path)) throw errnoError('ENOENT');
    if (mode === 'create') this.files.set(path, new Uint8Array(0));
    this.openCount++;
    const bytes = (): Uint8Array => this.files.get(path) ?? new Uint8Array(0);
    const act = (operation: string): void => {
      this.fault(operation);
      this.log.push(operation);
    };
    return {
      read: (target, offset, length, position) => {
        this.fault('read');
        this.readCount++;
        const part = bytes().subarray(position, position + length);
        target.set(part, offset);
        return part.length;
      },
      write: (source, offset, length, position) => {
        act(`write ${length}`);
        const old = bytes();
        const grown = new Uint8Array(Math.max(old.length, position + length));
        grown.set(old);
        grown.set(source.subarray(offset, offset + length), position);
        this.files.set(path, grown);
      },
      sync: () => act('sync'),
      syncAsync: (done) => queueMicrotask(() => done(undefined)),
      truncate: () => act('truncate'),
      size: () => bytes().length,
      close: () => {
        this.openCount--;
        act('close');
      },
    };
  }

  rename(): void {
    throw errnoError('ENOSYS');
  }

  unlink(path: string): void {
    this.fault('unlink');
    this.log.push('unlink');
    if (!this.files.delete(path)) throw errnoError('ENOENT');
  }

  list(): string[] {
    return [...this.files.keys()].sort();
  }

  kind(path: string): 'file' | undefined {
    return this.files.has(path) ? 'file' : undefined;
  }

  makeDirectory(): void {
    throw errnoError('ENOSYS');
  }

  syncDirectory(): void {
    this.log.push('sync directory');
  }

  lock(): VfsLock {
    throw errnoError('ENOSYS');
  }
}

/** A cache that keeps nothing. */
export const NO_CACHE: BlockCache = { get: () => undefined, put: () => {}, remove: () => {} };

/** One version, spelled out. */
export interface Row {
  readonly key: Uint8Array;
  readonly sequence: Sequence;
  readonly kind: Kind;
  readonly deadline: number;
  readonly value: Uint8Array;
}

/** A row with the usual rest. */
export function row(key: Uint8Array, sequence: number, value: Uint8Array = new Uint8Array(0)): Row {
  return { key, sequence: asSequence(sequence), kind: KIND_PUT, deadline: NO_DEADLINE, value };
}

/** Internal order of rows, by code that the engine does not use. */
export function compareRows(a: Row, b: Row): number {
  return Buffer.compare(a.key, b.key) || b.sequence - a.sequence;
}

/** Random rows in internal order: short keys that collide, many versions, all kinds. */
export function randomRows(random: Prng, count: number): Row[] {
  const rows = Array.from({ length: count }, (): Row => ({
    key: Uint8Array.from({ length: random.below(4) }, () => random.pick([0, 1, 127, 128, 255])),
    sequence: asSequence(1 + random.below(2 * count) + (random.chance(0.1) ? 2 ** 40 : 0)),
    kind: random.chance(0.3) ? KIND_DELETE : KIND_PUT,
    deadline: random.chance(0.2) ? random.between(-1000, 1000) : NO_DEADLINE,
    value: random.chance(0.5)
      ? new Uint8Array(random.below(90)).fill(random.below(256))
      : random.bytes(random.below(30)),
  }));
  rows.sort(compareRows);
  return rows.filter((r, i) => i === 0 || compareRows(rows[i - 1], r) !== 0);
}

/** A source over rows, in the order given; steps forward only, which is all that a writer needs. */
export class RowCursor extends Cursor {
  private readonly rows: readonly Row[];
  private index = 0;

  constructor(rows: readonly Row[] = []) {
    super();
    this.rows = rows;
  }

  private go(index: number): void {
    this.index = index;
    const at = this.rows[index] as Row | undefined;
    if (at === undefined) this.valid = false;
    else this.stand(at);
  }

  stand(r: Row): this {
    this.bytes = new Uint8Array(r.key.length + r.value.length + 2);
    this.keyStart = 1;
    this.keyEnd = 1 + r.key.length;
    this.valueEnd = this.keyEnd + r.value.length;
    this.bytes.set(r.key, this.keyStart);
    this.bytes.set(r.value, this.keyEnd);
    this.sequence = r.sequence;
    this.kind = r.kind;
    this.deadline = r.deadline;
    this.valid = true;
    return this;
  }

  override seek(): void {}
  override seekBefore(): void {}
  override first(): void {
    this.go(0);
  }
  override last(): void {}
  override next(): void {
    this.go(this.index + 1);
  }
  override previous(): void {}
}

/** The row that a cursor stands on; `undefined` when it is not valid. Plain bytes, so that rows compare by value. */
export function rowOf(cursor: Cursor): Row | undefined {
  if (!cursor.valid) return undefined;
  const { sequence, kind, deadline } = cursor;
  return { key: new Uint8Array(cursor.key()), sequence, kind, deadline, value: new Uint8Array(cursor.value()) };
}

export const DATABASE_ID: Uint8Array = Uint8Array.from({ length: 16 }, (_, i) => i * 7);
export const DATABASE_SEED: number = crc32(DATABASE_ID);
export const PATH = 'run-5.sst';

/** Options of the writer, small blocks unless said otherwise. */
export function writerOptions(vfs: Vfs, changes: Partial<RunOptions> = {}): RunOptions {
  return {
    vfs,
    databaseId: DATABASE_ID,
    fileNumber: asFileNumber(5),
    generation: asGeneration(4),
    runBlockBytes: 200,
    compression: 'none',
    bloomBitsPerKey: 10,
    sliceBytes: 100,
    ...changes,
  };
}

/** Writes a whole run. */
export function writeRun(
  vfs: Vfs,
  rows: readonly Row[],
  tombstones: readonly RangeTombstone[] = [],
  changes: Partial<RunOptions> = {},
): RunMeta {
  const source = { cursor: () => new RowCursor(rows), rangeTombstones: tombstones };
  const work = writeRunInSlices(writerOptions(vfs, changes), source);
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** Opens a run as its store would. */
export function openRun(vfs: Vfs, expected: RunMeta, cache: BlockCache = NO_CACHE): RunReader {
  return RunReader.open(vfs, expected, DATABASE_ID, cache);
}

/** What `get` must answer, by linear search. */
export function naiveGet(rows: readonly Row[], key: Uint8Array, sequence: number): Row | undefined {
  return rows.find((r) => compareBytes(r.key, key) === 0 && r.sequence <= sequence);
}
