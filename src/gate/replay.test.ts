/** Replays of one capsule: a put that is acknowledged before its fsync when the fault is planted. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { recordingOf } from '../../crash-sim/crash-capsule.ts';
import type { CrashCase } from '../../crash-sim/crash-case.ts';
import { writeWitness, type WitnessBody } from '../report/witness.ts';
import { replayWitness } from './replay.ts';

const folder = mkdtempSync(join(tmpdir(), 'replay-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BUG = 'wal-ack-before-fsync';
/** The power goes after the write of the record, where the fsync would begin. */
const crashCase: CrashCase = {
  format: 1,
  program: { format: 1, options: {}, operations: [{ kind: 'put', key: '61', value: '01' }] },
  machine: { directoryModel: 'journaled', tearBytes: 512, faults: [] },
  cuts: [{ step: 12, choices: [] }],
};
const body: WitnessBody = {
  stage: 'crash',
  profile: 'manual',
  seed: 1,
  class: 'lost-acknowledged-write',
  message: 'as recorded',
  operations: 1,
  shrink: '',
  story: [],
  sourcesHash: '0'.repeat(64),
  case: crashCase,
  recording: recordingOf(crashCase),
};

function capsule(name: string, changed: Partial<WitnessBody> = {}): string {
  const path = join(folder, `${name}.json`);
  writeWitness(path, { ...body, ...changed });
  return path;
}

const replay = (path: string, bug?: string) => replayWitness(path, bug, new AbortController().signal);

test('with the fault it is confirmed, and says in its story what is gone', async () => {
  const { outcome, exitCode, lines } = await replay(capsule('confirmed'), BUG);
  expect([outcome, exitCode]).toEqual(['confirmed', 1]);
  expect(lines.join('\n')).toMatch(
    /1 operation, a power cut with one write to wal-1\.log lost: acknowledged key "a" is gone/,
  );
});

test('without it, it is not reproduced, and the way and the disk are the recorded ones', async () => {
  const { outcome, exitCode, lines } = await replay(capsule('not-reproduced'));
  expect([outcome, exitCode]).toEqual(['not-reproduced', 0]);
  expect(lines.join('\n')).toMatch(/recorded I\/O: as recorded: the same 11 steps/);
  expect(lines.join('\n')).toMatch(/recorded disk: opens with 0 rows/);
});

test('another failure than the recorded one is told apart', async () => {
  const { outcome, exitCode, lines } = await replay(capsule('other', { class: 'torn-batch' }), BUG);
  expect([outcome, exitCode]).toEqual(['different-failure', 1]);
  expect(lines[0]).toMatch(/^a different failure: lost-acknowledged-write/);
});

test('a case whose power cut is never reached is stale, and so are one of another form and a planted bug that is gone', async () => {
  const late = { ...crashCase, cuts: [{ step: 900, choices: [] }] };
  const { outcome, exitCode, lines } = await replay(capsule('late', { case: late }));
  expect([outcome, exitCode]).toEqual(['stale', 4]);
  expect(lines[0]).toMatch(/before the power cut at step 900/);
  const form = await replay(capsule('form', { case: { format: 0 } }));
  expect([form.outcome, form.exitCode]).toEqual(['stale', 4]);
  const stage = await replay(capsule('stage', { stage: 'no-such-stage' }));
  expect([stage.outcome, stage.exitCode]).toEqual(['stale', 4]);
});

test('a damaged capsule is an error with a code, never a verdict', async () => {
  const path = capsule('damaged');
  writeFileSync(path, readFileSync(path, 'utf8').replace('"step": 12', '"step": 13'));
  await expect(replay(path)).rejects.toMatchObject({ code: 'LIGHTNING_EVIDENCE_REFUSED' });
});
