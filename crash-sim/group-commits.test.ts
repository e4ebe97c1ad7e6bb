/** Clients that share fsyncs: the engine's promises are kept too late, never too early, and a run is a function of its case. */
import { expect, test } from 'vitest';
import { Prng } from '../src/base/prng.ts';
import { runGroup } from './group-commits.ts';
import { drawGroupProgram, isGroupCase, parseGroupCase } from './group-program.ts';

test('drawn programs pass, and the same case gives the same run', async () => {
  const random = new Prng(11);
  let cutsDuringSync = 0;
  for (let n = 0; n < 25; n++) {
    const program = drawGroupProgram(random);
    const first = await runGroup(program, n);
    expect(first.failure).toBeUndefined();
    expect(await runGroup(program, n)).toEqual(first);
    cutsDuringSync += first.cutsDuringSync;
  }
  expect(cutsDuringSync).toBeGreaterThan(0);
});

test('a saved case is read again, and refused when it is damaged', () => {
  const saved = { kind: 'group', seed: 3, program: drawGroupProgram(new Prng(1)) };
  const json: unknown = JSON.parse(JSON.stringify(saved));
  expect(isGroupCase(json)).toBe(true);
  expect(parseGroupCase(json)).toEqual(saved);
  expect(() => parseGroupCase({ ...saved, seed: 'x' })).toThrow('not a case');
});
