import { expect, test } from 'vitest';
import { parseConfigurationFile } from './configuration-file.ts';
import { reasonsToRefuse } from './source-guard.ts';

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
])('refuses %s', (_name, model, expected) => {
  expect(reasons(model)).toHaveLength(1);
  expect(reasons(model)[0]).toMatch(expected);
});

test.each([
  'T == x = 1 => (x > 0 /\\ x < 3)\n',
  'T == x = 1 => /\\ x > 0\n',
  'T == (x = 1 => x > 0) /\\ x < 3\n',
  'T == x = 1 /\\ x = 2 => x > 0\n',
  '\\* x => A /\\ B, and INSTANCE, in a comment\n',
])('reads %j as TLC does', (line) => {
  expect(reasons(SAFE + line)).toEqual([]);
});

test('refuses configurations that would be read in part', () => {
  expect(reasons(SAFE, 'SPECIFICATION Spec\n')).toEqual([expect.stringMatching(/no INVARIANT/)]);
  expect(reasons(SAFE, 'INVARIANT A\n')).toEqual(['no SPECIFICATION']);
  expect(reasons(SAFE, `${CONFIGURATION}PROPERTY P\n`)).toEqual([expect.stringMatching(/TLC alone/)]);
  expect(reasons(SAFE, `${CONFIGURATION}CONSTRAINT C\n`)).toEqual(['CONSTRAINT would be ignored']);
});
