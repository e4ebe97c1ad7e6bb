/** The kill check as part of the stage: its controls, its campaigns, its shrinking, its replay. */
import { join } from 'node:path';
import { z } from 'zod';
import { Prng } from '../src/base/prng.ts';
import type { StageContext } from '../src/report/stage.ts';
import { HONEST_BATCHES } from './faulty-store.ts';
import {
  describePlan,
  drawKills,
  type KillFailure,
  type KillObserver,
  type KillPlan,
  operationsOfPlan,
  runKillPlan,
  smallerPlans,
} from './kill-check.ts';
import { CLIENT_COUNT, ENTRY_COUNT, type Load } from './load-plan.ts';

/** Kills of one campaign: each durability mode twice, one of them while the store is being opened. */
const KILLS = 6;
/** About how many batches the whole load has, to spread the kills over. */
const BATCHES_EXPECTED = 2600;
/** Share of the budget in which a new campaign may begin. */
const BUDGET_SHARE = 0.5;
/** A kill is a matter of chance: so often is a small load tried before it counts as passing. */
const TRIES = 3;
/** In milliseconds, how long a store that cheats is given before each try of the kill; it does nothing any more by then. */
const CONTROL_DELAYS = [50, 1000, 5000];

const killSchema = z.object({
  after: z.enum(['opening', 'acknowledgements']),
  count: z.number().int().positive(),
  delayMilliseconds: z.number().nonnegative(),
  durability: z.enum(['commit', 'interval', 'none']),
});

/** The case of a kill failure. */
export const killCaseSchema = z.object({
  check: z.literal('kill'),
  plan: z.object({
    load: z.object({
      seed: z.number().int().nonnegative(),
      durability: z.enum(['commit', 'interval', 'none']),
      clientCount: z.number().int().positive(),
      entriesPerClient: z.number().int().positive(),
      batchEntriesMax: z.number().int().positive(),
      memtableBytes: z.number().int().positive(),
    }),
    kills: z.array(killSchema),
  }),
});

const silent: KillObserver = { killed: () => undefined, recovered: () => undefined, finished: () => undefined };

/** A budget below this gets a small load: it asks whether the stage runs, not how the engine fares. */
const WHOLE_LOAD_SECONDS = 10;
const SMALL_ENTRIES_PER_CLIENT = 1000;

function wholeLoad(seed: number): Load {
  return {
    seed,
    durability: 'commit',
    clientCount: CLIENT_COUNT,
    entriesPerClient: ENTRY_COUNT / CLIENT_COUNT,
    batchEntriesMax: 64,
    memtableBytes: 256 * 1024,
  };
}

interface Shrunk {
  readonly plan: KillPlan;
  readonly failure: KillFailure;
  readonly how: string;
}

/**
 * Tries small loads for one that fails alike, or loses an acknowledged write: under load the same fault may first show as
 * a log that is too short. Otherwise the failure stays as large as it was found.
 */
async function shrink(plan: KillPlan, failure: KillFailure, folder: string): Promise<Shrunk> {
  const failed = plan.kills.at(failure.rounds - 1)?.durability ?? plan.load.durability;
  for (const smaller of smallerPlans(plan, failed)) {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const again = await runKillPlan(smaller, folder, silent);
      if (again === undefined || ![failure.class, 'lost-acknowledged-write'].includes(again.class)) continue;
      return { plan: smaller, failure: again, how: `the smallest load that fails; found as ${failure.class}` };
    }
  }
  const kills = plan.kills.slice(0, failure.rounds);
  return { plan: { ...plan, kills }, failure, how: 'smaller loads did not fail; cut after the failing round' };
}

async function reportFailure(context: StageContext, plan: KillPlan, found: KillFailure): Promise<void> {
  context.check('kill', 'fail', found.message);
  const smallest = await shrink(plan, found, join(context.workDirectory, 'shrink'));
  const { class: failureClass, message } = smallest.failure;
  await context.fail({
    class: failureClass,
    message,
    case: { check: 'kill', plan: smallest.plan },
    story: [...describePlan(smallest.plan), message],
    operations: operationsOfPlan(smallest.plan),
    shrink: smallest.how,
  });
}

/**
 * Stores that cheat must be found by the very same check. The first acknowledges a batch that it never writes, before the
 * kill; the second stands still in the middle of one when it is killed.
 */
async function runControls(context: StageContext): Promise<void> {
  for (const [fault, wanted, acknowledgements] of [
    ['acknowledges-early', 'lost-acknowledged-write', HONEST_BATCHES + 1],
    ['halves-batches', 'torn-batch', HONEST_BATCHES],
  ] as const) {
    const start = context.elapsedSeconds();
    let found: KillFailure | undefined;
    for (const [attempt, delayMilliseconds] of CONTROL_DELAYS.entries()) {
      const load = { ...wholeLoad(context.seed + attempt), entriesPerClient: 1000, durability: 'none' as const };
      const kill = {
        after: 'acknowledgements',
        count: acknowledgements,
        delayMilliseconds,
        durability: 'none',
      } as const;
      found = await runKillPlan({ load, kills: [kill], fault }, join(context.workDirectory, 'control'), silent);
      context.count('kills of stores that cheat');
      if (found?.class === wanted) break;
    }
    const caught = found?.class === wanted;
    const detail = caught ? `found as ${wanted}: ${found?.message ?? ''}` : `not found as ${wanted}`;
    context.check(`control:kill-${fault}`, caught ? 'pass' : 'vacuous', detail);
    context.figure(`control kill-${fault}`, context.elapsedSeconds() - start, 's');
  }
}

/** The kill check: controls, then campaigns of the whole load, one at least. */
export async function runKillCheck(context: StageContext): Promise<void> {
  await runControls(context);
  const prng = new Prng(context.seed);
  const start = context.elapsedSeconds();
  const recoveries: [number, number][] = [];
  let kills = 0;
  let complete = 0;
  let lastSeconds = 0;
  let entries = 0;
  const observer: KillObserver = {
    killed(work, acknowledgements) {
      kills++;
      context.count('SIGKILLs');
      context.count('acknowledgements before a kill', acknowledgements);
      context.reached(`killed with ${work} under way`);
      context.progress('SIGKILL under load', kills);
    },
    recovered(found, milliseconds) {
      context.count('recoveries judged');
      context.count('entries judged after a recovery', found);
      recoveries.push([found, milliseconds]);
    },
    finished(found, of) {
      complete++;
      context.count('entries there at the end', found);
      context.progress(`${found} of ${of} entries at the end`);
    },
  };
  do {
    const begun = context.elapsedSeconds();
    const isWhole = context.budgetSeconds >= WHOLE_LOAD_SECONDS;
    const whole = wholeLoad(prng.uint32());
    const load = isWhole ? whole : { ...whole, entriesPerClient: SMALL_ENTRIES_PER_CLIENT };
    entries = load.entriesPerClient * load.clientCount;
    const plan = { load, kills: drawKills(prng, KILLS, isWhole ? BATCHES_EXPECTED : BATCHES_EXPECTED / 20) };
    const folder = join(context.workDirectory, 'kill');
    const failure = await runKillPlan(plan, folder, observer, () => context.outOfBudget());
    if (failure !== undefined) return reportFailure(context, plan, failure);
    lastSeconds = context.elapsedSeconds() - begun;
  } while (!context.outOfBudget() && context.elapsedSeconds() + lastSeconds < context.budgetSeconds * BUDGET_SHARE);
  context.figure('kill check', context.elapsedSeconds() - start, 's');
  context.series('examining and judging after a kill', recoveries, 'entries in the store', 'ms');
  const detail = `${kills} kills; ${complete} times ${entries} of ${entries} entries were there in the end. A kill leaves the page cache alone: durability against a power cut is shown by the crash stage, not here`;
  const isEnough = kills >= KILLS / 2 && complete > 0;
  const shortfall = context.outOfBudget() ? 'unknown' : 'vacuous';
  context.check('kill', isEnough ? 'pass' : shortfall, detail);
}

/** Runs a saved case again, as often as chance needs. */
export async function replayKill(context: StageContext, plan: KillPlan): Promise<void> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const failure = await runKillPlan(plan, join(context.workDirectory, 'kill'), silent);
    context.count('SIGKILLs', plan.kills.length);
    if (failure === undefined) continue;
    await context.fail({
      class: failure.class,
      message: failure.message,
      case: { check: 'kill', plan },
      story: [...describePlan(plan), failure.message],
      operations: operationsOfPlan(plan),
    });
    return;
  }
}
