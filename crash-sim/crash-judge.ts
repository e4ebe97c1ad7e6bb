/**
 * What is asked of every store that comes up after a power cut. The rows are judged against what the client was told
 * (durable-prefix.ts); here stands the rest:
 *
 *   1. recovering again gives the same rows;
 *   2. the store takes a write and keeps it, over a close and an opening;
 *   3. no file that is made from then on has a number that a file had before;
 *   4. after the close every byte is whole, every block of the tree is reached once or free, and no file is left that the
 *      manifest does not name (`verifyStore`, which reads the disk by a path of its own);
 *   5. nothing is left open;
 *   6. every backup whose end was reported is there, and each one that is there holds the commits it was begun with
 *      (backup-judge.ts); with indexes, their entries are those of the rows, before and after.
 */
import type { RecoveredMap } from '../spec/executable/durable-prefix.ts';
import { keyOfBytes } from '../spec/executable/keys.ts';
import { ManualClock } from '../src/base/clock.ts';
import type { Program } from '../src/contract/operations.ts';
import { verifyStore } from '../src/database/index.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { Machine } from './crash-case.ts';
import { indexProblem } from '../src/workload/crash-indexes.ts';
import {
  type CrashFailure,
  failureOf,
  isExcusedAtRest,
  type Knowledge,
  type KnownCommit,
} from '../src/workload/crash-knowledge.ts';
import { CRASH_CLOCK_START, CrashStore, openEngine, readAll } from '../src/workload/crash-store.ts';
import type { Vfs } from '../src/vfs/vfs.ts';
import { judgeBackups } from './backup-judge.ts';

const MARKER_KEY = new Uint8Array([0xff, 0x6d]);
const MARKER_VALUE = new Uint8Array([0x6d, 0x61, 0x72, 0x6b]);

/** What a recovery gave, or how it failed. */
export type Recovery = { readonly rows: RecoveredMap } | { readonly failure: CrashFailure; readonly error?: unknown };

/** The same disk, recovered twice or recovered after a recovery that was cut, shows other rows. */
export const RECOVERIES_DIFFER: CrashFailure = {
  class: 'recoveries-differ',
  message: 'a second recovery of the same disk gives other rows',
};

/** A commit that its client still watches. */
export type OpenCommit = { -readonly [K in keyof KnownCommit]: KnownCommit[K] };

/** Opens the store on an image at a time, and reads everything. */
export function recover(image: DiskImage, program: Program, machine: Machine, now?: number): Recovery {
  const disk = diskOf(image, machine);
  try {
    const engine = openEngine(disk, program, () => undefined, clockAt(now));
    const rows = readAll(engine);
    const problem = program.options['indexes'] === true ? indexProblem(engine, rows) : undefined;
    return problem === undefined ? { rows } : { failure: { class: 'index-differs', message: problem } };
  } catch (error) {
    return { failure: failureOf(error), error };
  }
}

/** A clock that stands at the time of a power cut. */
export function clockAt(now = CRASH_CLOCK_START): ManualClock {
  return new ManualClock(now);
}

/** A disk of its own, without faults, that holds an image. */
export function diskOf(image: DiskImage, { directoryModel, tearBytes }: Machine): SimulatedDisk {
  return new SimulatedDisk({ image: image.clone(), directoryModel, tearBytes });
}

/** The commit that {@link writeMarker} makes, before it is made. */
export function markerCommit(): OpenCommit {
  const write = { kind: 'put', key: keyOfBytes(MARKER_KEY), value: MARKER_VALUE, deadline: Infinity } as const;
  return { writes: [write], fate: 'indefinite', read: false, group: 0 };
}

/** One synced put. @throws LightningError when the store does not take it */
export function writeMarker(store: CrashStore): void {
  store.append([{ type: 'put', key: MARKER_KEY, value: MARKER_VALUE }]);
  store.engine.sync();
}

/** Opens the complete store on a disk, as {@link recover} opens the engine. */
export function openStore(disk: Vfs, program: Program, now?: number): CrashStore {
  return new CrashStore(disk, program, () => undefined, clockAt(now));
}

/** Uses the store on an image, closes and examines it; the points 1 to 6 above. */
export function afterlife(
  image: DiskImage,
  program: Program,
  machine: Machine,
  rows: RecoveredMap,
  knowledge: Knowledge,
): CrashFailure | undefined {
  const now = knowledge.time.nowEarliest;
  // A creation that was cut leaves no manifest; the next one begins anew, with the first number too.
  const isStore = image.get('MANIFEST') !== undefined;
  const numberMax = isStore ? Math.max(0, ...image.paths().map(numberOf)) : 0;
  let reused: string | undefined;
  const { directoryModel, tearBytes } = machine;
  const disk = new SimulatedDisk({
    image: image.clone(),
    directoryModel,
    tearBytes,
    observer: ({ operation, path }) => {
      if (operation === 'create' && numberOf(path) > 0 && numberOf(path) <= numberMax) reused ??= path;
    },
  });
  try {
    const store = openStore(disk, program, now);
    if (!sameRows(rows, readAll(store.engine))) return RECOVERIES_DIFFER;
    store.engine.checkInvariants();
    writeMarker(store);
    store.engine.flush();
    store.close();
    if (reused !== undefined) {
      return {
        class: 'number-reused',
        message: `${reused} is made again; a file of its number, or a later one, was there`,
      };
    }
    const report = verifyStore(disk, { isOpen: false });
    if (!report.clean && knowledge.owed === 'everything') {
      const [first] = report.findings;
      return { class: 'integrity-problem', message: `${first.file}: ${first.problem}` };
    }
    return judgeAgain(disk, program, rows, now) ?? judgeBackups(disk, knowledge);
  } catch (error) {
    return isExcusedAtRest(error, knowledge.owed) ? undefined : failureOf(error);
  }
}

/** The store after it was closed: the marker is there, nothing else has changed, the indexes agree, nothing stays open. */
function judgeAgain(disk: SimulatedDisk, program: Program, rows: RecoveredMap, now: number): CrashFailure | undefined {
  const again = openEngine(disk, program, () => undefined, clockAt(now));
  const expected = new Map(rows);
  expected.set(keyOfBytes(MARKER_KEY), MARKER_VALUE);
  const found = readAll(again);
  const problem = program.options['indexes'] === true ? indexProblem(again, found) : undefined;
  again.close();
  if (disk.openFileCount !== 0) return { class: 'leak', message: `${disk.openFileCount} files are open after close` };
  if (problem !== undefined) return { class: 'index-differs', message: problem };
  return sameRows(expected, found)
    ? undefined
    : { class: 'wrong-read', message: 'a store that was recovered, used and closed opens with other rows' };
}

/** The number in a file's name; 0 without one. The judge reads names by a rule of its own. */
function numberOf(path: string): number {
  // What lies in a folder is a backup's.
  if (path.includes('/')) return 0;
  return Number(/-(\d+)\.[a-z]+$/.exec(path)?.[1] ?? 0);
}

/** Whether two stores show the same rows. */
export function sameRows(a: RecoveredMap, b: RecoveredMap): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) {
    const other = b.get(key);
    if (other === undefined || Buffer.compare(value, other) !== 0) return false;
  }
  return true;
}
