import { describe, expect, test } from 'vitest';
import { readText } from '../src/report/files.ts';
import { modelPath } from './configurations.ts';
import { withoutComments } from './source-guard.ts';
import { findTlc } from './tlc-runner.ts';
import type { TraceEvent } from './trace-events.ts';
import { explainRefusal } from './trace-explain.ts';
import { judgeRuns, shrinkRun, storyOf, tracesOf } from './trace-judge.ts';
import { firstActs, traceRun } from './trace-run.ts';
import { STEP_RULES } from './trace-steps.ts';
import { blindly, corrupted, dropped, settledPrefix, swapped } from './trace-tamper.ts';
import { judgeVariants, type Trace, validateTraces, validateWithTlc } from './trace-validate.ts';

const run = traceRun({ seed: 3, acts: firstActs(40), crashes: true });
const [wal, mvcc] = tracesOf(run);

const renumbered = (events: readonly TraceEvent[]): TraceEvent[] =>
  events.map((one, index) => ({ ...one, n: index + 1 }));

async function verdictOf(trace: Trace, events: readonly TraceEvent[]) {
  const [verdict] = await validateTraces([{ ...trace, events }]);
  return verdict;
}

describe('a run with kills and power cuts', () => {
  test('is a behaviour of both models, by both checkers', async () => {
    expect(run.error).toBeUndefined();
    expect(wal.events.some(({ action }) => action === 'PowerCut')).toBe(true);
    expect(mvcc.events.some(({ action }) => action === 'Reopen')).toBe(true);
    expect(await validateTraces([wal, mvcc])).toEqual([{ verdict: 'accepted' }, { verdict: 'accepted' }]);
    const installation = await findTlc();
    const word = await validateWithTlc(wal, installation, `/tmp/lightning-db-traces-${process.pid}`, 60);
    expect(word.verdict).toBe(installation.available ? 'accepted' : 'unknown');
  }, 60_000);

  test('is none with any event dropped, any two exchanged or any logged value changed', async () => {
    for (const trace of [wal, mvcc]) {
      const events = settledPrefix(trace.events, 24);
      expect(events.length).toBeGreaterThan(15);
      const numbered = [...dropped(events), ...swapped(events), ...corrupted(events)];
      const blind = blindly(dropped(events));
      const verdict = await judgeVariants({ ...trace, events }, numbered, blind);
      expect(verdict).toMatchObject({ judged: true, accepted: undefined });
      expect(verdict.judged && verdict.refusedBlindly).toBeGreaterThan(blind.length / 2);
    }
  }, 60_000);

  test('a variant that changes nothing is accepted: the question can be answered with yes', async () => {
    const events = settledPrefix(wal.events, 18);
    const same = { kind: 'change', event: 2, to: events[1] } as const;
    const verdict = await judgeVariants({ ...wal, events }, [same], [{ ...same, blind: true }]);
    expect(verdict).toEqual({ judged: true, accepted: same, refusedBlindly: 0 });
  }, 60_000);
});

describe('what is refused where it stands', () => {
  test('an acknowledgement before its fsync', async () => {
    const events = renumbered(wal.events.filter(({ action }) => !action.startsWith('Sync')));
    const at = events.findIndex(({ action }) => action === 'Acknowledge') + 1;
    expect(await verdictOf(wal, events)).toMatchObject({ verdict: 'rejected', at });
  }, 60_000);

  test('a wrong answer, with both sides beside each other', async () => {
    const index = mvcc.events.findIndex(({ action }) => action === 'Publish');
    const events = mvcc.events.with(index, { ...mvcc.events[index], answers: [0, 0, 0] });
    expect(await verdictOf(mvcc, events)).toMatchObject({ verdict: 'rejected', at: index + 1 });
    const lines = await explainRefusal({ ...mvcc, events }, index + 1, { published: 7 });
    expect(lines[0]).toContain('Publish, is no step of MVCC');
    expect(lines.filter((line) => line.startsWith('  read ') && line.endsWith('differs'))).not.toEqual([]);
    expect(lines.some((line) => /^ {2}published +\| 7 +\| 0 +← differs$/.test(line))).toBe(true);
    expect(lines.some((line) => line.startsWith('  log = <<['))).toBe(true);
  }, 60_000);
});

test('a run that ends in an error is an objection, made as short as it can be, with its story', async () => {
  const options = { seed: 3, acts: firstActs(6), crashes: false };
  const broken = { ...traceRun(options), error: new Error('what the client did not foresee') };
  const [objection] = await judgeRuns([broken]);
  expect(objection).toMatchObject({ class: 'unexpected-error', acts: 6, refused: undefined });
  if (objection === undefined) return;
  // The engine itself does not fail: no candidate does.
  const shrunk = await shrinkRun(options, objection);
  expect(shrunk.options.acts).toEqual(options.acts);
  expect((await storyOf(shrunk)).at(-1)).toContain('what the client did not foresee');
}, 60_000);

test('acts can be left out: what the others draw stays as it is', () => {
  const whole = traceRun({ seed: 9, acts: firstActs(12), crashes: false });
  const part = traceRun({ seed: 9, acts: firstActs(12).filter((act) => act !== 11), crashes: false });
  expect(part.story).toEqual(whole.story.slice(0, part.story.length));
});

/** Definitions of a module that change the state. */
function actionsIn(source: string): string[] {
  const definitions = withoutComments(source).split(/\n(?=\w+(?:\([^)\n]*\))? ==)/);
  return definitions.filter((one) => /UNCHANGED/.test(one)).map((one) => /^\w+/.exec(one.trim())?.[0] ?? '');
}

test('each action of the models has a rule, or is a fault', () => {
  for (const model of ['MVCC', 'WALRecovery'] as const) {
    const steps = STEP_RULES[model].map(({ step }) => step).join(' ');
    const missing = actionsIn(readText(modelPath(model))).filter(
      (action) => !new RegExp(`\\b${action}\\b`).test(steps),
    );
    expect(missing).toEqual(model === 'MVCC' ? [] : ['RecoverInPlace']);
  }
});
