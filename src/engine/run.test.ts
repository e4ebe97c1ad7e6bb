import { expect, test } from 'vitest';
import { Prng } from '../base/prng.ts';
import { ArcCache } from '../base/arc-cache.ts';
import {
  compareRows,
  DATABASE_ID,
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
  writerOptions,
} from './run-fixtures.ts';
import { type RunReader, runHeaderOf } from './run-reader.ts';
import { treeFileOf } from './tree-file.ts';
import type { NodeReference } from './tree-format.ts';
import { loadNode } from './tree-node-reader.ts';
import { verifyRun } from '../database/verify/run-check.ts';
import * as runWriter from './run-writer.ts';
import { asFileNumber, asSequence, type Compression, type RangeTombstone, SEQUENCE_MAX } from './types.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const COMPRESSIONS: readonly Compression[] = ['none', 'deflate', 'zstd'];

function walk(run: RunReader, backward: boolean, bypassCache: boolean): (Row | undefined)[] {
  const cursor = run.cursor({ bypassCache });
  const seen: (Row | undefined)[] = [];
  if (backward) for (cursor.last(); cursor.valid; cursor.previous()) seen.push(rowOf(cursor));
  else for (cursor.first(); cursor.valid; cursor.next()) seen.push(rowOf(cursor));
  return seen;
}

test('get, walks and seeks agree with a plain list, over all compressions, block sizes and caches', () => {
  let straddling = 0;
  for (let seed = 0; seed < 90; seed++) {
    const random = new Prng(seed);
    const rows = randomRows(random, 1 + random.below(150));
    const compression = COMPRESSIONS[seed % 3];
    const vfs = new MemoryVfs();
    const meta = writeRun(vfs, rows, [], { compression, runBlockBytes: random.pick([1, 64, 200, 1000, 20_000]) });
    expect(meta.entryCount).toBe(rows.length);
    expect(meta.leastSequence).toBe(Math.min(...rows.map((r) => r.sequence)));
    expect(meta.greatestSequence).toBe(Math.max(...rows.map((r) => r.sequence)));
    expect(meta.sizeBytes).toBe(vfs.files.get(PATH)?.length);
    expect(verifyRun(vfs, PATH, meta, DATABASE_ID)).toEqual([]);
    const cache = new ArcCache(random.pick([0, 3000, 1_000_000]));
    const run = openRun(vfs, meta, cache);
    expect(walk(run, false, seed % 2 === 0)).toEqual(rows);
    expect(walk(run, true, seed % 2 === 1)).toEqual(rows.toReversed());

    const into = new RowCursor();
    const cursor = run.cursor({ bypassCache: random.chance(0.5) });
    for (let i = 0; i < 150; i++) {
      const base = random.pick(rows);
      const key = random.chance(0.7) ? base.key : random.bytes(random.below(4));
      const sequence = asSequence(
        random.pick([0, base.sequence, base.sequence - 1, base.sequence + 1, SEQUENCE_MAX, random.below(300)]),
      );
      const wanted = naiveGet(rows, key, sequence);
      expect(run.get(key, sequence, into)).toBe(wanted !== undefined);
      expect(rowOf(into)).toEqual(wanted);
      if (rows.some((r) => Buffer.compare(r.key, key) === 0)) expect(run.mayContain(key)).toBe(true);

      const at = rows.findIndex((r) => compareRows(r, row(key, sequence)) >= 0);
      cursor.seek(key, sequence);
      expect(rowOf(cursor)).toEqual(at < 0 ? undefined : rows[at]);
      if (cursor.valid && random.chance(0.5)) {
        cursor.next();
        expect(rowOf(cursor)).toEqual(rows[at + 1]);
      }
      const before = (at < 0 ? rows.length : at) - 1;
      cursor.seekBefore(key, sequence);
      expect(rowOf(cursor)).toEqual(rows[before]);
      if (cursor.valid && random.chance(0.5)) {
        cursor.previous();
        expect(rowOf(cursor)).toEqual(rows[before - 1]);
      }
    }
    straddling += separatorsInsideKeys(run, vfs);
    cache.checkInvariants();
    run.close();
    expect(vfs.openCount).toBe(0);
  }
  expect(straddling).toBeGreaterThan(100);
});

/** The sequences of the separators that part versions of one key. */
function separatorsInsideKeys(run: RunReader, vfs: MemoryVfs): number {
  const { root } = run.meta;
  if (root === undefined) return 0;
  const file = vfs.open(PATH, 'read');
  const tree = treeFileOf(file, PATH, runHeaderOf(run.meta, DATABASE_ID));
  const visit = (reference: NodeReference, level: number): number => {
    if (level === 0) return 0;
    const node = loadNode(tree, reference, level);
    let count = 0;
    for (let i = 0; i < node.count; i++) {
      if (i > 0 && node.separator(i).sequence !== SEQUENCE_MAX) count++;
      count += visit(node.reference(i), level - 1);
    }
    return count;
  };
  const count = visit(root.reference, root.height - 1);
  file.close();
  return count;
}

test('a walk past an end stays there until the cursor is placed again', () => {
  const vfs = new MemoryVfs();
  const rows = [row(bytes(1), 9), row(bytes(2), 8), row(bytes(2), 7), row(bytes(3), 6)];
  const run = openRun(vfs, writeRun(vfs, rows, [], { runBlockBytes: 1 }));
  const cursor = run.cursor({ bypassCache: false });
  cursor.last();
  cursor.next();
  expect(cursor.valid).toBe(false);
  expect(() => cursor.previous()).toThrow('a cursor moves only while it is valid');
  expect(() => cursor.next()).toThrow('a cursor moves only while it is valid');
  cursor.first();
  cursor.previous();
  expect(cursor.valid).toBe(false);
  cursor.seek(bytes(2), asSequence(7));
  expect(rowOf(cursor)).toEqual(rows[2]);
  run.close();
});

test('keys and values of all sizes, the largest beside the smallest', () => {
  for (const compression of COMPRESSIONS) {
    const random = new Prng(3);
    const longest = random.bytes(65_535);
    longest[0] = 9;
    const rows: Row[] = [
      row(bytes(), 4, random.bytes(1 << 20)),
      row(bytes(0), 5),
      row(bytes(0, 0), 6, new Uint8Array(3 << 20)),
      row(bytes(8), SEQUENCE_MAX, bytes(1)),
      row(longest, 3, random.bytes(70_000)),
      row(longest, 2),
      row(bytes(255, 255, 255, 255), 1, bytes(255, 255, 255, 255)),
    ];
    const vfs = new MemoryVfs();
    const meta = writeRun(vfs, rows, [], { compression, runBlockBytes: 16_384 });
    expect(verifyRun(vfs, PATH, meta, DATABASE_ID)).toEqual([]);
    const run = openRun(vfs, meta);
    const into = new RowCursor();
    for (const r of rows) {
      expect(run.get(r.key, r.sequence, into)).toBe(true);
      expect(Buffer.compare(into.value(), r.value)).toBe(0);
      expect(Buffer.compare(into.key(), r.key)).toBe(0);
    }
    if (compression !== 'none') expect(meta.sizeBytes).toBeLessThan(2 << 20);
    run.close();
  }
});

test('range tombstones come back as they were added, also without any version', () => {
  const tombstones: RangeTombstone[] = [
    { start: bytes(5), end: bytes(5, 0), sequence: asSequence(7) },
    { start: bytes(), end: undefined, sequence: asSequence(3) },
    { start: bytes(1), end: new Uint8Array(65_536).fill(255), sequence: asSequence(12) },
  ];
  const vfs = new MemoryVfs();
  const meta = writeRun(vfs, [], tombstones);
  expect([meta.entryCount, meta.leastSequence, meta.greatestSequence]).toEqual([0, 3, 12]);
  expect(verifyRun(vfs, PATH, meta, DATABASE_ID)).toEqual([]);
  const run = openRun(vfs, meta);
  expect(run.rangeTombstones).toEqual(tombstones);
  expect(run.mayContain(bytes(5))).toBe(false);
  expect(run.get(bytes(5), SEQUENCE_MAX, new RowCursor())).toBe(false);
  expect(walk(run, false, false)).toEqual([]);
  expect(walk(run, true, false)).toEqual([]);
  const cursor = run.cursor({ bypassCache: false });
  cursor.seek(bytes(), SEQUENCE_MAX);
  expect(cursor.valid).toBe(false);
  cursor.seekBefore(bytes(9), asSequence(0));
  expect(cursor.valid).toBe(false);
  run.close();

  const both = new MemoryVfs();
  const bothMeta = writeRun(both, [row(bytes(1), 5)], tombstones);
  expect([bothMeta.leastSequence, bothMeta.greatestSequence]).toEqual([3, 12]);
  expect(verifyRun(both, PATH, bothMeta, DATABASE_ID)).toEqual([]);
});

test('an empty run, versions out of order and an empty range are refused', () => {
  expect(() => writeRun(new MemoryVfs(), [])).toThrow('a run holds a version or a range tombstone');
  for (const [first, second] of [
    [row(bytes(2), 5), row(bytes(1), 9)],
    [row(bytes(2), 5), row(bytes(2), 5)],
    [row(bytes(2), 5), row(bytes(2), 6)],
    [row(bytes(2, 0), 5), row(bytes(2), 5)],
  ]) {
    // A block each, so that it is the writer that notices.
    expect(() => writeRun(new MemoryVfs(), [first, second], [], { runBlockBytes: 1 })).toThrow(
      'versions enter a run in internal order',
    );
  }
  const range = { start: bytes(2), end: bytes(2), sequence: asSequence(1) };
  expect(() => writeRun(new MemoryVfs(), [], [range])).toThrow('a range tombstone covers something');
});

test('finish syncs everything it wrote before it closes; writes are large', () => {
  const vfs = new MemoryVfs();
  const random = new Prng(1);
  const rows = Array.from({ length: 20_000 }, (_, i) =>
    row(bytes(i >> 16, (i >> 8) & 255, i & 255), 1, random.bytes(60)),
  );
  const meta = writeRun(vfs, rows, [], { runBlockBytes: 4096 });
  const sizes = vfs.log.filter((line) => line.startsWith('write ')).map((line) => Number(line.slice(6)));
  expect(sizes.length).toBeGreaterThan(1);
  expect(Math.min(...sizes.slice(1, -1))).toBeGreaterThanOrEqual(256 * 1024);
  expect(sizes.reduce((a, b) => a + b)).toBe(meta.sizeBytes);
  expect(vfs.log.slice(-2)).toEqual(['sync', 'close']);
  expect(verifyRun(vfs, PATH, meta, DATABASE_ID)).toEqual([]);
});

test('a run that fails, or is dropped, leaves no descriptor behind', () => {
  // The header is written, then the nodes, then the file is synced.
  for (let failing = 1; failing <= 3; failing++) {
    const vfs = new MemoryVfs();
    let count = 0;
    vfs.fault = (operation) => {
      if (operation !== 'close' && count++ === failing) throw errnoError('EIO');
    };
    expect(() => writeRun(vfs, [row(bytes(1), 1)])).toThrow('EIO');
    expect(vfs.openCount).toBe(0);
  }
  const vfs = new MemoryVfs();
  writeRun(vfs, [row(bytes(1), 1)]);
  expect(() => writeRun(vfs, [row(bytes(1), 1)])).toThrow('EEXIST');
  expect(vfs.openCount).toBe(0);
  const source = { cursor: () => new RowCursor([row(bytes(1), 1), row(bytes(2), 1)]), rangeTombstones: [] };
  const dropped = runWriter.writeRun(
    writerOptions(new MemoryVfs(), { vfs, fileNumber: asFileNumber(6), sliceBytes: 1 }),
    source,
  );
  expect(dropped.next().done).toBe(false);
  expect(vfs.openCount).toBe(1);
  dropped.return(undefined as never);
  expect(vfs.openCount).toBe(0);
});

test('a cursor that bypasses the cache neither takes from it nor puts there', () => {
  const vfs = new MemoryVfs();
  const rows = randomRows(new Prng(5), 100);
  const meta = writeRun(vfs, rows);
  const cache = new ArcCache(1_000_000);
  const run = openRun(vfs, meta, cache);
  const before = vfs.readCount;
  walk(run, false, true);
  const nodes = vfs.readCount - before;
  expect(nodes).toBeGreaterThan(5);
  expect(cache.statistics).toMatchObject({ hits: 0, misses: 0, blocks: 0 });
  walk(run, false, false);
  expect(cache.statistics).toMatchObject({ hits: 0, misses: nodes, blocks: nodes });
  const reads = vfs.readCount;
  expect(walk(run, true, false)).toEqual(rows.toReversed());
  expect(vfs.readCount).toBe(reads);
  expect(cache.statistics.hits).toBe(nodes);
  run.close();
});

test('what a closed run or an unpositioned cursor is asked is a broken invariant', () => {
  const vfs = new MemoryVfs();
  const run = openRun(vfs, writeRun(vfs, [row(bytes(1), 1)]), NO_CACHE);
  const cursor = run.cursor({ bypassCache: false });
  expect(() => cursor.next()).toThrow('a cursor moves only while it is valid');
  run.close();
  expect(() => run.close()).toThrow('a tree is closed once');
  expect(() => run.cursor({ bypassCache: false })).toThrow('an open tree is read');
});

test('the empty key, asked for below its oldest version, ends with the last block', () => {
  const vfs = new MemoryVfs();
  const run = openRun(vfs, writeRun(vfs, [row(bytes(), 9), row(bytes(), 7)], [], { runBlockBytes: 1 }));
  const into = new RowCursor();
  expect(run.get(bytes(), asSequence(6), into)).toBe(false);
  expect(run.get(bytes(), asSequence(8), into)).toBe(true);
  expect(into.sequence).toBe(7);
  run.close();
});
