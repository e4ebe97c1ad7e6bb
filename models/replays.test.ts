/**
 * Counterexamples against the engine: the table is whole, every fault in it fits the sources, and one of each model is
 * replayed on the engine and without its guard. All of them are replayed by the stage `models`.
 */
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { applyEdits, CATALOGUE_FOLDERS, type Edit, GUARDS_FOLDER } from '../planted-bugs/edits.ts';
import { stripSource } from '../scripts/build.ts';
import { fileExists, listFilesBelow, readText } from '../src/report/files.ts';
import { sourceRoot } from '../src/report/sources-hash.ts';
import { brokenConfigurations, brokenPath, modelPath } from './configurations.ts';
import { GUARDS, WITHOUT_GUARD } from './replay-guards.ts';
import { Moments } from './replay-disk.ts';
import { replayConfiguration } from './replays.ts';
import { walCalls } from './replay-wal.ts';
import { runTlaCheckerOnAll } from './tla-checker-runner.ts';

function editsOf(name: string): readonly Edit[] {
  const folder = [GUARDS_FOLDER, ...CATALOGUE_FOLDERS].find((one) => fileExists(join(sourceRoot, one, `${name}.json`)));
  const { edits } = JSON.parse(readText(join(sourceRoot, folder ?? '', `${name}.json`))) as { edits: readonly Edit[] };
  return edits;
}

test('each broken configuration has a guard in the engine, or a reason', () => {
  const known = [...Object.keys(GUARDS), ...Object.keys(WITHOUT_GUARD)].toSorted();
  expect(known).toEqual(brokenConfigurations.map(({ name }) => name).toSorted());
});

test('each guard of the folder is taken out by some configuration', () => {
  const used = new Set(Object.values(GUARDS));
  const files = listFilesBelow(join(sourceRoot, GUARDS_FOLDER)).map((file) => file.replace(/\.json$/, ''));
  expect(files.filter((name) => !used.has(name))).toEqual([]);
});

test('each fault fits the sources, with types and without', () => {
  for (const name of new Set(Object.values(GUARDS))) {
    for (const [file, edits] of Map.groupBy(editsOf(name), (edit) => edit.file)) {
      const source = readText(join(sourceRoot, file));
      expect(applyEdits(source, edits, false), name).toHaveProperty('text');
      const packed = applyEdits(stripSource(source), edits, true);
      if (!('text' in packed)) throw new Error(`${name}: ${packed.stale}`);
      expect(stripTypeScriptTypes(packed.text), name).toBe(packed.text);
    }
  }
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

test('one of each model: the engine keeps it, and without the guard the named invariant breaks', async () => {
  const names = [
    'MVCC.NoBound',
    'WALRecovery.AckBeforeFsync',
    'CopyOnWriteTree.TreeNotEntered',
    'GroupCommit.PublishAtAppend',
  ];
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
}, 60_000);
