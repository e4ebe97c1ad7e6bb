/**
 * The numbered I/O steps of one disk: where the power is cut, where planned faults strike, and what a simulator sees.
 * Every call that changes something and every sync is one step, counted from 1; reads, opens of existing files and closes
 * are none.
 */
import { assert } from '../base/assert.ts';
import {
  type ErrorEffect,
  type FaultEffect,
  type FaultPlan,
  injectedError,
  type Operation,
  type SilentEffect,
  type StepOperation,
} from './fault-plan.ts';
import { type CutMoment, PowerCut } from './power-cut.ts';

/** One step, as it is about to happen. */
export interface IoStep {
  readonly number: number;
  readonly operation: StepOperation;
  readonly path: string;
  /** Of a write: its place; of a truncate: the new size and nothing. Otherwise 0. */
  readonly position: number;
  readonly lengthBytes: number;
}

/** Sees each step before it takes effect; it may take crash images, and must not use the disk otherwise. */
export type StepObserver = (step: IoStep) => void;

export class IoSteps {
  private readonly plan: FaultPlan;
  private readonly observer: StepObserver | undefined;
  private count = 0;
  private plannedCut: { readonly step: number; readonly moment: CutMoment } | undefined;
  private cutError: PowerCut | undefined;

  constructor(plan: FaultPlan, observer: StepObserver | undefined) {
    this.plan = plan;
    this.observer = observer;
  }

  /** Steps so far. */
  get steps(): number {
    return this.count;
  }

  /** The cut that has happened. */
  get cut(): PowerCut | undefined {
    return this.cutError;
  }

  /** Plans the cut; in the middle of a sync is the same as before it, since what it covers survives in any subset. */
  cutAtStep(step: number, moment: CutMoment): void {
    assert(step > this.count, 'a cut is planned for a step to come', step, this.count);
    this.plannedCut = { step, moment };
  }

  requirePower(): void {
    if (this.cutError !== undefined) throw this.cutError;
  }

  /** Begins a step. @returns the fault that strikes it @throws PowerCut when the power goes before it */
  begin(operation: StepOperation, path: string, position = 0, lengthBytes = 0): FaultEffect | undefined {
    this.requirePower();
    this.count++;
    this.observer?.({ number: this.count, operation, path, position, lengthBytes });
    this.cutIfPlanned('before');
    return this.plan.strike(operation, path, this.count, lengthBytes);
  }

  /** Stands where a step has taken effect, or for a sync where it has not yet. @throws PowerCut when the power goes here */
  middle(): void {
    this.cutIfPlanned('middle');
  }

  /** A step of an operation that fails as a whole, without any effect. */
  beginWhole(operation: Exclude<StepOperation, 'write' | 'sync'>, path: string, position = 0): void {
    const fault = this.begin(operation, path, position);
    if (fault !== undefined) throw injectedError(asError(fault).error, operation, path);
  }

  /**
   * A call that is no step.
   * @param lengthBytes of a read: how many bytes there are for it
   * @returns the fault that strikes it without a word
   * @throws the error that strikes it
   */
  call(operation: Exclude<Operation, StepOperation>, path: string, lengthBytes = 0): SilentEffect | undefined {
    this.requirePower();
    const fault = this.plan.strike(operation, path, this.count, lengthBytes);
    if (fault === undefined || 'silent' in fault) return fault;
    throw injectedError(fault.error, operation, path);
  }

  private cutIfPlanned(moment: CutMoment): void {
    const planned = this.plannedCut;
    if (planned === undefined || planned.step !== this.count || planned.moment !== moment) return;
    this.cutError = new PowerCut(planned.step, moment);
    throw this.cutError;
  }
}

function asError(fault: FaultEffect): ErrorEffect {
  assert('error' in fault, 'only reads and writes go wrong without a word', fault.operation);
  return fault;
}
