/**
 * The properties stage: generated programs on the engine over a simulated disk, held against the executable
 * specification after every step, and damage at rest. Deterministic: programs and damages depend on the seed alone.
 */
import { cpuSeconds } from '../src/base/clock.ts';
import { Prng } from '../src/base/prng.ts';
import type { Program } from '../src/contract/operations.ts';
import { type StageContext, type StageFailure, stageMain } from '../src/report/stage.ts';
import { campaignFailure, DamageCampaign, damageFailure, NOT_TO_BE_FOUND } from './damage-at-rest.ts';
import { damagedImage, judgeDamage } from './damage-judge.ts';
import { makeDamageStore } from './damage-store.ts';
import { DIRECTED_PROGRAMS } from './directed-programs.ts';
import { drawStageProgram } from './program-draw.ts';
import { outcomeText, type ProgramRun, runStoreProgram, type RunWatch } from './program-run.ts';
import { failureOf, programFailure, readCase } from './program-story.ts';

/** Programs and damages in one turn; they take about the same time. */
const PROGRAMS_A_TURN = 8;
const DAMAGES_A_TURN = 400;
/** The piece that is hashed. */
const HASHED_TURNS = 5;
const HASHED_DAMAGES_A_TURN = 100;

/** Situations that a run of some length must reach. */
const EXPECTED_SITUATIONS: readonly string[] = [
  'tree of three levels',
  'power cut with something pending',
  'power cut during background work',
  'leaf split',
  'branch split',
  'root grown',
  'root collapsed',
  'leaves merged',
  'branches merged',
  'tree emptied',
  'subtree kept',
  'a key straddles leaves',
  'leaf larger than its target',
  'range tombstone became a deletion',
  'damaged store with several segments',
  'damaged store with runs',
  'damaged store with a tree of several nodes',
  'damaged store with free blocks',
];

/** One program; its failure, shrunk, if it has one. */
async function tryProgram(context: StageContext, program: Program, watch: RunWatch): Promise<StageFailure | undefined> {
  const run = runStoreProgram(program, watch);
  if (context.hashOnly) hashRun(context, run);
  return run.objection === undefined ? undefined : programFailure(program, run.objection);
}

function hashRun(context: StageContext, run: ProgramRun): void {
  for (const outcome of run.outcomes) context.hash(outcomeText(outcome));
  context.hash(run.disk.currentImage().hash());
}

/** What the programs of a run came to. */
interface Explored {
  readonly operations: number;
  readonly cpuSeconds: number;
  /** Which part of the stage met a failure. */
  readonly failed: 'programs' | 'damage' | undefined;
}

async function explore(context: StageContext, campaign: DamageCampaign, programs: Prng): Promise<Explored> {
  let operations = 0;
  let seconds = 0;
  const watch: RunWatch = {
    count: (name, by = 1) => {
      if (name === 'operations') operations += by;
      context.count(name, by);
    },
    reached: (situation) => context.reached(situation),
  };
  for (const program of Object.values(DIRECTED_PROGRAMS)) {
    const failure = await tryProgram(context, program, watch);
    context.count('directed programs');
    if (failure === undefined) continue;
    await context.fail(failure);
    return { operations, cpuSeconds: seconds, failed: 'programs' };
  }
  const isOver = (turn: number): boolean => (context.hashOnly ? turn >= HASHED_TURNS : context.outOfBudget());
  for (let turn = 0; !isOver(turn); turn++) {
    const start = cpuSeconds();
    for (let i = 0; i < PROGRAMS_A_TURN && (context.hashOnly || !context.outOfBudget()); i++) {
      const failure = await tryProgram(context, drawStageProgram(programs.fork()), watch);
      if (failure === undefined) continue;
      await context.fail(failure);
      return { operations, cpuSeconds: seconds, failed: 'programs' };
    }
    seconds += cpuSeconds() - start;
    // Once every byte of a store has been damaged, programs get most of the time.
    const isExtra = campaign.storesHit > 0 && turn % 4 !== 0;
    const failure = isExtra ? undefined : campaign.next(context.hashOnly ? HASHED_DAMAGES_A_TURN : DAMAGES_A_TURN);
    if (failure !== undefined) {
      await context.fail(await campaignFailure(failure));
      return { operations, cpuSeconds: seconds, failed: failure.kind === 'program' ? 'programs' : 'damage' };
    }
    if (context.hashOnly) context.hash(campaign.fingerprint);
    context.progress(`turn ${turn}`, Math.round(context.elapsedSeconds()), context.budgetSeconds);
  }
  return { operations, cpuSeconds: seconds, failed: undefined };
}

function report(context: StageContext, campaign: DamageCampaign, explored: Explored): void {
  const { operations, cpuSeconds: seconds, failed } = explored;
  const agreement = failed === 'programs' ? 'fail' : 'pass';
  context.check('programs agree with the executable specification', agreement, `${operations} operations`);
  const { storesHit, storesDone } = campaign;
  const isComplete = storesHit > 0 || context.hashOnly;
  const found = failed === 'damage' ? 'fail' : isComplete ? 'pass' : 'unknown';
  const detail = isComplete
    ? `${storesHit} stores at every byte, ${storesDone} of them in every pattern`
    : 'the run ended before every byte of a store was hit';
  context.check('damage at rest is found, and never read as data', found, detail);
  if (seconds > 0) context.figure('operations per CPU second', operations / seconds, 'operations/s');
  for (const text of NOT_TO_BE_FOUND) context.notTested(text);
  context.notTested('transactions at the levels serializable and read-committed: the stage database has them');
}

await stageMain({
  name: 'properties',
  deterministic: true,
  expectedSituations: EXPECTED_SITUATIONS,
  async run(context) {
    const seeds = new Prng(context.seed);
    const campaign = new DamageCampaign(seeds.fork(), context);
    report(context, campaign, await explore(context, campaign, seeds.fork()));
  },
  async replay(context, caseJson) {
    const saved = readCase(caseJson);
    if (saved.kind === 'program') {
      const run = runStoreProgram(saved.program, context);
      if (run.objection !== undefined) await context.fail(failureOf(saved.program, run.objection, 'replayed'));
      return;
    }
    const store = makeDamageStore(saved.program);
    if (store.objection !== undefined) {
      await context.fail(failureOf(saved.program, store.objection, 'replayed'));
      return;
    }
    const image = damagedImage(store, saved.damage);
    const objection = image === undefined ? undefined : judgeDamage(store, image).objection;
    if (objection !== undefined) await context.fail(damageFailure(store, saved.damage, objection, 'replayed'));
  },
});
