/** What the stages read out of the reports of Stryker and Istanbul. */
import { expect, test } from 'vitest';
import { mergeCoverage, readCoverage, share } from './coverage-report.ts';
import { addSummaries, mutationScore, readMutationReport } from './mutation-report.ts';

function mutant(id: string, status: string, testsCompleted?: number): object {
  const location = { start: { line: 7, column: 1 }, end: { line: 7, column: 2 } };
  return { id, mutatorName: 'BlockStatement', replacement: '{}', status, location, testsCompleted };
}

test('a mutation report is summed up: timeouts are noticed, uncovered mutants are not', () => {
  const statuses = [
    mutant('1', 'Killed', 2),
    mutant('2', 'Survived', 4),
    mutant('3', 'Timeout'),
    mutant('4', 'NoCoverage'),
  ];
  const summary = readMutationReport({ files: { 'a.ts': { mutants: [...statuses, mutant('5', 'Ignored')] } } });
  expect(summary).toMatchObject({ killed: 1, timedOut: 1, leftOut: 1, testsPerMutant: 3 });
  expect(summary.survivors.map(({ uncovered }) => uncovered)).toEqual([false, true]);
  expect(mutationScore(summary)).toBe(50);
  expect(addSummaries([summary, summary])).toMatchObject({ killed: 2, testsPerMutant: 3 });
});

test('mutants on which no test was run show as zero tests per mutant', () => {
  const mutants = [mutant('1', 'Survived', 0), mutant('2', 'Survived')];
  expect(readMutationReport({ files: { 'a.ts': { mutants } } }).testsPerMutant).toBe(0);
  expect(addSummaries([]).testsPerMutant).toBe(0);
});

test('remembered results cannot stand in for tests that are no longer run', () => {
  const old = { ...mutant('1', 'Killed', 3), replacement: 'old' };
  const earlier = { files: { 'a.ts': { mutants: [old] } } };
  const now = { files: { 'a.ts': { mutants: [old, mutant('2', 'Survived', 0)] } } };
  expect(readMutationReport(now, earlier)).toMatchObject({ remembered: 1, tested: 1, testsPerMutant: 0 });
  expect(readMutationReport(earlier, earlier)).toMatchObject({ remembered: 1, tested: 1, testsPerMutant: 3 });
});

test('a line counts when either tool reached it; branches are those of the finer report', () => {
  const at = (line: number): object => ({ start: { line, column: 0 }, end: { line, column: 1 } });
  const fine = { path: '/x/a.ts', statementMap: { 0: at(1), 1: at(3) }, s: { 0: 1, 1: 0 }, b: { 0: [1, 0, 0] } };
  const coarse = {
    path: '/x/a.ts',
    statementMap: { 0: at(1), 1: at(2), 2: at(3) },
    s: { 0: 0, 1: 1, 2: 4 },
    b: { 0: [1] },
  };
  const read = (value: object): ReturnType<typeof readCoverage> => readCoverage({ a: value }, (path) => path.slice(3));
  const [file] = mergeCoverage([...read(coarse), ...read(fine)]);
  expect([...file.lines]).toEqual([
    [1, true],
    [3, true],
  ]);
  expect(file.branches).toEqual([true, false, false]);
  expect(share(file.branches)).toBeCloseTo(33.3, 1);
  expect(share([])).toBe(0);
});
