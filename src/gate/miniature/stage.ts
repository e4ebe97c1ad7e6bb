/** The miniature stage: generator, store in a child, oracle, shrinking, replay. The gate checks itself against it. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { LightningError } from '../../base/errors.ts';
import { Prng } from '../../base/prng.ts';
import { type StageContext, stageMain } from '../../report/stage.ts';
import { firstWrongAnswer, type MiniatureAnswer } from './checker.ts';
import { generateOperations } from './generator.ts';
import { runMutants } from './mutants.ts';
import type { MiniatureOperation } from './store.ts';

const PROGRAM_LENGTH = 40;
const HASHED_PROGRAMS = 20;
/** By number, not by time: the self-check must say the same on a busy machine. */
const EXPLORED_PROGRAMS = 150;
const childFile = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? './child.ts' : './child.js', import.meta.url),
);
const kind = z.enum(['put', 'delete', 'scan']);
const caseSchema = z.array(z.object({ kind, key: z.number().int(), value: z.number().int() }));

function startChild(): ChildProcess {
  return fork(childFile, [], { execArgv: process.execArgv });
}

function ask(child: ChildProcess, operations: readonly MiniatureOperation[]): Promise<MiniatureAnswer[]> {
  return new Promise((resolve, reject) => {
    const onExit = (): void => reject(new LightningError('LIGHTNING_HARNESS', 'the store process ended by itself'));
    child.once('exit', onExit);
    child.once('message', (answers: MiniatureAnswer[]) => {
      child.off('exit', onExit);
      resolve(answers);
    });
    child.send(operations);
  });
}

/** Deletes one operation after the other as long as the program still fails. */
async function shrink(child: ChildProcess, failing: MiniatureOperation[]): Promise<MiniatureOperation[]> {
  let smallest = failing;
  for (let index = smallest.length - 1; index >= 0; index--) {
    const candidate = smallest.toSpliced(index, 1);
    if (firstWrongAnswer(candidate, await ask(child, candidate)) >= 0) smallest = candidate;
  }
  return smallest;
}

async function report(context: StageContext, operations: MiniatureOperation[]): Promise<void> {
  await context.fail({
    class: 'scan-differs',
    message: 'a scan returned something else than the map',
    case: operations,
    story: operations.map((operation) => `${operation.kind} ${operation.key} ${operation.value}`),
    operations: operations.length,
    shrink: 'operations deleted one by one',
  });
}

async function explore(context: StageContext, child: ChildProcess): Promise<void> {
  const seeds = new Prng(context.seed);
  const limit = context.hashOnly ? HASHED_PROGRAMS : EXPLORED_PROGRAMS;
  for (let program = 0; program < limit && !context.outOfBudget(); program++) {
    const operations = generateOperations(seeds.uint32(), PROGRAM_LENGTH);
    const answers = await ask(child, operations);
    context.count('programs');
    context.count('operations', answers.length);
    context.hash(JSON.stringify([operations, answers]));
    if (answers.some((answer) => answer.length > 1)) context.reached('scan of several keys');
    if (firstWrongAnswer(operations, answers) < 0) continue;
    await report(context, await shrink(child, operations));
  }
}

await stageMain({
  name: 'miniature',
  deterministic: true,
  expectedSituations: ['scan of several keys'],
  async run(context) {
    const child = startChild();
    await explore(context, child);
    child.disconnect();
    const mutants = runMutants();
    context.count('tests run on mutants', mutants.testsRun);
    context.check('scans agree with the map', 'pass', 'every answer of every program');
    context.check('mutants', mutants.killed === mutants.mutants ? 'pass' : 'vacuous', `${mutants.killed} killed`);
  },
  async replay(context, caseJson) {
    const parsed = caseSchema.safeParse(caseJson);
    if (!parsed.success) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a case of this stage');
    const child = startChild();
    if (firstWrongAnswer(parsed.data, await ask(child, parsed.data)) >= 0) await report(context, parsed.data);
    child.disconnect();
  },
});
