import { expect, test } from 'vitest';
import { mutantsOf } from './model-mutants.ts';

const MODULE = `---- MODULE M ----
EXTENDS Naturals
VARIABLES x, y
Small(n) == n < 3

Step(n) ==
  /\\ x < 3 /\\ (y = 0 \\/ Small(n))
  /\\ \\A i \\in 1..2 :
       i <= n
  /\\ x' = n
  /\\ UNCHANGED y

Init ==
  /\\ x = 0
  /\\ y = 0

TypeOK ==
  /\\ x \\in 0..3
  /\\ y = 0
\\* The rest.
Other == x = 0
====
`;

test('each guard and each invariant is taken away once, everything else stays', () => {
  const mutants = mutantsOf(MODULE, new Set(['TypeOK']));
  expect(mutants.map(({ kind, definition, text }) => [kind, definition, text])).toEqual([
    ['guard', 'Step', 'x < 3'],
    ['guard', 'Step', '(y = 0 \\/ Small(n))'],
    ['guard', 'Step', '\\A i \\in 1..2 : i <= n'],
    ['invariant', 'TypeOK', 'TRUE'],
  ]);
  expect(mutants[0].source).toBe(MODULE.replace('/\\ x < 3 /\\ (y', '/\\ TRUE /\\ (y'));
  expect(mutants[2].source).toContain("  /\\ TRUE\n  /\\ x' = n");
  expect(mutants[3].source).toContain('TypeOK == TRUE\n\\* The rest.');
});
