/**
 * A part of a stage whose cases are plain data: how one is drawn, run, made smaller and told. What is common to such
 * parts is here: making a failing case small while it keeps its class, and reporting it.
 */
import type { Prng } from '../src/base/prng.ts';
import type { StageContext } from '../src/report/stage.ts';
import type { Objection } from './program-check.ts';

/** Told of what happened, where it happens. */
export type Count = (name: string, by?: number) => void;

/** One part. A case is a function of the generator alone, and a run of the case alone. */
export interface CasePart<C> {
  /** Names the part in saved cases. */
  readonly kind: string;
  /** The claim, as a check of the stage. */
  readonly claim: string;
  draw(prng: Prng): C;
  /** @throws for what is no case of this version */
  parse(json: unknown): C;
  run(testCase: C, count?: Count): Promise<Objection | undefined>;
  /** Cases with less in them, the boldest first. */
  smaller(testCase: C): Iterable<C>;
  /** One line an operation. */
  tell(testCase: C): readonly string[];
}

const RUNS_MAX = 600;

/** Leaves out ranges of steps: halves first, single ones last. */
export function* withoutSome<S>(steps: readonly S[]): Generator<readonly S[]> {
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.floor(size / 2)) {
    for (let at = steps.length - size; at > -size; at -= size) {
      const from = Math.max(0, at);
      yield [...steps.slice(0, from), ...steps.slice(from + size)];
    }
  }
}

/** The smallest case found with the same class, after how many runs. */
export async function shrinkCase<C>(
  part: CasePart<C>,
  first: C,
  wanted: string,
): Promise<{ readonly smallest: C; readonly runs: number }> {
  let smallest = first;
  let runs = 0;
  for (let found = true; found && runs < RUNS_MAX;) {
    found = false;
    for (const candidate of part.smaller(smallest)) {
      if (++runs > RUNS_MAX) break;
      if ((await part.run(candidate))?.class !== wanted) continue;
      smallest = candidate;
      found = true;
      break;
    }
  }
  return { smallest, runs };
}

/** Shrinks a failing case and reports it. */
export async function failCase<C>(
  context: StageContext,
  part: CasePart<C>,
  testCase: C,
  objection: Objection,
): Promise<void> {
  const { smallest, runs } = await shrinkCase(part, testCase, objection.class);
  const { message } = (await part.run(smallest)) ?? objection;
  const story = part.tell(smallest);
  await context.fail({
    class: objection.class,
    message,
    case: { kind: part.kind, case: smallest },
    story: [...story, `${objection.class}: ${message}`],
    operations: story.length,
    shrink: `${runs} smaller cases tried`,
  });
}

/** Draws and runs one case; a failure is reported. Returns whether nothing was wrong. */
export async function tryCase<C>(context: StageContext, part: CasePart<C>, prng: Prng): Promise<boolean> {
  return runCase(context, part, part.draw(prng));
}

/** Runs one case; a failure is reported. Returns whether nothing was wrong. */
export async function runCase<C>(context: StageContext, part: CasePart<C>, testCase: C): Promise<boolean> {
  if (context.hashOnly) context.hash(JSON.stringify(testCase));
  const objection = await part.run(testCase, (name, by) => context.count(name, by));
  if (context.hashOnly) context.hash(objection?.message ?? 'ok');
  if (objection === undefined) return true;
  await failCase(context, part, testCase, objection);
  return false;
}

/** Runs a saved case of the part again, and reports it if it still fails. */
export async function replayCase<C>(context: StageContext, part: CasePart<C>, json: unknown): Promise<void> {
  const testCase = part.parse(json);
  const objection = await part.run(testCase);
  if (objection !== undefined) await failCase(context, part, testCase, objection);
}
