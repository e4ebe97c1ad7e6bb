/**
 * Faults that strike while an engine runs: typed, planned before, bounded by a budget, and recorded when they land. A plan
 * is plain data (JSON), so that a failing run can be saved with it.
 */
import { assert } from '../base/assert.ts';
import { type Errno, errnoError } from '../vfs/errno.ts';
import type { SyncSurvivors } from './persistence.ts';
import { CAUSE_DEPTH_MAX } from './power-cut.ts';

/** What a call does. `open` is opening an existing file; `create` makes a file, also the one of a lock. */
export type Operation =
  | 'open'
  | 'create'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'rename'
  | 'unlink'
  | 'makeDirectory'
  | 'syncDirectory'
  | 'list';

/** Calls that are numbered as steps: those that change something or make something durable. */
export type StepOperation = Exclude<Operation, 'open' | 'read' | 'list'>;

/** What goes wrong, by what was called. */
export type FaultEffect =
  | {
      readonly operation: 'open' | 'create';
      readonly error: 'EACCES' | 'EROFS' | 'EMFILE' | 'ENFILE' | 'ENOSPC' | 'EIO';
    }
  | { readonly operation: 'read' | 'list'; readonly error: 'EIO' }
  | {
      readonly operation: 'write';
      readonly error: 'ENOSPC' | 'EDQUOT' | 'EIO';
      /** Bytes that are written before the error; always fewer than asked for. */
      readonly writtenBytes: number;
    }
  | {
      readonly operation: 'sync';
      readonly error: 'EIO' | 'ENOSPC' | 'EDQUOT';
      /** What had reached the disk; the rest is dropped for good. */
      readonly survivors: SyncSurvivors;
    }
  | { readonly operation: 'syncDirectory'; readonly error: 'EIO' | 'ENOSPC' }
  | {
      readonly operation: 'truncate' | 'rename' | 'unlink' | 'makeDirectory';
      readonly error: 'EIO' | 'ENOSPC' | 'EDQUOT' | 'EACCES' | 'EROFS';
    };

/** When it goes wrong. */
export type FaultTrigger =
  /** At that step, if it is of the operation. */
  | { readonly step: number }
  /** From the `nth` matching call on (from 1) for `times` calls. `*` in a path stands for any characters. */
  | { readonly path: string; readonly nth: number; readonly times: number };

/** One fault of a plan. */
export interface PlannedFault {
  readonly when: FaultTrigger;
  readonly effect: FaultEffect;
}

/** A fault that struck. `step` is the number of the step, or of the last one before a call that is no step. */
export interface LandedFault {
  readonly operation: Operation;
  readonly error: Errno;
  readonly path: string;
  readonly step: number;
}

const injected = new WeakSet<Error>();

/** Whether an error was injected by a plan, or was caused by one that was. By identity, never by text. */
export function isInjectedFault(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < CAUSE_DEPTH_MAX && current instanceof Error; depth++) {
    if (injected.has(current)) return true;
    current = current.cause;
  }
  return false;
}

/** Makes the error of an injected fault, and marks it as one. */
export function injectedError(code: Errno, operation: Operation, path: string): Error {
  const error = errnoError(code, operation, path);
  injected.add(error);
  return error;
}

/** Planned faults, and which of them have landed. For one disk. */
export class FaultPlan {
  private readonly faults: readonly { readonly planned: PlannedFault; matchingCalls: number }[];
  private readonly struck: LandedFault[] = [];

  constructor(faults: readonly PlannedFault[] = []) {
    for (const { when, effect } of faults) {
      if ('step' in when) {
        assert(when.step >= 1, 'steps count from 1', when.step);
        assert(isStepOperation(effect.operation), 'a call that is no step is not struck by step', effect.operation);
      } else {
        assert(when.nth >= 1 && when.times >= 1, 'calls count from 1, and a fault strikes once at least', when.nth);
      }
      if (effect.operation === 'write') assert(effect.writtenBytes >= 0, 'a short write is not negative');
    }
    this.faults = faults.map((planned) => ({ planned, matchingCalls: 0 }));
  }

  /** Every fault that landed, in order. */
  get landed(): readonly LandedFault[] {
    return this.struck;
  }

  /** The fault that strikes this call, recorded as landed; every matching fault counts the call, the first one strikes. */
  strike(operation: Operation, path: string, step: number): FaultEffect | undefined {
    let effect: FaultEffect | undefined;
    for (const fault of this.faults) {
      const { when, effect: planned } = fault.planned;
      if (planned.operation !== operation) continue;
      let strikes: boolean;
      if ('step' in when) {
        strikes = when.step === step;
      } else {
        if (!matchesPath(when.path, path)) continue;
        fault.matchingCalls++;
        strikes = fault.matchingCalls >= when.nth && fault.matchingCalls < when.nth + when.times;
      }
      if (strikes) effect ??= planned;
    }
    if (effect !== undefined) this.struck.push({ operation, error: effect.error, path, step });
    return effect;
  }
}

function isStepOperation(operation: Operation): operation is StepOperation {
  return operation !== 'open' && operation !== 'read' && operation !== 'list';
}

/** Whether a path fits a pattern in which `*` stands for any characters, none included. */
export function matchesPath(pattern: string, path: string): boolean {
  const pieces = pattern.split('*');
  const first = pieces[0];
  if (pieces.length === 1) return path === first;
  const last = pieces[pieces.length - 1];
  if (!path.startsWith(first) || !path.endsWith(last) || path.length < first.length + last.length) return false;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = path.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return at <= path.length - last.length;
}
