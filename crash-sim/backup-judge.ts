/** The backups in the folder beside a store that was cut: each one there is restored, and compared with what its client knows. */
import { ManualClock } from '../src/base/clock.ts';
import { listBackups } from '../src/database/backup/backup-reader.ts';
import { restoreBackup } from '../src/database/backup/restore.ts';
import { readingBlobs } from '../src/database/blobs/blob-files.ts';
import { Engine } from '../src/engine/index.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { FolderVfs } from '../src/vfs/folder-vfs.ts';
import type { Vfs } from '../src/vfs/vfs.ts';
import {
  type CrashFailure,
  failureOf,
  isExcusedAtRest,
  judge,
  type Knowledge,
  type KnownBackup,
} from '../src/workload/crash-knowledge.ts';
import { BACKUP_FOLDER, readAll } from '../src/workload/crash-store.ts';

/** Backups restored of one disk; older ones were restored from earlier disks. */
const RESTORED_MAX = 2;

/** The first thing that is wrong with them. @throws LightningError when the folder cannot be read */
export function judgeBackups(disk: Vfs, knowledge: Knowledge): CrashFailure | undefined {
  if (disk.kind(BACKUP_FOLDER) !== 'directory') {
    return knowledge.backups.some(isMade) ? missing('its folder') : undefined;
  }
  const folder = new FolderVfs(disk, BACKUP_FOLDER);
  const there = listBackups(folder);
  for (const backup of knowledge.backups) {
    if (isMade(backup) && !there.includes(backup.number)) return missing(String(backup.number));
  }
  for (const number of there.slice(-RESTORED_MAX)) {
    const failure = judgeOne(folder, number, knowledge);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

function isMade(backup: KnownBackup): backup is KnownBackup & { readonly number: number } {
  return backup.number !== undefined;
}

function missing(what: string): CrashFailure {
  return { class: 'backup-lost', message: `a backup was reported as made and is gone: ${what}` };
}

function judgeOne(folder: Vfs, number: number, knowledge: Knowledge): CrashFailure | undefined {
  const target = new SimulatedDisk();
  const candidates = knowledge.backups.filter((one) => one.number === number);
  if (candidates.length === 0) candidates.push(...knowledge.backups.filter((one) => one.number === undefined));
  try {
    const work = restoreBackup(folder, target, { backup: number, newTimeline: () => new Uint8Array(16).fill(number) });
    while (work.next().done !== true);
    const [first] = candidates;
    if (first === undefined) return { class: 'backup-differs', message: `nobody began backup ${number}` };
    const clock = new ManualClock(first.time.nowEarliest);
    const engine = Engine.open({ vfs: target, clock, references: readingBlobs }, { createIfMissing: false });
    const rows = readAll(engine);
    engine.close();
    // All commits before its beginning were synced by it; the judge allows a prefix, so none of them is left open.
    let failure: CrashFailure | undefined;
    for (const { commits, time } of candidates) {
      const synced = commits.map((commit) =>
        commit.fate === 'volatile' ? { ...commit, fate: 'synced' as const } : commit,
      );
      failure = judge({ ...knowledge, owed: 'everything', commits: synced, time }, rows);
      if (failure === undefined) return undefined;
    }
    return { class: 'backup-differs', message: `backup ${number}: ${failure?.message}` };
  } catch (error) {
    return isExcusedAtRest(error, knowledge.owed) ? undefined : { ...failureOf(error), class: 'backup-damaged' };
  }
}
