import { describe, expect, test } from 'vitest';
import { Prng } from '../base/prng.ts';
import { checkRegisters } from '../checkers/linearizability.ts';
import { randomHistory } from '../checkers/random-histories.fixture.ts';
import type { History, HistoryOperation } from '../history/history.ts';
import { meanOverlap, staleReadSensitivity, vacuousBecause, withStaleRead } from './overlap.ts';

/** One line: kind, call, return, value. */
type Line = readonly ['read' | 'write', number, number, string | null];

function history(...lines: readonly Line[]): History {
  const operations = lines.map(([kind, call, end, value], id): HistoryOperation => ({
    id,
    client: id,
    kind,
    writes: kind === 'write' ? [{ key: 'a', value }] : [],
    reads: kind === 'read' ? [{ key: 'a', value }] : [],
    outcome: 'ok',
    call,
    return: end,
    callMilliseconds: 0,
    returnMilliseconds: 0,
  }));
  return { operations, markers: [] };
}

describe('whether a run could have failed', () => {
  test('overlap counts the others that an operation meets', () => {
    expect(meanOverlap(history(['read', 0, 1, null], ['read', 2, 3, null]))).toBe(0);
    expect(meanOverlap(history(['read', 0, 2, null], ['read', 1, 3, null]))).toBe(1);
    const prng = new Prng(16);
    for (let run = 0; run < 200; run++) {
      const one = randomHistory(prng, { operations: 20, clients: 5, keys: 2, deletes: false, multiple: false });
      let pairs = 0;
      for (const x of one.operations) {
        for (const y of one.operations) if (x !== y && x.call < y.return && y.call < x.return) pairs++;
      }
      expect(meanOverlap(one)).toBeCloseTo(pairs / one.operations.length, 9);
    }
  });

  test('a stale read is noticed in a busy history, and not in one where nothing is read after a write has ended', () => {
    const prng = new Prng(17);
    const busy = randomHistory(prng, { operations: 400, clients: 4, keys: 2, deletes: false, multiple: false });
    const sensitivity = staleReadSensitivity(busy, checkRegisters, prng, 200);
    expect(sensitivity.legal / sensitivity.samples).toBeLessThan(0.7);
    expect(vacuousBecause(meanOverlap(busy), sensitivity)).toBeUndefined();
    const idle = history(['write', 0, 9, '1'], ['read', 1, 8, '1']);
    expect(vacuousBecause(3, staleReadSensitivity(idle, checkRegisters, prng, 50))).toContain('stay legal');
    expect(vacuousBecause(0.5, sensitivity)).toContain('overlap');
    const nothing = history(['read', 0, 1, null]);
    expect(withStaleRead(nothing, prng)).toBeUndefined();
    expect(vacuousBecause(3, staleReadSensitivity(nothing, checkRegisters, prng, 5))).toContain('no read');
  });
});
