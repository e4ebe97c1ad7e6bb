/** Runs one saved case: the program up to its first cut, then one recovery after another up to theirs. */
import type { CommitRecord } from '../spec/executable/durable-prefix.ts';
import { ReplayChooser } from '../src/faults/chooser.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { FaultPlan } from '../src/faults/fault-plan.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { CrashCase, Cut } from './crash-case.ts';
import { CrashClient, type CrashFailure, judge, openEngine, readAll } from '../src/workload/crash-client.ts';
import {
  afterlife,
  diskOf,
  failureOf,
  markerCommit,
  RECOVERIES_DIFFER,
  type Recovery,
  recover,
  sameRows,
  settled,
  writeMarker,
} from './crash-judge.ts';

/** The failure that a case shows; `undefined` when it passes. */
export function replayCase(crashCase: CrashCase): CrashFailure | undefined {
  const { program, machine, cuts } = crashCase;
  const disk = new SimulatedDisk({ ...machine, faults: new FaultPlan(machine.faults) });
  const client = new CrashClient(disk, program, () => undefined);
  const failure = runTo(disk, cuts[0], () => client.run());
  if (failure !== undefined) return failure;
  if (cuts.length === 0) return undefined;
  let image = imageAt(disk, cuts[0]);
  let known: CommitRecord[] = client.knowledge();
  let uncut: Recovery | undefined;
  for (const cut of cuts.slice(1)) {
    uncut ??= recover(image, program, machine);
    const again = diskOf(image, machine);
    const marker = markerCommit();
    const problem = runTo(again, cut, () => {
      try {
        const engine = openEngine(again, program, () => undefined);
        known = [...settled(known, readAll(engine)), marker];
        uncut = undefined;
        writeMarker(engine);
        marker.fate = 'synced';
        return undefined;
      } catch (error) {
        if (isPowerCut(error)) throw error;
        return failureOf(error);
      }
    });
    if (problem !== undefined) return problem;
    image = imageAt(again, cut);
  }
  const last = diskOf(image, machine);
  try {
    const rows = readAll(openEngine(last, program, () => undefined));
    const wrong = judge(known, rows);
    if (wrong !== undefined) return wrong;
    if (uncut !== undefined && 'rows' in uncut && !sameRows(uncut.rows, rows)) return RECOVERIES_DIFFER;
    return afterlife(image, program, machine, rows);
  } catch (error) {
    return failureOf(error);
  }
}

function imageAt(disk: SimulatedDisk, cut: Cut): DiskImage {
  return disk.crashImage(new ReplayChooser(cut.choices));
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
