/** A failing case as a story that a person reads. */
import { ReplayChooser } from '../src/faults/chooser.ts';
import { FaultPlan, nameOfFault } from '../src/faults/fault-plan.ts';
import type { IoStep } from '../src/faults/io-steps.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { printProgram } from '../src/workload/print.ts';
import type { CrashCase } from './crash-case.ts';
import { CrashClient } from '../src/workload/crash-client.ts';

const STEPS_SHOWN = 6;

/** One line an operation, then the cut, what the disk had done last, and what survived. */
export function tellStory(crashCase: CrashCase, message: string): string[] {
  const { program, machine, cuts } = crashCase;
  const lines = [...printProgram(program)];
  for (const { when, effect } of machine.faults) {
    const where = 'step' in when ? `step ${when.step}` : `call ${when.nth} on ${when.path}`;
    lines.push(`fault: ${nameOfFault(effect)} at ${where}`);
  }
  const [first] = cuts;
  if (first !== undefined) {
    const steps: IoStep[] = [];
    const disk = new SimulatedDisk({
      ...machine,
      faults: new FaultPlan(machine.faults),
      observer: (step) => steps.push(step),
    });
    disk.cutAtStep(first.step, 'before');
    try {
      new CrashClient(disk, program, () => undefined).run();
    } catch (error) {
      if (!isPowerCut(error)) throw error;
    }
    for (const step of steps.slice(0, first.step - 1).slice(-STEPS_SHOWN)) {
      lines.push(
        `  disk step ${step.number}: ${step.operation} ${step.path || '(folder)'}${step.lengthBytes > 0 ? ` ${step.lengthBytes} bytes at ${step.position}` : ''}`,
      );
    }
    const image = disk.crashImage(new ReplayChooser(first.choices));
    lines.push(`POWER CUT before step ${first.step} (${machine.directoryModel} names, tears at ${machine.tearBytes})`);
    for (const path of image.paths()) lines.push(`  survives: ${path} ${image.get(path)?.length ?? 0} bytes`);
  }
  for (const cut of cuts.slice(1)) lines.push(`recovery begins; POWER CUT again before its step ${cut.step}`);
  lines.push(`recovery: ${message}`);
  return lines;
}
