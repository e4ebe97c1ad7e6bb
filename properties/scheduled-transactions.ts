/**
 * Interleavings that fast-check chooses: it draws the plans of rounds, and its scheduler decides after every step of every
 * client who goes on. A failing round is looked for again among smaller plans, the smallest first: where a plan shrinks,
 * another interleaving is needed, and fast-check's path to a shrunk round does not lead back to it (tried with 4.10).
 */
import fc from 'fast-check';
import { z } from 'zod';
import type { Prng } from '../src/base/prng.ts';
import type { StageContext } from '../src/report/stage.ts';
import {
  KEYS,
  MAINTENANCE,
  MODES,
  runScheduledRound,
  type ScheduledPlan,
  type ScheduledResult,
} from './scheduled-round.ts';

const ROUNDS_A_TURN = 30;
/** The most clients and steps of each, the smallest first; the last is what is drawn at first. */
const SIZES = [
  [1, 1],
  [1, 2],
  [2, 1],
  [2, 2],
  [3, 2],
] as const;
const USUAL = SIZES.length - 1;
const SMALLER_ROUNDS_MAX = 500;

const caseSchema = z.object({
  format: z.literal(1),
  seed: z.number().int(),
  /** Of fast-check: which round of the seed. */
  path: z.string().regex(/^\d+$/),
  /** Of the plans: a place in the list of sizes. */
  size: z.number().int().min(0).max(USUAL),
});

type ScheduledCase = z.infer<typeof caseSchema>;

const key = fc.constantFrom(...KEYS);
const step = fc.record({ key, writes: fc.boolean() });

/** The plans that are drawn. */
function plansOf(size: number): fc.Arbitrary<ScheduledPlan> {
  const [clientsMax, stepsMax] = SIZES[size];
  return fc.record({
    mode: fc.constantFrom(...MODES, 'locks'),
    clients: fc.array(fc.array(step, { minLength: 1, maxLength: stepsMax }), {
      minLength: 1,
      maxLength: clientsMax,
    }),
    // One alone is synced at once; two are what an fsync is under way for while the others go on.
    puts: fc.oneof(fc.constant([]), { weight: 2, arbitrary: fc.array(key, { minLength: 2, maxLength: 2 }) }),
    maintenance: fc.constantFrom('none', ...MAINTENANCE),
  });
}

/** A round that was wrong. */
interface Found {
  readonly result: ScheduledResult & { readonly objection: NonNullable<ScheduledResult['objection']> };
  readonly saved: ScheduledCase;
}

/** What is searched. */
interface Search {
  readonly seed: number;
  readonly size: number;
  readonly rounds: number;
  /** Only this round. */
  readonly path?: string;
  /** Only failures of this class. */
  readonly wanted?: string;
}

/** Runs rounds of a seed until one is wrong. */
async function search(
  { seed, size, rounds, path, wanted }: Search,
  watch: (result: ScheduledResult) => void,
): Promise<Found | undefined> {
  let found: Found['result'] | undefined;
  const property = fc.asyncProperty(fc.scheduler(), plansOf(size), async (scheduler, drawn) => {
    const result = await runScheduledRound(drawn, scheduler);
    watch(result);
    const { objection } = result;
    if (objection === undefined || objection.class !== (wanted ?? objection.class)) return true;
    found = { ...result, objection };
    return false;
  });
  const which = path === undefined ? {} : { path };
  const details = await fc.check(property, { seed, numRuns: rounds, endOnFailure: true, ...which });
  if (found === undefined) return undefined;
  return { result: found, saved: { format: 1, seed, path: details.counterexamplePath ?? '', size } };
}

/** The same failure among the smallest plans that show it. */
async function smallest(found: Found): Promise<Found> {
  const { seed } = found.saved;
  const wanted = found.result.objection.class;
  for (let size = 0; size < USUAL; size++) {
    const again = await search({ seed, size, rounds: SMALLER_ROUNDS_MAX, wanted }, () => undefined);
    if (again !== undefined && again.result.operations < found.result.operations) return again;
  }
  return found;
}

async function report(context: StageContext, { result, saved }: Found): Promise<void> {
  const { class: failureClass, message } = result.objection;
  await context.fail({
    class: failureClass,
    message,
    case: { kind: SCHEDULED.kind, case: saved },
    story: [...result.told, message],
    operations: result.operations,
    shrink: `round ${saved.path} of seed ${saved.seed}, looked for among smaller plans`,
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
    const found = await search({ seed, size: USUAL, rounds: ROUNDS_A_TURN }, ({ told, conflicts, isDecided }) => {
      context.count('scheduled rounds');
      context.count('conflicts of scheduled rounds', conflicts);
      if (!isDecided) context.count('scheduled rounds that the checker left open');
      if (context.hashOnly) context.hash(told.join('\n'));
    });
    if (found !== undefined) await report(context, await smallest(found));
    return found === undefined;
  },

  async replay(context: StageContext, json: unknown): Promise<void> {
    const { seed, path, size } = caseSchema.parse(json);
    const found = await search({ seed, size, path, rounds: 1 }, () => undefined);
    if (found !== undefined) await report(context, found);
  },
} as const;
