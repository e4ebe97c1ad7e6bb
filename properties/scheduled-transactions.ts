/**
 * Interleavings that fast-check chooses: its scheduler decides after every step of every client who goes on, it shrinks the
 * plan of a round that fails, and its seed and path bring that round back.
 */
import fc from 'fast-check';
import { z } from 'zod';
import type { Prng } from '../src/base/prng.ts';
import type { StageContext } from '../src/report/stage.ts';
import { KEYS, MODES, runScheduledRound, type ScheduledPlan, type ScheduledResult } from './scheduled-round.ts';

const ROUNDS_A_TURN = 30;
const CLIENTS_MAX = 3;
const STEPS_A_CLIENT_MAX = 2;

const caseSchema = z.object({
  format: z.literal(1),
  seed: z.number().int(),
  /** Of fast-check: which round of the seed, and how it was shrunk. */
  path: z.string(),
});

type ScheduledCase = z.infer<typeof caseSchema>;

const key = fc.constantFrom(...KEYS);
const step = fc.record({ key, writes: fc.boolean() });
const plan: fc.Arbitrary<ScheduledPlan> = fc.record({
  mode: fc.constantFrom(...MODES),
  clients: fc.array(fc.array(step, { minLength: 1, maxLength: STEPS_A_CLIENT_MAX }), {
    minLength: 1,
    maxLength: CLIENTS_MAX,
  }),
  // One alone is synced at once; two are what an fsync is under way for while the others go on.
  puts: fc.oneof(fc.constant([]), fc.array(key, { minLength: 2, maxLength: 2 })),
});

/** A round that was wrong, as small as fast-check made it. */
interface Found {
  readonly result: ScheduledResult & { readonly objection: NonNullable<ScheduledResult['objection']> };
  readonly path: string;
}

/** Runs rounds of a seed. @param path only that round */
async function search(
  seed: number,
  watch: (result: ScheduledResult) => void,
  path?: string,
): Promise<Found | undefined> {
  let last: Found['result'] | undefined;
  const property = fc.asyncProperty(fc.scheduler(), plan, async (scheduler, drawn) => {
    const result = await runScheduledRound(drawn, scheduler);
    watch(result);
    const { objection } = result;
    // Shrinking stays with the class that it began with.
    if (objection === undefined || (last !== undefined && last.objection.class !== objection.class)) return true;
    last = { ...result, objection };
    return false;
  });
  const details = await fc.check(property, {
    seed,
    numRuns: ROUNDS_A_TURN,
    ...(path === undefined ? {} : { path, endOnFailure: true }),
  });
  return last === undefined ? undefined : { result: last, path: details.counterexamplePath ?? path ?? '' };
}

async function report(context: StageContext, seed: number, { result, path }: Found): Promise<void> {
  const { class: failureClass, message } = result.objection;
  const saved: ScheduledCase = { format: 1, seed, path };
  await context.fail({
    class: failureClass,
    message,
    case: { kind: SCHEDULED.kind, case: saved },
    story: [...result.told, message],
    operations: result.operations,
    shrink: `by fast-check, path ${path} of seed ${seed}`,
  });
}

/** A part of the stage `database`. */
export const SCHEDULED = {
  kind: 'scheduled',
  claim: 'transactions keep their level in the interleavings that a scheduler chooses',
  casesATurn: 1,

  /** Returns whether nothing was wrong. */
  async attempt(context: StageContext, prng: Prng): Promise<boolean> {
    const seed = prng.below(2 ** 31);
    const found = await search(seed, ({ told, conflicts, isDecided }) => {
      context.count('scheduled rounds');
      context.count('conflicts of scheduled rounds', conflicts);
      if (!isDecided) context.count('scheduled rounds that the checker left open');
      if (context.hashOnly) context.hash(told.join('\n'));
    });
    if (found !== undefined) await report(context, seed, found);
    return found === undefined;
  },

  async replay(context: StageContext, json: unknown): Promise<void> {
    const { seed, path } = caseSchema.parse(json);
    const found = await search(seed, () => undefined, path);
    if (found !== undefined) await report(context, seed, found);
  },
} as const;
