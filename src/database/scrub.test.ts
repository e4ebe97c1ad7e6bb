/** Scrubbing while writers run: damage is found, what is written meanwhile is no damage, and the view is let go. */
import { expect, test } from 'vitest';
import { fromText } from '../base/bytes.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { Database } from './index.ts';
import { errorCode } from './limits/limits.fixture.ts';

const OPTIONS = { durability: 'none', memtableBytes: 8000, blockSizeBytes: 512, nodeTargetBytes: 512 } as const;

async function filled(files: Vfs): Promise<Database> {
  const database = Database.openOn(files, { ...OPTIONS, blobBytes: 2000 });
  for (let i = 0; i < 300; i++) await database.put(fromText(`key ${i}`), new Uint8Array(i % 50 === 0 ? 5000 : 100));
  await database.compact();
  for (let i = 0; i < 60; i++) await database.put(fromText(`key ${i}`), new Uint8Array(120));
  await database.flush();
  return database;
}

/** Inverts a byte on the medium, past everybody. */
function flip(disk: SimulatedDisk, path: string, position: number): void {
  const file = disk.open(path, 'write');
  const byte = new Uint8Array(1);
  file.read(byte, 0, 1, position);
  byte[0] ^= 0x10;
  file.write(byte, 0, 1, position);
  file.close();
}

test('a sound store is scrubbed while writers rewrite all of it; progress is in the statistics', async () => {
  await using database = await filled(new SimulatedDisk());
  let running = true;
  let writes = 0;
  const writer = (async () => {
    while (running) {
      await database.put(fromText(`key ${writes++ % 300}`), new Uint8Array(100));
      if (writes % 100 === 0) await database.compact();
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  const scrub = database.scrub();
  expect(await errorCode(database.scrub())).toBe('LIGHTNING_LIMIT');
  const report = await scrub;
  running = false;
  await writer;
  expect(report.findings).toEqual([]);
  expect(report.bytesRead).toBeGreaterThan(60_000);
  expect(writes).toBeGreaterThan(20);
  expect(database.statistics()).toMatchObject({ scrubs: 1, scrubFindings: 0, scrubbedBytes: report.bytesRead });
});

test('damage on the medium is found in every kind of file, though readers still have it in the cache', async () => {
  const disk = new SimulatedDisk();
  await using database = await filled(disk);
  const before = [...database.scanSync()].length;
  const kinds = [/^tree\.db$/, /^run-/, /^wal-/, /^blob-/].flatMap(
    (kind) => disk.list('').find((name) => kind.test(name)) ?? [],
  );
  expect(kinds.length).toBeGreaterThanOrEqual(3);
  for (const path of kinds) {
    const position = path.startsWith('wal-') ? 3 : 600;
    flip(disk, path, position);
    const { findings } = await database.scrub();
    expect([path, findings.map(({ file }) => file)]).toEqual([path, expect.arrayContaining([path])]);
    flip(disk, path, position);
  }
  expect((await database.scrub()).findings).toEqual([]);
  expect([...database.scanSync()]).toHaveLength(before);
});

test('a signal and a close end a scrub, and nothing stays open', async () => {
  const disk = new SimulatedDisk();
  const database = await filled(disk);
  const open = disk.openFileCount;
  const abort = new AbortController();
  const scrub = errorCode(database.scrub({ signal: abort.signal }));
  abort.abort();
  expect(await scrub).toBe('LIGHTNING_ABORTED');
  expect(disk.openFileCount).toBe(open);
  const last = errorCode(database.scrub());
  await database.close();
  expect(await last).toBe('LIGHTNING_CLOSED');
  expect(disk.openFileCount).toBe(0);
});
