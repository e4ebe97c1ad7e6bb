/**
 * The checkers stage: who judges the judges. Every checker of histories is compared with a recursion that tries every
 * order, every cut and every execution, on small random histories, valid and mutated; nobody may differ on one. Beside
 * it, histories of the engine under clients and power cuts are judged, one cut for each over all keys, and what several
 * processes did on one served store.
 *
 * Live negative controls: checkers with a mistake that is easily made must each differ; stores that are broken in one way
 * each must be called by their name; a store that syncs nothing must be found out by whoever believes that it does.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { isLightningError, LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { type Agreement, compareCheckers, MISTAKEN } from '../src/checkers/agreement.fixture.ts';
import { type StageContext, stageMain } from '../src/report/stage.ts';
import { BROKEN_STORES, nameStore } from './broken-stores.ts';
import {
  type DurabilityRound,
  drawDurabilityRound,
  judgeDurability,
  runDurabilityRound,
  smallerRounds,
  tellDurabilityRound,
} from './durability-round.ts';
import { judgeServed, overlapOfServed, runServed, withStaleReads } from './served-round.ts';
import {
  type AgreementCounts,
  compareOne,
  type Disagreement,
  MISTAKEN_ISOLATION,
  noAgreement,
} from './isolation-agreement.ts';

/** Histories of the two kinds in one turn; those of the second take longer. */
const [ORDERS_A_TURN, ISOLATION_A_TURN] = [600, 250];
const HASHED_TURNS = 2;
/** However small the budget; and in a long run, so that it has 100,000 histories of each kind however busy the machine is. */
const TURNS_MIN = 16;
const [LONG_SECONDS, LONG_TURNS_MIN] = [60, 100_000 / ISOLATION_A_TURN];
/** Histories after which a control counts as not caught; the mistake that is hardest to meet took 10,342 in the worst of 100 runs. */
const CONTROL_HISTORIES_MAX = 100_000;
const VALID_SHARE_MIN = 0.3;
const KINDS = ['linearizability and durability', 'isolation'] as const;
type Kind = (typeof KINDS)[number];

const comparisonSchema = z.object({
  format: z.literal(1),
  kind: z.enum(KINDS),
  /** Of the turn; the difference is the last history that is drawn. */
  seed: z.number().int().nonnegative(),
});
const roundSchema = z.object({
  format: z.literal(1),
  kind: z.literal('power cuts'),
  round: z.object({
    seed: z.number().int().nonnegative(),
    clients: z.number().int().positive(),
    eras: z.array(z.number().int().positive()).readonly(),
    durability: z.enum(['commit', 'none']),
    options: z.record(z.string(), z.union([z.string(), z.number()])),
  }),
});
const servedSchema = z.object({
  format: z.literal(1),
  kind: z.literal('several processes'),
  /** What they did; it cannot be done again, only judged again. */
  done: z.array(
    z.object({
      client: z.number().int().nonnegative(),
      kind: z.enum(['read', 'write', 'transaction']),
      outcome: z.enum(['ok', 'failed', 'unknown']),
      call: z.string().regex(/^\d+$/),
      return: z.string().regex(/^\d+$/),
      accesses: z.array(z.object({ kind: z.enum(['read', 'write']), key: z.string(), value: z.string().nullable() })),
    }),
  ),
});
const caseSchema = z.union([comparisonSchema, roundSchema, servedSchema]);
/** Operations of each client of a served store, and how many of other processes one must overlap to be worth a verdict. */
const [SERVED_OPERATIONS, SERVED_OVERLAP_MIN] = [20, 1];

/** Rounds under power cuts, a small part of the budget; few where everything is repeated in another process. */
const [ROUNDS_MIN, ROUNDS_HASHED, ROUNDS_A_SECOND] = [40, 4, 10];
/** Rounds of a store that syncs nothing, after which whoever believes that it does counts as blind. */
const ROUNDS_BELIEVED_MAX = 200;
const SMALL_SEEDS = 400;

/** What a turn came to. */
interface Turn {
  readonly histories: number;
  readonly valid: number;
  readonly mutated: number;
  readonly details: Iterable<readonly [string, number]>;
  readonly difference: string | undefined;
}

function ofAgreement({ counts, ...rest }: Agreement): Turn {
  return { ...rest, details: Object.entries(counts) };
}

const never = (_: string, value: unknown): unknown => (value === Infinity ? 'never' : value);

function ofIsolation(counts: AgreementCounts, found: Disagreement | undefined): Turn {
  const details: [string, number][] = [
    ['isolation: unknown outcomes', counts.withUnknownOutcomes],
    ['isolation: ranges', counts.withRanges],
    ['isolation: order of versions searched for', counts.searched],
  ];
  for (const [name, times] of counts.anomalies) details.push([`anomaly ${name}`, times]);
  for (const [level, times] of counts.refuted) details.push([`refuted ${level}`, times]);
  const difference = found === undefined ? undefined : JSON.stringify(found, never);
  return { histories: counts.histories, valid: counts.valid, mutated: counts.mutated, details, difference };
}

/** One turn, which depends on its seed alone. */
function turnOf(kind: Kind, seed: number): Turn {
  if (kind === KINDS[0]) return ofAgreement(compareCheckers(seed, ORDERS_A_TURN));
  const counts = noAgreement();
  const prng = new Prng(seed);
  let found: Disagreement | undefined;
  while (found === undefined && counts.histories < ISOLATION_A_TURN) found = compareOne(prng, counts);
  return ofIsolation(counts, found);
}

async function report(context: StageContext, kind: Kind, seed: number, turn: Turn): Promise<void> {
  await context.fail({
    class: kind === 'isolation' ? 'isolation-checker-differs' : 'checker-differs',
    message: `a checker of ${kind} differs from trying everything on history ${turn.histories} of seed ${seed}`,
    case: { format: 1, kind, seed } satisfies z.infer<typeof comparisonSchema>,
    story: [turn.difference ?? ''],
    operations: turn.histories,
    shrink: 'not made smaller: no history has more than eight operations',
  });
}

/** The engine under clients and power cuts. @returns whether all was well */
async function runPowerCuts(context: StageContext, seeds: Prng): Promise<boolean> {
  const wanted = context.hashOnly ? ROUNDS_HASHED : Math.max(ROUNDS_MIN, ROUNDS_A_SECOND * context.budgetSeconds);
  let unknown = 0;
  for (let n = 0; n < wanted; n++) {
    const round = drawDurabilityRound(seeds, n % 3 === 2 ? 'none' : 'commit');
    const history = await runDurabilityRound(round);
    const verdict = judgeDurability(history, round.durability);
    const cuts = history.markers.filter(({ kind }) => kind === 'crash').length;
    context.count('rounds under power cuts');
    context.count('power cuts', cuts);
    context.count('operations under power cuts', history.operations.length);
    context.count('operations without an answer', history.operations.filter((one) => one.outcome === 'unknown').length);
    if (context.hashOnly) context.hash(JSON.stringify([round, history.operations, verdict.verdict]));
    if (verdict.verdict === 'unknown') unknown++;
    if (verdict.verdict !== 'invalid') continue;
    context.check('power cuts', 'fail', 'see the failure');
    await reportRound(context, await smallest(round));
    return false;
  }
  const detail = `${wanted} histories of concurrent clients, one cut of all keys explains each crash`;
  if (unknown > 0) context.check('power cuts', 'unknown', `${unknown} of ${wanted} searches ended at their bounds`);
  else context.check('power cuts', 'pass', detail);
  return true;
}

/** The smallest round that a few seeds give and that is wrong, too. */
async function smallest(first: DurabilityRound): Promise<DurabilityRound> {
  for (const round of smallerRounds(first, SMALL_SEEDS)) {
    if (judgeDurability(await runDurabilityRound(round), round.durability).verdict === 'invalid') return round;
  }
  return first;
}

async function reportRound(context: StageContext, round: DurabilityRound): Promise<void> {
  const history = await runDurabilityRound(round);
  const verdict = judgeDurability(history, round.durability);
  if (verdict.verdict !== 'invalid') return;
  await context.fail({
    class: verdict.class,
    message: verdict.message,
    case: { format: 1, kind: 'power cuts', round } satisfies z.infer<typeof roundSchema>,
    story: tellDurabilityRound(round, history),
    operations: history.operations.length,
    shrink: 'drawn again with fewer clients and operations',
  });
}

/** Several processes through a server; a machine that allows no sockets makes it unknown. @returns whether all was well */
async function runProcesses(context: StageContext, seed: number): Promise<boolean> {
  const name = 'several processes';
  let done: Awaited<ReturnType<typeof runServed>>;
  try {
    done = await runServed(join(context.workDirectory, 'served'), SERVED_OPERATIONS, seed);
  } catch (error) {
    if (!isLightningError(error, 'LIGHTNING_IO')) throw error;
    context.check(name, 'unknown', error.message);
    return true;
  }
  context.count('operations of several processes', done.length);
  if (await reportServed(context, done)) {
    context.check(name, 'fail', 'see the failure');
    return false;
  }
  const overlap = overlapOfServed(done);
  const noticed = judgeServed(withStaleReads(done)).filter(({ verdict }) => verdict === 'invalid').length;
  const detail = `${done.length} operations, each beside ${overlap.toFixed(1)} of other processes; ${noticed} of 2 stale reads noticed`;
  context.check(name, overlap < SERVED_OVERLAP_MIN || noticed === 0 ? 'vacuous' : 'pass', detail);
  return true;
}

async function reportServed(context: StageContext, done: Awaited<ReturnType<typeof runServed>>): Promise<boolean> {
  const wrong = judgeServed(done).find(({ verdict }) => verdict === 'invalid');
  if (wrong?.verdict !== 'invalid') return false;
  await context.fail({
    class: wrong.class,
    message: wrong.message,
    case: { format: 1, kind: 'several processes', done } as const,
    story: done.map((operation) => JSON.stringify(operation)),
    operations: done.length,
    shrink: 'not made smaller: it cannot be done again',
  });
  return true;
}

/** Stores that are broken in one way each, and the right one in their place; a store that syncs nothing. */
async function runStores(context: StageContext, seeds: Prng): Promise<void> {
  for (const [name, { names }] of Object.entries(BROKEN_STORES)) {
    const { rounds, found, message } = await nameStore(name, seeds.fork());
    const right = await nameStore(name, seeds.fork(), true);
    const caught = found !== undefined && names.includes(found) && right.found === undefined;
    if (caught) context.count('controls');
    const detail = caught
      ? `round ${rounds}: ${message}`
      : `called ${String(found)} after ${rounds} rounds, the right store ${String(right.found)}`;
    context.check(`control:${name.replaceAll(' ', '-')}-store`, caught ? 'pass' : 'vacuous', detail);
  }
  let rounds = 0;
  let caught = false;
  while (!caught && rounds++ < ROUNDS_BELIEVED_MAX) {
    const history = await runDurabilityRound(drawDurabilityRound(seeds, 'none'));
    caught = judgeDurability(history, 'commit').verdict === 'invalid';
  }
  if (caught) context.count('controls');
  const detail = caught ? `found out by round ${rounds}` : `believed for ${ROUNDS_BELIEVED_MAX} rounds`;
  context.check('control:nothing-is-synced', caught ? 'pass' : 'vacuous', detail);
}

/** Each mistaken checker until it differs. */
function runControls(context: StageContext, seeds: Prng): void {
  const told = (name: string, histories: number | undefined): void => {
    const caught = histories !== undefined;
    const detail = caught ? `found out by history ${histories}` : `agreed on ${CONTROL_HISTORIES_MAX} histories`;
    if (caught) context.count('controls');
    context.check(`control:${name.replaceAll(' ', '-')}`, caught ? 'pass' : 'vacuous', detail);
  };
  for (const mistaken of Object.keys(MISTAKEN)) {
    const { histories, difference } = compareCheckers(seeds.uint32(), CONTROL_HISTORIES_MAX, { mistaken });
    told(mistaken, difference === undefined ? undefined : histories);
  }
  for (const [name, check] of Object.entries(MISTAKEN_ISOLATION)) {
    const [counts, prng] = [noAgreement(), seeds.fork()];
    let found: Disagreement | undefined;
    while (found === undefined && counts.histories < CONTROL_HISTORIES_MAX) found = compareOne(prng, counts, check);
    told(name, found === undefined ? undefined : counts.histories);
  }
}

async function run(context: StageContext): Promise<void> {
  const seeds = new Prng(context.seed);
  if (!context.hashOnly) runControls(context, seeds.fork());
  if (!context.hashOnly) await runStores(context, seeds.fork());
  if (!(await runPowerCuts(context, seeds.fork()))) return;
  if (!context.hashOnly && !(await runProcesses(context, seeds.uint32()))) return;
  const totals = { [KINDS[0]]: { histories: 0, valid: 0 }, isolation: { histories: 0, valid: 0 } };
  const turnsMin = context.budgetSeconds < LONG_SECONDS ? TURNS_MIN : LONG_TURNS_MIN;
  const goesOn = (turn: number): boolean =>
    context.hashOnly ? turn < HASHED_TURNS : turn < turnsMin || !context.outOfBudget();
  for (let turns = 0; goesOn(turns); turns++) {
    for (const kind of KINDS) {
      const seed = seeds.uint32();
      const turn = turnOf(kind, seed);
      totals[kind].histories += turn.histories;
      totals[kind].valid += turn.valid;
      context.count(`histories: ${kind}`, turn.histories);
      context.count(`valid: ${kind}`, turn.valid);
      context.count(`mutated: ${kind}`, turn.mutated);
      for (const [name, times] of turn.details) context.count(name, times);
      if (context.hashOnly) context.hash(JSON.stringify([turn.histories, turn.valid, ...turn.details]));
      if (turn.difference === undefined) continue;
      context.check(kind, 'fail', 'see the failure');
      return report(context, kind, seed, turn);
    }
    context.progress(`turn ${turns}`, Math.round(context.elapsedSeconds()), context.budgetSeconds);
  }
  for (const kind of KINDS) {
    const { histories, valid } = totals[kind];
    const enough = valid / histories >= VALID_SHARE_MIN && valid < histories;
    const detail = `${histories} histories, ${valid} of them valid, no difference`;
    context.check(kind, enough ? 'pass' : 'vacuous', detail);
  }
  context.notTested('histories of more than eight operations or five transactions against trying everything');
}

async function replay(context: StageContext, caseJson: unknown): Promise<void> {
  const parsed = caseSchema.safeParse(caseJson);
  if (!parsed.success) {
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'a case of the checkers stage has a kind and a seed');
  }
  if (parsed.data.kind === 'power cuts') {
    await reportRound(context, parsed.data.round);
    return;
  }
  if (parsed.data.kind === 'several processes') {
    await reportServed(context, parsed.data.done);
    return;
  }
  const { kind, seed } = parsed.data;
  const turn = turnOf(kind, seed);
  if (turn.difference !== undefined) await report(context, kind, seed, turn);
}

await stageMain({ name: 'checkers', deterministic: true, run, replay });
