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

/** A call that goes wrong with an error, by what was called. */
export type ErrorEffect =
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

/** A call that goes wrong without a word. */
export type SilentEffect =
  /** Fewer bytes than there are; the caller has to go on. */
  | { readonly operation: 'read'; readonly silent: 'short'; readonly bytes: number }
  /** From this read on, the bits of `mask` (1 to 255) are inverted in the byte `at` of what it asks for, modulo its length. */
  | { readonly operation: 'read'; readonly silent: 'rot'; readonly at: number; readonly mask: number }
  /** This once, what the last write there replaced: old bytes, or zeros where there were none. */
  | { readonly operation: 'read'; readonly silent: 'stale' }
  /** So many bytes are taken, and the rest by a step of its own: a cut or another fault can fall between. */
  | { readonly operation: 'write'; readonly silent: 'short'; readonly bytes: number }
  /** The size is there, the bytes are not, whatever is synced. */
  | { readonly operation: 'write'; readonly silent: 'lost' }
  /** The bytes land so many sectors further on in the same file (negative: before), as far as it goes. */
  | { readonly operation: 'write'; readonly silent: 'misdirected'; readonly sectors: number };

/** What goes wrong, by what was called. */
export type FaultEffect = ErrorEffect | SilentEffect;

/**
 * What may be asked of an engine that meets a fault: to `survive` it, with nothing acknowledged lost and the next opening
 * sound; or only to `detect` it, with right answers or errors and never other data.
 */
export type Tolerance = 'survive' | 'detect';

/** A fault's name, for counts and stories: `sync EIO`, `lost write`. */
export function nameOfFault(effect: FaultEffect): string {
  if ('error' in effect) return `${effect.operation} ${effect.error}`;
  return effect.silent === 'rot' ? 'bit rot' : `${effect.silent} ${effect.operation}`;
}

/** What an engine owes when this strikes. */
export function toleranceOf(effect: FaultEffect): Tolerance {
  return 'error' in effect || effect.silent === 'short' ? 'survive' : 'detect';
}

/** Whether a part of what was asked for has happened when it strikes, and a part has not. */
export function strikesInTheMiddle(effect: FaultEffect): boolean {
  if ('silent' in effect) return effect.silent !== 'lost';
  if (effect.operation === 'write') return effect.writtenBytes > 0;
  return effect.operation === 'sync' && effect.survivors === 'every other sector';
}

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
  readonly name: string;
  /** `undefined` for one that strikes without a word. */
  readonly error: Errno | undefined;
  readonly tolerance: Tolerance;
  /** Whether a part of the call had its effect. */
  readonly inTheMiddle: boolean;
  readonly path: string;
  readonly step: number;
}

/** Of what landed: nothing that must only be detected, one such fault, or several, past any budget. */
export function toleranceOfLanded(landed: readonly LandedFault[]): Tolerance | 'unbounded' {
  const silent = landed.filter(({ tolerance }) => tolerance === 'detect').length;
  return silent === 0 ? 'survive' : silent === 1 ? 'detect' : 'unbounded';
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
      checkEffect(effect);
    }
    this.faults = faults.map((planned) => ({ planned, matchingCalls: 0 }));
  }

  /** Every fault that landed, in order. */
  get landed(): readonly LandedFault[] {
    return this.struck;
  }

  /** Whether a fault needs to know what writes replaced. */
  get wantsHistory(): boolean {
    return this.faults.some(({ planned: { effect } }) => 'silent' in effect && effect.silent === 'stale');
  }

  /**
   * The fault that strikes this call, recorded as landed; every matching fault counts the call, the first one strikes.
   * @param lengthBytes of a read or write: how much there is to do; a silent fault passes over calls with too little
   */
  strike(operation: Operation, path: string, step: number, lengthBytes = 0): FaultEffect | undefined {
    let effect: FaultEffect | undefined;
    for (const fault of this.faults) {
      const { when, effect: planned } = fault.planned;
      if (planned.operation !== operation || lengthBytes < leastBytes(planned)) continue;
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
    if (effect !== undefined) {
      const inTheMiddle = strikesInTheMiddle(effect);
      this.struck.push({
        operation,
        name: nameOfFault(effect),
        error: 'error' in effect ? effect.error : undefined,
        tolerance: toleranceOf(effect),
        inTheMiddle,
        path,
        step,
      });
    }
    return effect;
  }
}

/** Below so many bytes a silent fault would change nothing. */
function leastBytes(effect: FaultEffect): number {
  return 'error' in effect ? 0 : effect.silent === 'short' ? 2 : 1;
}

function checkEffect(effect: FaultEffect): void {
  if ('error' in effect) {
    if (effect.operation === 'write') assert(effect.writtenBytes >= 0, 'a short write is not negative');
  } else if (effect.silent === 'short') {
    assert(effect.bytes >= 1, 'a call that is cut short makes progress', effect.bytes);
  } else if (effect.silent === 'rot') {
    assert(effect.at >= 0 && effect.mask >= 1 && effect.mask <= 0xff, 'rot inverts a bit at least', effect.mask);
  } else if (effect.silent === 'misdirected') {
    assert(effect.sectors !== 0, 'a misdirected write lands elsewhere');
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
