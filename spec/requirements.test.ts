/** Every requirement has its row in spec/requirements.md, and what a row cites exists. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCatalogue } from '../src/gate/catalogue.ts';
import { readProfile } from '../src/gate/profile.ts';
import { listFilesBelow } from '../src/report/files.ts';
import { readPage, ROOT, tableRows } from './pages.fixture.ts';

const page = readPage('spec/requirements.md');
const ROWS = ['asked for', 'failure', 'figure'].flatMap((what) => tableRows(page, ['id', what, 'state', 'shown by']));
const STAGES = new Map(readProfile('release').stages.map((stage) => [stage.name, stage.file]));
const BUGS = new Map(readCatalogue().map(({ name, kind }) => [name, kind]));

/** The names in backticks that follow a word: "stage `a`", "planted bugs `a`, `b`", "checks `a` and `b`". */
function cited(text: string, word: string): string[] {
  const lists = text.matchAll(new RegExp(`\\b${word}s? ((?:(?:, | and )?\`[^\`]+\`(?: \\([a-z]+\\))?)+)`, 'g'));
  return [...lists].flatMap(([, list]) => [...list.matchAll(/`([^`]+)`/g)].map(([, name]) => name));
}

/** Paths of files: everything in backticks with a slash. */
function files(text: string): string[] {
  return [...text.matchAll(/`([^`]+\/[^`]+)`/g)].map(([, path]) => path);
}

/** What is wrong with a row, in words. */
function problems([id, , state, shownBy]: readonly string[]): string[] {
  const found: string[] = [];
  const complain = (text: string): void => void found.push(`${id}: ${text}`);
  for (const path of files(shownBy)) if (!existsSync(`${ROOT}${path}`)) complain(`there is no ${path}`);
  for (const bug of cited(shownBy, 'planted bug')) if (BUGS.get(bug) !== 'bug') complain(`no planted bug ${bug}`);
  for (const clause of shownBy.split(';')) {
    const stages = cited(clause, 'stage');
    for (const stage of stages) {
      const file = STAGES.get(stage);
      if (file === undefined || !existsSync(`${ROOT}${file}`)) complain(`there is no stage ${stage}`);
      else
        for (const check of cited(clause, 'check'))
          if (!hasCheck(file, check)) complain(`${stage} makes no check ${check}`);
    }
    if (stages.length === 0 && cited(clause, 'check').length > 0) complain('a check without its stage');
  }
  const evidence = files(shownBy).length + cited(shownBy, 'stage').length;
  if (state === 'shown' && evidence === 0) complain('shown by nothing');
  if (state === 'shown' && /not built|not tried|is kept|\bNo [a-z]+/.test(shownBy))
    complain('shown, with something missing');
  if (state === 'in part' && (evidence === 0 || !/\. [A-Z]|`[^`]+`$/.test(shownBy))) complain('in part of what?');
  if (!['shown', 'in part', 'not yet'].includes(state)) complain(`state ${state}`);
  return found;
}

/** Whether the sources of a stage hold the name of the check as a text of their own. */
function hasCheck(stageFile: string, check: string): boolean {
  const folder = dirname(stageFile);
  return listFilesBelow(`${ROOT}${folder}`)
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .some((name) => readPage(`${folder}/${name}`).includes(`'${check}'`));
}

test('every requirement has one row, in order', () => {
  const numbered = (letter: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);
  expect(ROWS.map(([id]) => id)).toEqual([...numbered('F', 16), ...numbered('B', 11), ...numbered('S', 12)]);
});

describe.each(ROWS.map((row) => [row[0], row] as const))('%s', (_, row) => {
  test('cites what exists', () => {
    expect(problems(row)).toEqual([]);
  });
});

test('the check can fail', () => {
  const row = (state: string, shownBy: string): string[] => problems(['X1', 'something', state, shownBy]);
  expect(row('shown', '`src/engine/engine.test.ts`; stage `crash`, check `power loss`')).toEqual([]);
  expect(row('shown', '')).toHaveLength(1);
  expect(row('shown', '`src/engine/no-such.test.ts`')).toEqual(['X1: there is no src/engine/no-such.test.ts']);
  expect(row('shown', 'stage `crash`, check `no such check`')).toEqual(['X1: crash makes no check no such check']);
  expect(row('shown', 'stage `no-such`')).toEqual(['X1: there is no stage no-such']);
  expect(row('shown', 'stage `crash`; planted bugs `null-edit`, `no-such`')).toHaveLength(2);
  expect(row('shown', 'stage `crash`. The rest is not built')).toHaveLength(1);
  expect(row('done', 'stage `crash`')).toHaveLength(1);
});
