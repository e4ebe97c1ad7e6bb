/**
 * A live negative control: the same stage, the same budget, one planted bug. Caught means that the oracle reported the
 * class the catalogue names, that the saved case passes on the unedited engine, and that it fails again with the bug.
 * Anything that kept the control from saying something (load error, timeout, hook not in force) breaks it.
 */
import type { ControlResult } from '../report/results.ts';
import { type CatalogueEntry, namesClass } from './catalogue.ts';
import type { StageSpecification } from './profile.ts';
import { type RunContext, type RunOutcome, runStageProcess } from './stage-run.ts';

/** Runs one process when there is a place for it. */
export type Scheduler = <T>(job: () => Promise<T>) => Promise<T>;

/** What the replays of a catch said. */
export interface Verification {
  readonly outcome: ControlResult['outcome'];
  readonly detail: string;
  readonly cleanEngineFails?: boolean;
}

function failureClasses(outcome: RunOutcome): string[] {
  return 'evidence' in outcome ? outcome.evidence.failures.map((failure) => failure.class) : [];
}

/** Runs a saved case without the bug, then with it: caught is what passes and fails. */
export async function verifyCatch(
  context: RunContext,
  schedule: Scheduler,
  stage: StageSpecification,
  entry: CatalogueEntry,
  seed: number,
  witness: string,
): Promise<Verification> {
  const replay = (role: string, planted: readonly CatalogueEntry[]): Promise<RunOutcome> =>
    schedule(() =>
      runStageProcess(context, {
        role: `${role}-${entry.name}`,
        stage,
        mode: 'replay',
        seed,
        budgetSeconds: stage.budgetSeconds,
        replayFile: witness,
        planted,
      }),
    );
  const [clean, planted] = await Promise.all([replay('replay-clean', []), replay('replay-planted', [entry])]);
  if ('refusal' in clean) return { outcome: 'broken', detail: `replay without the bug: ${clean.refusal.detail}` };
  if ('refusal' in planted) return { outcome: 'broken', detail: `replay with the bug: ${planted.refusal.detail}` };
  if (clean.evidence.failures.length > 0) {
    const [failure] = clean.evidence.failures;
    const detail = `the saved case fails without the planted bug too (${failure.class}: ${failure.message})`;
    return { outcome: 'survived', detail, cleanEngineFails: true };
  }
  if (!failureClasses(planted).some((failureClass) => namesClass(entry, failureClass))) {
    return { outcome: 'survived', detail: 'the saved case does not fail again with the planted bug' };
  }
  return { outcome: 'caught', detail: 'passes without the bug, fails with it' };
}

/** Runs one control from start to its replays. */
export async function runControl(
  context: RunContext,
  schedule: Scheduler,
  stage: StageSpecification,
  entry: CatalogueEntry,
  seed: number,
): Promise<ControlResult> {
  const about = {
    name: entry.name,
    component: entry.component,
    recreates: entry.recreates,
    failureClass: [entry.failureClass].flat().join(' or '),
    difficulty: entry.difficulty,
    secondsToKill: undefined,
    operations: 0,
    story: [],
    witness: '',
    cleanEngineFails: false,
  };
  const outcome = await schedule(() =>
    runStageProcess(context, {
      role: `control-${entry.name}`,
      stage,
      mode: 'run',
      seed,
      budgetSeconds: stage.budgetSeconds,
      planted: [entry],
    }),
  );
  if ('refusal' in outcome) {
    const detail = `${outcome.refusal.reason}: ${outcome.refusal.detail}`;
    return { ...about, outcome: outcome.refusal.reason === 'zero-executions' ? 'survived' : 'broken', detail };
  }
  const { failures } = outcome.evidence;
  const failure = failures.find((candidate) => namesClass(entry, candidate.class));
  if (failure === undefined) {
    const other = failures.map((candidate) => candidate.class).join(', ');
    const detail = other === '' ? 'nothing was reported' : `reported as ${other}, not as ${about.failureClass}`;
    return { ...about, outcome: 'survived', detail };
  }
  const verification = await verifyCatch(context, schedule, stage, entry, seed, failure.witness);
  return {
    ...about,
    secondsToKill: failure.afterSeconds,
    operations: failure.operations,
    story: failure.story,
    witness: failure.witness,
    cleanEngineFails: verification.cleanEngineFails ?? false,
    outcome: verification.outcome,
    detail: verification.detail,
  };
}
