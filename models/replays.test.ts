/**
 * Counterexamples against the engine: the table is whole, and two are replayed on the engine and
 * without their guards. All of them are replayed by the stage `models`.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CATALOGUE_FOLDERS, GUARDS_FOLDER } from '../planted-bugs/edits.ts';
import { fileExists, listFilesBelow, readText } from '../src/report/files.ts';
import { sourceRoot } from '../src/report/sources-hash.ts';
import { parseVectors } from '../src/workload/vectors.ts';
import { brokenConfigurations, brokenPath, modelPath } from './configurations.ts';
import { counterexampleVector } from './counterexample-vectors.ts';
import { GUARDS, WITHOUT_GUARD } from './replay-guards.ts';
import { Moments } from './replay-disk.ts';
import { counterexampleOf, replayConfiguration } from './replays.ts';
import { walCalls } from './replay-wal.ts';
import { runTlaCheckerOnAll } from './tla-checker-runner.ts';

test('each broken configuration has a guard in the engine, or a reason', () => {
  const known = [...Object.keys(GUARDS), ...Object.keys(WITHOUT_GUARD)].toSorted();
  expect(known).toEqual(brokenConfigurations.map(({ name }) => name).toSorted());
});

test('each guard is there, and each of the folder is taken out by some configuration', () => {
  const used = new Set(Object.values(GUARDS));
  const folders = [GUARDS_FOLDER, ...CATALOGUE_FOLDERS];
  const isThere = (name: string): boolean =>
    folders.some((folder) => fileExists(join(sourceRoot, folder, `${name}.json`)));
  expect([...used].filter((name) => !isThere(name))).toEqual([]);
  const files = listFilesBelow(join(sourceRoot, GUARDS_FOLDER)).map((file) => file.replace(/\.json$/, ''));
  expect(files.filter((name) => !used.has(name))).toEqual([]);
});

test('every moment and every disk is tried once', () => {
  const moments = new Moments();
  const seen: string[] = [];
  do seen.push(`${moments.pick(2)}${moments.pick(3)}`);
  while (moments.next());
  expect(seen).toEqual(['00', '01', '02', '10', '11', '12']);
});

test('a rotation is part of the next commit, and one is added where there is none', () => {
  const state = {
    files: 0,
    manifest: 0,
    run: 0,
    phase: 'running',
    nextId: 1,
    syncing: 0,
    flushes: 0,
    floor: 0,
    crashes: 0,
  };
  const states = [state, { ...state, nextId: 2 }, { ...state, nextId: 2, phase: 'created' }];
  expect(walCalls(states)).toEqual(['heavy', 'commit']);
  expect(walCalls([...states, { ...state, nextId: 2 }, { ...state, nextId: 3 }])).toEqual(['heavy', 'commit']);
});

test('one by hand: the engine keeps it, and without the guard the named invariant breaks', async () => {
  const names = ['MVCC.NoBound', 'WALRecovery.AckBeforeFsync'];
  const chosen = brokenConfigurations.filter(({ name }) => names.includes(name));
  const requests = chosen.map(({ model, name }) => ({
    modelPath: modelPath(model),
    configurationPath: brokenPath(name),
    timeLimitSeconds: 60,
    workDirectory: sourceRoot,
  }));
  const outcomes = await runTlaCheckerOnAll(requests);
  const rows = await Promise.all(
    outcomes.map(async (outcome, index) =>
      outcome.verdict === 'violated' ? replayConfiguration(chosen[index], outcome.trace, true) : undefined,
    ),
  );
  expect(rows.map((row) => row?.name).toSorted()).toEqual(names.toSorted());
  for (const row of rows) expect(row).toMatchObject({ broke: undefined, without: expect.any(String) as string });
  // The kept vector is this counterexample.
  const place = chosen.findIndex(({ name }) => name === 'MVCC.NoBound');
  const outcome = outcomes[place];
  const vector =
    outcome.verdict === 'violated'
      ? counterexampleVector('MVCC.NoBound', counterexampleOf(chosen[place], outcome.trace))
      : undefined;
  const kept = parseVectors(readText(join(sourceRoot, 'spec/vectors/mvcc-counterexamples.ndjson')));
  expect(kept).toContainEqual(vector);
}, 60_000);
