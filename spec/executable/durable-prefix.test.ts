import { describe, expect, test } from 'vitest';
import { Prng } from '../../src/base/prng.ts';
import { type CommitRecord, judgeRecovered, type RecoveryVerdict } from './durable-prefix.ts';
import type { Key } from './keys.ts';
import { applyWrites, type Entry, NEVER, type Write } from './ordered-map.ts';

const put = (key: Key, value: number): Write => ({
  kind: 'put',
  key,
  value: new Uint8Array([value]),
  deadline: NEVER,
});
const commit = (fate: CommitRecord['fate'], ...writes: Write[]): CommitRecord => ({ writes, fate, read: false });
const map = (rows: Record<Key, number>): Map<Key, Uint8Array> =>
  new Map(Object.entries(rows).map(([key, value]) => [key, new Uint8Array([value])]));
const classOf = (verdict: RecoveryVerdict): string => (verdict.kind === 'failed' ? verdict.class : verdict.kind);

describe('judge of recovered states', () => {
  test('any prefix from the floor on is right, and the longest is reported', () => {
    const commits = [commit('synced', put('a', 1)), commit('volatile', put('b', 2)), commit('volatile', put('a', 3))];
    expect(judgeRecovered(commits, map({ a: 1 }))).toMatchObject({ kind: 'ok', prefixLength: 1, floor: 1 });
    expect(judgeRecovered(commits, map({ a: 1, b: 2 }))).toMatchObject({ kind: 'ok', prefixLength: 2 });
    expect(judgeRecovered(commits, map({ a: 3, b: 2 }))).toMatchObject({ kind: 'ok', included: [0, 1, 2] });
  });

  test('below the floor is a lost acknowledged write', () => {
    const commits = [commit('synced', put('a', 1)), commit('synced', put('b', 2))];
    expect(classOf(judgeRecovered(commits, map({})))).toBe('lost-acknowledged-write');
    expect(classOf(judgeRecovered(commits, map({ b: 2 })))).toBe('lost-acknowledged-write');
  });

  test('a value that a completed read returned raises the floor', () => {
    const commits = [commit('volatile', put('a', 1)), { ...commit('volatile', put('b', 2)), read: true }];
    expect(classOf(judgeRecovered(commits, map({ a: 1 })))).toBe('lost-acknowledged-write');
  });

  test('a lost deletion is a lost write too', () => {
    const commits = [commit('synced', put('a', 1)), commit('synced', { kind: 'delete', key: 'a' })];
    expect(classOf(judgeRecovered(commits, map({ a: 1 })))).toBe('lost-acknowledged-write');
  });

  test('a rejected write must not show, whole, in part, or as a deletion', () => {
    const commits = [commit('synced', put('a', 1)), commit('rejected', put('b', 2), put('c', 3))];
    expect(classOf(judgeRecovered(commits, map({ a: 1, b: 2, c: 3 })))).toBe('rejected-write-visible');
    expect(classOf(judgeRecovered(commits, map({ a: 1, b: 2 })))).toBe('rejected-write-visible');
    const both = [commit('synced', put('a', 1)), commit('synced', put('b', 2))];
    const deleted = [...both, commit('rejected', { kind: 'delete', key: 'a' })];
    expect(classOf(judgeRecovered(deleted, map({ b: 2 })))).toBe('rejected-write-visible');
  });

  test('a part of a batch is torn, in the tail; a hole is no prefix', () => {
    const batch = [commit('synced', put('a', 1)), commit('volatile', put('b', 2), put('c', 3))];
    expect(classOf(judgeRecovered(batch, map({ a: 1, c: 3 })))).toBe('torn-batch');
    const hole = ['a', 'b', 'c'].map((key, i) => commit('volatile', put(key, i)));
    expect(classOf(judgeRecovered(hole, map({ a: 0, c: 2 })))).toBe('not-a-prefix');
  });

  test('a value that nobody wrote is a wrong read', () => {
    expect(classOf(judgeRecovered([commit('volatile', put('a', 1))], map({ a: 9 })))).toBe('wrong-read');
  });

  test('commits of unknown outcome may be there or not, each alone, unless they were read', () => {
    const commits = [
      commit('indefinite', put('a', 1)),
      commit('synced', put('b', 2)),
      commit('indefinite', put('c', 3)),
    ];
    for (const rows of [{ b: 2 }, { a: 1, b: 2 }, { b: 2, c: 3 }, { a: 1, b: 2, c: 3 }] as Record<string, number>[]) {
      expect(judgeRecovered(commits, map(rows))).toMatchObject({ kind: 'ok', floor: 2 });
    }
    expect(classOf(judgeRecovered(commits, map({ a: 1 })))).toBe('lost-acknowledged-write');
    const read = [{ ...commits[0], read: true }, commits[1]];
    expect(classOf(judgeRecovered(read, map({ b: 2 })))).not.toBe('ok');
    const many = Array.from({ length: 9 }, (_, i) => commit('indefinite', put('a', i)));
    expect(judgeRecovered(many, map({})).kind).toBe('unknown');
  });

  test('a deadline between the bounds of the time leaves both answers', () => {
    const expiring: Write = { kind: 'put', key: 'a', value: new Uint8Array([1]), deadline: 15 };
    const commits = [commit('synced', expiring)];
    const at = (earliest: number, latest: number, rows: Record<string, number>): string =>
      classOf(judgeRecovered(commits, map(rows), { nowEarliest: earliest, nowLatest: latest }));
    expect([at(10, 20, { a: 1 }), at(10, 20, {}), at(10, 14, { a: 1 }), at(15, 20, {})]).toEqual(Array(4).fill('ok'));
    expect([at(10, 14, {}), at(15, 20, { a: 1 })]).not.toContain('ok');
  });

  test('agrees with trying every prefix and every subset of unknown outcomes, on 20,000 random cases', () => {
    const prng = new Prng(7);
    const keys = ['a', 'b', 'c'];
    let right = 0;
    for (let run = 0; run < 20_000; run++) {
      let next = 0;
      const randomWrite = (): Write => {
        if (prng.chance(0.7)) return put(prng.pick(keys), next++);
        if (prng.chance(0.6)) return { kind: 'delete', key: prng.pick(keys) };
        return { kind: 'clear', range: { low: prng.pick(keys), high: undefined } };
      };
      const commits = Array.from({ length: prng.between(1, 5) }, () =>
        commit(
          prng.pick(['synced', 'volatile', 'volatile', 'rejected', 'indefinite']),
          ...Array.from({ length: prng.between(1, 2) }, randomWrite),
        ),
      );
      const recovered = new Map<Key, Uint8Array>();
      for (const key of keys) if (prng.chance(0.5) && next > 0) recovered.set(key, new Uint8Array([prng.below(next)]));
      if (prng.chance(0.6)) {
        recovered.clear();
        const state = new Map<Key, Entry>();
        for (const { writes } of commits.slice(0, prng.below(6))) if (prng.chance(0.9)) applyWrites(state, writes);
        for (const [key, { value }] of state) recovered.set(key, value);
      }
      const expected = someOrderIsRight(commits, recovered);
      expect(judgeRecovered(commits, recovered).kind, JSON.stringify({ commits, rows: [...recovered] })).toBe(
        expected ? 'ok' : 'failed',
      );
      if (expected) right++;
    }
    expect(right).toBeGreaterThan(3_000);
    expect(right).toBeLessThan(17_000);
    console.log(`recovered states judged: 20000, right ${right}, wrong ${20_000 - right}`);
  });
});

/** By brute force: a subset of the commits, closed as the rules ask, whose state is the recovered one. */
function someOrderIsRight(commits: readonly CommitRecord[], recovered: ReadonlyMap<Key, Uint8Array>): boolean {
  for (let mask = 0; mask < 1 << commits.length; mask++) {
    const chosen = (i: number): boolean => ((mask >> i) & 1) === 1;
    for (let cut = 0; cut <= commits.length; cut++) {
      const legal = commits.every(({ fate }, i) => {
        if (fate === 'rejected' || i >= cut) return !chosen(i) && !(fate === 'synced' && i >= cut);
        return fate === 'indefinite' || chosen(i);
      });
      if (!legal) continue;
      const state = new Map<Key, Entry>();
      commits.forEach(({ writes }, i) => {
        if (chosen(i)) applyWrites(state, writes);
      });
      const same =
        state.size === recovered.size && [...state].every(([key, { value }]) => recovered.get(key)?.[0] === value[0]);
      if (same) return true;
    }
  }
  return false;
}
