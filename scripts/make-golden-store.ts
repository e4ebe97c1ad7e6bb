/**
 * Makes the golden store of the present format: every kind of file, a torn-free log, several versions, deadlines, range
 * tombstones, compressed blocks. Run once when a format is released; never to make a failing test pass.
 *
 * `node scripts/make-golden-store.ts DIRECTORY` (which must not exist)
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ManualClock } from '../src/base/clock.ts';
import { toHex } from '../src/base/bytes.ts';
import { Engine } from '../src/engine/index.ts';
import { NodeVfs } from '../src/vfs/node-vfs.ts';

const OPTIONS = {
  durability: 'none',
  memtableBytes: 4000,
  blockSizeBytes: 512,
  nodeTargetBytes: 512,
  runBlockBytes: 256,
  runCountMax: 4,
  compression: 'deflate',
} as const;

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** Writes the store and what it holds. */
export function makeGoldenStore(directory: string): void {
  mkdirSync(directory);
  mkdirSync(`${directory}/store`);
  const environment = {
    vfs: new NodeVfs(`${directory}/store`),
    clock: new ManualClock(1_000_000),
    newDatabaseId: () => text('golden-store-one'),
  };
  const engine = Engine.open(environment, OPTIONS);
  const put = (key: string, value: string, deadline?: number): void => {
    const operation = { type: 'put', key: text(key), value: text(value) } as const;
    engine.commit([deadline === undefined ? operation : { ...operation, deadline }]);
  };
  for (let i = 0; i < 60; i++) put(`tree/${i.toString().padStart(3, '0')}`, `value ${i} `.repeat(1 + (i % 7)));
  engine.compact();
  for (let i = 0; i < 20; i++) put(`run/${i}`, 'a run holds this '.repeat(3));
  engine.commit([{ type: 'clear', start: text('tree/010'), end: text('tree/015') }]);
  engine.commit([{ type: 'delete', key: text('tree/020') }]);
  engine.flush();
  put('deadline/gone', 'x', 999_999);
  put('deadline/far', 'x', 2 ** 50);
  engine.commit([
    { type: 'put', key: new Uint8Array(0), value: text('the empty key') },
    { type: 'put', key: Uint8Array.of(0xff, 0x00, 0x80), value: new Uint8Array(0) },
  ]);
  const rows: [string, string][] = [];
  const scan = engine.scan();
  while (scan.next()) rows.push([toHex(scan.current.key()), toHex(scan.current.value())]);
  engine.close();
  writeFileSync(`${directory}/rows.json`, `${JSON.stringify(rows, null, 1)}\n`);
}

if (process.argv[1] === import.meta.filename) makeGoldenStore(resolve(process.argv[2] ?? ''));
