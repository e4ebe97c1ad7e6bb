/** Programs of the soak: what they hold, and that shrinking keeps what leaks. */
import { expect, test } from 'vitest';
import { Prng } from '../src/base/prng.ts';
import { describeProgram, drawProgram, programSchema, shrinkSteps } from './soak-program.ts';

test('a drawn program is plain JSON and reopens only when it is meant to', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const staying = drawProgram(new Prng(seed), false);
    expect(programSchema.parse(JSON.parse(JSON.stringify(staying)))).toEqual(staying);
    expect(staying.some(({ kind }) => kind === 'reopen')).toBe(false);
    expect(drawProgram(new Prng(seed), true).some(({ kind }) => kind === 'reopen')).toBe(true);
  }
});

test('shrinking ends with the steps that matter, in their order', async () => {
  const program = drawProgram(new Prng(3), true);
  const smallest = await shrinkSteps(
    program,
    async (candidate) => {
      const kinds = candidate.map(({ kind }) => kind);
      return Promise.resolve(kinds.includes('conflict') && kinds.includes('reopen'));
    },
    () => false,
  );
  expect(smallest.map(({ kind }) => kind).sort()).toEqual(['conflict', 'reopen']);
  expect(describeProgram(smallest)).toHaveLength(4);
});
