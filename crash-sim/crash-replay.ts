/** Runs one saved case: the program up to its first cut, then one recovery after another up to theirs. */
import { type Chooser, ReplayChooser } from '../src/faults/chooser.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { FaultPlan } from '../src/faults/fault-plan.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { CrashCase, Cut } from './crash-case.ts';
import {
  type CrashFailure,
  failureOf,
  isExcusedAtRest,
  judge,
  type Knowledge,
  settled,
} from '../src/workload/crash-knowledge.ts';
import { readAll } from '../src/workload/crash-store.ts';
import {
  afterlife,
  diskOf,
  markerCommit,
  openStore,
  RECOVERIES_DIFFER,
  type Recovery,
  recover,
  sameRows,
  writeMarker,
} from './crash-judge.ts';
import { clientOn } from './owed.ts';

/** How a case is run. */
export interface ReplayOptions {
  /** `false`: the store is not used after its last recovery. */
  readonly afterlife?: boolean;
  /** Makes what answers for the choices of one cut; for those who want to listen. */
  readonly chooserOf?: (choices: readonly number[]) => Chooser;
}

/** The failure that a case shows; `undefined` when it passes. */
export function replayCase(crashCase: CrashCase, options: ReplayOptions = {}): CrashFailure | undefined {
  const imageAt = (disk: SimulatedDisk, cut: Cut): DiskImage =>
    disk.crashImage(options.chooserOf?.(cut.choices) ?? new ReplayChooser(cut.choices));
  const { program, machine, cuts } = crashCase;
  const disk = new SimulatedDisk({ ...machine, faults: new FaultPlan(machine.faults) });
  const client = clientOn(disk, program);
  const failure = runTo(disk, cuts[0], () => client.run());
  if (failure !== undefined) return failure;
  if (cuts.length === 0) return undefined;
  let image = imageAt(disk, cuts[0]);
  let known: Knowledge = client.knowledge();
  const now = known.time.nowEarliest;
  let uncut: Recovery | undefined;
  for (const cut of cuts.slice(1)) {
    uncut ??= recover(image, program, machine, now);
    const again = diskOf(image, machine);
    const marker = markerCommit();
    const problem = runTo(again, cut, () => {
      try {
        const store = openStore(again, program, now);
        const after = settled(known, readAll(store.engine));
        known = { ...after, commits: [...after.commits, marker] };
        uncut = undefined;
        writeMarker(store);
        marker.fate = 'synced';
        return undefined;
      } catch (error) {
        if (isPowerCut(error)) throw error;
        return isExcusedAtRest(error, known.owed) ? undefined : failureOf(error);
      }
    });
    if (problem !== undefined) return problem;
    image = imageAt(again, cut);
  }
  const last = recover(image, program, machine, now);
  if ('failure' in last) return isExcusedAtRest(last.error, known.owed) ? undefined : last.failure;
  const wrong = judge(known, last.rows);
  if (wrong !== undefined) return wrong;
  if (uncut !== undefined && 'rows' in uncut && !sameRows(uncut.rows, last.rows)) return RECOVERIES_DIFFER;
  return options.afterlife === false ? undefined : afterlife(image, program, machine, last.rows, known);
}

/** Runs until the power goes before step `cut.step`, or to the end. */
function runTo(
  disk: SimulatedDisk,
  cut: Cut | undefined,
  run: () => CrashFailure | undefined,
): CrashFailure | undefined {
  if (cut !== undefined) disk.cutAtStep(cut.step, 'before');
  try {
    return run();
  } catch (error) {
    if (!isPowerCut(error)) throw error;
    return undefined;
  }
}
