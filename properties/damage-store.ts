/**
 * Stores to be damaged: made by a program, closed cleanly, with every older form that each of their files had.
 */
import { equalBytes } from '../src/base/bytes.ts';
import type { Prng } from '../src/base/prng.ts';
import type { BytesText } from '../src/contract/bytes-text.ts';
import { CLOCK_START_MILLISECONDS } from '../src/contract/limits.ts';
import type { BatchOperation, OpenOptions, Operation, Program } from '../src/contract/operations.ts';
import type { Row } from '../src/contract/outcomes.ts';
import { LOCK_FILE } from '../src/engine/file-names.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import type { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { accountPages } from './page-accounting.ts';
import type { Objection } from './program-check.ts';
import { runStoreProgram } from './program-run.ts';

/** A cleanly closed store and its past. */
export interface DamageStore {
  readonly program: Program;
  readonly image: DiskImage;
  /** Earlier contents of each path that differ from the last, oldest first; also of files that are gone. */
  readonly older: ReadonlyMap<string, readonly Uint8Array[]>;
  /** What reading must give. */
  readonly rows: readonly Row[];
  /** The time at the end of the program. */
  readonly clockMilliseconds: number;
  readonly blockSizeBytes: number;
  /** Set when the program itself went wrong: there is nothing to damage then. */
  readonly objection: Objection | undefined;
}

/** What a store holds, to show that there was something to damage. */
export interface StoreShape {
  readonly segments: number;
  readonly runs: number;
  readonly treeBlocks: number;
  readonly freeBlocks: number;
}

/** Knobs of stores small enough to damage every byte of them. */
const SMALL: OpenOptions = {
  durability: 'none',
  memtableBytes: 700,
  frozenCountMax: 4,
  runCountMax: 2,
  blockSizeBytes: 512,
  nodeTargetBytes: 512,
  runBlockBytes: 128,
  cacheBytes: 0,
  blobBytes: 145,
};

/** A program that ends in tree, runs, several segments, free blocks and versions that only a snapshot wanted. */
export function drawDamageProgram(prng: Prng): Program {
  const names = prng.shuffle(Array.from({ length: 14 }, (_, i) => (0x61 + i).toString(16)));
  let serial = 0;
  const put = (key: BytesText, length: number): BatchOperation => ({
    kind: 'put',
    key,
    value: { repeat: (0x10_0000 + serial++).toString(16), length },
  });
  const puts = (from: number, count: number, length: number): Operation => ({
    kind: 'batch',
    operations: names.slice(from, from + count).map((name) => put(name, length + prng.below(20))),
  });
  const operations: Operation[] = [
    // Of one length, so that there are pages that differ in their contents alone.
    { kind: 'batch', operations: names.slice(0, 12).map((name) => put(name, 90)) },
    { kind: 'merge' },
    { kind: 'openSnapshot', snapshot: 1 },
    // Only among the first keys: the pages of the others stay as they are.
    { kind: 'batch', operations: [put('61', 60), put('62', 150), { kind: 'delete', key: '63' }] },
    { kind: 'merge' },
    { kind: 'batch', operations: [{ kind: 'clear', range: { gte: '61', lt: '63' } }, put(names[3], 40)] },
    { kind: 'flush' },
    puts(8, 3, 70),
    { kind: 'put', key: names[9], value: '07', deadline: CLOCK_START_MILLISECONDS + 50 + prng.below(100) },
    { kind: 'flush' },
    puts(5, 4, 60),
    { kind: 'advanceClock', milliseconds: 100 },
    { kind: 'delete', key: names[6] },
    puts(4, 3, 70),
    // Two files of one size: large values of one length.
    { kind: 'batch', operations: [put(names[0], 160), put(names[1], 160)] },
    { kind: 'put', key: names[11], value: 'ffffffff' },
  ];
  const compression = prng.pick(['none', 'none', 'deflate', 'zstd']);
  return { format: 1, options: { ...SMALL, compression }, operations };
}

/** Runs the program and keeps its past. */
export function makeDamageStore(program: Program): DamageStore {
  const older = new Map<string, Uint8Array[]>();
  const remember = (disk: SimulatedDisk): void => {
    const image = disk.currentImage();
    for (const path of image.paths()) {
      const bytes = image.get(path);
      const known = older.get(path);
      if (bytes === undefined || path === LOCK_FILE) continue;
      if (known === undefined) older.set(path, [bytes]);
      else if (!known.some((one) => equalBytes(one, bytes))) known.push(bytes);
    }
  };
  const run = runStoreProgram(program, undefined, remember);
  const image = run.disk.currentImage();
  for (const [path, versions] of older) {
    const last = image.get(path);
    older.set(
      path,
      versions.filter((version) => last === undefined || !equalBytes(version, last)),
    );
  }
  let clockMilliseconds = CLOCK_START_MILLISECONDS;
  for (const operation of program.operations) {
    if (operation.kind === 'advanceClock') clockMilliseconds += operation.milliseconds;
  }
  const block = program.options['blockSizeBytes'];
  const blockSizeBytes = typeof block === 'number' ? block : 4096;
  return { program, image, older, rows: run.rows, clockMilliseconds, blockSizeBytes, objection: run.objection };
}

/** What the store on a disk consists of. */
export function shapeOf(disk: SimulatedDisk): StoreShape {
  const names = disk.list('');
  const { blocks, free } = accountPages(disk, undefined);
  return {
    segments: names.filter((name) => name.startsWith('wal-')).length,
    runs: names.filter((name) => name.startsWith('run-')).length,
    treeBlocks: blocks,
    freeBlocks: free,
  };
}
