/** What the files of the command share: its groups, its exit codes, and how numbers come in. */
import { type Command, InvalidArgumentError } from 'commander';
import { isLightningError } from '../base/errors.ts';
import { EXIT } from '../report/verdict.ts';

/** The three groups of the help. */
export const GROUPS = { judge: 'Judge:', data: 'Data:', operate: 'Operate:' } as const;

/** Adds one command, with its options and action, to the program. */
export type AddCommand = (program: Command) => void;

/** A natural number of an option. */
export function parseNatural(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError('It takes a natural number.');
}

/** A number of an option, 1 at least. */
export function parsePositive(text: string): number {
  const value = parseNatural(text);
  if (value > 0) return value;
  throw new InvalidArgumentError('It takes a number above zero.');
}

/** One part of work that several machines share; `index` counts from 0. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** `k/n`, k from 1. */
export function parseShard(text: string): Shard {
  const [, index, count] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (index >= 1 && index <= count) return { index: index - 1, count };
  throw new InvalidArgumentError('It takes k/n, k from 1 to n.');
}

/** The exit code for an error that reached the top: 2 when the caller must act, 3 when the harness broke. */
export function exitCodeOf(error: unknown): number {
  return isLightningError(error) && error.errorClass === 'usage' ? EXIT.usage : EXIT.broken;
}

/** Calls back on the first SIGINT or SIGTERM and ends the process at the second. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    process.stderr.write('\ninterrupted: ending the stages and writing what there is\n');
    controller.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return controller.signal;
}
