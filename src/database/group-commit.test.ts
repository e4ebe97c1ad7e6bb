/** Fsyncs that go wrong in unusual ways: whoever waits for a commit hears of it, and nothing is thrown at nobody. */
import { expect, test } from 'vitest';
import { fromText } from '../base/bytes.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { ForwardingFile, ForwardingVfs } from '../vfs/forwarding-vfs.ts';
import type { OpenMode, VfsFile } from '../vfs/vfs.ts';
import { Database } from './index.ts';
import { errorCode } from './limits/limits.fixture.ts';

/** Fails in one call of its log files, by throwing. */
class FailingVfs extends ForwardingVfs {
  fails: 'syncAsync' | 'close' | undefined;

  override open(path: string, mode: OpenMode): VfsFile {
    const file = super.open(path, mode);
    if (!path.startsWith('wal-')) return file;
    return new FailingFile(file, (call) => {
      if (this.fails === call) throw Object.assign(new Error(call), { code: 'EIO' });
    });
  }
}

class FailingFile extends ForwardingFile {
  private readonly before: (call: 'syncAsync' | 'close') => void;

  constructor(inner: VfsFile, before: (call: 'syncAsync' | 'close') => void) {
    super(inner);
    this.before = before;
  }

  override syncAsync(done: (error: unknown) => void): void {
    this.before('syncAsync');
    super.syncAsync(done);
  }

  override close(): void {
    super.close();
    this.before('close');
  }
}

const put = async (database: Database, n: number): Promise<string> => {
  return errorCode(database.put(fromText(`key ${n}`), fromText('value')));
};

test('an fsync that cannot even begin is a failed one: the commits that wait for it are indefinite', async () => {
  const vfs = new FailingVfs(new SimulatedDisk());
  const database = Database.openOn(vfs);
  vfs.fails = 'syncAsync';
  const codes = await Promise.all([put(database, 1), put(database, 2), put(database, 3)]);
  expect(new Set(codes)).toEqual(new Set(['LIGHTNING_INDEFINITE']));
  vfs.fails = undefined;
  // And no later fsync is trusted with it.
  expect(await put(database, 4)).toBe('LIGHTNING_POISONED');
  await database.close().catch(() => undefined);
});

test('a segment that cannot be closed after its fsync leaves nobody waiting', async () => {
  const disk = new SimulatedDisk({ syncCompletion: 'manual' });
  const vfs = new FailingVfs(disk);
  const database = Database.openOn(vfs);
  const writes = [put(database, 1), put(database, 2)];
  await new Promise((resolve) => setImmediate(resolve));
  expect(disk.pendingSyncCount).toBe(1);
  // The segment is left while its fsync is on its way; the end of that closes it.
  database.flushSync();
  vfs.fails = 'close';
  disk.completeSyncs();
  const codes = await Promise.all(writes);
  expect(codes.every((code) => code === 'none' || code === 'LIGHTNING_INDEFINITE')).toBe(true);
  vfs.fails = undefined;
  expect(database.getSync(fromText('key 1'))).toBeDefined();
  await database.close();
});
