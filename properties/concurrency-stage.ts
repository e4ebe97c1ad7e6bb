/**
 * The stage `concurrency`: clients through the asynchronous face of the database, their operations overlapping, with
 * flush and merge under way. Registers are checked key by key, batches for atomicity, transfers by the total of the bank,
 * mixed transactions by the cycles of their dependencies (strong snapshot isolation).
 */
import { z } from 'zod';
import { median } from '../src/base/statistics.ts';
import { Prng } from '../src/base/prng.ts';
import { LightningError } from '../src/base/errors.ts';
import { stageMain, type StageContext } from '../src/report/stage.ts';
import { meanOverlap, staleReadSensitivity, vacuousBecause } from '../src/workload/overlap.ts';
import { compareHistory, compareOne, type Disagreement, noAgreement } from './isolation-agreement.ts';
import {
  checkerOf,
  type Round,
  type RoundResult,
  runRound,
  tellRound,
  WORKLOADS,
  type Workload,
} from './concurrent-round.ts';

const HASHED_ROUNDS = 3;
const SENSITIVITY_SAMPLES = 20;
const SENSITIVITY_ROUNDS = 6;
const SHRINK_SECONDS = 15;
const SMALL_OPERATIONS = 10;
/** Small histories on which the isolation checker is compared with trying every execution, by profile. */
const HISTORIES_COMPARED: Readonly<Record<string, number>> = { ci: 10_000, release: 100_000 };
const HISTORIES_COMPARED_OTHERWISE = 500;
const SHORT_RUN_SECONDS = 5;

const schema = z.object({
  format: z.literal(1),
  workload: z.enum(WORKLOADS),
  seed: z.number().int().nonnegative(),
  clients: z.number().int().positive(),
  operationsPerClient: z.number().int().positive(),
  options: z.record(z.string(), z.union([z.string(), z.number()])),
});

const accessSchema = z.union([
  z.object({ kind: z.enum(['read', 'write']), key: z.string(), value: z.string().nullable() }),
  z.object({ kind: z.literal('append'), key: z.string(), element: z.string() }),
  z.object({ kind: z.literal('list'), key: z.string(), elements: z.array(z.string()) }),
  z.object({
    kind: z.literal('range'),
    from: z.string(),
    to: z.string().nullable(),
    rows: z.array(z.object({ key: z.string(), value: z.string().nullable() })),
  }),
]);

/** A history on which the checker and the brute force differed; JSON has no `Infinity`. */
const comparedSchema = z.object({
  format: z.literal(1),
  transactions: z.array(
    z.object({
      id: z.number(),
      client: z.number(),
      outcome: z.enum(['ok', 'failed', 'unknown']),
      call: z.number(),
      return: z
        .number()
        .nullable()
        .transform((end) => end ?? Infinity),
      accesses: z.array(accessSchema),
    }),
  ),
  orders: z.array(z.tuple([z.string(), z.array(z.string())])),
});

function drawRound(random: Prng, workload: Workload): Round {
  return {
    format: 1,
    workload,
    seed: random.below(2 ** 32),
    clients: random.between(4, 10),
    operationsPerClient: random.between(8, 30),
    options: drawOptions(random),
  };
}

function drawOptions(random: Prng): Record<string, string | number> {
  return {
    durability: random.pick(['commit', 'commit', 'none']),
    memtableBytes: random.pick([1, 500, 3000, 1_000_000]),
    blockSizeBytes: 512,
    nodeTargetBytes: 512,
    runBlockBytes: 64,
    runCountMax: random.pick([1, 2, 4]),
    frozenCountMax: random.pick([1, 2, 4]),
    sliceBytes: random.pick([1, 1, 64]),
    cacheBytes: random.pick([0, 10_000]),
  };
}

await stageMain({
  name: 'concurrency',
  deterministic: true,
  async run(context) {
    const random = new Prng(context.seed);
    const overlaps: number[] = [];
    const sensitivity = new Map<Workload, { samples: number; legal: number; unknown: number; rounds: number }>();
    for (let n = 0; context.hashOnly ? n < HASHED_ROUNDS : !context.outOfBudget(); n++) {
      const round = drawRound(random, WORKLOADS[n % WORKLOADS.length]);
      const result = await runRound(round);
      countRound(context, round, result);
      if (result.verdict.verdict === 'invalid') {
        await report(context, round, result);
        return;
      }
      overlaps.push(meanOverlap(result.history));
      probeSensitivity(round, result, random, sensitivity);
      if (n % 20 === 0) context.progress(`${n} rounds`, context.elapsedSeconds(), context.budgetSeconds);
    }
    judgeWorth(context, overlaps, sensitivity);
    await compareIsolation(context, random);
    context.notTested(
      'Several processes at once; levels other than strong snapshot isolation; deletions in transactions.',
    );
  },
  async replay(context, json) {
    const compared = comparedSchema.safeParse(json);
    if (compared.success) {
      const { transactions, orders } = compared.data;
      const history = { transactions, ...(orders.length > 0 ? { versionOrders: new Map(orders) } : {}) };
      await reportDifference(context, compareHistory(history, noAgreement(), false));
      return;
    }
    const parsed = schema.safeParse(json);
    if (!parsed.success) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a round of this version');
    const round: Round = parsed.data;
    const result = await runRound(round);
    if (result.verdict.verdict === 'invalid') await fail(context, round, result, 'replayed');
  },
});

/** The isolation checker itself, against trying every execution. */
async function compareIsolation(context: StageContext, random: Prng): Promise<void> {
  const short = context.hashOnly || context.budgetSeconds <= SHORT_RUN_SECONDS;
  const wanted = short ? 0 : (HISTORIES_COMPARED[context.profile] ?? HISTORIES_COMPARED_OTHERWISE);
  const counts = noAgreement();
  for (let i = 0; i < wanted; i++) {
    const difference = compareOne(random, counts);
    context.count('isolation histories compared');
    if (difference === undefined) continue;
    await reportDifference(context, difference);
    return;
  }
  if (wanted === 0) return;
  for (const [name, count] of counts.anomalies) context.count(`isolation anomalies: ${name}`, count);
  const share = ((100 * counts.valid) / counts.histories).toFixed(0);
  const detail = `${counts.histories} small histories, ${share} % strictly serializable, ${counts.searched} searched: no difference`;
  context.check('isolation checker agrees with trying every execution', 'pass', detail);
}

async function reportDifference(context: StageContext, difference: Disagreement | undefined): Promise<void> {
  if (difference === undefined) return;
  const { history, level, checker, bruteForce } = difference;
  const story = history.transactions.map((transaction) => JSON.stringify(transaction));
  await context.fail({
    class: 'isolation-disagreement',
    message: `${level} is ${checker} for the checker and ${bruteForce} when every execution is tried`,
    case: { format: 1, transactions: history.transactions, orders: [...(history.versionOrders ?? [])] },
    story,
    operations: story.length,
  });
}

function countRound(
  context: StageContext,
  round: Round,
  { history, verdict, commits, syncs, flushes, merges, conflicts }: RoundResult,
): void {
  context.count('rounds');
  context.count(`rounds of ${round.workload}`);
  context.count('operations', history.operations.length);
  context.count('commits', commits);
  context.count('fsyncs', syncs);
  context.count('flushes', flushes);
  context.count('merges', merges);
  context.count('conflicts', conflicts);
  if (verdict.verdict === 'unknown') context.count('unknown verdicts');
  if (context.hashOnly) context.hash(JSON.stringify([round, history.operations, verdict.verdict]));
}

/** Would the checker have noticed a stale read in a history like these? */
function probeSensitivity(
  round: Round,
  { history }: RoundResult,
  random: Prng,
  found: Map<Workload, { samples: number; legal: number; unknown: number; rounds: number }>,
): void {
  const sum = found.get(round.workload) ?? { samples: 0, legal: 0, unknown: 0, rounds: 0 };
  if (sum.rounds >= SENSITIVITY_ROUNDS) return;
  const one = staleReadSensitivity(history, checkerOf(round.workload), random.fork(), SENSITIVITY_SAMPLES);
  found.set(round.workload, {
    samples: sum.samples + one.samples,
    legal: sum.legal + one.legal,
    unknown: sum.unknown + one.unknown,
    rounds: sum.rounds + 1,
  });
}

function judgeWorth(
  context: StageContext,
  overlaps: readonly number[],
  sensitivity: ReadonlyMap<Workload, { samples: number; legal: number; unknown: number }>,
): void {
  if (overlaps.length === 0) return;
  const overlap = median(overlaps);
  context.figure('operations that one overlaps, median of rounds', overlap, 'operations');
  for (const workload of WORKLOADS) {
    const found = sensitivity.get(workload) ?? { samples: 0, legal: 0, unknown: 0 };
    const share = found.samples === 0 ? 0 : (100 * found.legal) / found.samples;
    context.figure(`${workload}: stale reads that stay legal`, share, '%');
    const vacuous = vacuousBecause(overlap, found);
    if (vacuous === undefined)
      context.check(
        workload,
        'pass',
        `operations overlap ${overlap.toFixed(1)} others; ${share.toFixed(0)} % of stale reads would pass`,
      );
    else context.check(workload, 'vacuous', vacuous);
  }
}

async function report(context: StageContext, first: Round, result: RoundResult): Promise<void> {
  const { round, result: small, tried } = await shrink(context, first, result);
  await fail(
    context,
    round,
    small,
    `${tried} smaller rounds tried; ${result.history.operations.length} operations before`,
  );
}

async function fail(
  context: StageContext,
  round: Round,
  { history, verdict }: RoundResult,
  how: string,
): Promise<void> {
  if (verdict.verdict !== 'invalid') return;
  await context.fail({
    class: verdict.class,
    message: verdict.message,
    case: round,
    story: tellRound(round, history, verdict),
    operations: history.operations.length,
    shrink: how,
  });
}

/** Looks for the smallest round that fails in the same way: few clients and operations first, many seeds each. */
async function shrink(
  context: StageContext,
  first: Round,
  result: RoundResult,
): Promise<{ round: Round; result: RoundResult; tried: number }> {
  const wanted = result.verdict.verdict === 'invalid' ? result.verdict.class : '';
  const deadline = context.elapsedSeconds() + SHRINK_SECONDS;
  let best = { round: first, result };
  let tried = 0;
  for (let total = 2; total < best.result.history.operations.length && total <= 2 * SMALL_OPERATIONS; total++) {
    for (let seed = 0; seed < 60 && context.elapsedSeconds() < deadline; seed++) {
      const random = new Prng(total * 1000 + seed);
      const clients = random.between(2, Math.min(total, 5));
      const operationsPerClient = Math.max(1, Math.floor(total / clients));
      const options = random.chance(0.7) ? first.options : drawOptions(random);
      const round: Round = { ...first, seed: random.below(2 ** 32), clients, operationsPerClient, options };
      tried++;
      const smaller = await runRound(round);
      if (smaller.verdict.verdict !== 'invalid' || smaller.verdict.class !== wanted) continue;
      if (smaller.history.operations.length < best.result.history.operations.length) best = { round, result: smaller };
      if (best.result.history.operations.length <= total) return { ...best, tried };
    }
  }
  return { ...best, tried };
}
