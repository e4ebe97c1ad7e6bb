/**
 * Figures of the database's face that need no peer: how many commits share an fsync on a disk that really takes 2 ms for
 * one, what a transaction costs over the plain operations, and how reads and collection grow with open snapshots and
 * versions of one key.
 *
 * `node bench/service.ts [--json FILE] [--small]` prints them; `reports/baselines/service.json` keeps a run.
 */
import { parseArgs } from 'node:util';
import { monotonicMilliseconds } from '../src/base/clock.ts';
import { Database } from '../src/database/index.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { writeWhole } from '../src/report/files.ts';
import { ForwardingFile, ForwardingVfs } from '../src/vfs/forwarding-vfs.ts';
import type { OpenMode, VfsFile } from '../src/vfs/vfs.ts';

const SYNC_MILLISECONDS = 2;
const WRITERS = 64;

/** A disk whose fsync takes its time: it blocks, or ends later off the thread. */
class SlowSyncVfs extends ForwardingVfs {
  override open(path: string, mode: OpenMode): VfsFile {
    return new SlowSyncFile(super.open(path, mode));
  }
}

class SlowSyncFile extends ForwardingFile {
  override sync(): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SYNC_MILLISECONDS);
    super.sync();
  }

  override syncAsync(done: (error: unknown) => void): void {
    setTimeout(() => super.syncAsync(done), SYNC_MILLISECONDS);
  }
}

function key(n: number): Uint8Array {
  return Buffer.from(`key ${String(n).padStart(8, '0')}`);
}

/** Commits a second and commits per fsync, with so many writers at once. */
async function groupCommit(writers: number, seconds: number): Promise<{ perSecond: number; perSync: number }> {
  const database = Database.openOn(new SlowSyncVfs(new SimulatedDisk()), { memtableBytes: 64 * 1024 * 1024 });
  const before = database.statistics();
  const start = monotonicMilliseconds();
  const end = start + seconds * 1000;
  let commits = 0;
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; monotonicMilliseconds() < end; i++) {
      await database.put(key(writer * 1_000_000 + i), new Uint8Array(100));
      commits++;
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  const took = (monotonicMilliseconds() - start) / 1000;
  const { syncs } = database.statistics();
  await database.close();
  return { perSecond: commits / took, perSync: commits / (syncs - before.syncs) };
}

/** CPU seconds of this process so far. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** CPU of transactions of four reads and four writes over that of the same operations without one; mode `none`. */
function transactionRatio(rounds: number): number {
  const database = Database.openOn(new SimulatedDisk(), { durability: 'none', memtableBytes: 64 * 1024 * 1024 });
  for (let i = 0; i < 10_000; i++) database.putSync(key(i), new Uint8Array(100));
  const value = new Uint8Array(100);
  let at = 0;
  const four = (): Uint8Array[] => Array.from({ length: 4 }, () => key((at = (at + 7919) % 10_000)));
  const plain = (): void => {
    for (const one of four()) database.getSync(one);
    for (const one of four()) database.putSync(one, value);
  };
  const within = (): void => {
    const transaction = database.begin();
    for (const one of four()) transaction.getSync(one);
    for (const one of four()) transaction.put(one, value);
    transaction.commitSync();
  };
  const cost = { plain: 0, within: 0 };
  // In turn, so that both meet the same noise; the first slices warm up.
  for (let slice = -4; slice < 20; slice++) {
    for (const [name, work] of [
      ['plain', plain],
      ['within', within],
    ] as const) {
      const start = cpuSeconds();
      for (let i = 0; i < rounds; i++) work();
      if (slice >= 0) cost[name] += cpuSeconds() - start;
    }
  }
  database.closeSync();
  return cost.within / cost.plain;
}

/** Open snapshots over versions of one key: microseconds a read in the oldest, the middle and the newest of them, and of a collection. */
function versions(count: number, snapshotCount: number): Record<string, number> {
  const database = Database.openOn(new SimulatedDisk(), { durability: 'none', memtableBytes: 4 * 1024 * 1024 });
  const heapBefore = process.memoryUsage().heapUsed;
  const every = Math.max(1, Math.floor(count / snapshotCount));
  const snapshots = [];
  for (let i = 0; i < count; i++) {
    database.putSync(key(0), Buffer.from(`${i}`));
    if (i % every === 0 && snapshots.length < snapshotCount) snapshots.push({ i, snapshot: database.snapshot() });
  }
  database.compactSync();
  const reads = 3000;
  const start = cpuSeconds();
  for (let i = 0; i < reads; i++) {
    const one = snapshots[(i * 7919) % snapshots.length];
    if (Number(Buffer.from(one.snapshot.getSync(key(0)) ?? []).toString()) !== one.i)
      throw new RangeError('a wrong version');
  }
  const readMicroseconds = ((cpuSeconds() - start) * 1e6) / reads;
  const entriesHeld = database.statistics().treeBlocks;
  for (const { snapshot } of snapshots) snapshot.release();
  snapshots.length = 0;
  const collectStart = cpuSeconds();
  database.putSync(key(1), new Uint8Array(1));
  database.compactSync();
  const collectSeconds = cpuSeconds() - collectStart;
  const { treeBlocks, treeBlocksFree, snapshotCount: left } = database.statistics();
  globalThis.gc?.();
  const heapGrowth = process.memoryUsage().heapUsed - heapBefore;
  database.closeSync();
  return {
    versions: count,
    snapshots: snapshotCount,
    readMicroseconds,
    collectMicrosecondsAVersion: (collectSeconds * 1e6) / snapshotCount,
    blocksHeld: entriesHeld,
    blocksInUseAfter: treeBlocks - treeBlocksFree,
    snapshotsLeft: left,
    heapGrowthMegabytes: heapGrowth / 1e6,
  };
}

const { values } = parseArgs({ options: { json: { type: 'string' }, small: { type: 'boolean', default: false } } });
const scale = values.small ? 0.1 : 1;
// In turn, and the middle of each, so that both meet the same noise.
type Rates = Awaited<ReturnType<typeof groupCommit>>;
const turns: (readonly [Rates, Rates])[] = [];
for (let i = 0; i < 7; i++) turns.push([await groupCommit(1, scale), await groupCommit(WRITERS, scale)] as const);
const middle = (part: 0 | 1): Rates => turns.map((pair) => pair[part]).sort((a, b) => a.perSecond - b.perSecond)[3];
const [one, many] = [middle(0), middle(1)];
const figures = {
  command: 'node --expose-gc bench/service.ts --json reports/baselines/service.json',
  groupCommit: {
    syncMilliseconds: SYNC_MILLISECONDS,
    writers: WRITERS,
    commitsPerSync: many.perSync,
    commitsPerSecond: many.perSecond,
    commitsPerSecondOfOneWriter: one.perSecond,
    ratio: many.perSecond / one.perSecond,
  },
  transactionOverPlain: transactionRatio(Math.round(500 * scale)),
  versions: [0.01, 0.1, 1].map((part) =>
    versions(Math.round(1_000_000 * part * scale), Math.round(100_000 * part * scale)),
  ),
};
const text = `${JSON.stringify(figures, undefined, 2)}\n`;
process.stdout.write(text);
if (values.json !== undefined) writeWhole(values.json, text);
