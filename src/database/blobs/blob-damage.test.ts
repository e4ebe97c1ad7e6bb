/** Every byte of a blob is under a checksum that knows its place: a changed one is an error that names file and offset. */
import { expect, test } from 'vitest';
import { fromText } from '../../base/bytes.ts';
import { isLightningError } from '../../base/errors.ts';
import { SimulatedDisk } from '../../faults/simulated-disk.ts';
import { readWholeFile } from '../../vfs/watched-vfs.ts';
import { Database } from '../database.ts';
import { ReadOnlyDatabase } from '../read-only/read-only-database.ts';
import { salvageInto } from '../salvage/salvage.ts';
import { verifyStore } from '../verify/verify-store.ts';
import { BLOB_HEADER_BYTES, isBlobFile } from './blob-format.ts';

const VALUE = Uint8Array.from({ length: 160 }, (_, i) => (i * 7) & 0xff);
const KEY = fromText('key');

function overwrite(disk: SimulatedDisk, name: string, bytes: Uint8Array, at = 0): void {
  const file = disk.open(name, 'write');
  file.write(bytes, 0, bytes.length, at);
  file.close();
}

function opened(): { disk: SimulatedDisk; database: Database; names: string[] } {
  const disk = new SimulatedDisk();
  const database = Database.openOn(disk, { blobBytes: 16 });
  database.putSync(KEY, VALUE);
  database.putSync(fromText('twin'), VALUE);
  return { disk, database, names: disk.list('').filter((name) => isBlobFile(name)) };
}

/** What reading the row gives: an error, or the value. */
function read(database: Database): unknown {
  try {
    return database.getSync(KEY);
  } catch (error) {
    return error;
  }
}

test('each changed byte of a blob is found, with its file and offset; the other rows stay readable', async () => {
  const { disk, database, names } = opened();
  const [name] = names;
  const whole = readWholeFile(disk, name).slice();
  const compatible = (at: number): boolean => at >= 10 && at < 14;
  for (let at = 0; at < whole.length; at++) {
    overwrite(disk, name, Uint8Array.of(whole[at] ^ 0x10), at);
    expect(verifyStore(disk, { isOpen: true }).findings.map(({ file }) => file)).toEqual([name]);
    const found = read(database);
    expect(isLightningError(found, 'LIGHTNING_CORRUPTION'), `byte ${at}`).toBe(true);
    const { file, offset } = (found as { details: { file: string; offset: number } }).details;
    expect(file).toBe(name);
    const inValue = at >= BLOB_HEADER_BYTES && at < BLOB_HEADER_BYTES + VALUE.length;
    if (inValue) expect(offset).toBe(at - ((at - BLOB_HEADER_BYTES) % 64));
    else expect(offset).toBe(at < BLOB_HEADER_BYTES && !compatible(at) ? 0 : BLOB_HEADER_BYTES + VALUE.length);
    overwrite(disk, name, whole.subarray(at, at + 1), at);
  }
  expect(read(database)).toEqual(VALUE);
  expect(verifyStore(disk, { isOpen: true }).findings).toEqual([]);
  await expect(database.get(fromText('twin'))).resolves.toEqual(VALUE);
  await database.close();
});

test('chunks that change places, another blob with the same value, a cut, a longer and a missing file are found', () => {
  const { disk, database, names } = opened();
  const [name, twin] = names;
  const whole = readWholeFile(disk, name).slice();
  const broken: (() => void)[] = [
    () => {
      overwrite(disk, name, whole.subarray(BLOB_HEADER_BYTES, BLOB_HEADER_BYTES + 64), BLOB_HEADER_BYTES + 64);
      overwrite(disk, name, whole.subarray(BLOB_HEADER_BYTES + 64, BLOB_HEADER_BYTES + 128), BLOB_HEADER_BYTES);
    },
    () => overwrite(disk, name, readWholeFile(disk, twin)),
    // The twin's header with the own number: its checksums are still bound to the other file.
    () => {
      overwrite(disk, name, readWholeFile(disk, twin));
      overwrite(disk, name, whole.subarray(0, BLOB_HEADER_BYTES));
    },
    () => {
      const file = disk.open(name, 'write');
      file.truncate(whole.length - 1);
      file.close();
    },
    () => overwrite(disk, name, Uint8Array.of(0), whole.length),
    () => disk.unlink(name),
  ];
  for (const [i, damage] of broken.entries()) {
    damage();
    expect(read(database), `damage ${i}`).toMatchObject({ code: 'LIGHTNING_CORRUPTION', details: { file: name } });
    const findings = verifyStore(disk, { isOpen: true }).findings.map(({ file }) => file);
    expect(findings, `damage ${i}`).toEqual([name]);
    if (disk.kind(name) === undefined) continue;
    const file = disk.open(name, 'write');
    file.truncate(0);
    file.write(whole, 0, whole.length, 0);
    file.close();
  }
});

test('salvage loses the row of a damaged blob, and says so', async () => {
  const { disk, database, names } = opened();
  database.putSync(fromText('zebra'), fromText('small'));
  await database.close();
  overwrite(disk, names[0], Uint8Array.of(1), BLOB_HEADER_BYTES + 3);
  const target = new SimulatedDisk();
  const report = await salvageInto(disk, () => target);
  expect(report).toMatchObject({ rows: 2, doubts: [] });
  expect(report.losses).toEqual([expect.stringContaining(names[0])]);
  await using saved = Database.openOn(target);
  expect([...saved.scanSync()]).toEqual([
    [fromText('twin'), VALUE],
    [fromText('zebra'), fromText('small')],
  ]);
});

test('a store with blobs is read without being written, and its leaks are findings of a store that was closed', async () => {
  const { disk, database } = opened();
  await database.close();
  const before = disk.currentImage().hash();
  await using readOnly = ReadOnlyDatabase.openOn(disk);
  expect(readOnly.getSync(KEY)).toEqual(VALUE);
  expect(await readOnly.get(KEY)).toEqual(VALUE);
  const values: Uint8Array[] = [];
  for await (const [, value] of readOnly.scan()) values.push(value);
  expect(values).toEqual([VALUE, VALUE]);
  await readOnly.close();
  expect(disk.currentImage().hash()).toBe(before);
  expect(verifyStore(disk, { isOpen: false })).toMatchObject({ sound: true, clean: true });
  disk.open('blob-99', 'create').close();
  expect(verifyStore(disk, { isOpen: false }).findings).toMatchObject([{ severity: 'unclean', file: 'blob-99' }]);
});
