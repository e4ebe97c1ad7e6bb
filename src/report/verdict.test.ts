import { expect, test } from 'vitest';
import { collected, controlResult, evidenceBody } from './fixtures.ts';
import type { SelfCheckResult, StageCollected, StageResult } from './results.ts';
import { type Demands, EXIT, headlineOf, judgeRun, judgeStage } from './verdict.ts';

const demands: Demands = {
  required: true,
  minimumCounts: { cycles: 10 },
  minimumControls: 1,
  requiredChecks: ['recovered states'],
};

function withChecks(
  ...checks: { name: string; verdict: 'pass' | 'unknown' | 'fail'; detail: string }[]
): StageCollected {
  return collected({ evidence: { ...evidenceBody(), checks, digest: '', seal: '' } });
}

function stage(change: Partial<StageResult> = {}): StageResult {
  return {
    ...collected(),
    name: 'crash',
    title: 'Power cuts',
    question: '',
    required: true,
    status: 'judged',
    verdict: 'pass',
    broken: false,
    reasons: [],
    unknownChecks: 0,
    minimums: [],
    seed: 1,
    budgetSeconds: 1,
    durationSeconds: 1,
    replays: [],
    ...change,
  };
}

test('a whole stage passes', () => {
  expect(judgeStage(collected(), demands)).toMatchObject({ verdict: 'pass', broken: false, reasons: [] });
});

test('a survivor, a low count, too few controls and an ignored seed are vacuous', () => {
  const survivor = collected({ controls: [controlResult(), controlResult({ outcome: 'survived' })] });
  expect(judgeStage(survivor, demands).verdict).toBe('vacuous');
  expect(judgeStage(collected(), { ...demands, minimumCounts: { cycles: 13 } }).verdict).toBe('vacuous');
  expect(judgeStage(collected(), { ...demands, minimumCounts: { faults: 1 } }).verdict).toBe('vacuous');
  expect(judgeStage(collected({ controls: [] }), demands).verdict).toBe('vacuous');
  expect(judgeStage(collected({ repetition: { outcome: 'ignores-seed', detail: '' } }), demands).verdict).toBe(
    'vacuous',
  );
  expect(judgeStage(collected(), { ...demands, requiredChecks: ['absent'] }).verdict).toBe('vacuous');
});

test('controls of the stage itself count', () => {
  const own = withChecks(
    { name: 'recovered states', verdict: 'pass', detail: '' },
    { name: 'control:x', verdict: 'pass', detail: '' },
  );
  expect(judgeStage({ ...own, controls: [] }, demands).verdict).toBe('pass');
});

test('a failure, differing hashes, a failing null edit and a failing clean replay fail', () => {
  expect(judgeStage(withChecks({ name: 'recovered states', verdict: 'fail', detail: '' }), demands).verdict).toBe(
    'fail',
  );
  expect(judgeStage(collected({ repetition: { outcome: 'differs', detail: '' } }), demands).verdict).toBe('fail');
  expect(judgeStage(collected({ nullEdit: { outcome: 'failed', detail: '' } }), demands).verdict).toBe('fail');
  const both = controlResult({ outcome: 'survived', cleanEngineFails: true });
  expect(judgeStage(collected({ controls: [controlResult(), both] }), demands).verdict).toBe('fail');
});

test('a stage that stopped at a failure owes no checks, counts or controls', () => {
  const failure = {
    class: 'torn-batch',
    message: 'half',
    operations: 1,
    shrink: '',
    story: [],
    witness: '',
    afterSeconds: 1,
  };
  const evidence = { ...evidenceBody(), counts: {}, checks: [], failures: [failure], digest: '', seal: '' };
  const judgement = judgeStage(collected({ evidence, controls: [] }), demands);
  expect(judgement).toMatchObject({ verdict: 'fail', reasons: ['torn-batch: half'] });
});

test('refused evidence and broken controls break the stage; zero executions make it vacuous', () => {
  const refused = (reason: string): StageCollected =>
    collected({ evidence: undefined, refusal: { reason, detail: '' } });
  expect(judgeStage(refused('edited'), demands)).toMatchObject({ broken: true, verdict: 'unknown' });
  expect(judgeStage(refused('zero-executions'), demands)).toMatchObject({ broken: false, verdict: 'vacuous' });
  const broken = collected({ controls: [controlResult(), controlResult({ outcome: 'broken' })] });
  expect(judgeStage(broken, demands)).toMatchObject({ broken: true });
});

test('an unknown check counts only where it is required, and never silently', () => {
  const pass = { name: 'other', verdict: 'pass' as const, detail: '' };
  const required = withChecks(pass, { name: 'recovered states', verdict: 'unknown', detail: '' });
  expect(judgeStage(required, demands).verdict).toBe('unknown');
  const optional = withChecks({ ...pass, name: 'recovered states' }, { name: 'FUSE', verdict: 'unknown', detail: '' });
  expect(judgeStage(optional, demands)).toMatchObject({ verdict: 'pass', unknownChecks: 1 });
  expect(judgeStage(optional, { ...demands, requiredChecks: 'all' }).verdict).toBe('unknown');
  const nothing = withChecks({ name: 'FUSE', verdict: 'unknown', detail: '' });
  expect(judgeStage(nothing, { ...demands, requiredChecks: [] }).verdict).toBe('unknown');
});

test('exit codes', () => {
  const missing = stage({ status: 'missing', verdict: 'unknown' });
  expect(judgeRun([stage()], undefined, false)).toEqual({ verdict: 'pass', exitCode: EXIT.pass });
  expect(judgeRun([stage(), missing], undefined, false).exitCode).toBe(EXIT.unknown);
  expect(judgeRun([stage(), stage({ verdict: 'vacuous' })], undefined, false).exitCode).toBe(EXIT.unknown);
  expect(judgeRun([stage({ broken: true, verdict: 'unknown' })], undefined, false).exitCode).toBe(EXIT.broken);
  expect(judgeRun([stage({ verdict: 'fail' }), stage({ broken: true })], undefined, false).exitCode).toBe(EXIT.fail);
  expect(judgeRun([stage()], undefined, true).exitCode).toBe(EXIT.interrupted);
  expect(judgeRun([], undefined, false).exitCode).toBe(EXIT.unknown);
});

test('an unknown stage that is not required leaves the exit code alone, a failing one does not', () => {
  const optional = stage({ required: false, verdict: 'unknown' });
  expect(judgeRun([stage(), optional], undefined, false).exitCode).toBe(EXIT.pass);
  expect(judgeRun([stage(), { ...optional, verdict: 'fail' }], undefined, false).exitCode).toBe(EXIT.fail);
});

test('a gate that fails its own check does not pass', () => {
  const sabotage = { name: 'x', title: 'x', refused: false, detail: '' };
  const check: SelfCheckResult = {
    untouchedPasses: true,
    untouchedDetail: '',
    sabotages: [sabotage],
    durationSeconds: 1,
  };
  expect(judgeRun([stage()], check, false).exitCode).toBe(EXIT.unknown);
  const refused = { ...check, sabotages: [{ ...sabotage, refused: true }] };
  expect(judgeRun([stage()], refused, false).exitCode).toBe(EXIT.pass);
  expect(judgeRun([stage()], { ...refused, untouchedPasses: false }, false).exitCode).toBe(EXIT.broken);
});

test('the headline hides nothing', () => {
  const stages = [stage({ unknownChecks: 3 }), stage({ status: 'not-run' }), stage({ status: 'not-run' })];
  const report = { profile: 'smoke', stages, interrupted: false, selfCheck: undefined };
  expect(headlineOf({ ...report, verdict: 'pass', exitCode: 0 })).toBe(
    'PASS (smoke): 1 stage, 2 not run, 3 checks unknown',
  );
  const missing = [...stages, stage({ status: 'missing' })];
  expect(headlineOf({ ...report, stages: missing, verdict: 'unknown', exitCode: 4 })).toContain('1 missing');
});
