/**
 * Programs that a soak repeats for ever. After each repetition the contents are what they were before: whatever still
 * grows then is a leak. Plain JSON, so that a program that leaks is saved and replayed.
 */
import { z } from 'zod';
import type { Prng } from '../src/base/prng.ts';

/** One step of a program. */
export const stepSchema = z.discriminatedUnion('kind', [
  /** The one lasting key gets `times` new values. */
  z.object({ kind: z.literal('overwrite'), times: z.number().int().positive(), bytes: z.number().int().positive() }),
  /** The lasting key is read. */
  z.object({ kind: z.literal('read'), times: z.number().int().positive() }),
  /** A batch of keys that never were there before. */
  z.object({ kind: z.literal('put-new'), count: z.number().int().positive(), bytes: z.number().int().positive() }),
  /** A batch that deletes all of them. */
  z.object({ kind: z.literal('delete-new') }),
  /** The same by one range. */
  z.object({ kind: z.literal('clear-new') }),
  z.object({ kind: z.literal('open-snapshot') }),
  z.object({ kind: z.literal('release-snapshot') }),
  /** An iterator that is left after a few rows and stays open. */
  z.object({ kind: z.literal('begin-scan') }),
  z.object({ kind: z.literal('close-scan') }),
  /** Two transactions write the same key; the second is refused. */
  z.object({ kind: z.literal('conflict') }),
  z.object({ kind: z.literal('abort') }),
  z.object({ kind: z.literal('reopen') }),
  z.object({ kind: z.literal('flush') }),
  z.object({ kind: z.literal('compact') }),
  z.object({ kind: z.literal('collect') }),
]);

/** One step of a program. */
export type Step = z.infer<typeof stepSchema>;
/** A program; what it leaves open is released, closed and deleted after each repetition, and waiting work is done. */
export const programSchema = z.array(stepSchema);

/** Steps that belong together, so that each program reaches what leaks hide behind. */
const PHRASES: readonly (readonly Step[])[] = [
  [{ kind: 'overwrite', times: 200, bytes: 20 }],
  [{ kind: 'read', times: 1000 }],
  [
    { kind: 'put-new', count: 64, bytes: 200 },
    { kind: 'open-snapshot' },
    { kind: 'delete-new' },
    { kind: 'compact' },
    { kind: 'release-snapshot' },
  ],
  [{ kind: 'put-new', count: 32, bytes: 60 }, { kind: 'flush' }, { kind: 'clear-new' }],
  [{ kind: 'begin-scan' }, { kind: 'overwrite', times: 20, bytes: 40 }, { kind: 'flush' }, { kind: 'close-scan' }],
  [{ kind: 'begin-scan' }, { kind: 'put-new', count: 8, bytes: 400 }, { kind: 'compact' }],
  [{ kind: 'conflict' }, { kind: 'conflict' }, { kind: 'abort' }],
  [{ kind: 'open-snapshot' }, { kind: 'overwrite', times: 10, bytes: 30 }, { kind: 'reopen' }],
  [{ kind: 'collect' }],
];

/**
 * All phrases in an order drawn at random. What is kept in memory alone starts anew with each opening, and may leak
 * between two; so there are programs with a reopening and programs without.
 */
export function drawProgram(prng: Prng, withReopening: boolean): Step[] {
  const phrases = PHRASES.filter((phrase) => withReopening || !phrase.some(({ kind }) => kind === 'reopen'));
  return prng.shuffle(phrases).flat();
}

/** The others need a step before them to have an effect. */
const DOES_SOMETHING_ALONE: ReadonlySet<Step['kind']> = new Set([
  'overwrite',
  'read',
  'put-new',
  'open-snapshot',
  'begin-scan',
  'conflict',
  'abort',
  'reopen',
]);

/** One step in words. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'overwrite':
      return `overwrite one key ${step.times} times with ${step.bytes} bytes`;
    case 'read':
      return `read the key ${step.times} times`;
    case 'put-new':
      return `put ${step.count} new keys of ${step.bytes} bytes in one batch`;
    case 'delete-new':
      return 'delete the new keys in one batch';
    case 'clear-new':
      return 'clear the range of the new keys';
    case 'open-snapshot':
      return 'open a snapshot';
    case 'release-snapshot':
      return 'release the oldest snapshot';
    case 'begin-scan':
      return 'begin a scan, read a row, leave it open';
    case 'close-scan':
      return 'close the oldest scan';
    case 'conflict':
      return 'two transactions write one key, the second is refused';
    case 'abort':
      return 'a transaction writes and is aborted';
    case 'reopen':
      return 'close and open';
    case 'flush':
    case 'compact':
    case 'collect':
      return step.kind;
  }
}

/** A repeated program as lines of a story. */
export function describeProgram(program: readonly Step[]): string[] {
  return [
    'repeat:',
    ...program.map((step, index) => `${String(index + 1).padStart(2)}  ${describeStep(step)}`),
    'after each repetition everything is released, new keys are deleted, waiting work is done',
  ];
}

/**
 * Looks for one step that leaks alone, which is quick to try and often true; then drops ranges of steps, from the end, as
 * long as the rest still leaks.
 * @param stillLeaks runs a program from nothing
 */
export async function shrinkSteps(
  program: readonly Step[],
  stillLeaks: (candidate: readonly Step[]) => Promise<boolean>,
  outOfTime: () => boolean,
): Promise<readonly Step[]> {
  const distinct = new Map(program.map((step) => [JSON.stringify(step), step]));
  for (const step of distinct.values()) {
    if (!outOfTime() && DOES_SOMETHING_ALONE.has(step.kind) && (await stillLeaks([step]))) return [step];
  }
  let smallest = program;
  for (let size = Math.ceil(program.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = smallest.length - size; at > -size && !outOfTime(); at -= size) {
      const from = Math.max(0, at);
      const candidate = smallest.toSpliced(from, at + size - from);
      if (candidate.length > 0 && (await stillLeaks(candidate))) smallest = candidate;
    }
  }
  return smallest;
}
