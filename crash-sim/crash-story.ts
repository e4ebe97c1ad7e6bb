/** A failing case as a story that a person reads: one sentence, then the steps that lead to it. */
import { nameOfFault, type PlannedFault } from '../src/faults/fault-plan.ts';
import { printProgram } from '../src/workload/print.ts';
import type { CrashCase } from './crash-case.ts';
import { type Leg, recordCase, type RecordedStep } from './crash-recording.ts';

const STEPS_SHOWN = 6;

/** The whole story: the sentence, one line an operation, then each cut, what the disk had done last, and what survived. */
export function tellStory(crashCase: CrashCase, message: string): string[] {
  const { program, machine } = crashCase;
  const legs = recordCase(crashCase);
  const lines = [storySentence(crashCase, legs, message), ...printProgram(program)];
  for (const fault of machine.faults) lines.push(`fault: ${describeFault(fault)}`);
  for (const [index, leg] of legs.entries()) {
    if (leg.cut === undefined) continue;
    if (index > 0) lines.push('recovery begins');
    for (const step of leg.steps.slice(-STEPS_SHOWN)) lines.push(`  disk step ${step.number}: ${describeStep(step)}`);
    const where = index === 0 ? ` (${machine.directoryModel} names, tears at ${machine.tearBytes})` : '';
    lines.push(`POWER CUT${index === 0 ? '' : ' again'} before step ${leg.cut.step}${where}: ${describeLosses(leg)}`);
    if (index < legs.length - 1) continue;
    for (const path of leg.left.paths()) lines.push(`  survives: ${path} ${leg.left.get(path)?.length ?? 0} bytes`);
  }
  lines.push(`${legs[0].cut === undefined ? 'then' : 'recovery'}: ${message}`);
  return lines;
}

/** "3 operations, a power cut with one 512-byte tear in wal-1.log: key "a" is absent". */
export function storySentence(crashCase: CrashCase, legs: readonly Leg[], message: string): string {
  const count = crashCase.program.operations.length;
  const parts = [count === 0 ? 'only an opening' : count === 1 ? '1 operation' : `${count} operations`];
  for (const fault of crashCase.machine.faults) parts.push(describeFault(fault));
  for (const [index, leg] of legs.entries()) {
    if (leg.cut === undefined) continue;
    parts.push(`a power cut${index === 0 ? '' : ' in the recovery'} with ${describeLosses(leg)}`);
  }
  return `${parts.join(', ')}: ${message}`;
}

const NOUNS: Readonly<Record<string, string>> = { sync: 'fsync', syncDirectory: 'fsync of a folder' };

/** A planned fault in words. */
export function describeFault({ when, effect }: PlannedFault): string {
  const where = 'step' in when ? `step ${when.step}` : `call ${when.nth} on ${when.path}`;
  const times = 'times' in when && when.times > 1 ? ` and ${when.times - 1} more` : '';
  const noun =
    'error' in effect
      ? `${NOUNS[effect.operation] ?? effect.operation} that fails with ${effect.error}`
      : nameOfFault(effect);
  return `${/^([aeiou]|fsync)/.test(noun) ? 'an' : 'a'} ${noun} (${where}${times})`;
}

/** One step in words, without its number. */
export function describeStep({ operation, path, target, position, lengthBytes, fate }: RecordedStep): string {
  const where =
    lengthBytes > 0 ? ` ${lengthBytes} bytes at ${position}` : operation === 'truncate' ? ` to ${position}` : '';
  const to = target === '' ? '' : ` to ${target}`;
  return `${operation} ${path || '(folder)'}${to}${where}${fate === 'sync' ? '' : `, ${fate}`}`;
}

/** What a cut took away, in words; of many things the first few. */
export function describeLosses({ steps, seen, left }: Leg): string {
  const words: string[] = [];
  const lostWrites = new Map<string, number>();
  for (const step of steps) {
    const { operation, path, target, fate } = step;
    if (fate === 'torn') words.push(`one ${step.lostBytes}-byte tear in ${path}`);
    else if (fate !== 'lost') continue;
    // A file whose name is lost is told of once, whatever was written to it.
    else if (operation === 'write') {
      if (left.get(path) !== undefined) lostWrites.set(path, (lostWrites.get(path) ?? 0) + 1);
    } else if (operation === 'create') words.push(`the name ${path} lost`);
    else if (operation === 'rename') words.push(`the renaming of ${path} to ${target} undone`);
    else if (operation === 'unlink') words.push(`${path} back`);
    else words.push(`the ${operation} of ${path} lost`);
  }
  for (const [path, count] of lostWrites)
    words.push(`${count === 1 ? 'one write' : `${count} writes`} to ${path} lost`);
  for (const path of seen.paths()) {
    const short = (seen.get(path)?.length ?? 0) - (left.get(path)?.length ?? 0);
    if (short > 0 && left.get(path) !== undefined && !words.some((word) => word.includes(path))) {
      words.push(`${path} shorter by ${short} bytes`);
    }
  }
  if (words.length === 0) return 'nothing lost';
  const shown = words.slice(0, 4).join(' and ');
  return words.length > 4 ? `${shown} and ${words.length - 4} more losses` : shown;
}
