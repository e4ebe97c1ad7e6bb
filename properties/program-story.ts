/** A failure made small, told in words, saved as JSON and read again. */
import { z } from 'zod';
import { cpuSeconds } from '../src/base/clock.ts';
import { isLightningError, LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import type { BatchOperation, Operation, Program } from '../src/contract/operations.ts';
import type { Outcome } from '../src/contract/outcomes.ts';
import { toProgram } from '../src/contract/program-json.ts';
import type { StageFailure } from '../src/report/stage.ts';
import { printProgram } from '../src/workload/print.ts';
import { shrinkProgram, type StillFails } from '../src/workload/shrink.ts';
import type { StoreDamage } from './damage-judge.ts';
import { drawStageProgram } from './program-draw.ts';
import { runStoreProgram } from './program-run.ts';
import type { Objection } from './program-check.ts';

/** What `replay` takes. */
export type SavedCase =
  | { readonly kind: 'program'; readonly program: Program }
  | { readonly kind: 'damage'; readonly program: Program; readonly damage: StoreDamage };

const SHRINK_RUNS_MAX = 6000;
/** Of CPU time: a busy machine must not make stories longer. */
const SHRINK_SECONDS_MAX = 12;
/** Stories longer than this are tried with several writes in one batch. */
const STORY_OPERATIONS_WANTED = 10;

/** Where shrinking ended long, shorter programs are looked for: this long, and programs of at most so many operations. */
const ELSEWHERE_SECONDS_MAX = 8;
const ELSEWHERE_OPERATIONS_MAX = 60;

/** A program made small, and how. */
interface Story {
  readonly program: Program;
  readonly how: string;
}

/** Programs of more keys are thinned out first. */
const MANY_KEYS = 24;
const MERGE: Operation = { kind: 'merge' };

const path = z.string().min(1);
const natural = z.number().int().nonnegative();
const damageSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('flip'), path, position: natural, mask: z.number().int().min(1).max(255) }),
  z.object({ kind: z.literal('truncate'), path, sizeBytes: natural }),
  z.object({ kind: z.literal('zero-sector'), path, position: natural }),
  z.object({ kind: z.literal('swap'), path, first: natural, second: natural, lengthBytes: natural }),
  z.object({ kind: z.literal('remove'), path }),
  z.object({ kind: z.literal('older'), path, version: natural }),
  z.object({ kind: z.literal('other-file'), path, other: path }),
  z.object({ kind: z.literal('stale'), path, version: natural, position: natural, lengthBytes: natural }),
]);
const caseSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('program'), program: z.unknown() }),
  z.object({ kind: z.literal('damage'), program: z.unknown(), damage: damageSchema }),
]);

/** Reads a saved case. @throws LightningError `LIGHTNING_UNSUPPORTED_FORMAT` */
export function readCase(value: unknown): SavedCase {
  const parsed = caseSchema.safeParse(value);
  if (!parsed.success) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a case of the properties stage');
  try {
    return { ...parsed.data, program: toProgram(parsed.data.program) };
  } catch (error) {
    if (!isLightningError(error)) throw error;
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', error.message, {}, error);
  }
}

/** A store looked at after every operation fails at the first one that shows it. */
function lookedAtCloser(program: Program): Program {
  return { ...program, options: { ...program.options, checkEvery: 1 } };
}

/** Makes a failing program small; `stillFails` runs a candidate and compares the class of its failure. */
export async function shrinkStory(program: Program, stillFails: (program: Program) => boolean): Promise<Story> {
  const start = cpuSeconds();
  let runs = 0;
  const outOfTime = (): boolean => cpuSeconds() - start > SHRINK_SECONDS_MAX;
  const counted: StillFails = (candidate) => {
    runs++;
    return stillFails(candidate);
  };
  const budget = { runsMax: SHRINK_RUNS_MAX, outOfTime };
  let result = await shrinkProgram(await thinKeys(program, counted), counted, budget);
  const whole = await withWholeWork(result.program, counted);
  if (whole !== result.program) result = await shrinkProgram(whole, counted, budget);
  if (result.program.operations.length > STORY_OPERATIONS_WANTED) {
    const packed = await packWrites(result.program, counted);
    result = await shrinkProgram(packed, counted, budget);
  }
  const from = program.operations.length;
  const end = result.minimal ? 'nothing more can go' : 'the budget ended first';
  return {
    program: result.program,
    how: `${from} to ${result.program.operations.length} operations in ${runs} runs, ${end}`,
  };
}

function isSlice(operation: Operation): boolean {
  return operation.kind === 'advanceClock' && operation.milliseconds === 0;
}

/** Slices of background work told as whole flushes and merges, and flushes as merges, where the program still fails. */
async function withWholeWork(program: Program, stillFails: StillFails): Promise<Program> {
  let best = program;
  const replaced = (wanted: (operation: Operation) => boolean, by: Operation): Program => ({
    ...best,
    operations: best.operations.map((operation) => (wanted(operation) ? by : operation)),
  });
  const attempts: [wanted: (operation: Operation) => boolean, by: Operation][] = [
    [isSlice, { kind: 'merge' }],
    [isSlice, { kind: 'flush' }],
    [({ kind }) => kind === 'flush', { kind: 'merge' }],
    [({ kind }) => kind === 'crash', { kind: 'reopen' }],
  ];
  for (const [wanted, by] of attempts) {
    if (!best.operations.some(wanted)) continue;
    const candidate = replaced(wanted, by);
    if (await stillFails(candidate)) best = candidate;
  }
  // One whole merge may stand for all the slices before and after it.
  for (let at = 0; at < best.operations.length; at++) {
    if (!isSlice(best.operations[at])) continue;
    const others = best.operations.map((operation, i) => (i === at ? MERGE : operation));
    const alone = { ...best, operations: others.filter((operation) => !isSlice(operation)) };
    const among = { ...best, operations: others };
    if (await stillFails(alone)) best = alone;
    else if (await stillFails(among)) best = among;
  }
  return best;
}

/** The program without every write of some keys. */
function withoutKeys(program: Program, unwanted: ReadonlySet<string>): Program {
  const wanted = (step: Operation | BatchOperation): boolean =>
    !('key' in step) || !unwanted.has(JSON.stringify(step.key));
  const operations = program.operations
    .filter(wanted)
    .map((operation) =>
      operation.kind === 'batch' ? { ...operation, operations: operation.operations.filter(wanted) } : operation,
    );
  return { ...program, operations };
}

/** Programs of many keys lose halves, quarters, … of them throughout, as long as they still fail. */
async function thinKeys(program: Program, stillFails: StillFails): Promise<Program> {
  const steps = program.operations.flatMap((one): readonly (Operation | BatchOperation)[] =>
    one.kind === 'batch' ? one.operations : [one],
  );
  let keys = [...new Set(steps.flatMap((step) => ('key' in step ? [JSON.stringify(step.key)] : [])))];
  let best = program;
  for (let size = Math.ceil(keys.length / 2); keys.length > MANY_KEYS && size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < keys.length;) {
      const candidate = withoutKeys(best, new Set(keys.slice(from, from + size)));
      if (await stillFails(candidate)) {
        best = candidate;
        keys = keys.toSpliced(from, size);
      } else from += size;
    }
  }
  return best;
}

/** A write as steps of a batch; `undefined` for anything else. */
function asSteps(operation: Operation): readonly BatchOperation[] | undefined {
  if (operation.kind === 'batch') return operation.operations;
  if (operation.kind === 'delete') return [{ kind: 'delete', key: operation.key }];
  if (operation.kind === 'clear') return [{ kind: 'clear', range: operation.range }];
  if (operation.kind !== 'put') return undefined;
  const { key, value, deadline } = operation;
  return [{ kind: 'put', key, value, ...(deadline === undefined ? {} : { deadline }) }];
}

/** Neighbouring writes become one batch wherever the program still fails. */
async function packWrites(program: Program, stillFails: StillFails): Promise<Program> {
  let best = program;
  for (let at = 0; at + 1 < best.operations.length;) {
    const first = asSteps(best.operations[at]);
    const second = asSteps(best.operations[at + 1]);
    const packed: Operation | undefined =
      first === undefined || second === undefined ? undefined : { kind: 'batch', operations: [...first, ...second] };
    const candidate =
      packed === undefined ? undefined : { ...best, operations: best.operations.toSpliced(at, 2, packed) };
    if (candidate !== undefined && (await stillFails(candidate))) best = candidate;
    else at++;
  }
  return best;
}

/** The program in words, its outcomes beside it, and what was wrong at the end. */
export function tellStory(program: Program, outcomes: readonly Outcome[], last: string): readonly string[] {
  const [options, ...lines] = printProgram(program, outcomes);
  const told = lines.map((line, at) => {
    return isSlice(program.operations[at]) ? line.replace('clock on by 0 ms', 'one slice of background work') : line;
  });
  return [options, ...told, last];
}

/**
 * Shrinks a failing program and makes the report of it. The class that is kept is the one of the closer look: what a scan
 * showed late, a point read may have shown before.
 */
export async function programFailure(program: Program, objection: Objection): Promise<StageFailure> {
  const closer = lookedAtCloser(program);
  const closerClass = runStoreProgram(closer).objection?.class;
  const kept = closerClass ?? objection.class;
  const shrunk = await shrinkStory(
    closerClass === undefined ? program : closer,
    (candidate) => runStoreProgram(candidate).objection?.class === kept,
  );
  const best = await shorterElsewhere(shrunk, kept);
  return failureOf(best.program, objection, best.how);
}

/**
 * Shrinking ends at a program from which no single thing can go, which need not be short. Where it is long, others are
 * drawn, short from the start, and the first of the same class that shrinks further is told instead.
 */
async function shorterElsewhere(first: Story, kept: string): Promise<Story> {
  if (first.program.operations.length <= STORY_OPERATIONS_WANTED) return first;
  const start = cpuSeconds();
  let best = first;
  for (let seed = 0; cpuSeconds() - start < ELSEWHERE_SECONDS_MAX; seed++) {
    const drawn = drawStageProgram(new Prng(seed));
    if (drawn.operations.length > ELSEWHERE_OPERATIONS_MAX) continue;
    const program = lookedAtCloser({ ...drawn, options: { ...drawn.options, ...best.program.options } });
    if (runStoreProgram(program).objection?.class !== kept) continue;
    const shrunk = await shrinkStory(program, (candidate) => runStoreProgram(candidate).objection?.class === kept);
    if (shrunk.program.operations.length < best.program.operations.length) best = shrunk;
    if (best.program.operations.length <= STORY_OPERATIONS_WANTED) break;
  }
  return best;
}

/** The report of a program as it stands. */
export function failureOf(program: Program, fallback: Objection, how: string): StageFailure {
  const run = runStoreProgram(program);
  const { class: failureClass, message } = run.objection ?? fallback;
  const saved: SavedCase = { kind: 'program', program };
  return {
    class: failureClass,
    message,
    case: saved,
    story: tellStory(program, run.outcomes, `${failureClass}: ${message}`),
    operations: program.operations.length,
    shrink: how,
  };
}
