/** Small runs for the corpus, as the engine writes them. */
import { ByteWriter } from '../src/base/bytes.ts';
import { LightningError } from '../src/base/errors.ts';
import { Cursor } from '../src/engine/cursor.ts';
import { writeRun as writeInSlices } from '../src/engine/run-writer.ts';
import {
  asFileNumber,
  asGeneration,
  asSequence,
  type Compression,
  KIND_DELETE,
  KIND_PUT,
  KIND_REFERENCE,
  NO_DEADLINE,
  type RangeTombstone,
} from '../src/engine/types.ts';
import { DATABASE_ID, joinInput } from './byte-tools.ts';
import { MemoryVfs } from './memory-vfs.ts';
import { type NaiveEntry, SAMPLE_ENTRIES } from './naive-entries.ts';
import { REPAIR_LENGTHS, REPAIR_PLACES, REPAIR_SLOTS, RUN_FILE_NUMBER, RUN_GENERATION } from './run-repair.ts';

/** Steps forward; a writer needs no more. */
class EntryCursor extends Cursor {
  private readonly entries: readonly NaiveEntry[];
  private index = 0;

  constructor(entries: readonly NaiveEntry[]) {
    super();
    this.entries = entries;
  }

  private go(index: number): void {
    this.index = index;
    const entry = this.entries[index] as NaiveEntry | undefined;
    this.valid = entry !== undefined;
    if (entry === undefined) return;
    this.bytes = new Uint8Array(Buffer.concat([entry.key, entry.value]));
    this.keyStart = 0;
    this.keyEnd = entry.key.length;
    this.valueEnd = this.bytes.length;
    this.sequence = asSequence(entry.sequence);
    this.kind = entry.isReference === true ? KIND_REFERENCE : entry.isPut ? KIND_PUT : KIND_DELETE;
    this.deadline = entry.deadline ?? NO_DEADLINE;
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

function writeRun(
  entries: readonly NaiveEntry[],
  tombstones: readonly RangeTombstone[],
  compression: Compression,
): Uint8Array {
  const vfs = new MemoryVfs();
  const path = `run-${RUN_FILE_NUMBER}.sst`;
  const options = {
    vfs,
    databaseId: DATABASE_ID,
    fileNumber: asFileNumber(RUN_FILE_NUMBER),
    generation: asGeneration(RUN_GENERATION),
    runBlockBytes: 80,
    compression,
    bloomBitsPerKey: 10,
    sliceBytes: Infinity,
  };
  const work = writeInSlices(options, { cursor: () => new EntryCursor(entries), rangeTombstones: tombstones }).next();
  if (work.done !== true) throw new LightningError('LIGHTNING_HARNESS', 'a run is written in one slice');
  const { entryCount, leastSequence, greatestSequence } = work.value;
  const claims = new ByteWriter(4096).append(vfs.files.get(path) ?? new Uint8Array(0));
  return claims.uint48(entryCount).uint48(leastSequence).uint48(greatestSequence).finish();
}

/** Inputs of the target `run-file` by name. */
export function runSamples(): ReadonlyMap<string, Uint8Array> {
  const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));
  const tombstones: RangeTombstone[] = [
    { start: text('b'), end: text('c'), sequence: asSequence(8) },
    { start: text('x'), end: undefined, sequence: asSequence(3) },
  ];
  const repetitive = SAMPLE_ENTRIES.map((entry) => ({ ...entry, value: new Uint8Array(60).fill(97) }));
  const all = REPAIR_PLACES | REPAIR_LENGTHS | REPAIR_SLOTS;
  return new Map([
    ['plain', joinInput(all, writeRun(SAMPLE_ENTRIES, tombstones, 'none'))],
    ['as-it-is', joinInput(0, writeRun(SAMPLE_ENTRIES.slice(1, 4), [], 'none'))],
    ['tombstones-alone', joinInput(REPAIR_LENGTHS, writeRun([], tombstones, 'none'))],
    ['deflate', joinInput(REPAIR_PLACES, writeRun(repetitive, [], 'deflate'))],
    ['zstd', joinInput(REPAIR_PLACES, writeRun(repetitive, tombstones, 'zstd'))],
  ]);
}
