/** Writes that a disk loses or puts elsewhere without a word: found at the sync when asked for, not found otherwise. */
import { expect, test } from 'vitest';
import { fromText } from '../../base/bytes.ts';
import { SimulatedDisk } from '../../faults/simulated-disk.ts';
import type { OpenMode, Vfs, VfsFile } from '../../vfs/vfs.ts';
import { Database } from '../index.ts';
import { errorCode } from './limits.fixture.ts';

type Mischief = 'lost' | 'misdirected' | 'flipped';

/** A disk that, once told to, does one thing wrong to every write of files whose name begins so. */
class LyingDisk {
  private readonly disk = new SimulatedDisk();
  mischief: { readonly kind: Mischief; readonly prefix: string } | undefined;

  files(): Vfs {
    const { disk } = this;
    return new Proxy<Vfs>(disk, {
      get: (target, name) => {
        if (name === 'open') return (path: string, mode: OpenMode) => this.lying(target.open(path, mode), path);
        const member: unknown = Reflect.get(target, name);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  }

  private lying(file: VfsFile, path: string): VfsFile {
    return {
      read: (target, offset, length, position) => file.read(target, offset, length, position),
      write: (source, offset, length, position) => {
        const { mischief } = this;
        if (mischief === undefined || !path.startsWith(mischief.prefix)) file.write(source, offset, length, position);
        else if (mischief.kind === 'misdirected') file.write(source, offset, length, position + 512);
        else if (mischief.kind === 'lost') file.truncate(Math.max(file.size(), position + length));
        else {
          const copy = Uint8Array.from(source.subarray(offset, offset + length));
          copy[length >> 1] ^= 1;
          file.write(copy, 0, length, position);
        }
      },
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      sync: () => file.sync(),
      syncAsync: (done) => file.syncAsync(done),
      size: () => file.size(),
      close: () => file.close(),
    };
  }
}

const OPTIONS = { memtableBytes: 10_000 } as const;
const VALUE = new Uint8Array(1000).fill(9);

for (const kind of ['lost', 'misdirected', 'flipped'] as const) {
  test(`a ${kind} write of the log is a failed fsync: the commit is indefinite, the store poisoned`, async () => {
    for (const together of [1, 5]) {
      const lying = new LyingDisk();
      const database = Database.openOn(lying.files(), { ...OPTIONS, verifyWrites: true });
      await database.put(fromText('before'), VALUE);
      lying.mischief = { kind, prefix: 'wal-' };
      const puts = Array.from({ length: together }, async (_, i) => errorCode(database.put(fromText(`k${i}`), VALUE)));
      expect(new Set(await Promise.all(puts))).toEqual(new Set(['LIGHTNING_INDEFINITE']));
      expect(await errorCode(database.get(fromText('before')))).toBe('LIGHTNING_POISONED');
      lying.mischief = undefined;
      await database.close().catch(() => undefined);
      // What was acknowledged is there.
      await using again = Database.openOn(lying.files(), OPTIONS);
      expect(await again.get(fromText('before'))).toEqual(VALUE);
    }
  });

  test(`a ${kind} write of a run or of the tree is found before the log is given up for it`, async () => {
    for (const prefix of ['run-', 'tree.db']) {
      const lying = new LyingDisk();
      const database = Database.openOn(lying.files(), { ...OPTIONS, verifyWrites: true });
      for (let i = 0; i < 5; i++) await database.put(fromText(`k${i}`), VALUE);
      lying.mischief = { kind, prefix };
      expect(await errorCode(database.compact())).not.toBe('none');
      lying.mischief = undefined;
      await database.close().catch(() => undefined);
      await using again = Database.openOn(lying.files(), OPTIONS);
      expect([...again.scanSync()]).toHaveLength(5);
    }
  });
}

test('without the option such a write is acknowledged', async () => {
  const lying = new LyingDisk();
  const database = Database.openOn(lying.files(), OPTIONS);
  lying.mischief = { kind: 'lost', prefix: 'wal-' };
  await database.put(fromText('k'), VALUE);
  await database.close();
});

test('an honest disk is never accused, while much is written, flushed and merged', async () => {
  await using database = Database.openOn(new SimulatedDisk(), { ...OPTIONS, verifyWrites: true, runCountMax: 1 });
  for (let i = 0; i < 20; i++) {
    await Promise.all(Array.from({ length: 10 }, async (_, j) => database.put(fromText(`k${i % 7}.${j}`), VALUE)));
    if (i % 5 === 4) await database.compact();
  }
  expect([...database.scanSync()]).toHaveLength(70);
  expect(await database.verifyIntegrity()).toEqual([]);
});
