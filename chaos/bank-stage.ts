/** The bank over a socket as part of the stage: its control, its sizes by profile, its shrinking, its replay. */
import { join } from 'node:path';
import { z } from 'zod';
import type { StageContext } from '../src/report/stage.ts';
import { type BankFailure, type BankPlan, describeBank, runBankPlan } from './bank-check.ts';

const positive = z.number().int().positive();

/** The case of a failure of the bank. */
export const bankCaseSchema = z.object({
  check: z.literal('bank'),
  plan: z.object({
    seed: z.number().int().nonnegative(),
    isolation: z.enum(['snapshot', 'serializable']),
    accounts: z.number().int().min(2),
    amount: positive,
    clerks: positive,
    transfersPerClerk: positive,
    kills: z.number().int().nonnegative(),
    acknowledgesEarly: z.boolean().optional(),
  }),
});

/** Transfers of each of 64 clerks, and kills of the server, by profile. */
const SIZES: Readonly<Record<string, readonly [transfers: number, kills: number]>> = {
  ci: [50, 3],
  release: [1000, 8],
};
const SIZE_OTHERWISE = [2, 1] as const;
const LEVELS = ['snapshot', 'serializable'] as const;
/** A budget below this asks whether the stage runs, not how the engine fares. */
const WHOLE_SECONDS = 10;
/** A kill is a matter of chance: so often is a small bank tried. */
const TRIES = 4;

function planFor(context: StageContext, isolation: BankPlan['isolation']): BankPlan {
  const [transfersPerClerk, kills] = SIZES[context.profile] ?? SIZE_OTHERWISE;
  const clerks = context.budgetSeconds < WHOLE_SECONDS ? 8 : 64;
  return { seed: context.seed, isolation, accounts: 100, amount: 1000, clerks, transfersPerClerk, kills };
}

/** A server that acknowledges before it commits must be found by the very same check. */
async function runControl(context: StageContext): Promise<void> {
  let found: BankFailure | undefined;
  for (let attempt = 0; attempt < TRIES && found === undefined; attempt++) {
    const plan: BankPlan = {
      ...planFor(context, 'snapshot'),
      seed: context.seed + attempt,
      clerks: 8,
      transfersPerClerk: 4,
      kills: 2,
      acknowledgesEarly: true,
    };
    found = await runBankPlan(plan, join(context.workDirectory, 'bank-control'));
  }
  const detail = found === undefined ? 'nothing was found' : `found as ${found.class}: ${found.message}`;
  context.check('control:bank-acknowledges-early', found === undefined ? 'vacuous' : 'pass', detail);
}

async function report(context: StageContext, plan: BankPlan, failure: BankFailure): Promise<void> {
  let smallest = { plan, failure };
  for (const clerks of [1, 2, 3, 4]) {
    for (let attempt = 0; attempt < TRIES && smallest.plan === plan; attempt++) {
      const smaller = { ...plan, seed: attempt, accounts: 4, clerks, transfersPerClerk: 2, kills: 1 };
      const again = await runBankPlan(smaller, join(context.workDirectory, 'bank-shrink'));
      if (again?.class === failure.class) smallest = { plan: smaller, failure: again };
    }
  }
  const story = describeBank(smallest.plan);
  await context.fail({
    ...smallest.failure,
    case: { check: 'bank', plan: smallest.plan },
    story: [...story, smallest.failure.message],
    operations: story.length,
    shrink: 'the smallest bank that fails alike',
  });
}

/** The bank: the control, then one level in the small profiles and both in the large ones. */
export async function runBankCheck(context: StageContext): Promise<void> {
  if (context.outOfBudget()) {
    context.check('bank', 'unknown', 'the budget ended before it began');
    return;
  }
  await runControl(context);
  const levels = SIZES[context.profile] === undefined ? [LEVELS[context.seed % 2]] : LEVELS;
  const start = context.elapsedSeconds();
  for (const isolation of levels) {
    const plan = planFor(context, isolation);
    const failure = await runBankPlan(plan, join(context.workDirectory, 'bank'), (name, by) => context.count(name, by));
    if (failure === undefined) continue;
    context.check('bank', 'fail', failure.message);
    await report(context, plan, failure);
    return;
  }
  const seconds = context.elapsedSeconds() - start;
  context.figure('bank check', seconds, 's');
  const { clerks, transfersPerClerk, kills } = planFor(context, 'snapshot');
  context.check(
    'bank',
    'pass',
    `${clerks} clients × ${transfersPerClerk} transfers, ${levels.join(' and ')}, ${kills} kills`,
  );
}

/** Runs a saved case again, as often as chance needs. */
export async function replayBank(context: StageContext, plan: BankPlan): Promise<void> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const failure = await runBankPlan(plan, join(context.workDirectory, 'bank'));
    if (failure === undefined) continue;
    const story = describeBank(plan);
    await context.fail({
      ...failure,
      case: { check: 'bank', plan },
      story: [...story, failure.message],
      operations: story.length,
    });
    return;
  }
}
