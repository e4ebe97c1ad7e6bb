/** What is used after the store was closed, and backups that are cut or of another store: a code, and nothing done. */
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fromText } from '../base/bytes.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { restore } from './backup/backup-folders.ts';
import { Database } from './index.ts';

const code = (name: string): object => ({ code: `LIGHTNING_${name}` });

test('snapshots, transactions, scans and indexes of a store that was closed', async () => {
  const disk = new SimulatedDisk();
  const indexes = [{ name: 'i', extract: (_: Uint8Array, value: Uint8Array) => value }];
  const database = Database.openOn(disk, { indexes });
  await database.put(fromText('a'), fromText('1'));
  await database.put(fromText('b'), fromText('2'));
  const snapshot = database.snapshot();
  const transaction = database.begin();
  transaction.put(fromText('a'), fromText('lost'));
  const scan = database.scan();
  await scan.next();
  const index = database.index('i');
  await database.close();
  await expect(snapshot.get(fromText('a'))).rejects.toMatchObject(code('CLOSED'));
  expect(() => snapshot.getSync(fromText('a'))).toThrow(expect.objectContaining(code('CLOSED')));
  expect(() => [...snapshot.scanSync()]).toThrow(expect.objectContaining(code('CLOSED')));
  await expect(transaction.get(fromText('a'))).rejects.toMatchObject(code('CLOSED'));
  expect(() => transaction.put(fromText('a'), fromText('2'))).toThrow(expect.objectContaining(code('CLOSED')));
  await expect(transaction.commit()).rejects.toMatchObject(code('CLOSED'));
  await expect(scan.next()).rejects.toMatchObject(code('CLOSED'));
  expect(() => [...index.scanSync()]).toThrow(expect.objectContaining(code('CLOSED')));
  expect(() => database.snapshot()).toThrow(expect.objectContaining(code('CLOSED')));
  snapshot.release();
  transaction.abort();
  await database.close();
  await using again = Database.openOn(disk, { indexes });
  expect([...again.scanSync()].map(([, value]) => Buffer.from(value).toString())).toEqual(['1', '2']);
});

test('a backup that is cut, or mixed with one of another store, or an archive of another store', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lightning-foreign-'));
  const at = (name: string): string => join(folder, name);
  try {
    for (const name of ['one', 'two']) {
      await using database = await Database.open(at(name), { archive: at(`${name}-archive`) });
      await database.put(fromText('a'), fromText(name));
      await database.backup(at(`${name}-copies`));
      await database.put(fromText('b'), fromText(name));
      await database.flush();
    }
    const target = at('target');
    const refused = async (request: object, codes: readonly string[]): Promise<void> => {
      const failure: unknown = await restore(at('one-copies'), target, { backup: 1, ...request }).catch(
        (e: unknown) => e,
      );
      expect(codes.map((one) => `LIGHTNING_${one}`)).toContain((failure as { code?: string }).code);
      expect(existsSync(target)).toBe(false);
    };
    await refused({ archive: at('two-archive'), toCommit: 2 }, ['CORRUPTION', 'NOT_FOUND']);
    for (const name of readdirSync(at('one-copies'))) {
      const path = join(at('one-copies'), name);
      const whole = readFileSync(path);
      for (const keptBytes of [0, whole.length >> 1, whole.length - 1]) {
        truncateSync(path, keptBytes);
        await refused({}, ['CORRUPTION', 'NOT_A_STORE']);
        writeFileSync(path, whole);
      }
      copyFileSync(join(at('two-copies'), name), path);
      // A data file beside the manifest of another backup is foreign; so is a manifest beside other data.
      await refused({}, ['CORRUPTION', 'NOT_A_STORE']);
      writeFileSync(path, whole);
    }
    const report = await restore(at('one-copies'), target, { backup: 1, archive: at('one-archive'), toCommit: 2 });
    expect(report).toMatchObject({ sequence: 2, commitsReplayed: 1 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
