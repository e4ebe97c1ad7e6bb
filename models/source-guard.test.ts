import { expect, test } from 'vitest';
import { parseConfigurationFile } from './configuration-file.ts';
import { fileURLToPath } from 'node:url';
import { sourceExtension } from '../src/report/sources-hash.ts';
import { runChild } from './child-process.ts';
import { reasonsToRefuse } from './source-guard.ts';
import { interpretTlaChecker } from './tla-checker-runner.ts';

const SAFE = '---- MODULE M ----\nEXTENDS Naturals, Sequences\nVARIABLES x\nInit == x = 0\n====\n';
const CONFIGURATION = 'SPECIFICATION Spec\nINVARIANT TypeOK\n';

function reasons(model: string, configuration = CONFIGURATION): string[] {
  return reasonsToRefuse(model, parseConfigurationFile(configuration));
}

test('lets a plain model through', () => {
  expect(reasons(SAFE)).toEqual([]);
});

test.each([
  ['a module of our own', SAFE.replace('Sequences', 'Sequences, Mine'), /EXTENDS Mine/],
  ['two blocks of variables', SAFE.replace('VARIABLES x', 'VARIABLES y\nVARIABLES x'), /2 VARIABLES/],
  ['INSTANCE', `${SAFE}M == INSTANCE Other\n`, /INSTANCE/],
  ['a function by definition', `${SAFE}f[i \\in 1..3] == i\n`, /not supported/],
  ['Nat', `${SAFE}T == x \\in Nat\n`, /Nat ends at 100/],
  ['a conjunction behind an arrow', `${SAFE}T == x = 1 => x > 0 /\\ x < 3\n`, /line 6/],
  ['a LET inside a disjunct', `${SAFE}T ==\n  \\/ x = 1 /\\ LET y == 1 IN y = 1\n  \\/ TRUE\n`, /line 7: .* swallow/],
  [
    'a \\A inside a disjunct',
    `${SAFE}T ==\n  \\/ x = 1 /\\ \\A i \\in {1} : i = x\n  \\/ TRUE\n`,
    /line 7: .* swallow/,
  ],
])('refuses %s', (_name, model, expected) => {
  expect(reasons(model)).toHaveLength(1);
  expect(reasons(model)[0]).toMatch(expected);
});

test.each([
  'T == x = 1 => (x > 0 /\\ x < 3)\n',
  'T == x = 1 => /\\ x > 0\n',
  'T == (x = 1 => x > 0) /\\ x < 3\n',
  'T == x = 1 /\\ x = 2 => x > 0\n',
  'T ==\n  \\/ x = 1 /\\ (LET y == 1 IN y = 1)\n  \\/ (x = 2 /\\ \\A i \\in {1} : i = x)\n',
  'T ==\n  /\\ x = 1\n  /\\ LET y == 1 IN y = 1\n',
  '\\* x => A /\\ B, and INSTANCE, in a comment\n',
])('reads %j as TLC does', (line) => {
  expect(reasons(SAFE + line)).toEqual([]);
});

test('the checker still misreads a LET inside a disjunct, and not one in brackets', async () => {
  const program = fileURLToPath(new URL(`./tla-checker-child${sourceExtension}`, import.meta.url));
  const check = async (inner: string): Promise<string> => {
    const model = `---- MODULE M ----\nEXTENDS Naturals\nVARIABLES\n  x\n\nT ==\n  \\/ x = 1 /\\ ${inner}\n  \\/ TRUE\nSpec == x = 0 /\\ [][x' = x]_x\n====\n`;
    const input = JSON.stringify({ model, configuration: 'SPECIFICATION Spec\nINVARIANT T\n' });
    const child = await runChild(process.execPath, [program], { input, timeLimitSeconds: 30 });
    return interpretTlaChecker(child, ['T'], 30).verdict;
  };
  expect(await check('LET y == 1 IN y = 1')).toBe('violated');
  expect(await check('(LET y == 1 IN y = 1)')).toBe('pass');
}, 60_000);

test('refuses configurations that would be read in part', () => {
  expect(reasons(SAFE, 'SPECIFICATION Spec\n')).toEqual([expect.stringMatching(/no INVARIANT/)]);
  expect(reasons(SAFE, 'INVARIANT A\n')).toEqual(['no SPECIFICATION']);
  expect(reasons(SAFE, `${CONFIGURATION}PROPERTY P\n`)).toEqual([expect.stringMatching(/TLC alone/)]);
  expect(reasons(SAFE, `${CONFIGURATION}CONSTRAINT C\n`)).toEqual(['CONSTRAINT would be ignored']);
});
