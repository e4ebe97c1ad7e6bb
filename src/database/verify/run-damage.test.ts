/** Damage to sorted runs: every byte, every length, blocks in the wrong place, and bytes of somebody who knows the sums. */
import { expect, test } from 'vitest';
import { writeUint16, writeUint32 } from '../../base/bytes.ts';
import { crc32, identitySeed } from '../../base/checksum.ts';
import { isLightningError } from '../../base/errors.ts';
import { Prng } from '../../base/prng.ts';
import {
  DATABASE_ID,
  DATABASE_SEED,
  errnoError,
  MemoryVfs,
  naiveGet,
  openRun,
  PATH,
  randomRows,
  type Row,
  row,
  RowCursor,
  rowOf,
  writeRun,
} from '../../engine/run-fixtures.ts';
import { verifyRun } from './run-check.ts';
import type { RunMeta } from '../../engine/run-format.ts';
import type { RunReader } from '../../engine/run-reader.ts';
import { asFileNumber, asGeneration, asSequence, type Compression, type RangeTombstone } from '../../engine/types.ts';
import type { Finding } from './finding.ts';

const BLOCK_BYTES = 64;

const TOMBSTONES: readonly RangeTombstone[] = [
  { start: Uint8Array.of(1), end: Uint8Array.of(3), sequence: asSequence(11) },
  { start: Uint8Array.of(200), end: undefined, sequence: asSequence(12) },
];

interface Sample {
  readonly rows: readonly Row[];
  readonly meta: RunMeta;
  readonly file: Uint8Array;
}

function sample(compression: Compression, seed = 1, count = 14): Sample {
  const vfs = new MemoryVfs();
  const rows = randomRows(new Prng(seed), count);
  const meta = writeRun(vfs, rows, TOMBSTONES, { compression });
  return { rows, meta, file: fileOf(vfs) };
}

function fileOf(vfs: MemoryVfs, path: string = PATH): Uint8Array {
  const file = vfs.files.get(path);
  if (file === undefined) throw new Error('the run is not there');
  return file;
}

function holding(file: Uint8Array, path: string = PATH): MemoryVfs {
  const vfs = new MemoryVfs();
  vfs.files.set(path, file);
  return vfs;
}

function verify(file: Uint8Array, meta: RunMeta): Finding[] {
  const vfs = holding(file);
  const findings = verifyRun(vfs, PATH, meta, DATABASE_ID);
  expect(vfs.openCount).toBe(0);
  return findings;
}

/**
 * Reads everything in every way. Whatever does not throw `LIGHTNING_CORRUPTION` must be right when `rows` are given.
 * @returns how many calls were refused
 */
function readAll(file: Uint8Array, meta: RunMeta, rows: readonly Row[] | undefined): number {
  let refused = 0;
  const path = `run-${meta.fileNumber}.sst`;
  const vfs = holding(file);
  vfs.files.set(path, file);
  const attempt = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_CORRUPTION')) throw error;
      expect(error.details).toMatchObject({ file: path, problem: expect.any(String) as string });
      refused++;
    }
  };
  let run: RunReader | undefined;
  attempt(() => (run = openRun(vfs, meta)));
  expect(vfs.openCount).toBe(run === undefined ? 0 : 1);
  if (run === undefined) return refused;
  const open = run;
  if (rows !== undefined) expect(open.rangeTombstones).toEqual(TOMBSTONES);
  const into = new RowCursor();
  for (const r of rows ?? randomRows(new Prng(9), 30)) {
    attempt(() => {
      open.get(r.key, r.sequence, into);
      if (rows !== undefined) expect(rowOf(into)).toEqual(naiveGet(rows, r.key, r.sequence));
    });
  }
  for (const backward of [false, true]) {
    const cursor = open.cursor({ bypassCache: false });
    const wanted = backward ? rows?.toReversed() : rows;
    let at = 0;
    attempt(() => {
      for (backward ? cursor.last() : cursor.first(); cursor.valid; backward ? cursor.previous() : cursor.next()) {
        if (wanted !== undefined) expect(rowOf(cursor)).toEqual(wanted[at]);
        at++;
      }
      if (wanted !== undefined) expect(at).toBe(wanted.length);
    });
  }
  open.close();
  return refused;
}

test.each<Compression>(['none', 'deflate', 'zstd'])('every changed byte is found (%s)', (compression) => {
  const { rows, meta, file } = sample(compression);
  const random = new Prng(2);
  expect(verify(file, meta)).toEqual([]);
  expect(readAll(file, meta, rows)).toBe(0);
  for (let at = 0; at < file.length; at++) {
    for (const flip of [1 << random.below(8), 1 + random.below(255)]) {
      const damaged = file.slice();
      damaged[at] ^= flip;
      expect(verify(damaged, meta), `byte ${at}`).not.toEqual([]);
      expect(readAll(damaged, meta, rows), `byte ${at}`).toBeGreaterThan(0);
    }
  }
});

test('every length but the right one is found', () => {
  const { rows, meta, file } = sample('none');
  for (let length = 0; length <= file.length + 40; length++) {
    if (length === file.length) continue;
    const damaged = new Uint8Array(length);
    damaged.set(file.subarray(0, length));
    expect(verify(damaged, meta).length).toBeGreaterThan(0);
    expect(readAll(damaged, meta, rows)).toBe(1);
  }
});

test('a file that shrinks after it was measured gives a coded error', () => {
  const { rows, meta, file } = sample('none');
  const vfs = holding(file);
  const run = openRun(vfs, meta);
  vfs.files.set(PATH, file.subarray(0, BLOCK_BYTES + 20));
  expect(() => run.get(rows[0].key, rows[0].sequence, new RowCursor())).toThrow('the file ends inside the node');
  const cursor = run.cursor({ bypassCache: true });
  vfs.files.set(PATH, file);
  cursor.first();
  vfs.files.set(PATH, file.subarray(0, BLOCK_BYTES + 20));
  expect(() => cursor.last()).toThrow('the file ends inside the node');
  expect(() => cursor.last()).toThrow('the file ends inside the node');
  expect(cursor.valid).toBe(false);
  // The failed call leaves nothing behind: with the bytes back, the same cursor reads them.
  vfs.files.set(PATH, file);
  cursor.last();
  expect(rowOf(cursor)).toEqual(rows.at(-1));
});

test('zeroed and copied stretches are found', () => {
  const { rows, meta, file } = sample('deflate', 4, 60);
  const random = new Prng(3);
  let changed = 0;
  for (let i = 0; i < 400; i++) {
    const damaged = file.slice();
    const from = random.below(file.length);
    const to = Math.min(file.length, from + 1 + random.below(300));
    if (random.chance(0.5)) damaged.fill(0, from, to);
    else damaged.copyWithin(from, random.below(file.length), random.below(file.length) + 1);
    if (Buffer.compare(damaged, file) === 0) continue;
    changed++;
    expect(verify(damaged, meta)).not.toEqual([]);
    expect(readAll(damaged, meta, rows)).toBeGreaterThan(0);
  }
  expect(changed).toBeGreaterThan(200);
});

/** Where the leaves of a run of one-version leaves begin, by their magic. */
function leavesOf(file: Uint8Array): number[] {
  const found: number[] = [];
  for (let at = BLOCK_BYTES; at < file.length; at += BLOCK_BYTES) {
    if (file[at + 4] === 0x4c && file[at + 5] === 0x54 && file[at + 6] === 1) found.push(at);
  }
  return found;
}

test('nodes that are right in themselves but in the wrong place or of another writing are found', () => {
  const rows = Array.from({ length: 6 }, (_, i) => row(Uint8Array.of(i), 9, Uint8Array.of(i)));
  const vfs = new MemoryVfs();
  const meta = writeRun(vfs, rows, TOMBSTONES, { runBlockBytes: 1 });
  const file = fileOf(vfs);
  const leaves = leavesOf(file);
  expect(leaves).toHaveLength(6);
  const [first, second] = [leaves[1], leaves[4]];
  const swapped = file.slice();
  swapped.set(file.subarray(second, second + BLOCK_BYTES), first);
  swapped.set(file.subarray(first, first + BLOCK_BYTES), second);
  expect(verify(swapped, meta).map((f) => f.offset)).toEqual([first, second]);
  expect(readAll(swapped, meta, rows)).toBeGreaterThan(0);

  // Another writing in the same place: one node, then the whole.
  const older = new MemoryVfs();
  const changedRows = rows.map((r, i) => (i === 1 ? { ...r, value: Uint8Array.of(77) } : r));
  writeRun(older, changedRows, TOMBSTONES, { runBlockBytes: 1, generation: asGeneration(3) });
  const stale = file.slice();
  stale.set(fileOf(older).subarray(first, first + BLOCK_BYTES), first);
  expect(verify(stale, meta)).toMatchObject([{ offset: first, problem: 'node of generation 3, expected 4' }]);
  expect(readAll(stale, meta, rows)).toBeGreaterThan(0);
  expect(verify(fileOf(older), meta)[0].problem).toContain('node of generation 3');
  expect(readAll(fileOf(older), meta, rows)).toBe(1);
});

test('a run of another database, of another number, or unlike its manifest is refused', () => {
  const { meta, file } = sample('none');
  const foreign = new MemoryVfs();
  const databaseId = Uint8Array.from(DATABASE_ID, (b) => b ^ 1);
  const foreignMeta = writeRun(foreign, [row(Uint8Array.of(1), 1)], [], { databaseId });
  expect(verify(fileOf(foreign), foreignMeta)[0].problem).toContain('the file is another one');
  expect(() => openRun(foreign, foreignMeta)).toThrow('the file is another one');

  const renamed = { ...meta, fileNumber: asFileNumber(6) };
  expect(verify(file, renamed)[0].problem).toContain('the file is another one');
  expect(readAll(file, renamed, undefined)).toBe(1);

  const { root, footer } = meta;
  if (root === undefined) throw new Error('the sample has versions');
  for (const change of [
    { entryCount: meta.entryCount + 1 },
    { leastSequence: asSequence(0) },
    { greatestSequence: asSequence(meta.greatestSequence + 1) },
    { sizeBytes: meta.sizeBytes + BLOCK_BYTES },
    { footer: { ...footer, generation: asGeneration(5) } },
    { footer: { ...footer, payloadBytes: footer.payloadBytes - 1 } },
    { root: { ...root, height: root.height + 1 } },
    { root: { ...root, reference: { ...root.reference, leastDroppable: Infinity, leastDeadline: Infinity } } },
    { root: undefined },
  ]) {
    expect(verify(file, { ...meta, ...change }), JSON.stringify(change)).not.toEqual([]);
    readAll(file, { ...meta, ...change }, undefined);
  }
});

test('a missing run is damage; other errors of the operating system pass, and nothing stays open', () => {
  const { meta, file } = sample('none');
  const nowhere = new MemoryVfs();
  expect(verifyRun(nowhere, PATH, meta, DATABASE_ID)).toMatchObject([{ problem: 'named by the manifest but missing' }]);
  expect(() => openRun(nowhere, meta)).toThrow(expect.objectContaining({ code: 'LIGHTNING_CORRUPTION' }) as Error);
  for (const failing of ['open', 'read']) {
    for (let nth = 0; nth < (failing === 'open' ? 1 : 2); nth++) {
      const vfs = holding(file);
      let left = nth;
      vfs.fault = (operation) => {
        if (operation === failing && left-- === 0) throw errnoError('EIO');
      };
      expect(() => openRun(vfs, meta)).toThrow(expect.objectContaining({ code: 'EIO' }) as Error);
      left = nth;
      expect(() => verifyRun(vfs, PATH, meta, DATABASE_ID)).toThrow('EIO');
      expect(vfs.openCount).toBe(0);
    }
  }
});

test('a later format is refused as such, not as damage', () => {
  const { meta, file } = sample('none');
  const reseal = (bytes: Uint8Array): void => {
    writeUint32(bytes, crc32(bytes, 12, BLOCK_BYTES, identitySeed(DATABASE_SEED, meta.fileNumber, 0)), 8);
  };
  for (const [at, problem] of [
    [12, 'format version 2 is not known'],
    [20, 'an incompatible feature is not known'],
  ] as const) {
    const later = file.slice();
    writeUint16(later, 2, at);
    reseal(later);
    const vfs = holding(later);
    expect(() => openRun(vfs, meta)).toThrow(
      expect.objectContaining({ code: 'LIGHTNING_UNSUPPORTED_FORMAT' }) as Error,
    );
    expect(vfs.openCount).toBe(0);
    expect(verify(later, meta)).toMatchObject([{ offset: 0, problem }]);
  }
  // Compatible bits may be anything.
  const compatible = file.slice();
  compatible[16] = 255;
  reseal(compatible);
  expect(verify(compatible, meta)).toEqual([]);
});

/** Makes the checksum of every node right again; where the nodes are is taken from the original. */
function repair(file: Uint8Array, starts: readonly number[]): void {
  for (const [i, start] of starts.entries()) {
    const end = starts[i + 1] ?? file.length;
    const seed = identitySeed(DATABASE_SEED, 5, start / BLOCK_BYTES);
    writeUint32(file, crc32(file, start + 4, end, seed), start);
  }
}

function nodeStarts(file: Uint8Array): number[] {
  const starts: number[] = [];
  for (let at = BLOCK_BYTES; at < file.length;) {
    starts.push(at);
    const stored = file[at + 20] + 256 * file[at + 21] + 65_536 * file[at + 22];
    at += Math.ceil((24 + stored) / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return starts;
}

test.each<Compression>(['none', 'deflate', 'zstd'])(
  'bytes of an attacker who knows the checksums (%s)',
  (compression) => {
    const original = sample(compression, 6, 40);
    const starts = nodeStarts(original.file);
    const untouched = original.file.slice();
    repair(untouched, starts);
    expect(untouched).toEqual(original.file);
    const random = new Prng(8);
    let found = 0;
    for (let i = 0; i < 400; i++) {
      const hostile = original.file.slice();
      for (let n = random.between(1, 3); n > 0; n--) {
        const at = BLOCK_BYTES + random.below(hostile.length - BLOCK_BYTES);
        hostile[at] = random.pick([0, 1, 255, random.below(256)]);
      }
      repair(hostile, starts);
      if (verify(hostile, original.meta).length > 0) found++;
      readAll(hostile, original.meta, undefined);
    }
    expect(found).toBeGreaterThan(60);
  },
);

test('what the footer claims is held against the versions', () => {
  const original = sample('none', 7, 40);
  const starts = nodeStarts(original.file);
  const footer = starts[starts.length - 1] + 24;
  const filterBytes = original.file[footer] + 256 * original.file[footer + 1];
  const tombstones = footer + 4 + filterBytes;
  const claims: [string, (file: Uint8Array) => void][] = [
    ['the filter denies its key', (file) => file.fill(0, footer + 9, tombstones)],
    ['bytes after the footer', (file) => (file[tombstones] -= 1)],
    ['are cut', (file) => (file[tombstones + 2] = 1)],
    ['outside the run', (file) => (file[tombstones + 4 + 5] = 255)],
    ['is empty', (file) => (file[tombstones + 4 + 10] = 9)],
    ['bits in', (file) => (file[footer + 4] ^= 8)],
  ];
  for (const [problem, change] of claims) {
    const hostile = original.file.slice();
    change(hostile);
    repair(hostile, starts);
    expect(
      verify(hostile, original.meta)
        .map((f) => f.problem)
        .join('\n'),
    ).toContain(problem);
    readAll(hostile, original.meta, undefined);
  }
});

test('versions out of order across leaves are found', () => {
  const vfs = new MemoryVfs();
  const rows = [1, 2, 3].map((key) => row(Uint8Array.of(key), 9, Uint8Array.of(key)));
  const meta = writeRun(vfs, rows, [], { runBlockBytes: 1 });
  const file = fileOf(vfs);
  const starts = nodeStarts(file);
  const hostile = file.slice();
  // The key of the first leaf.
  hostile[starts[0] + 24 + 8 + 13] = 7;
  repair(hostile, starts);
  const problems = verify(hostile, meta).map((f) => f.problem);
  expect(problems).toContain('an entry lies behind the next separator');
  expect(problems).toContain('entry 0 is out of order');
});
