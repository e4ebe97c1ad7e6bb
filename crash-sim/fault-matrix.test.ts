/** The matrix of single faults: every cell can be aimed at, and what strikes is told from what is always there. */
import { expect, test } from 'vitest';
import { Prng } from '../src/base/prng.ts';
import { FAULT_CELLS } from './fault-cells.ts';
import { allAims, type Aim, strike, thinned } from './fault-matrix.ts';
import { PHASES } from './fault-phases.ts';

const AIMS = allAims();

function aimOf(name: string, phase: string): Aim {
  const aim = AIMS.find((one) => one.name === name && one.phase === phase);
  if (aim === undefined) throw new Error(`no ${name} in ${phase}`);
  return aim;
}

test('the program reaches every cell, and no phase is empty', () => {
  const cells = (all: readonly { readonly name: string; readonly phase: string }[]): string[] =>
    [...new Set(all.map(({ name, phase }) => `${name} in ${phase}`))].sort();
  const expected = cells(FAULT_CELLS.map(({ fault, phase }) => ({ name: fault, phase })));
  const reached = cells(AIMS);
  expect(expected.filter((cell) => !reached.includes(cell))).toEqual([]);
  for (const seed of [1, 2, 3]) expect(cells(thinned(AIMS, 1, new Prng(seed)))).toEqual(reached);
  expect(PHASES.filter((phase) => !FAULT_CELLS.some((cell) => cell.phase === phase))).toEqual([]);
});

test('each strikes where it was aimed, and is noticed or survived', () => {
  const random = new Prng(1);
  expect(strike(aimOf('lost write', 'flush'), random)).toMatchObject({ phase: 'flush', noticed: true });
  expect(strike(aimOf('short read', 'replay'), random)).toMatchObject({ inTheMiddle: true, noticed: false });
  expect(strike(aimOf('unlink EIO', 'flush'), random)).toMatchObject({ phase: 'flush', noticed: false });
  expect(strike(aimOf('sync EIO', 'close'), random)).toMatchObject({ phase: 'close', noticed: true });
  for (const phase of PHASES) {
    const aim = AIMS.filter((one) => one.phase === phase).at(-1);
    if (aim === undefined) continue;
    expect(strike(aim, random)).toMatchObject({ phase, failure: undefined });
  }
});
