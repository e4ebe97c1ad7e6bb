/** What a campaign explores, and what a failure is saved as: plain data that replays. */
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { toProgram } from '../src/contract/program-json.ts';
import type { Program } from '../src/contract/operations.ts';
import type { PlannedFault } from '../src/faults/fault-plan.ts';
import type { DirectoryModel } from '../src/faults/names.ts';

/** The machine that a program runs on. */
export interface Machine {
  readonly directoryModel: DirectoryModel;
  /** Where writes tear, in bytes. */
  readonly tearBytes: number;
  /** Runtime faults of the first run; recoveries have none. */
  readonly faults: readonly PlannedFault[];
}

/** A power cut: before step `step` of the current run (one past the last: after all of them), and what survived it. */
export interface Cut {
  readonly step: number;
  readonly choices: readonly number[];
}

/** A program, its machine, and one cut after another: each later one falls into the recovery from the one before. */
export interface CrashCase {
  readonly format: 1;
  readonly program: Program;
  readonly machine: Machine;
  readonly cuts: readonly Cut[];
}

const schema = z.object({
  format: z.literal(1),
  program: z.unknown(),
  machine: z.object({
    directoryModel: z.enum(['strict', 'journaled', 'ext4']),
    tearBytes: z.number().int().positive(),
    faults: z.array(z.unknown()),
  }),
  cuts: z.array(z.object({ step: z.number().int().positive(), choices: z.array(z.number().int().nonnegative()) })),
});

/**
 * Reads a saved case.
 * @throws LightningError `LIGHTNING_UNSUPPORTED_FORMAT`
 */
export function parseCase(json: unknown): CrashCase {
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a crash case of this version');
  const { machine, cuts, program } = parsed.data;
  return {
    format: 1,
    program: toProgram(program),
    machine: { ...machine, faults: machine.faults as readonly PlannedFault[] },
    cuts,
  };
}

/**
 * What stays the same of a failure while it is made small: its class, and for an error that nothing excuses its code, so
 * that one bug is not exchanged for another on the way.
 */
export function signatureOf(failure: { readonly class: string; readonly message: string }): string {
  const code = /^LIGHTNING_[A-Z_]+/.exec(failure.message)?.[0];
  return failure.class === 'unexpected-error' && code !== undefined ? `${failure.class} ${code}` : failure.class;
}
