/** The gate end to end, against the miniature stage. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { Prng } from '../base/prng.ts';
import { readText } from '../report/files.ts';
import type { GateReport } from '../report/results.ts';
import { sourceRoot } from '../report/sources-hash.ts';
import { EXIT } from '../report/verdict.ts';
import { readWitness, type WitnessBody, writeWitness } from '../report/witness.ts';
import { type CatalogueEntry, drawControls, readCatalogue } from './catalogue.ts';
import { silentObserver } from './display.ts';
import { type Profile, PROFILE_NAMES, readProfile, type StageSpecification } from './profile.ts';
import { replayWitness } from './replay.ts';
import { type GateOptions, runGate } from './run.ts';
import { MINIATURE_STAGE, runSelfCheck, SABOTAGES } from './sabotage.ts';

const base = mkdtempSync(join(tmpdir(), 'gate-'));
const quiet = new AbortController().signal;

function profileOf(...stages: StageSpecification[]): Profile {
  return { profile: 'test', purpose: 'tests', selfCheck: false, stages };
}

function gate(name: string, change: Partial<GateOptions> = {}): Promise<GateReport> {
  return runGate({
    profile: profileOf(MINIATURE_STAGE),
    outDirectory: join(base, name),
    seed: 1,
    only: undefined,
    withBug: undefined,
    weaken: undefined,
    signal: quiet,
    observer: silentObserver,
    ...change,
  });
}

test('the miniature stage passes, its planted bugs are caught, and everything is on the page', async () => {
  const report = await gate('pass');
  expect(report).toMatchObject({ verdict: 'pass', exitCode: EXIT.pass, headline: 'PASS (test): 1 stage' });
  const [stage] = report.stages;
  expect(stage.controls.map(({ outcome }) => outcome)).toEqual(['caught', 'caught']);
  expect(stage.repetition.outcome).toBe('repeats');
  expect(stage.nullEdit.outcome).toBe('passed');
  expect(stage.evidence?.seed).toBe(stage.seed);
  const page = readText(join(base, 'pass/index.html'));
  expect(page).toContain('miniature-scan-one-short');
  expect(page.length).toBeLessThan(300_000);
  expect(readdirSync(join(base, 'pass'))).toEqual(['evidence', 'index.html', 'verdict.json', 'witnesses']);
});

describe('a planted bug in the campaign', () => {
  let report: GateReport;
  let witness: string;
  beforeAll(async () => {
    report = await gate('bug', { withBug: 'miniature-delete-forgets-value' });
    witness = report.stages[0].replays[0].split(' ')[2];
  });

  test('fails the run, with a story and a replay command', () => {
    expect(report).toMatchObject({ verdict: 'fail', exitCode: EXIT.fail });
    const [failure] = report.stages[0].evidence?.failures ?? [];
    expect(failure.story.length).toBeLessThan(8);
    expect(report.stages[0].replays[0]).toMatch(/^lightning-db replay .* --with-bug miniature-delete-forgets-value$/);
    expect(existsSync(witness)).toBe(true);
  });

  test('the witness is confirmed with the bug and not reproduced without it', async () => {
    expect(await replayWitness(witness, 'miniature-delete-forgets-value', quiet)).toMatchObject({
      outcome: 'confirmed',
      exitCode: 1,
    });
    expect(await replayWitness(witness, undefined, quiet)).toMatchObject({ outcome: 'not-reproduced', exitCode: 0 });
  });

  test('another class is a different failure; a strange case or stage is stale', async () => {
    const { stage, profile, seed, message, operations, shrink, story, sourcesHash, recording, ...rest } =
      readWitness(witness);
    const body = { stage, profile, seed, message, operations, shrink, story, sourcesHash, recording };
    const change = async (name: string, fields: Partial<WitnessBody>): Promise<string> => {
      const path = join(base, name);
      writeWitness(path, { ...body, class: rest.class, case: rest.case, ...fields });
      return (await replayWitness(path, 'miniature-delete-forgets-value', quiet)).outcome;
    };
    expect(await change('class.json', { class: 'wrong-read' })).toBe('different-failure');
    expect(await change('case.json', { case: 'no program' })).toBe('stale');
    expect(await change('stage.json', { stage: 'no-such-stage' })).toBe('stale');
    const version = join(base, 'version.json');
    writeFileSync(version, JSON.stringify({ ...readWitness(witness), version: 1 }));
    expect((await replayWitness(version, undefined, quiet)).outcome).toBe('stale');
  });
});

test('a missing stage never passes, and the report says so', async () => {
  const missing = { ...MINIATURE_STAGE, name: 'absent', file: 'src/gate/miniature/no-such-stage.ts' };
  const report = await gate('missing', { profile: profileOf(missing) });
  expect(report).toMatchObject({ verdict: 'unknown', exitCode: EXIT.unknown });
  expect(report.headline).toContain('1 missing');
});

test('a weakened run does not pass', async () => {
  const report = await gate('weak', { weaken: 'sabotage-checker-says-ok' });
  expect(report.verdict).toBe('vacuous');
  expect(report.exitCode).toBe(EXIT.unknown);
});

test('an interrupted run ends its processes and reports what there is', async () => {
  const controller = new AbortController();
  const started: string[] = [];
  const report = await gate('interrupted', {
    signal: controller.signal,
    observer: { ...silentObserver, started: (id) => void (started.push(id), controller.abort()) },
  });
  expect(started).toEqual(['miniature.clean']);
  expect(report).toMatchObject({ interrupted: true, exitCode: EXIT.interrupted });
  expect(report.stages[0].status).toBe('interrupted');
  expect(existsSync(join(base, 'interrupted/index.html'))).toBe(true);
});

test('a stage that takes too long is ended, and that is no verdict', async () => {
  const report = await gate('timeout', { profile: profileOf({ ...MINIATURE_STAGE, timeoutSeconds: 0.02 }) });
  expect(report.exitCode).toBe(EXIT.broken);
  expect(report.stages[0].reasons[0]).toContain('timeout');
});

test('unknown names are refused', async () => {
  await expect(gate('x', { withBug: 'no-such-bug' })).rejects.toMatchObject({ code: 'LIGHTNING_NOT_FOUND' });
  await expect(gate('x', { only: 'no-such-stage' })).rejects.toMatchObject({ code: 'LIGHTNING_NOT_FOUND' });
});

test('every sabotage is refused, for its own reason', async () => {
  expect(SABOTAGES).toHaveLength(12);
  const options = { outDirectory: join(base, 'self'), signal: quiet, catalogue: readCatalogue(), seed: 3 };
  const result = await runSelfCheck(options);
  expect(result.untouchedDetail).toBe('it passes with both planted bugs caught');
  expect(result.sabotages.filter(({ refused }) => !refused)).toEqual([]);
});

test('profiles are well-formed; smoke leaves two stages out', () => {
  const stagesOf = (name: string): string[] => readProfile(name).stages.map((stage) => stage.name);
  for (const name of PROFILE_NAMES) expect(stagesOf(name)).toEqual(stagesOf('release'));
  expect(stagesOf('release').length).toBeGreaterThanOrEqual(14);
  expect(
    readProfile('smoke')
      .stages.filter(({ run }) => !run)
      .map(({ name }) => name),
  ).toEqual(['coverage', 'mutation']);
  expect(() => readProfile('../smoke')).toThrow(/no profile/);
});

test('at most half of the drawn bugs are easy, slow ones and other stages are left out', () => {
  const entry = (name: string, difficulty: string, change: Partial<CatalogueEntry> = {}): CatalogueEntry => {
    const fields = { component: 'c', recreates: 'r', stage: 's', failureClass: 'x', edits: [] };
    return { name, kind: 'bug', difficulty, ...fields, ...change };
  };
  const easy = ['e1', 'e2', 'e3', 'e4'].map((name) => entry(name, 'easy'));
  const slow = entry('slow', 'hard', { p99SecondsToKill: 9 });
  const other = entry('other', 'hard', { stage: 't' });
  const catalogue = [...easy, slow, other, entry('h1', 'hard'), entry('h2', 'hard')];
  for (let seed = 0; seed < 50; seed++) {
    const drawn = drawControls(catalogue, 's', [], 4, 20, new Prng(seed)).map(({ name }) => name);
    expect(drawn).toHaveLength(4);
    expect(drawn.filter((name) => name.startsWith('e'))).toHaveLength(2);
    expect(drawn).not.toContain('slow');
    expect(drawn).not.toContain('other');
  }
});

test('the command answers usage errors with 2 and names its groups', () => {
  const command = (...args: string[]) =>
    spawnSync(process.execPath, [join(sourceRoot, 'bin/lightning-db.js'), ...args], { encoding: 'utf8' });
  expect(command('gate', '--profile', 'no-such').status).toBe(2);
  expect(command('gate', '--seed', 'x').status).toBe(2);
  expect(command('no-such-command').status).toBe(2);
  expect(command('replay', join(base, 'no-such-file')).status).toBe(2);
  const help = command('--help');
  expect(help.status).toBe(0);
  expect(help.stdout).toContain('Judge:');
});
