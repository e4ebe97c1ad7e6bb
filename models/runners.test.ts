import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeDirectory, removeTree, writeWhole } from '../src/report/files.ts';
import { describeTrace } from './check-outcome.ts';
import { type ChildResult } from './child-process.ts';
import { brokenPath, modelPath, passingPath } from './configurations.ts';
import { interpretTlaChecker, runTlaChecker } from './tla-checker-runner.ts';
import { findTlc, interpretTlc, runTlc } from './tlc-runner.ts';

const scratch = join(tmpdir(), `lightning-db-models-test-${process.pid}`);

function ended(output: string, exitCode = 0): ChildResult {
  return { exitCode, timedOut: false, output, errors: '', startError: undefined };
}

function request(model: 'MVCC' | 'WALRecovery', configurationPath: string, timeLimitSeconds = 50) {
  return { modelPath: modelPath(model), configurationPath, timeLimitSeconds, workDirectory: scratch };
}

test('tla-checker: the index of a violated invariant becomes its name, with a readable trace', async () => {
  const outcome = await runTlaChecker(request('MVCC', brokenPath('MVCC.PublishBeforeDurable')));
  expect(outcome).toMatchObject({ verdict: 'violated', invariant: 'PublishedIsDurable' });
  if (outcome.verdict !== 'violated') return;
  expect(outcome.trace).toHaveLength(3);
  const lines = describeTrace(outcome.trace);
  expect(lines[0]).toBe('1. Initially');
  expect(lines.at(-1)).toBe('     published = 1');
});

test('tla-checker: past its time limit the answer is unknown', async () => {
  const outcome = await runTlaChecker(request('MVCC', passingPath('MVCC.three-commits'), 1));
  expect(outcome).toEqual({ verdict: 'unknown', reason: 'tla-checker did not end within 1 s' });
});

test('tla-checker: a limit reached, a warning or no answer is never a pass', () => {
  const answer = {
    success: false,
    error_type: 'MaxDepthExceeded',
    error_message: 'Max depth exceeded: 6',
    states_explored: 9,
  };
  const warned = {
    success: true,
    error_type: null,
    error_message: null,
    states_explored: 9,
    trace: null,
    warnings: ['w'],
  };
  const outOfRange = { ...answer, error_type: 'InvariantViolation', error_message: 'Invariant 3 violated' };
  for (const output of [JSON.stringify(answer), JSON.stringify(warned), JSON.stringify(outOfRange), '', '{}']) {
    expect(interpretTlaChecker(ended(output), ['A'], 1).verdict).toBe('broken');
  }
  expect(interpretTlaChecker(ended('', 1), ['A'], 1).verdict).toBe('broken');
});

test('tla-checker: refuses a model it would read in part', async () => {
  makeDirectory(scratch);
  try {
    const path = join(scratch, 'Trap.tla');
    writeWhole(path, '---- MODULE Trap ----\nEXTENDS Mine\nVARIABLES x\nTypeOK == TRUE\n====\n');
    const outcome = await runTlaChecker({ ...request('MVCC', passingPath('MVCC.smoke')), modelPath: path });
    expect(outcome).toMatchObject({ verdict: 'broken' });
  } finally {
    removeTree(scratch);
  }
});

test('TLC: what it prints becomes an outcome', () => {
  const passed =
    'Model checking completed. No error has been found.\n262 states generated, 71,546 distinct states found, 0 states left on queue.\nThe depth of the complete state graph search is 22.\n';
  expect(interpretTlc(ended(passed), [], 1)).toEqual({ verdict: 'pass', distinctStates: 71_546, depth: 22 });
  const violated =
    'Error: Invariant A is violated.\nState 1: <Initial predicate>\n/\\ x = 0\n/\\ y = <<1,\n  2>>\n\nState 2: <Next line 1>\n/\\ x = 1\n/\\ y = <<1,\n  2>>\n\n11 states generated, 9 distinct states found, 8 states left on queue.\n';
  const outcome = interpretTlc(ended(violated, 12), [], 1);
  expect(outcome).toMatchObject({ verdict: 'violated', invariant: 'A', distinctStates: 9 });
  if (outcome.verdict === 'violated') {
    expect(describeTrace(outcome.trace)).toEqual([
      '1. Initially',
      '     x = 0',
      '     y = <<1, 2>>',
      '2. Next',
      '     x = 1',
    ]);
  }
  const temporal = interpretTlc(ended('Error: Temporal properties were violated.\n', 13), ['P'], 1);
  expect(temporal).toMatchObject({ verdict: 'violated', invariant: 'P' });
  expect(interpretTlc(ended('***Parse Error***\n', 150), [], 1).verdict).toBe('broken');
  expect(interpretTlc(ended('', 0), [], 1).verdict).toBe('broken');
  expect(interpretTlc({ ...ended(''), timedOut: true }, [], 7).verdict).toBe('unknown');
});

test('TLC: without the jar, or with another one, the answer is unknown and says why', async () => {
  const missing = await findTlc({ TLA2TOOLS_JAR: join(scratch, 'nowhere.jar') });
  expect(missing).toMatchObject({ available: false, reason: expect.stringContaining('TLA2TOOLS_JAR') });
  const other = await findTlc({ TLA2TOOLS_JAR: modelPath('MVCC') });
  expect(other).toMatchObject({ available: false, reason: expect.stringContaining('SHA-256') });
  expect(await runTlc(request('MVCC', passingPath('MVCC.smoke')), missing)).toMatchObject({ verdict: 'unknown' });
});
