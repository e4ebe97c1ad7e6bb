/** Plainer machines and orders: candidates for the shrinker of crash cases, the biggest step first. */
import type { Operation } from '../src/contract/operations.ts';
import type { FaultEffect, PlannedFault } from '../src/faults/fault-plan.ts';
import type { Machine } from './crash-case.ts';

/** Faults left out, plainer ones, and plainer rules of the disk. Each is smaller by a measure that cannot grow. */
export function* plainerMachines(machine: Machine): Generator<Machine> {
  const { faults } = machine;
  if (faults.length > 1) yield { ...machine, faults: [] };
  for (let i = 0; i < faults.length; i++) yield { ...machine, faults: faults.toSpliced(i, 1) };
  for (const [i, fault] of faults.entries()) {
    for (const plainer of plainerFaults(fault)) yield { ...machine, faults: faults.with(i, plainer) };
  }
  if (machine.directoryModel === 'strict') yield { ...machine, directoryModel: 'journaled' };
  if (machine.tearBytes !== 512) yield { ...machine, tearBytes: 512 };
}

function* plainerFaults({ when, effect }: PlannedFault): Generator<PlannedFault> {
  if ('times' in when && when.times > 1) yield { when: { ...when, times: 1 }, effect };
  for (const plainer of plainerEffects(effect)) yield { when, effect: plainer };
}

/** The fields that an effect may have besides its operation; what is plain of each. */
function* plainerEffects(effect: FaultEffect): Generator<FaultEffect> {
  if ('writtenBytes' in effect && effect.writtenBytes > 1) {
    yield { ...effect, writtenBytes: 0 };
    yield { ...effect, writtenBytes: 1 };
  }
  if ('survivors' in effect && effect.survivors === 'every other sector') yield { ...effect, survivors: 'none' };
}

/** The same faults at earlier calls: each alone, nearest first. */
export function* fasterFaults(faults: readonly PlannedFault[]): Generator<readonly PlannedFault[]> {
  for (const [i, { when, effect }] of faults.entries()) {
    const at = 'step' in when ? when.step : when.nth;
    for (let earlier = at - 1; earlier >= 1; earlier--) {
      const aimed = 'step' in when ? { step: earlier } : { ...when, nth: earlier };
      yield faults.with(i, { when: aimed, effect });
    }
  }
}

/** Each transaction with its steps moved together, to where it ends. */
export function* plainerOrders(operations: readonly Operation[]): Generator<readonly Operation[]> {
  const transactions = new Set(operations.flatMap((one) => ('transaction' in one ? [one.transaction] : [])));
  for (const transaction of transactions) {
    const isOwn = (one: Operation): boolean => 'transaction' in one && one.transaction === transaction;
    const own = operations.filter(isOwn);
    const last = operations.findLastIndex(isOwn);
    const before = operations.slice(0, last + 1).filter((one) => !isOwn(one));
    const moved = [...before, ...own, ...operations.slice(last + 1)];
    if (moved.some((one, i) => one !== operations[i])) yield moved;
  }
}
