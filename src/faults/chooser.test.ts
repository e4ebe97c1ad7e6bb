import { expect, test } from 'vitest';
import { Prng } from '../base/prng.ts';
import { type Chooser, EnumeratingChooser, RandomChooser, ReplayChooser } from './chooser.ts';

/** Two writes of three sectors, as crash-states.ts asks for them. */
function twoWrites(chooser: Chooser): string {
  chooser.begin();
  let state = '';
  for (let write = 0; write < 2; write++) {
    const outcome = chooser.choose('write', 3, write, 2);
    state += outcome === 0 ? '000 ' : outcome === 1 ? '111 ' : 't';
    if (outcome === 2) for (let i = 0; i < 3; i++) state += chooser.choose('sector', 2, i, 3);
  }
  return state;
}

test('the enumeration walks every list of answers once, also where answers lead to more questions', () => {
  const chooser = new EnumeratingChooser();
  const states: string[] = [];
  do states.push(twoWrites(chooser));
  while (chooser.next());
  expect(states.length).toBe((2 + 8) ** 2);
  expect(new Set(states).size).toBe(states.length);
});

test('random choices depend on the seed alone, and reach every state of a small cut', () => {
  const all = new EnumeratingChooser();
  const missing = new Set<string>();
  do missing.add(twoWrites(all));
  while (all.next());
  const one = new RandomChooser(new Prng(9));
  const two = new RandomChooser(new Prng(9));
  for (let i = 0; i < 20_000; i++) {
    const state = twoWrites(one);
    expect(twoWrites(two)).toBe(state);
    missing.delete(state);
  }
  expect([...missing]).toEqual([]);
});

test('the states that break engines come up often', () => {
  const chooser = new RandomChooser(new Prng(10));
  const counts = { allLost: 0, allKept: 0, lastLost: 0, laterKept: 0 };
  const rounds = 10_000;
  for (let i = 0; i < rounds; i++) {
    chooser.begin();
    const kept = Array.from({ length: 8 }, (_, n) => chooser.choose('write', 2, n, 8)).join('');
    if (kept === '00000000') counts.allLost++;
    if (kept === '11111111') counts.allKept++;
    if (kept === '11111110') counts.lastLost++;
    if (/01/.test(kept)) counts.laterKept++;
  }
  // With even odds each of the first three would come up 39 times.
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(rounds / 20);
});

test('an answer outside a replayed list is cut to what is offered', () => {
  const chooser = new ReplayChooser([9, 1]);
  chooser.begin();
  const answers = [chooser.choose('size', 3, 0, 1), chooser.choose('name', 2, 0, 1), chooser.choose('name', 2, 0, 1)];
  expect(answers).toEqual([2, 1, 0]);
  expect(chooser.fits).toBe(false);
});
