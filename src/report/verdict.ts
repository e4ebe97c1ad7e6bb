/**
 * From what was collected to a verdict, as pure functions: fail > vacuous > unknown > pass, a broken harness beside
 * them. Evidence can be judged again with these at any later time.
 */
import { recomputeVerdict, strongest, type Verdict } from './evidence.ts';
import type { GateReport, MinimumResult, SelfCheckResult, StageCollected, StageResult } from './results.ts';

/** Exit codes of the gate. */
export const EXIT = { pass: 0, fail: 1, usage: 2, broken: 3, unknown: 4, interrupted: 130 } as const;

/** What the profile demands of one stage. */
export interface Demands {
  readonly required: boolean;
  readonly minimumCounts: Readonly<Record<string, number>>;
  /** How many planted bugs must be caught: controls of the gate and `control:` checks of the stage together. */
  readonly minimumControls: number;
  /** Checks that must be there and be known; `all` forbids any unknown. */
  readonly requiredChecks: readonly string[] | 'all';
}

/** The judgement of one stage. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly broken: boolean;
  readonly reasons: readonly string[];
  readonly unknownChecks: number;
  readonly minimums: readonly MinimumResult[];
}

interface Finding {
  readonly verdict: Verdict | 'broken';
  readonly text: string;
}

function judgeRefusal(collected: StageCollected): Finding[] {
  const { refusal } = collected;
  if (refusal === undefined) return [];
  const verdict = refusal.reason === 'zero-executions' ? 'vacuous' : 'broken';
  return [{ verdict, text: `${refusal.reason}: ${refusal.detail}` }];
}

function judgeChecks(collected: StageCollected, demands: Demands): Finding[] {
  const { evidence } = collected;
  if (evidence === undefined) return [];
  const findings: Finding[] = evidence.failures.map((failure) => ({
    verdict: 'fail',
    text: `${failure.class}: ${failure.message}`,
  }));
  for (const check of evidence.checks) {
    if (check.verdict === 'pass') continue;
    const required = demands.requiredChecks === 'all' || demands.requiredChecks.includes(check.name);
    if (check.verdict === 'unknown' && !required) continue;
    findings.push({ verdict: check.verdict, text: `${check.name}: ${check.detail}` });
  }
  // A stage stops at its first failure and owes no further checks then.
  if (evidence.failures.length > 0) return findings;
  const names = new Set(evidence.checks.map((check) => check.name));
  for (const name of demands.requiredChecks === 'all' ? [] : demands.requiredChecks) {
    if (!names.has(name)) findings.push({ verdict: 'vacuous', text: `the required check “${name}” was not made` });
  }
  const known = evidence.checks.filter((check) => check.verdict !== 'unknown').length;
  if (evidence.checks.length === 0) findings.push({ verdict: 'vacuous', text: 'the stage made no check' });
  else if (known === 0) findings.push({ verdict: 'unknown', text: 'every check is unknown' });
  return findings;
}

function countMinimums(collected: StageCollected, demands: Demands): MinimumResult[] {
  const counts = collected.evidence?.counts ?? {};
  return Object.entries(demands.minimumCounts).map(([name, minimum]) => ({
    name,
    minimum,
    actual: counts[name] ?? 0,
  }));
}

function judgeRepetition(collected: StageCollected): Finding[] {
  const { outcome, detail } = collected.repetition;
  switch (outcome) {
    case 'repeats':
    case 'not-promised':
      return [];
    case 'differs':
      return [{ verdict: 'fail', text: `one seed, two event hashes: ${detail}` }];
    case 'ignores-seed':
      return [{ verdict: 'vacuous', text: `the run does not depend on its seed: ${detail}` }];
    case 'broken':
      return [{ verdict: 'broken', text: `the repetition broke: ${detail}` }];
  }
}

function judgeNullEdit(collected: StageCollected): Finding[] {
  const { outcome, detail } = collected.nullEdit;
  if (outcome === 'failed') return [{ verdict: 'fail', text: `with the null edit: ${detail}` }];
  if (outcome === 'broken') return [{ verdict: 'broken', text: `the null edit broke: ${detail}` }];
  return [];
}

function judgeControls(collected: StageCollected, demands: Demands): Finding[] {
  const findings: Finding[] = [];
  for (const control of collected.controls) {
    if (control.cleanEngineFails)
      findings.push({ verdict: 'fail', text: `found under ${control.name}: ${control.detail}` });
    else if (control.outcome === 'survived') {
      findings.push({ verdict: 'vacuous', text: `the planted bug ${control.name} survived: ${control.detail}` });
    } else if (control.outcome === 'broken') {
      findings.push({ verdict: 'broken', text: `the control ${control.name} broke: ${control.detail}` });
    }
  }
  const own = collected.evidence?.checks.filter(
    ({ name, verdict }) => name.startsWith('control:') && verdict === 'pass',
  );
  const caught = collected.controls.filter(({ outcome }) => outcome === 'caught').length + (own?.length ?? 0);
  if (caught < demands.minimumControls) {
    const text = `${caught} planted bugs caught, at least ${demands.minimumControls} demanded`;
    findings.push({ verdict: 'vacuous', text });
  }
  return findings;
}

/** Judges one stage. What its evidence says of itself is recomputed, never believed. */
export function judgeStage(collected: StageCollected, demands: Demands): Judgement {
  const minimums = countMinimums(collected, demands);
  const findings = [...judgeRefusal(collected), ...judgeChecks(collected, demands)];
  // A stage that stopped at a failure, or whose evidence was refused, owes no counts and no controls.
  const complete = collected.evidence !== undefined && recomputeVerdict(collected.evidence) !== 'fail';
  if (complete) {
    for (const { name, minimum, actual } of minimums) {
      if (actual < minimum)
        findings.push({ verdict: 'vacuous', text: `${name}: ${actual}, at least ${minimum} demanded` });
    }
    findings.push(...judgeRepetition(collected), ...judgeNullEdit(collected), ...judgeControls(collected, demands));
  }
  const verdicts = findings.flatMap(({ verdict }) => (verdict === 'broken' ? [] : [verdict]));
  const broken = findings.some(({ verdict }) => verdict === 'broken');
  return {
    verdict: findings.length === 0 ? 'pass' : strongest([...verdicts, ...(broken ? ['unknown' as const] : [])]),
    broken,
    reasons: findings.map(({ text }) => text),
    unknownChecks: collected.evidence?.checks.filter(({ verdict }) => verdict === 'unknown').length ?? 0,
    minimums,
  };
}

/** The whole run's verdict and exit code. A witness outranks a broken harness; a missing required stage never passes. */
export function judgeRun(
  stages: readonly StageResult[],
  selfCheck: SelfCheckResult | undefined,
  interrupted: boolean,
): { readonly verdict: Verdict; readonly exitCode: number } {
  const counted = stages.filter((stage) => stage.status !== 'not-run');
  const weighty = counted.filter((stage) => stage.required || stage.verdict === 'fail' || stage.broken);
  const selfVerdicts: Verdict[] = selfCheck === undefined ? [] : [selfCheckHolds(selfCheck) ? 'pass' : 'vacuous'];
  const verdict = strongest([...weighty.map((stage) => stage.verdict), ...selfVerdicts]);
  const selfBroken = selfCheck !== undefined && !selfCheck.untouchedPasses;
  const broken = selfBroken || counted.some((stage) => stage.broken);
  const exitCode = interrupted
    ? EXIT.interrupted
    : verdict === 'fail'
      ? EXIT.fail
      : broken
        ? EXIT.broken
        : verdict === 'pass'
          ? EXIT.pass
          : EXIT.unknown;
  return { verdict: interrupted && verdict === 'pass' ? 'unknown' : verdict, exitCode };
}

/** Whether the untouched miniature stage passed and every sabotage was refused. */
export function selfCheckHolds(selfCheck: SelfCheckResult): boolean {
  return (
    selfCheck.untouchedPasses && selfCheck.sabotages.length > 0 && selfCheck.sabotages.every(({ refused }) => refused)
  );
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** One line that hides nothing: `PASS (smoke): 8 stages, 2 not run, 3 checks unknown`. */
export function headlineOf(
  report: Pick<GateReport, 'profile' | 'verdict' | 'exitCode' | 'stages' | 'interrupted' | 'selfCheck'>,
): string {
  const { stages, selfCheck } = report;
  const having = (status: StageResult['status']): number => stages.filter((stage) => stage.status === status).length;
  const judged = stages.filter((stage) => stage.status === 'judged');
  const parts = [plural(judged.length, 'stage')];
  for (const verdict of ['fail', 'vacuous', 'unknown'] as const) {
    const count = judged.filter((stage) => stage.verdict === verdict && !stage.broken).length;
    if (count > 0 && count < judged.length) parts.push(`${count} ${verdict}`);
  }
  const broken = judged.filter((stage) => stage.broken).length;
  if (broken > 0) parts.push(`${broken} broken`);
  if (having('missing') > 0) parts.push(`${having('missing')} missing`);
  if (having('interrupted') > 0) parts.push(`${having('interrupted')} interrupted`);
  if (having('not-run') > 0) parts.push(`${having('not-run')} not run`);
  const unknown = judged.reduce((sum, stage) => sum + stage.unknownChecks, 0);
  if (unknown > 0) parts.push(`${plural(unknown, 'check')} unknown`);
  if (selfCheck !== undefined && !selfCheckHolds(selfCheck)) parts.push('the gate failed its own check');
  const word =
    report.exitCode === EXIT.broken ? 'BROKEN' : report.interrupted ? 'INTERRUPTED' : report.verdict.toUpperCase();
  return `${word} (${report.profile}): ${parts.join(', ')}`;
}
