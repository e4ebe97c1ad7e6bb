/** The moment the power goes: not an error that an engine could handle, so not a LightningError. */

/** Where a cut falls: before a step takes effect, or in the middle of it. */
export type CutMoment = 'before' | 'middle';

/** Thrown by the step at which the power is cut, and by every later call on that disk. */
export class PowerCut extends Error {
  override readonly name = 'PowerCut';
  readonly step: number;
  readonly moment: CutMoment;

  constructor(step: number, moment: CutMoment) {
    super(`power cut ${moment === 'before' ? 'before' : 'in the middle of'} step ${step}`);
    this.step = step;
    this.moment = moment;
  }
}

/** Whether an error is a power cut, or was caused by one. */
export function isPowerCut(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < CAUSE_DEPTH_MAX && current instanceof Error; depth++) {
    if (current instanceof PowerCut) return true;
    current = current.cause;
  }
  return false;
}

/** How far chains of causes are followed; they may be circular. */
export const CAUSE_DEPTH_MAX = 16;
