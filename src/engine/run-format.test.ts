/** The worked examples of spec/formats are decoded, and made again byte for byte. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fromText, toHex } from '../base/bytes.ts';
import { EntryBlock, EntryBlockBuilder } from './entry-block.ts';
import { DATABASE_ID, MemoryVfs, openRun, PATH, type Row, row, RowCursor, rowOf, writeRun } from './run-fixtures.ts';
import { verifyRun } from '../database/verify/run-check.ts';
import { asBlockNumber, asFileNumber, asGeneration, asSequence, KIND_DELETE } from './types.ts';

/** The bytes of the page's one ```hex block; what follows them on a line, after two spaces and no hex, is comment. */
function example(page: string): Uint8Array {
  const text = readFileSync(new URL(`../../spec/formats/${page}`, import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/^```hex\n([\s\S]*?)^```$/gm)];
  expect(blocks).toHaveLength(1);
  const lines = blocks[0][1]
    .split('\n')
    .map((line) => /^(?:[0-9a-f]{2} {1,2})*(?:[0-9a-f]{2}(?= |$))?/.exec(line)?.[0] ?? '');
  return new Uint8Array(Buffer.from(lines.join('').replaceAll(' ', ''), 'hex'));
}

test('entries.md', () => {
  const bytes = example('entries.md');
  const decoded = EntryBlock.decode(bytes, 0, bytes.length);
  if (!decoded.ok) throw new Error(decoded.problem);
  expect(decoded.value.count).toBe(2);
  const cursor = new RowCursor();
  decoded.value.load(0, cursor);
  expect(rowOf(cursor)).toEqual({ ...row(fromText('ant'), 7, fromText('six')), deadline: 1000 });
  decoded.value.load(1, cursor);
  expect(rowOf(cursor)).toEqual({ ...row(fromText('ant'), 4), kind: KIND_DELETE });

  const builder = new EntryBlockBuilder();
  builder.add(cursor.stand({ ...row(fromText('ant'), 7, fromText('six')), deadline: 1000 }));
  builder.add(cursor.stand({ ...row(fromText('ant'), 4), kind: KIND_DELETE }));
  expect(toHex(builder.packed())).toBe(toHex(bytes));
});

const NODE = { generation: asGeneration(4), leastDeadline: Infinity };

test('run.md', () => {
  const bytes = example('run.md');
  const rows: Row[] = [row(fromText('ant'), 7, fromText('six')), { ...row(fromText('bee'), 9), kind: KIND_DELETE }];
  const tombstone = { start: fromText('c'), end: fromText('d'), sequence: asSequence(8) };
  const meta = {
    fileNumber: asFileNumber(5),
    sizeBytes: 256,
    entryCount: 2,
    leastSequence: asSequence(7),
    greatestSequence: asSequence(9),
    root: {
      reference: { ...NODE, block: asBlockNumber(1), blocks: 2, payloadBytes: 47, leastDroppable: 9 },
      height: 1,
    },
    footer: { ...NODE, block: asBlockNumber(3), blocks: 1, payloadBytes: 37, leastDroppable: Infinity },
  };
  const vfs = new MemoryVfs();
  vfs.files.set(PATH, bytes);
  expect(verifyRun(vfs, PATH, meta, DATABASE_ID)).toEqual([]);
  const run = openRun(vfs, meta);
  expect(run.rangeTombstones).toEqual([tombstone]);
  const cursor = run.cursor({ bypassCache: false });
  cursor.first();
  expect(rowOf(cursor)).toEqual(rows[0]);
  cursor.next();
  expect(rowOf(cursor)).toEqual(rows[1]);
  run.close();

  const made = new MemoryVfs();
  expect(writeRun(made, rows, [tombstone])).toEqual(meta);
  expect(toHex(made.files.get(PATH) ?? new Uint8Array(0))).toBe(toHex(bytes));
});
