/** Backups through the face that people use, on real files. What generated programs find is in properties/backup-run.ts. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fromText } from '../../base/bytes.ts';
import { SimulatedDisk } from '../../faults/simulated-disk.ts';
import { ForwardingFile, ForwardingVfs } from '../../vfs/forwarding-vfs.ts';
import type { OpenMode, Vfs, VfsFile } from '../../vfs/vfs.ts';
import { openStore } from '../blobs/open-store.ts';
import { Database } from '../database.ts';
import { finish } from '../read-only/read-store.ts';
import { ReadOnlyDatabase } from '../read-only/read-only-database.ts';
import type { BackupReport } from './backup.ts';
import { restore } from './backup-folders.ts';
import { listBackups } from './backup-reader.ts';
import { FreezableVfs } from './frozen-vfs.ts';
import { backupOpenStore } from './online-backup.ts';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lightning-backup-'))));
afterEach(() => rmSync(folder, { recursive: true }));

async function valuesOf(path: string): Promise<string[]> {
  await using database = await ReadOnlyDatabase.open(path);
  const rows: string[] = [];
  for await (const [key, value] of database.scan()) rows.push(`${Buffer.from(key)}=${Buffer.from(value)}`);
  return rows;
}

test('a backup made while writers run holds the commits that were there when it began', async () => {
  const [store, backups, target] = ['store', 'backups', 'target'].map((name) => join(folder, name));
  await using database = await Database.open(store);
  await database.put(fromText('a'), fromText('1'));
  const making = database.backup(backups);
  await database.put(fromText('b'), fromText('2'));
  const report = await making;
  expect(report).toMatchObject({ number: 1, parent: 0, sequence: 1, rows: 1 });
  await restore(backups, target, { backup: 1 });
  expect(await valuesOf(target)).toEqual(['a=1']);
});

test('an increment writes less, and a point in time is reached from the archive', async () => {
  const [store, backups, archive, target] = ['store', 'backups', 'archive', 'target'].map((name) => join(folder, name));
  const database = await Database.open(store, { archive });
  // Large enough to be copied in runs; no two chunks are alike.
  const large = Uint8Array.from({ length: 700_001 }, (_, i) => Math.imul(i, 2_654_435_761) >>> 20);
  await database.put(fromText('a'), large);
  await database.compact();
  const full = await database.backup(backups);
  await database.put(fromText('b'), fromText('2'));
  const increment = await database.backup(backups, { incremental: true });
  expect(increment.parent).toBe(1);
  expect(increment.dataBytes).toBeLessThan(full.dataBytes / 2);
  await database.delete(fromText('a'));
  await database.put(fromText('c'), fromText('3'));
  await database.flush();
  await database.close();
  const report = await restore(backups, target, { backup: 1, archive, toCommit: 3 });
  expect(report).toMatchObject({ sequence: 3, commitsReplayed: 2 });
  expect(await valuesOf(target)).toEqual(['b=2']);
  await restore(backups, join(folder, 'before'), { backup: 2 });
  await using before = await ReadOnlyDatabase.open(join(folder, 'before'));
  expect(Buffer.compare((await before.get(fromText('a'))) ?? large.subarray(1), large)).toBe(0);
});

test('a restored store goes on, and its backups start a history of their own', async () => {
  const [store, backups, target] = ['store', 'backups', 'target'].map((name) => join(folder, name));
  const database = await Database.open(store);
  await database.put(fromText('a'), fromText('1'));
  await database.backup(backups);
  await database.close();
  await restore(backups, target, { backup: 1 });
  await using again = await Database.open(target);
  await again.put(fromText('b'), fromText('2'));
  expect(await again.verifyIntegrity()).toEqual([]);
  await expect(again.backup(backups, { incremental: true })).rejects.toMatchObject({
    code: 'LIGHTNING_INVALID_ARGUMENT',
  });
  expect((await again.backup(backups)).number).toBe(2);
});

test('a target with anything in it is refused, and nothing in it changes', async () => {
  const [store, backups] = ['store', 'backups'].map((name) => join(folder, name));
  const database = await Database.open(store);
  await database.backup(backups);
  await database.close();
  const before = readdirSync(store);
  await expect(restore(backups, store, { backup: 1 })).rejects.toMatchObject({ code: 'LIGHTNING_EXISTS' });
  expect(readdirSync(store)).toEqual(before);
});

test('what is no backup is refused with a code, and no target is made', async () => {
  const [backups, target] = ['backups', 'target'].map((name) => join(folder, name));
  await expect(restore(backups, target, { backup: 1 })).rejects.toMatchObject({ code: 'LIGHTNING_NOT_FOUND' });
  await Database.open(backups).then((database) => database.close());
  writeFileSync(join(backups, 'backup-1.manifest'), 'something else');
  await expect(restore(backups, target, { backup: 1 })).rejects.toMatchObject({ code: 'LIGHTNING_NOT_A_STORE' });
  await expect(restore(backups, target, { backup: 0.5 })).rejects.toMatchObject({ code: 'LIGHTNING_INVALID_ARGUMENT' });
  expect(readdirSync(folder)).toEqual(['backups']);
});

test('reading only: a missing store is not made, a store in use is refused, a write is refused', async () => {
  await expect(ReadOnlyDatabase.open(join(folder, 'none'))).rejects.toMatchObject({ code: 'LIGHTNING_NOT_FOUND' });
  expect(readdirSync(folder)).toEqual([]);
  const store = join(folder, 'store');
  const database = await Database.open(store);
  await expect(ReadOnlyDatabase.open(store)).rejects.toMatchObject({ code: 'LIGHTNING_LOCKED' });
  await database.close();
  await using reader = await ReadOnlyDatabase.open(store);
  await expect(reader.put()).rejects.toMatchObject({ code: 'LIGHTNING_READ_ONLY' });
});

/** Turns a bit of one byte on its way into the data of a backup. */
class BitTurningVfs extends ForwardingVfs {
  private readonly at: number;
  constructor(inner: Vfs, at: number) {
    super(inner);
    this.at = at;
  }
  override open(path: string, mode: OpenMode): VfsFile {
    const file = super.open(path, mode);
    const { at } = this;
    if (!path.endsWith('.data')) return file;
    const turning = new ForwardingFile(file);
    turning.write = (source, offset, length, position) => {
      const bytes = source.slice(offset, offset + length);
      if (at >= position && at < position + length) bytes[at - position] ^= 1;
      file.write(bytes, 0, length, position);
    };
    return turning;
  }
}

/**
 * A large value that has been overwritten is still on disk, and in a backup: nothing refers to it, and no row is read
 * through it. Its bytes were read back and held against nothing, so a backup with a bit turned there was called good, and
 * refused when it was to be restored.
 */
test('a bit that turns on its way into a backup, wherever it is, leaves no backup', () => {
  const store = new SimulatedDisk();
  const files = new FreezableVfs(store);
  const { engine, blobs } = openStore({ vfs: files }, {}, 500);
  for (const size of [700, 900]) {
    const operations = [{ type: 'put', key: fromText('a'), value: new Uint8Array(size).fill(size % 251) }] as const;
    const written = blobs.write(operations);
    engine.commit(written.operations(operations));
    blobs.made(written);
    blobs.settle(written);
  }
  const backup = (folder: Vfs): BackupReport => finish(backupOpenStore(engine, files, folder, { time: 0 }));
  const { dataBytes, rows } = backup(new SimulatedDisk());
  expect([rows, dataBytes > 1600]).toEqual([1, true]);
  for (let at = 0; at < dataBytes; at += 61) {
    const folder = new SimulatedDisk();
    expect(() => backup(new BitTurningVfs(folder, at)), `byte ${at}`).toThrow(/./);
    expect(listBackups(folder)).toEqual([]);
  }
  engine.close();
});
