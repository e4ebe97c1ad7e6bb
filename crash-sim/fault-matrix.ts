/**
 * Single faults, everywhere: a program that goes through every phase of a store's life is run once to write down its calls
 * on the disk, and then once for each call and each fault that can strike it. The client judges every run while it goes
 * on; at its end the power is cut, and what is left is recovered, used and examined.
 */
import { isLightningError } from '../src/base/errors.ts';
import type { Prng } from '../src/base/prng.ts';
import type { Operation, Program } from '../src/contract/operations.ts';
import { type Chooser, RandomChooser } from '../src/faults/chooser.ts';
import {
  type FaultEffect,
  nameOfFault,
  type Operation as Call,
  type PlannedFault,
  strikesInTheMiddle,
} from '../src/faults/fault-plan.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { type CrashFailure, failureOf, isExcusedAtRest, judge } from '../src/workload/crash-knowledge.ts';
import type { CrashCase, Machine } from './crash-case.ts';
import type { FoundFailure } from './crash-explorer.ts';
import { afterlife, recover } from './crash-judge.ts';
import { type DiskCall, type FaultPhase, PhasedFaults } from './fault-phases.ts';
import { clientOn } from './owed.ts';

const put = (key: string, serial: number, length: number, more: object = {}): Operation => ({
  kind: 'put',
  key,
  value: { repeat: serial.toString(16).padStart(4, '0'), length },
  ...more,
});

/** Goes through every phase; its tenth sync of the log fails, so that the store is recovered in the middle. */
export const MATRIX_PROGRAM: Program = {
  format: 1,
  options: {
    memtableBytes: 100_000,
    blockSizeBytes: 512,
    nodeTargetBytes: 512,
    runBlockBytes: 64,
    runCountMax: 4,
    cacheBytes: 0,
    indexes: true,
    blobBytes: 1000,
  },
  operations: [
    put('00', 1, 40),
    put('01', 2, 900),
    { kind: 'flush' },
    put('02', 3, 40, { deadline: 1010 }),
    put('01', 4, 600),
    { kind: 'merge' },
    { kind: 'get', key: '01' },
    { kind: 'delete', key: '00' },
    put('03', 5, 700, { sync: false }),
    { kind: 'backup' },
    put('04', 6, 30),
    { kind: 'flush' },
    { kind: 'reopen' },
    put('05', 7, 1200),
    put('06', 8, 10),
    put('07', 9, 10, { sync: false }),
    put('00', 10, 10),
    { kind: 'backup', incremental: true },
    put('08', 11, 10),
    // Refused, whatever fails: it has read before somebody else writes its key.
    { kind: 'begin', transaction: 1, isolation: 'snapshot' },
    { kind: 'txGet', transaction: 1, key: '08' },
    { kind: 'txPut', transaction: 1, key: '08', value: { repeat: '000d', length: 20 } },
    put('08', 14, 20),
    { kind: 'commit', transaction: 1 },
    { kind: 'merge' },
    // While a snapshot stands before the deadline, a slice of waiting work does not collect what has expired.
    { kind: 'openSnapshot', snapshot: 1 },
    { kind: 'advanceClock', milliseconds: 20 },
    { kind: 'releaseSnapshot', snapshot: 1 },
    { kind: 'collect' },
    { kind: 'scan', range: {} },
    // The close that follows has something to sync.
    put('09', 12, 50, { sync: false }),
    { kind: 'reopen' },
    { kind: 'get', key: '05' },
  ],
};
const POISONER: PlannedFault = {
  when: { path: 'wal-*', nth: 10, times: 1 },
  effect: { operation: 'sync', error: 'EDQUOT', survivors: 'every other sector' },
};
const MACHINE: Machine = { directoryModel: 'strict', tearBytes: 512, faults: [POISONER] };

/** Every fault that is tried on a call, the ones that leave half of it done included. */
function effectsOn({ operation, lengthBytes }: DiskCall): readonly FaultEffect[] {
  const half = Math.floor(lengthBytes / 2);
  switch (operation) {
    case 'read':
      return [
        { operation, error: 'EIO' },
        { operation, silent: 'short', bytes: Math.max(1, half) },
        { operation, silent: 'rot', at: half, mask: 4 },
        { operation, silent: 'stale' },
      ];
    case 'write':
      return [
        { operation, error: 'ENOSPC', writtenBytes: 0 },
        { operation, error: 'ENOSPC', writtenBytes: half },
        { operation, error: 'EDQUOT', writtenBytes: half },
        { operation, error: 'EIO', writtenBytes: 0 },
        { operation, error: 'EIO', writtenBytes: half },
        { operation, silent: 'short', bytes: Math.max(1, half) },
        { operation, silent: 'lost' },
        { operation, silent: 'misdirected', sectors: 1 },
        { operation, silent: 'misdirected', sectors: -1 },
      ];
    case 'sync':
      return [
        { operation, error: 'EIO', survivors: 'none' },
        { operation, error: 'EIO', survivors: 'every other sector' },
        { operation, error: 'ENOSPC', survivors: 'all' },
      ];
    case 'open':
    case 'create':
      return (['EACCES', 'EROFS', 'EMFILE', 'EIO'] as const).map((error) => ({ operation, error }));
    case 'syncDirectory':
    case 'list':
      return [{ operation, error: 'EIO' }];
    case 'truncate':
    case 'rename':
    case 'unlink':
    case 'makeDirectory':
      return (['EIO', 'ENOSPC', 'EACCES'] as const).map((error) => ({ operation, error }));
  }
}

/** A fault, and the call that it is aimed at. */
export interface Aim {
  readonly phase: FaultPhase;
  readonly name: string;
  readonly inTheMiddle: boolean;
  readonly fault: PlannedFault;
}

/** Every fault on every call of the program that it can strike. */
export function allAims(): Aim[] {
  const calls: DiskCall[] = [];
  runWith([POISONER], { onCall: (call) => calls.push(call) });
  const seen = new Map<Call, DiskCall[]>();
  return calls.flatMap((call) => {
    const before = seen.get(call.operation) ?? [];
    seen.set(call.operation, [...before, call]);
    return effectsOn(call).flatMap((effect): Aim[] => {
      const least = 'error' in effect ? 0 : effect.silent === 'short' ? 2 : 1;
      if (call.lengthBytes < least) return [];
      const nth = 1 + before.filter(({ lengthBytes }) => lengthBytes >= least).length;
      const fault = { when: { path: '*', nth, times: 1 }, effect };
      return [{ phase: call.phase, name: nameOfFault(effect), inTheMiddle: strikesInTheMiddle(effect), fault }];
    });
  });
}

/** Part of a cell's aims that is tried at least: where many calls are alike in name, few of them tell. */
const SHARE_MIN = 0.05;
/** A failed sync tells only what it had to sync, and not every one had something. */
const SYNCS_MIN = 3;

/** Some aims of each fault and phase, about `each`, spread evenly from where `random` says. */
export function thinned(aims: readonly Aim[], each: number, random: Prng): Aim[] {
  const cells = Map.groupBy(aims, ({ name, phase, inTheMiddle }) => `${name} in ${phase} ${inTheMiddle}`);
  return [...cells.values()].flatMap((cell) => {
    const isSync = cell[0].fault.effect.operation === 'sync';
    const count = Math.max(each, Math.ceil(cell.length * SHARE_MIN), isSync ? SYNCS_MIN : 1);
    if (cell.length <= count) return cell;
    const first = random.below(cell.length);
    return Array.from({ length: count }, (_, i) => {
      const place = first + Math.floor((i * cell.length) / count);
      return cell[place % cell.length];
    });
  });
}

interface Watch {
  readonly onCall?: (call: DiskCall) => void;
  /** A close has met a fault and is over; the opening that follows has not begun. */
  readonly onStruckClose?: (run: Pick<Run, 'disk' | 'client'>) => void;
}

interface Run {
  readonly disk: SimulatedDisk;
  readonly client: ReturnType<typeof clientOn>;
  readonly plan: PhasedFaults;
  readonly failure: CrashFailure | undefined;
  readonly noticed: boolean;
}

function runWith(faults: readonly PlannedFault[], { onCall, onStruckClose }: Watch = {}): Run {
  const plan = new PhasedFaults(faults, onCall);
  const disk = new SimulatedDisk({ ...MACHINE, faults: plan });
  let noticed = false;
  let struckBefore = 0;
  const client: Run['client'] = clientOn(disk, MATRIX_PROGRAM, {
    onOperation: (name) => {
      if (name === 'close') struckBefore = plan.placed.length;
      else if (name === 'open' && plan.clientDoes === 'close' && plan.placed.length > struckBefore)
        onStruckClose?.({ disk, client });
      plan.clientDoes = name;
    },
    onError: (error) => {
      if (!isExpected(error) && plan.placed.some(({ name }) => name !== nameOfFault(POISONER.effect))) noticed = true;
    },
  });
  const failure = client.run();
  return { disk, plan, failure, noticed, client };
}

/** Whether an error comes without a fault too: of the conflict, or of the fault that is always there; no other sync fails so. */
function isExpected(error: unknown): boolean {
  if (isLightningError(error, 'LIGHTNING_CONFLICT')) return true;
  const cause = error instanceof Error ? error.cause : undefined;
  const details = isLightningError(error) ? error.details : {};
  return details['errno'] === 'EDQUOT' && details['operation'] === 'fsync' && cause !== undefined;
}

/** What one aim came to. */
export interface Struck {
  /** The phase in which it struck; `undefined` when it did not. */
  readonly phase: FaultPhase | undefined;
  readonly inTheMiddle: boolean;
  readonly noticed: boolean;
  readonly failure: FoundFailure | undefined;
}

/**
 * Runs the program with a fault, cuts the power at its end and judges what is left. Where the fault struck a close, the
 * power is cut behind that close too: the opening that follows makes durable what it finds.
 */
export function strike({ fault }: Aim, random: Prng): Struck {
  const machine = { ...MACHINE, faults: [fault, POISONER] };
  const chooser = new RandomChooser(random);
  let afterClose: FoundFailure | undefined;
  const run = runWith(machine.faults, {
    onStruckClose: (sofar) => {
      afterClose ??= cutNow(sofar, machine, chooser).failure;
    },
  });
  const { plan, failure, noticed } = run;
  const landed = plan.placed.find(({ name }) => name === nameOfFault(fault.effect));
  const base = { phase: landed?.phase, inTheMiddle: landed?.inTheMiddle ?? false };
  if (afterClose !== undefined) return { ...base, noticed: true, failure: afterClose };
  if (failure !== undefined) {
    const crashCase: CrashCase = { format: 1, program: MATRIX_PROGRAM, machine, cuts: [] };
    return { ...base, noticed: true, failure: { ...failure, case: crashCase } };
  }
  const left = cutNow(run, machine, chooser);
  return { ...base, noticed: noticed || left.refused, failure: left.failure };
}

/** Cuts the power now; `refused` says whether the store that is left does not open, with or without an excuse. */
function cutNow(
  { disk, client }: Pick<Run, 'disk' | 'client'>,
  machine: Machine,
  chooser: Chooser,
): { readonly refused: boolean; readonly failure: FoundFailure | undefined } {
  const image = disk.crashImage(chooser);
  const cuts = [{ step: disk.steps + 1, choices: [...chooser.choices] }];
  const found = (failure: CrashFailure | undefined): FoundFailure | undefined =>
    failure && { ...failure, case: { format: 1, program: MATRIX_PROGRAM, machine, cuts } };
  const known = client.knowledge();
  try {
    const recovery = recover(image, MATRIX_PROGRAM, machine, known.time.nowEarliest);
    if ('failure' in recovery) {
      const excused = isExcusedAtRest(recovery.error, known.owed);
      return { refused: true, failure: excused ? undefined : found(recovery.failure) };
    }
    const wrong = judge(known, recovery.rows) ?? afterlife(image, MATRIX_PROGRAM, machine, recovery.rows, known);
    return { refused: false, failure: found(wrong) };
  } catch (error) {
    if (isPowerCut(error)) throw error;
    return { refused: true, failure: found(failureOf(error)) };
  }
}
