/** The page of planted bugs: what it says is planted is, in the catalogue, and what it says is not planted is not. */
import { expect, test } from 'vitest';
import { readCatalogue } from '../src/gate/catalogue.ts';
import { readPage, tableRows } from './pages.fixture.ts';

const page = readPage('spec/planted-bugs.md');
const names = new Set(readCatalogue().map(({ name }) => name));

test('what was planted in another form is in the catalogue', () => {
  const rows = tableRows(page, ['real bug', 'planted as', 'what it became']);
  expect(rows.length).toBeGreaterThan(5);
  for (const [, planted] of rows) expect(names).toContain(planted.replaceAll('`', ''));
});

test('what is not planted is not in the catalogue', () => {
  const rows = tableRows(page, ['fault', 'why it does not fit']);
  expect(rows.length).toBeGreaterThan(0);
  for (const [fault] of rows) expect(names).not.toContain(/^`([a-z0-9-]+)`/.exec(fault)?.[1] ?? 'null-edit');
});

test('every bug in the catalogue says what it recreates and who must catch it', () => {
  for (const { name, kind, recreates, stage, failureClass } of readCatalogue()) {
    if (kind !== 'bug') continue;
    expect([name, recreates.length > 10, stage.length > 0, [failureClass].flat().length > 0]).toEqual([
      name,
      true,
      true,
      true,
    ]);
  }
});
