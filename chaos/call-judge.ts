/**
 * What is asked of a store on real files after its process was killed, or after the file system below it was shut down.
 * The judge is the one of the simulated power cuts; the files themselves are held against the simulated disk.
 */
import { deserialize, serialize } from 'node:v8';
import { keyOfBytes } from '../spec/executable/keys.ts';
import type { RecoveredMap } from '../spec/executable/durable-prefix.ts';
import { ManualClock } from '../src/base/clock.ts';
import { equalBytes } from '../src/base/bytes.ts';
import { isLightningError } from '../src/base/errors.ts';
import type { Program } from '../src/contract/operations.ts';
import { verifyStore } from '../src/database/index.ts';
import { EnumeratingChooser } from '../src/faults/chooser.ts';
import { DiskImage } from '../src/faults/disk-image.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { Vfs } from '../src/vfs/vfs.ts';
import { readWholeFile } from '../src/vfs/watched-vfs.ts';
import { CrashClient } from '../src/workload/crash-client.ts';
import { indexProblem } from '../src/workload/crash-indexes.ts';
import { type CrashFailure, failureOf, judge, type Knowledge } from '../src/workload/crash-knowledge.ts';
import { CrashStore, readAll } from '../src/workload/crash-store.ts';

const MARKER = new Uint8Array([0xff, 0x6d]);
/** With more states than this, membership is not looked at. */
const STATES_MAX = 20_000;

/** Knowledge as text, for a message. */
export function encodeKnowledge(knowledge: Knowledge): string {
  return serialize(knowledge).toString('base64');
}

/** The reverse of {@link encodeKnowledge}; the text comes from a child of ours. */
export function decodeKnowledge(text: string): Knowledge {
  return deserialize(Buffer.from(text, 'base64')) as Knowledge;
}

/** A process that is killed loses nothing that the operating system has: what was acknowledged without a sync, too. */
export function afterKill(knowledge: Knowledge): Knowledge {
  const commits = knowledge.commits.map((commit) =>
    commit.fate === 'volatile' ? { ...commit, fate: 'synced' as const } : commit,
  );
  return { ...knowledge, commits };
}

/** Opens the store, judges its rows, uses it, closes it, examines it and opens it again. */
export function examineStore(vfs: Vfs, program: Program, knowledge: Knowledge): CrashFailure | undefined {
  const clock = new ManualClock(knowledge.time.nowEarliest);
  const opened: CrashStore[] = [];
  const open = (): CrashStore => {
    const store = new CrashStore(vfs, program, () => undefined, clock);
    opened.push(store);
    return store;
  };
  try {
    const store = open();
    const rows = readAll(store.engine);
    const problem = judge(knowledge, rows) ?? indexFailure(store, program, rows);
    if (problem !== undefined) return problem;
    store.engine.checkInvariants();
    store.append([{ type: 'put', key: MARKER, value: MARKER }]);
    store.engine.sync();
    store.close();
    const report = verifyStore(vfs, { isOpen: false });
    const [finding] = report.findings;
    if (!report.clean) return { class: 'integrity-problem', message: `${finding.file}: ${finding.problem}` };
    const found = readAll(open().engine);
    const expected = new Map(rows).set(keyOfBytes(MARKER), MARKER);
    const isSame =
      found.size === expected.size && [...expected].every(([key, value]) => isEqual(found.get(key), value));
    return isSame ? undefined : { class: 'wrong-read', message: 'used and closed, the store opens with other rows' };
  } catch (error) {
    return failureOf(error);
  } finally {
    // Whatever came of it: a store that stays open keeps its file system busy. What closing says was judged above.
    for (const store of opened) closeQuietly(store);
  }
}

function closeQuietly(store: CrashStore): void {
  try {
    store.close();
  } catch (error) {
    if (!isLightningError(error)) throw error;
  }
}

function isEqual(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && equalBytes(a, b);
}

function indexFailure(store: CrashStore, program: Program, rows: RecoveredMap): CrashFailure | undefined {
  const problem = program.options['indexes'] === true ? indexProblem(store.engine, rows) : undefined;
  return problem === undefined ? undefined : { class: 'index-differs', message: problem };
}

/** The files below a folder, without its lock, which the real one and the simulated one hold in ways of their own. */
export function imageOfFolder(vfs: Vfs): DiskImage {
  const image = new DiskImage();
  const visit = (folder: string): void => {
    for (const name of vfs.list(folder)) {
      const path = folder === '' ? name : `${folder}/${name}`;
      if (name.startsWith('LOCK')) continue;
      if (vfs.kind(path) === 'directory') {
        image.addFolder(path);
        visit(path);
      } else image.set(path, readWholeFile(vfs, path));
    }
  };
  visit('');
  return image;
}

/** The simulated disk where a program stops before a call. */
export function diskAtCall(
  program: Program,
  call: number,
  directoryModel: 'strict' | 'ext4',
  tearBytes: number,
): SimulatedDisk {
  const disk = new SimulatedDisk({ directoryModel, tearBytes });
  disk.cutAtStep(call, 'before');
  try {
    new CrashClient(disk, program, () => undefined).run();
  } catch (error) {
    if (!isPowerCut(error)) throw error;
  }
  return disk;
}

/** Calls of a whole program. */
export function callsOf(program: Program): number {
  const disk = new SimulatedDisk();
  new CrashClient(disk, program, () => undefined).run();
  return disk.steps;
}

/** Where real files differ from what the simulated disk says that a process sees; `undefined` where they do not. */
export function differenceFrom(expected: DiskImage, real: DiskImage): string | undefined {
  const paths = new Set([...expected.paths(), ...real.paths()].filter((path) => !isLock(path)));
  for (const path of paths) {
    const wanted = expected.get(path);
    const found = real.get(path);
    if (wanted === undefined) return `${path} is there`;
    if (found === undefined) return `${path} is not there`;
    if (!equalBytes(wanted, found))
      return `${path} has ${found.length} bytes, other than the ${wanted.length} expected`;
  }
  return undefined;
}

function isLock(path: string): boolean {
  return path.split('/').some((name) => name.startsWith('LOCK'));
}

/** Whether real files are one of the states that the simulated disk allows; `undefined` when there are too many of them. */
export function isAllowedState(disk: SimulatedDisk, real: DiskImage): boolean | undefined {
  if (disk.crashStateCount() > STATES_MAX) return undefined;
  const chooser = new EnumeratingChooser();
  do {
    if (differenceFrom(disk.crashImage(chooser), real) === undefined) return true;
  } while (chooser.next());
  return false;
}
