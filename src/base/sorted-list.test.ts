import { expect, test } from 'vitest';
import { Prng } from './prng.ts';
import { SortedList } from './sorted-list.ts';

interface Pair {
  readonly key: number;
  readonly tag: number;
}

const byKey = (a: Pair, b: Pair): number => a.key - b.key;
const probe = (key: number): Pair => ({ key, tag: -1 });

/** All that a walk of the list meets, both ways. */
function walks(list: SortedList<Pair>): [number[], number[]] {
  const at = list.position();
  const keys = (step: () => void): number[] => {
    const found: number[] = [];
    for (; at.element !== undefined; step()) found.push(at.element.key);
    return found;
  };
  at.first();
  const up = keys(() => at.next());
  at.last();
  return [up, keys(() => at.previous())];
}

test.each(['ascending', 'descending', 'random'])('agrees with a sorted array, keys arriving %s', (order) => {
  const prng = new Prng(7);
  const list = new SortedList<Pair>(byKey);
  const map = new Map<number, number>();
  for (let i = 0; i < 2000; i++) {
    const key = order === 'random' ? prng.below(1500) : order === 'ascending' ? 2 * i : 4000 - 2 * i;
    list.insert({ key, tag: i });
    map.set(key, i);
    if (i % 500 === 499) {
      const low = prng.below(1000);
      list.remove((pair) => pair.key >= low && pair.key < low + 300);
      for (const other of map.keys()) if (other >= low && other < low + 300) map.delete(other);
    }
    if (i % 100 !== 0) continue;
    list.checkInvariants();
    const keys = [...map.keys()].sort((a, b) => a - b);
    expect([...list].map((pair) => [pair.key, pair.tag])).toEqual(keys.map((k) => [k, map.get(k)]));
    expect(walks(list)).toEqual([keys, keys.toReversed()]);
    const position = list.position();
    for (let n = 0; n < 20; n++) {
      const at = prng.below(4100) - 50;
      const after = keys.find((k) => k >= at);
      expect(list.atOrAfter(probe(at))?.key).toBe(after);
      position.seek(probe(at));
      expect(position.element?.key).toBe(after);
      position.seekBefore(probe(at));
      expect(position.element?.key).toBe(keys.findLast((k) => k < at));
    }
  }
  list.remove(() => true);
  expect([list.length, [...list], walks(list), list.atOrAfter(probe(0))]).toEqual([0, [], [[], []], undefined]);
});

test('each broken invariant is seen', () => {
  const full = (): SortedList<Pair> => {
    const list = new SortedList<Pair>(byKey);
    for (let key = 0; key < 300; key++) list.insert(probe(key));
    return list;
  };
  const breaks: ((list: SortedList<Pair>) => void)[] = [
    (list) => list.length--,
    (list) => (Reflect.get(list, 'chunks') as Pair[][]).push([]),
    (list) => (Reflect.get(list, 'chunks') as Pair[][]).reverse(),
  ];
  expect(() => full().checkInvariants()).not.toThrow();
  for (const [i, broken] of breaks.entries()) {
    const list = full();
    broken(list);
    expect(() => list.checkInvariants(), String(i)).toThrow('broken invariant');
  }
});
