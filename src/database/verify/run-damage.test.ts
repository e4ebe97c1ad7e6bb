/** Damaged, foreign, stale and hostile runs: the verifier finds them, and reading gives right data or a coded error. */
import { expect, test } from 'vitest';
import { readUint32, writeUint16, writeUint32 } from '../../base/bytes.ts';
import { crc32, identitySeed } from '../../base/checksum.ts';
import { isLightningError } from '../../base/errors.ts';
import { Prng } from '../../base/prng.ts';
import { footerChecksum } from '../../engine/run-decode.ts';
import {
  DATABASE_ID,
  DATABASE_SEED,
  errnoError,
  MemoryVfs,
  naiveGet,
  NO_CACHE,
  openRun,
  PATH,
  randomRows,
  type Row,
  row,
  RowCursor,
  rowOf,
  writeRun,
} from '../../engine/run-fixtures.ts';
import { FOOTER_CRC_AT, RUN_FOOTER_BYTES, RUN_HEADER_BYTES, type RunMeta } from '../../engine/run-format.ts';
import { RunReader } from '../../engine/run-reader.ts';
import { verifyRun } from './run-check.ts';
import { asFileNumber, asSequence, type Compression, type RangeTombstone } from '../../engine/types.ts';
import type { Finding } from './finding.ts';

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
  const findings = verifyRun(vfs, PATH, meta, DATABASE_SEED, DATABASE_ID);
  expect(vfs.openCount).toBe(0);
  return findings;
}

/**
 * Reads everything in every way. Whatever does not throw `LIGHTNING_CORRUPTION` must be right when `rows` are given.
 * @returns how many calls were refused
 */
function readAll(file: Uint8Array, meta: RunMeta, rows: readonly Row[] | undefined): number {
  let refused = 0;
  const vfs = holding(file);
  const attempt = (act: () => void): void => {
    try {
      act();
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_CORRUPTION')) throw error;
      expect(error.details).toMatchObject({ file: PATH, problem: expect.any(String) as string });
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
    expect(verify(damaged, meta)).toHaveLength(1);
    expect(readAll(damaged, meta, rows)).toBe(1);
  }
});

test('a file that the manifest believes to be tiny is refused as well', () => {
  const { meta } = sample('none');
  for (let length = 0; length < RUN_HEADER_BYTES + RUN_FOOTER_BYTES + 30; length++) {
    const zeros = new Uint8Array(length);
    expect(verify(zeros, { ...meta, sizeBytes: length })).not.toEqual([]);
    expect(readAll(zeros, { ...meta, sizeBytes: length }, undefined)).toBe(1);
  }
});

test('a file that shrinks after it was measured gives a coded error', () => {
  const { rows, meta, file } = sample('none');
  const vfs = holding(file);
  const run = openRun(vfs, meta);
  vfs.files.set(PATH, file.subarray(0, RUN_HEADER_BYTES + 20));
  expect(() => run.get(rows[0].key, rows[0].sequence, new RowCursor())).toThrow('bytes where');
  const cursor = run.cursor({ bypassCache: true });
  vfs.files.set(PATH, file);
  cursor.first();
  vfs.files.set(PATH, file.subarray(0, RUN_HEADER_BYTES + 20));
  expect(() => cursor.last()).toThrow('bytes where');
  expect(() => cursor.last()).toThrow('bytes where');
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
  for (let i = 0; i < 2000; i++) {
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
  expect(changed).toBeGreaterThan(1000);
});

test('blocks that are right in themselves but in the wrong place are found', () => {
  const rows = Array.from({ length: 6 }, (_, i) => row(Uint8Array.of(i), 9, Uint8Array.of(i)));
  const vfs = new MemoryVfs();
  const meta = writeRun(vfs, rows, TOMBSTONES, { runBlockBytes: 1 });
  const file = fileOf(vfs);
  const run = openRun(vfs, meta);
  const { offset: first, length } = run.index.place(1);
  const { offset: second, length: secondLength } = run.index.place(4);
  run.close();
  expect(length).toBe(secondLength);
  const swapped = file.slice();
  swapped.set(file.subarray(second, second + length), first);
  swapped.set(file.subarray(first, first + length), second);
  expect(verify(swapped, meta).map((f) => f.offset)).toEqual([first, second]);
  expect(readAll(swapped, meta, rows)).toBeGreaterThan(0);

  // Another writing under the same numbers, as an older self of the file would be: one block, then the whole.
  const older = new MemoryVfs();
  const changedRows = rows.map((r, i) => (i === 1 ? { ...r, value: Uint8Array.of(77) } : r));
  const olderMeta = writeRun(older, changedRows, TOMBSTONES, { runBlockBytes: 1 });
  expect({ ...olderMeta, footerCrc: 0 }).toEqual({ ...meta, footerCrc: 0 });
  const stale = file.slice();
  stale.set(fileOf(older).subarray(first, first + length), first);
  expect(verify(stale, meta)).toMatchObject([
    { offset: first, problem: expect.stringContaining('another writing') as string },
  ]);
  expect(readAll(stale, meta, rows)).toBeGreaterThan(0);
  expect(verify(fileOf(older), meta)).toMatchObject([{ problem: expect.stringContaining('another run') as string }]);
  expect(readAll(fileOf(older), meta, rows)).toBe(1);
});

test('a run of another database, of another number, or unlike its manifest is refused', () => {
  const { meta, file } = sample('none');
  const foreignId = Uint8Array.from(DATABASE_ID, (b) => b ^ 1);
  const foreign = new MemoryVfs();
  const foreignMeta = writeRun(foreign, [row(Uint8Array.of(1), 1)], [], {
    databaseId: foreignId,
    databaseSeed: crc32(foreignId),
  });
  expect(verify(fileOf(foreign), foreignMeta)[0].problem).toContain('belongs to database');
  expect(() => openRun(foreign, foreignMeta)).toThrow('belongs to database');

  const renamed = { ...meta, fileNumber: asFileNumber(6) };
  expect(verify(file, renamed)[0].problem).toContain('is run 5, not 6');
  expect(readAll(file, renamed, undefined)).toBe(1);

  for (const change of [
    { entryCount: meta.entryCount + 1 },
    { leastSequence: asSequence(0) },
    { greatestSequence: asSequence(meta.greatestSequence + 1) },
    { footerCrc: meta.footerCrc ^ 1 },
    { sizeBytes: meta.sizeBytes + 1 },
  ]) {
    expect(verify(file, { ...meta, ...change })).not.toEqual([]);
    expect(readAll(file, { ...meta, ...change }, undefined)).toBe(1);
  }
});

test('a missing run is damage; other errors of the operating system pass, and nothing stays open', () => {
  const { meta, file } = sample('none');
  const nowhere = new MemoryVfs();
  expect(verifyRun(nowhere, PATH, meta, DATABASE_SEED, DATABASE_ID)).toMatchObject([
    { problem: 'named by the manifest but missing' },
  ]);
  expect(() => openRun(nowhere, meta)).toThrow(expect.objectContaining({ code: 'LIGHTNING_CORRUPTION' }) as Error);
  for (const failing of ['open', 'read']) {
    for (let nth = 0; nth < (failing === 'open' ? 1 : 3); nth++) {
      const vfs = holding(file);
      let left = nth;
      vfs.fault = (operation) => {
        if (operation === failing && left-- === 0) throw errnoError('EIO');
      };
      expect(() => openRun(vfs, meta)).toThrow(expect.objectContaining({ code: 'EIO' }) as Error);
      left = nth;
      expect(() => verifyRun(vfs, PATH, meta, DATABASE_SEED, DATABASE_ID)).toThrow('EIO');
      expect(vfs.openCount).toBe(0);
    }
  }
});

test('a later format is refused as such, not as damage', () => {
  const { meta, file } = sample('none');
  for (const [at, value, word] of [
    [4, 2, 'format version 2'],
    [12, 8, 'feature bits 8'],
  ] as const) {
    const later = file.slice();
    writeUint16(later, value, at);
    const seed = identitySeed(DATABASE_SEED, meta.fileNumber, 0);
    writeUint32(later, crc32(later, 0, RUN_HEADER_BYTES - 4, seed), RUN_HEADER_BYTES - 4);
    const vfs = holding(later);
    expect(() => openRun(vfs, meta)).toThrow(
      expect.objectContaining({ code: 'LIGHTNING_UNSUPPORTED_FORMAT' }) as Error,
    );
    expect(vfs.openCount).toBe(0);
    expect(verify(later, meta)).toMatchObject([{ offset: 0, problem: `${word} is not known here` }]);
  }
  // Compatible bits may be anything.
  const compatible = file.slice();
  compatible[8] = 255;
  const seed = identitySeed(DATABASE_SEED, meta.fileNumber, 0);
  writeUint32(compatible, crc32(compatible, 0, RUN_HEADER_BYTES - 4, seed), RUN_HEADER_BYTES - 4);
  expect(verify(compatible, meta)).toEqual([]);
});

/** Makes every checksum right again, from the frames up to what the manifest says. Places are taken from `original`. */
function repair(file: Uint8Array, original: Sample): RunMeta {
  const run = RunReader.open({
    vfs: holding(original.file),
    path: PATH,
    expected: original.meta,
    databaseSeed: DATABASE_SEED,
    databaseId: DATABASE_ID,
    cache: NO_CACHE,
  });
  const number = original.meta.fileNumber;
  const footerAt = file.length - RUN_FOOTER_BYTES;
  const seal = (offset: number, length: number): number => {
    const crc = crc32(file, offset + 4, offset + length, identitySeed(DATABASE_SEED, number, offset));
    writeUint32(file, crc, offset);
    return crc;
  };
  const indexAt = readUint32(original.file, footerAt + 24);
  let entryAt = indexAt + 9 + 4;
  for (let i = 0; i < run.index.count; i++) {
    const { offset, length } = run.index.place(i);
    writeUint32(file, seal(offset, length), entryAt + 8);
    entryAt += 20 + (original.file[entryAt + 18] | (original.file[entryAt + 19] << 8));
  }
  run.close();
  for (const at of [0, 12, 24]) {
    const offset = readUint32(original.file, footerAt + at);
    writeUint32(file, seal(offset, readUint32(original.file, footerAt + at + 4)), footerAt + at + 8);
  }
  const footer = file.subarray(footerAt);
  const footerCrc = footerChecksum(footer, DATABASE_SEED, number, footerAt);
  writeUint32(footer, footerCrc, FOOTER_CRC_AT);
  return { ...original.meta, footerCrc };
}

test.each<Compression>(['none', 'deflate', 'zstd'])(
  'bytes of an attacker who knows the checksums (%s)',
  (compression) => {
    const original = sample(compression, 6, 40);
    expect(verify(original.file.slice(), repair(original.file.slice(), original))).toEqual([]);
    const random = new Prng(8);
    let found = 0;
    for (let i = 0; i < 2000; i++) {
      const hostile = original.file.slice();
      for (let n = random.between(1, 3); n > 0; n--) {
        const at = RUN_HEADER_BYTES + random.below(hostile.length - RUN_HEADER_BYTES);
        hostile[at] = random.pick([0, 1, 255, random.below(256)]);
      }
      const meta = repair(hostile, original);
      if (verify(hostile, meta).length > 0) found++;
      readAll(hostile, meta, undefined);
    }
    expect(found).toBeGreaterThan(300);
  },
);

/** Where the last entry of the index begins. */
function lastIndexEntryAt(file: Uint8Array, indexAt: number): number {
  let at = indexAt + 9 + 4;
  for (let i = readUint32(file, indexAt + 9); i > 1; i--) at += 20 + (file[at + 18] | (file[at + 19] << 8));
  return at;
}

test('what index, filter and footer claim is held against the versions', () => {
  const original = sample('none', 7, 40);
  const footerAt = original.file.length - RUN_FOOTER_BYTES;
  const tombstonesAt = readUint32(original.file, footerAt);
  const filterAt = readUint32(original.file, footerAt + 12);
  const indexAt = readUint32(original.file, footerAt + 24);
  const claims: [string, (file: Uint8Array) => void, Partial<RunMeta>?][] = [
    ['filter denies', (file) => file.fill(0, filterAt + 9 + 5, indexAt)],
    ['keys where the footer counts', (file) => (file[footerAt + 46] ^= 1)],
    ['versions where', (file) => (file[footerAt + 40] += 1), { entryCount: original.meta.entryCount + 1 }],
    ['not those of the footer', (file) => (file[footerAt + 56] = 0), { leastSequence: asSequence(0) }],
    ['wrong number of range tombstones', (file) => (file[footerAt + 52] += 1)],
    ['outside the run', (file) => (file[tombstonesAt + 9 + 4 + 6] = 255)],
    ['data block 0 is not where the one before it ends', (file) => (file[indexAt + 9 + 4] ^= 1)],
    ['data blocks do not reach', (file) => (file[lastIndexEntryAt(file, indexAt) + 4] ^= 1)],
    ['begin with the version that the index names', (file) => (file[indexAt + 9 + 4 + 12] ^= 1)],
  ];
  expect(original.meta.leastSequence).toBeLessThan(256);
  for (const [problem, change, metaChange] of claims) {
    const hostile = original.file.slice();
    change(hostile);
    const meta = { ...repair(hostile, original), ...metaChange };
    expect(
      verify(hostile, meta)
        .map((f) => f.problem)
        .join('\n'),
    ).toContain(problem);
    readAll(hostile, meta, undefined);
  }
});

test('blocks that overlap, or that the index describes wrongly, are refused by reader and verifier', () => {
  const vfs = new MemoryVfs();
  const rows = [1, 2, 3, 4].map((i) => row(Uint8Array.of(i), 9));
  const meta = writeRun(vfs, rows, TOMBSTONES, { runBlockBytes: 45 });
  const original: Sample = { rows, meta, file: fileOf(vfs) };
  const indexAt = readUint32(original.file, original.file.length - RUN_FOOTER_BYTES + 24);
  expect(readUint32(original.file, indexAt + 9)).toBe(2);
  const secondOfFirst = RUN_HEADER_BYTES + 9 + 4 + 2 * 4 + 13 + 1 + 13;
  expect(original.file[secondOfFirst]).toBe(2);
  const overlapping = original.file.slice();
  overlapping[secondOfFirst] = 3;
  overlapping[secondOfFirst - 6] = 8;
  const overlappingMeta = repair(overlapping, original);
  expect(verify(overlapping, overlappingMeta).map((f) => f.problem)).toContain(
    'version 0 of the block is out of order',
  );

  const wrongIndex = original.file.slice();
  wrongIndex[indexAt + 9 + 4 + 12] = 8;
  const run = openRun(holding(wrongIndex), repair(wrongIndex, original));
  expect(() => run.get(Uint8Array.of(2), asSequence(9), new RowCursor())).toThrow('that the index names');
  expect(() => run.cursor({ bypassCache: true }).first()).toThrow('that the index names');
});
