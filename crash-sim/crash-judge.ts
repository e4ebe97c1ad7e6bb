/**
 * What is asked of every store that comes up after a power cut. The rows are judged against what the client was told
 * (durable-prefix.ts); here stands the rest:
 *
 *   1. recovering again gives the same rows;
 *   2. the store takes a write and keeps it, over a close and an opening;
 *   3. no file that is made from then on has a number that a file had before;
 *   4. after the close every byte is whole, every block of the tree is reached once or free, and no file is left that the
 *      manifest does not name (`verifyStore`, which reads the disk by a path of its own);
 *   5. nothing is left open.
 */
import { type CommitRecord, judgeRecovered, type RecoveredMap } from '../spec/executable/durable-prefix.ts';
import { keyOfBytes } from '../spec/executable/keys.ts';
import { isLightningError } from '../src/base/errors.ts';
import type { Program } from '../src/contract/operations.ts';
import { verifyStore } from '../src/database/index.ts';
import type { Engine } from '../src/engine/index.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { Machine } from './crash-case.ts';
import { type CrashFailure, openEngine, readAll } from '../src/workload/crash-client.ts';

const MARKER_KEY = new Uint8Array([0xff, 0x6d]);
const MARKER_VALUE = new Uint8Array([0x6d, 0x61, 0x72, 0x6b]);

/** What a recovery gave, or how it failed. */
export type Recovery = { readonly rows: RecoveredMap } | { readonly failure: CrashFailure };

/** The same disk, recovered twice or recovered after a recovery that was cut, shows other rows. */
export const RECOVERIES_DIFFER: CrashFailure = {
  class: 'recoveries-differ',
  message: 'a second recovery of the same disk gives other rows',
};

/** A commit that its client still watches. */
export type OpenCommit = { -readonly [K in keyof CommitRecord]: CommitRecord[K] };

/** Opens the store on an image, and reads everything. */
export function recover(image: DiskImage, program: Program, machine: Machine): Recovery {
  const disk = diskOf(image, machine);
  try {
    return { rows: readAll(openEngine(disk, program, () => undefined)) };
  } catch (error) {
    return { failure: failureOf(error) };
  }
}

/** A disk of its own, without faults, that holds an image. */
export function diskOf(image: DiskImage, { directoryModel, tearBytes }: Machine): SimulatedDisk {
  return new SimulatedDisk({ image: image.clone(), directoryModel, tearBytes });
}

/** What is known once a recovery has shown its rows: the commits it included are durable, the others are gone. */
export function settled(commits: readonly CommitRecord[], rows: RecoveredMap): CommitRecord[] {
  const verdict = judgeRecovered(commits, rows);
  if (verdict.kind !== 'ok') return [...commits];
  return verdict.included.map((position) => ({ ...commits[position], fate: 'synced' }));
}

/** The commit that {@link writeMarker} makes, before it is made. */
export function markerCommit(): OpenCommit {
  const write = { kind: 'put', key: keyOfBytes(MARKER_KEY), value: MARKER_VALUE, deadline: Infinity } as const;
  return { writes: [write], fate: 'indefinite', read: false };
}

/** One synced put. @throws LightningError when the store does not take it */
export function writeMarker(engine: Engine): void {
  for (;;) {
    try {
      engine.commit([{ type: 'put', key: MARKER_KEY, value: MARKER_VALUE }]);
      break;
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_BACKPRESSURE')) throw error;
      engine.step();
    }
  }
  engine.sync();
}

/** Uses the store on an image, closes and examines it; the points 1 to 5 above. */
export function afterlife(
  image: DiskImage,
  program: Program,
  machine: Machine,
  rows: RecoveredMap,
): CrashFailure | undefined {
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
    const engine = openEngine(disk, program, () => undefined);
    if (!sameRows(rows, readAll(engine))) {
      return RECOVERIES_DIFFER;
    }
    engine.checkInvariants();
    writeMarker(engine);
    engine.flush();
    engine.close();
    if (reused !== undefined) {
      return {
        class: 'number-reused',
        message: `${reused} is made again; a file of its number, or a later one, was there`,
      };
    }
    const report = verifyStore(disk, { isOpen: false });
    if (!report.clean) {
      const [first] = report.findings;
      return { class: 'integrity-problem', message: `${first.file}: ${first.problem}` };
    }
    const again = openEngine(disk, program, () => undefined);
    const expected = new Map(rows);
    expected.set(keyOfBytes(MARKER_KEY), MARKER_VALUE);
    const found = readAll(again);
    again.close();
    if (disk.openFileCount !== 0) return { class: 'leak', message: `${disk.openFileCount} files are open after close` };
    return sameRows(expected, found)
      ? undefined
      : { class: 'wrong-read', message: 'a store that was recovered, used and closed opens with other rows' };
  } catch (error) {
    return failureOf(error);
  }
}

/** The number in a file's name; 0 without one. The judge reads names by a rule of its own. */
function numberOf(path: string): number {
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

/** An error of a recovery that nothing excuses, as a failure. */
export function failureOf(error: unknown): CrashFailure {
  if (isLightningError(error)) return { class: 'unexpected-error', message: `${error.code}: ${error.message}` };
  return { class: 'uncoded-error', message: String(error) };
}
