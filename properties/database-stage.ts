/**
 * The stage `database`: programs with transactions of every level and a secondary index on the database's synchronous
 * face, held against the executable specification, interleavings on its asynchronous face, clients under locks, limits, and
 * salvage. Deterministic.
 */
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { toProgram } from '../src/contract/program-json.ts';
import type { Program } from '../src/contract/operations.ts';
import { type StageContext, stageMain } from '../src/report/stage.ts';
import { printProgram } from '../src/workload/print.ts';
import { shrinkProgram } from '../src/workload/shrink.ts';
import { BANK, notShown, runSetBanks } from './bank-cases.ts';
import { type CasePart, replayCase, runCase, tryCase } from './case-part.ts';
import {
  DIRECTED_DATABASE_PROGRAMS,
  DIRECTED_LIMIT_PROGRAMS,
  DIRECTED_LOCK_ROUNDS,
  DIRECTED_SALVAGES,
} from './database-directed.ts';
import { runDatabaseProgram } from './database-run.ts';
import { drawDatabaseProgram } from './database-programs.ts';
import { LIMITS } from './limit-programs.ts';
import { type LockRound, runLockRound } from './lock-round.ts';
import { SALVAGE } from './salvage-cases.ts';
import { SCHEDULED } from './scheduled-transactions.ts';
import type { Objection } from './program-check.ts';
import { outcomeText } from './program-run.ts';

/** Parts whose cases are plain data, and how many of them a turn has. */
type AnyPart = Pick<CasePart<unknown>, 'kind' | 'claim'> & {
  readonly casesATurn: number;
  readonly attempt: (context: StageContext, prng: Prng) => Promise<boolean>;
  readonly replay: (context: StageContext, json: unknown) => Promise<void>;
};

function part<C>(of: CasePart<C>, casesATurn: number): AnyPart {
  return {
    kind: of.kind,
    claim: of.claim,
    casesATurn,
    attempt: async (context, prng) => tryCase(context, of, prng),
    replay: async (context, json) => replayCase(context, of, json),
  };
}

const PARTS: readonly AnyPart[] = [part(LIMITS, 4), part(SALVAGE, 2), part(BANK, 2), SCHEDULED];
const HASHED_TURNS = 4;
/** Turns that are made however busy the machine is, unless the budget is a short one. */
const TURNS_MIN = 12;
const SHORT_BUDGET_SECONDS = 3;
const PROGRAMS_A_TURN = 12;
const SHRINK_RUNS_MAX = 3000;
const LOCK_ROUND = z.object({
  format: z.literal(1),
  seed: z.number().int().nonnegative(),
  clients: z.number().int().positive(),
  transactionsPerClient: z.number().int().positive(),
  counters: z.number().int().positive(),
  upgrades: z.boolean().optional(),
  plainWrites: z.number().int().nonnegative().optional(),
});

function drawRound(prng: Prng): LockRound {
  return {
    format: 1,
    seed: prng.below(2 ** 32),
    clients: prng.between(2, 6),
    transactionsPerClient: prng.between(1, 5),
    counters: prng.between(1, 4),
    upgrades: prng.chance(0.4),
    plainWrites: prng.pick([0, 0, 1, 3]),
  };
}

async function failProgram(context: StageContext, program: Program, objection: Objection): Promise<void> {
  const same = (candidate: Program): boolean => runDatabaseProgram(candidate).objection?.class === objection.class;
  const shrunk = await shrinkProgram(program, same, { runsMax: SHRINK_RUNS_MAX });
  const run = runDatabaseProgram(shrunk.program);
  const { message } = run.objection ?? objection;
  await context.fail({
    class: objection.class,
    message,
    case: { kind: 'program', program: shrunk.program },
    story: [...printProgram(shrunk.program, run.outcomes), `${objection.class}: ${message}`],
    operations: shrunk.program.operations.length,
    shrink: `${shrunk.runs} programs tried`,
  });
}

/** Clients, and transactions of each: what a failing round is shrunk to. */
const SMALL_ROUNDS: readonly (readonly [clients: number, transactions: number])[] = [
  ...[1, 2, 3].map((clients) => [clients, 1] as const),
  [2, 2],
];

/** The smallest round of the class among small ones. */
async function failRound(context: StageContext, round: LockRound, objection: Objection): Promise<void> {
  let best = round;
  for (const [clients, transactionsPerClient] of SMALL_ROUNDS) {
    for (let seed = 0; seed < 40 && best === round; seed++) {
      const plainWrites = Math.min(1, round.plainWrites ?? 0);
      const small: LockRound = {
        ...round,
        seed,
        clients,
        transactionsPerClient,
        counters: 1 + (seed % 3),
        plainWrites,
      };
      if ((await runLockRound(small))?.class === objection.class) best = small;
    }
  }
  const { message } = (await runLockRound(best)) ?? objection;
  const transactions = best.clients * best.transactionsPerClient;
  await context.fail({
    class: objection.class,
    message,
    case: { kind: 'locks', round: best },
    story: [
      `${best.clients} clients, ${best.transactionsPerClient} transactions each, ${best.counters} counters, seed ${best.seed}`,
      best.upgrades === true
        ? 'each transaction reads two counters, then locks them, and adds one to each'
        : 'each transaction locks and reads two counters, and adds one to each',
      ...((best.plainWrites ?? 0) > 0
        ? [`before that it locks the gate; ${best.plainWrites ?? 0} plain writes of the gate come in between`]
        : []),
      `${objection.class}: ${message}`,
    ],
    operations: 2 * transactions + (best.plainWrites ?? 0),
    shrink: 'the smallest of other rounds',
  });
}

async function tryProgram(context: StageContext, program: Program): Promise<boolean> {
  const { outcomes, objection } = runDatabaseProgram(program, (name, by) => context.count(name, by));
  if (context.hashOnly) for (const outcome of outcomes) context.hash(outcomeText(outcome));
  if (objection !== undefined) await failProgram(context, program, objection);
  return objection === undefined;
}

async function tryRound(context: StageContext, round: LockRound): Promise<boolean> {
  const objection = await runLockRound(round, (name, by) => context.count(name, by));
  if (context.hashOnly) context.hash(JSON.stringify(round));
  if (objection !== undefined) await failRound(context, round, objection);
  return objection === undefined;
}

/** What every run begins with. Returns the part that failed, if one did. */
async function begin(context: StageContext): Promise<string | undefined> {
  for (const program of DIRECTED_DATABASE_PROGRAMS) if (!(await tryProgram(context, program))) return 'programs';
  for (const round of DIRECTED_LOCK_ROUNDS) if (!(await tryRound(context, round))) return 'locks';
  for (const program of DIRECTED_LIMIT_PROGRAMS) if (!(await runCase(context, LIMITS, program))) return LIMITS.kind;
  for (const one of DIRECTED_SALVAGES) if (!(await runCase(context, SALVAGE, one))) return SALVAGE.kind;
  return context.hashOnly || (await runSetBanks(context)) ? undefined : BANK.kind;
}

/** The part that failed, if one did. */
async function turn(context: StageContext, prng: Prng): Promise<string | undefined> {
  for (let i = 0; i < PROGRAMS_A_TURN; i++) {
    if (!(await tryProgram(context, drawDatabaseProgram(prng.fork())))) return 'programs';
  }
  if (!(await tryRound(context, drawRound(prng.fork())))) return 'locks';
  for (const { kind, casesATurn, attempt } of PARTS)
    for (let i = 0; i < casesATurn; i++) if (!(await attempt(context, prng.fork()))) return kind;
  return undefined;
}

await stageMain({
  name: 'database',
  deterministic: true,
  async run(context) {
    const prng = new Prng(context.seed);
    let failed = await begin(context);
    const least = context.budgetSeconds >= SHORT_BUDGET_SECONDS ? TURNS_MIN : 1;
    const goesOn = (i: number): boolean => (context.hashOnly ? i < HASHED_TURNS : i < least || !context.outOfBudget());
    for (let i = 0; failed === undefined && goesOn(i); i++) {
      failed = await turn(context, prng);
    }
    // A failure ends the run: what the other parts would have said is not known.
    const verdict = (name: string): 'pass' | 'fail' | 'unknown' =>
      failed === name ? 'fail' : failed === undefined ? 'pass' : 'unknown';
    context.check(
      'every level, the index and the handles agree with the specification',
      verdict('programs'),
      'programs',
    );
    context.check('locks lose no update, leave nothing and never wait for ever', verdict('locks'), 'rounds');
    for (const { kind, claim } of PARTS) context.check(claim, verdict(kind), kind);
    const happens = 'lost updates under read-committed and write skew under snapshot do happen';
    const missing = failed === undefined && !context.hashOnly ? await notShown(context) : undefined;
    if (missing === undefined) context.check(happens, 'unknown', 'not looked for in this run');
    else if (missing.length > 0) context.check(happens, 'vacuous', `not seen: ${missing.join(', ')}`);
    else context.check(happens, 'pass', 'both seen');
    context.notTested('several processes at once; indexes that are declared anew while transactions are open');
  },
  async replay(context, caseJson) {
    const saved = z
      .object({ kind: z.string(), program: z.unknown(), round: z.unknown(), case: z.unknown() })
      .partial()
      .parse(caseJson);
    const one = PARTS.find(({ kind }) => kind === saved.kind);
    if (one !== undefined) {
      await one.replay(context, saved.case);
    } else if (saved.kind === 'locks') {
      const round = LOCK_ROUND.parse(saved.round);
      const objection = await runLockRound(round);
      if (objection !== undefined) await failRound(context, round, objection);
    } else if (saved.kind === 'program') {
      const program = toProgram(saved.program);
      const { objection } = runDatabaseProgram(program);
      if (objection !== undefined) await failProgram(context, program, objection);
    } else {
      throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'no case of this stage');
    }
  },
});
