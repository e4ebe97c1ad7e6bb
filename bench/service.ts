/**
 * Figures of the database's face that need no peer: how many commits share an fsync on a disk that really takes 2 ms for
 * one, what a transaction costs over the plain operations, and how reads and collection grow with open snapshots and
 * versions of one key.
 *
 * `node bench/service.ts [--json FILE] [--small]` prints them; `reports/baselines/service.json` keeps a run.
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { cpuSeconds, monotonicMilliseconds } from '../src/base/clock.ts';
import { median } from '../src/base/statistics.ts';
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

interface Rates {
  readonly perSecond: number;
  readonly perSync: number;
  /** On a clock that counts the fsyncs and this process's CPU time, as if one never ran beside the other: whatever else runs. */
  readonly perSecondOfFsyncsAndCpu: number;
}

/** Commits with so many writers at once. */
async function groupCommit(writers: number, seconds: number): Promise<Rates> {
  const database = Database.openOn(new SlowSyncVfs(new SimulatedDisk()), { memtableBytes: 64 * 1024 * 1024 });
  const before = database.statistics();
  const cpu = cpuSeconds();
  const start = monotonicMilliseconds();
  const end = start + seconds * 1000;
  let commits = 0;
  const value = new Uint8Array(100);
  const write = async (writer: number): Promise<void> => {
    for (let i = 0; monotonicMilliseconds() < end; i++) {
      await database.put(key(writer * 1_000_000 + i), value);
      commits++;
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)));
  const took = (monotonicMilliseconds() - start) / 1000;
  const syncs = database.statistics().syncs - before.syncs;
  const counted = (syncs * SYNC_MILLISECONDS) / 1000 + cpuSeconds() - cpu;
  await database.close();
  return { perSecond: commits / took, perSync: commits / syncs, perSecondOfFsyncsAndCpu: commits / counted };
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

/** What lives on the heap after a collection, in megabytes; without `--expose-gc` whatever is on it. */
function heapMegabytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1e6;
}

/** Has everything merged that waits, and says what CPU it took, in microseconds. */
function mergeMicroseconds(database: Database): number {
  const start = cpuSeconds();
  database.putSync(key(1), new Uint8Array(1));
  database.compactSync();
  return (cpuSeconds() - start) * 1e6;
}

/**
 * Open snapshots over versions of one key: microseconds of CPU for a read in any of them, for each version put and merged
 * while they are open, for each version collected once they are released; and what memory is left of it. A round before
 * it makes what a store in use keeps anyhow.
 */
async function versions(count: number, snapshotCount: number): Promise<Record<string, number>> {
  const database = Database.openOn(new SimulatedDisk(), { durability: 'none', memtableBytes: 4 * 1024 * 1024 });
  versionsOnce(database, count, snapshotCount);
  // The engine of JavaScript empties its tables of watched objects in a turn of its own.
  await nextTurn();
  const heapBefore = heapMegabytes();
  const figures = versionsOnce(database, count, snapshotCount);
  await nextTurn();
  const heapAfter = heapMegabytes();
  const { heapMegabytesHeld, ...others } = figures;
  database.closeSync();
  return {
    versions: count,
    snapshots: snapshotCount,
    ...others,
    heapMegabytesWithSnapshots: heapMegabytesHeld - heapBefore,
    heapMegabytesAfter: heapAfter - heapBefore,
  };
}

async function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 10));
}

function versionsOnce(database: Database, count: number, snapshotCount: number) {
  const every = Math.max(1, Math.floor(count / snapshotCount));
  const snapshots = [];
  const putStart = cpuSeconds();
  for (let i = 0; i < count; i++) {
    database.putSync(key(0), Buffer.from(`${i}`));
    if (i % every === 0 && snapshots.length < snapshotCount) snapshots.push({ i, snapshot: database.snapshot() });
  }
  database.compactSync();
  const putMicroseconds = ((cpuSeconds() - putStart) * 1e6) / count;
  const reads = 3000;
  const start = cpuSeconds();
  for (let i = 0; i < reads; i++) {
    const one = snapshots[(i * 7919) % snapshots.length];
    if (Number(Buffer.from(one.snapshot.getSync(key(0)) ?? []).toString()) !== one.i)
      throw new RangeError('a wrong version');
  }
  const readMicroseconds = ((cpuSeconds() - start) * 1e6) / reads;
  const { treeBlocks: blocksHeld, treeBlocksFree: freeHeld } = database.statistics();
  const heapMegabytesHeld = heapMegabytes();
  const mergeHeldMicroseconds = mergeMicroseconds(database);
  for (const { snapshot } of snapshots) snapshot.release();
  const collectMicroseconds = mergeMicroseconds(database);
  const { treeBlocks, treeBlocksFree, snapshotCount: left } = database.statistics();
  return {
    readMicroseconds,
    putAndMergeMicrosecondsAVersion: putMicroseconds,
    laterMergeMicrosecondsAnOpenSnapshot: mergeHeldMicroseconds / snapshotCount,
    collectMicrosecondsASnapshot: collectMicroseconds / snapshotCount,
    blocksInUseWithSnapshots: blocksHeld - freeHeld,
    blocksInUseAfter: treeBlocks - treeBlocksFree,
    snapshotsLeft: left,
    heapMegabytesHeld,
  };
}

const { values } = parseArgs({ options: { json: { type: 'string' }, small: { type: 'boolean', default: false } } });
const scale = values.small ? 0.1 : 1;
const [loadBefore] = loadavg();
// In turn, so that both meet the same noise; the first turn warms up and is not counted.
const turns: { readonly one: Rates; readonly many: Rates }[] = [];
for (let i = 0; i < 8; i++) turns.push({ one: await groupCommit(1, scale), many: await groupCommit(WRITERS, scale) });
turns.shift();
const ratios = turns.map(({ one, many }) => many.perSecond / one.perSecond);
const figures = {
  command: 'node --expose-gc bench/service.ts --json reports/baselines/service.json',
  groupCommit: {
    syncMilliseconds: SYNC_MILLISECONDS,
    writers: WRITERS,
    commitsPerSync: Math.min(...turns.map(({ many }) => many.perSync)),
    commitsPerSecond: median(turns.map(({ many }) => many.perSecond)),
    commitsPerSecondOfOneWriter: median(turns.map(({ one }) => one.perSecond)),
    ratio: median(ratios),
    ratioLeast: Math.min(...ratios),
    ratioOfFsyncsAndCpu: median(
      turns.map(({ one, many }) => many.perSecondOfFsyncsAndCpu / one.perSecondOfFsyncsAndCpu),
    ),
    loadAverageBefore: loadBefore,
  },
  transactionOverPlain: transactionRatio(Math.round(500 * scale)),
  versions: [
    await versions(10_000 * scale, 1000 * scale),
    await versions(100_000 * scale, 10_000 * scale),
    await versions(1_000_000 * scale, 100_000 * scale),
  ],
};
const text = `${JSON.stringify(figures, undefined, 2)}\n`;
process.stdout.write(text);
if (values.json !== undefined) writeWhole(values.json, text);
