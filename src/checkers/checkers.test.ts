import { describe, expect, test } from 'vitest';
import { Prng } from '../base/prng.ts';
import type { Cell, History, HistoryKind, HistoryOperation, HistoryOutcome } from '../history/history.ts';
import { checkBank } from './workloads/bank.ts';
import { checkBatchAtomicity } from './workloads/batch-atomicity.ts';
import { compareCheckers, MISTAKEN } from './agreement.fixture.ts';
import { randomHistory } from './random-histories.fixture.ts';
import { checkDurability } from './durability.ts';
import { checkLinearizability, checkRegisters } from './linearizability.ts';
import { searchLinearization } from './models/model-search.ts';
import { atomicMap } from './models/sequential-models.ts';

type Cells = Record<string, string | null>;
const cells = (of: Cells): Cell[] => Object.entries(of).map(([key, value]) => ({ key, value }));

/** One line: kind, call, return, writes, reads, outcome. */
type Line = readonly [HistoryKind, number, number, Cells, Cells, HistoryOutcome?];

function history(...lines: readonly Line[]): History {
  const operations = lines.map(([kind, call, end, writes, reads, outcome = 'ok'], id): HistoryOperation => ({
    id,
    client: id,
    kind,
    writes: cells(writes),
    reads: cells(reads),
    outcome,
    call,
    return: outcome === 'unknown' ? Infinity : end,
    callMilliseconds: 0,
    returnMilliseconds: 0,
  }));
  return { operations, markers: [] };
}

describe('registers by zones', () => {
  test('a write that overlaps two reads may be seen by the second and not by the first, never the other way round', () => {
    const lines = (first: string | null, second: string | null): History =>
      history(['write', 0, 9, { a: '1' }, {}], ['read', 1, 2, {}, { a: first }], ['read', 3, 4, {}, { a: second }]);
    expect(checkRegisters(lines(null, '1')).verdict).toBe('valid');
    expect(checkRegisters(lines('1', null))).toMatchObject({ verdict: 'invalid', class: 'not-linearizable' });
  });

  test('a write of unknown outcome may never happen, or happen late; once read it has happened', () => {
    const unknownWrite: Line = ['write', 0, 0, { a: '1' }, {}, 'unknown'];
    expect(checkRegisters(history(unknownWrite, ['read', 1, 2, {}, { a: null }])).verdict).toBe('valid');
    expect(
      checkRegisters(history(unknownWrite, ['read', 1, 2, {}, { a: '1' }], ['read', 3, 4, {}, { a: null }])).verdict,
    ).toBe('invalid');
  });

  test('values that were rejected, never written, or read too early are named', () => {
    const read: Line = ['read', 2, 3, {}, { a: '1' }];
    expect(checkRegisters(history(['write', 0, 1, { a: '1' }, {}, 'failed'], read))).toMatchObject({
      class: 'rejected-write-visible',
      witness: [0, 1],
    });
    expect(checkRegisters(history(read))).toMatchObject({ class: 'wrong-read' });
    expect(checkRegisters(history(read, ['write', 4, 5, { a: '1' }, {}]))).toMatchObject({ class: 'not-linearizable' });
  });

  test('what is not a register of unique values is refused, not guessed at', () => {
    for (const other of [
      history(['write', 0, 1, { a: null }, {}]),
      history(['write', 0, 1, { a: '1' }, {}], ['write', 2, 3, { a: '1' }, {}]),
      history(['batch', 0, 1, { a: '1', b: '2' }, {}]),
    ]) {
      expect(checkRegisters(other).verdict).toBe('unknown');
    }
  });

  test('takes 200,000 operations in well under two seconds of CPU', () => {
    const prng = new Prng(12);
    const shape = { operations: 200_000, clients: 8, keys: 20, deletes: false, multiple: false };
    const long = randomHistory(prng, shape);
    const before = process.cpuUsage();
    expect(checkRegisters(long)).toEqual({ verdict: 'valid', checked: 200_000 });
    const used = process.cpuUsage(before);
    expect(used.user + used.system).toBeLessThan(2_000_000);
  });
});

describe('general search', () => {
  test('a history with scans is not taken apart by key', () => {
    const skewed = history(
      ['write', 0, 1, { a: '1' }, {}],
      ['write', 2, 3, { b: '1' }, {}],
      ['scan', 4, 5, {}, { a: null, b: '1' }],
    );
    expect(checkLinearizability(skewed).verdict).toBe('invalid');
  });

  test('a scan of a range says of every key that it did not return that it was absent', () => {
    const scanned = (...rows: Cell[]): History => {
      const one = history(['write', 0, 1, { a: '1' }, {}], ['write', 2, 3, { b: '2' }, {}], ['scan', 4, 5, {}, {}]);
      const accesses = [{ kind: 'range' as const, from: 'a', to: 'c', rows }];
      return { ...one, operations: one.operations.with(2, { ...one.operations[2], accesses }) };
    };
    const rows = cells({ a: '1', b: '2' });
    for (const judge of [
      checkLinearizability,
      checkDurability,
      (one: History) => searchLinearization(one.operations, atomicMap),
    ]) {
      expect(judge(scanned(...rows))).toEqual({ verdict: 'valid', checked: 3 });
      expect(judge(scanned(rows[0])).verdict).toBe('invalid');
      expect(judge(scanned()).verdict).toBe('invalid');
      expect(judge(scanned(...rows, rows[1]))).toMatchObject({ class: 'wrong-read', witness: [2] });
      expect(judge(scanned(...rows, { key: 'c', value: '3' }))).toMatchObject({ class: 'wrong-read', witness: [2] });
    }
    expect(checkRegisters(scanned(...rows)).verdict).toBe('unknown');
  });

  test('past its budget the verdict is unknown', () => {
    const prng = new Prng(14);
    const one = randomHistory(prng, { operations: 40, clients: 8, keys: 2, deletes: true, multiple: true });
    expect(checkLinearizability(one, { stepsMax: 5, statesMax: 100 }).verdict).toBe('unknown');
    expect(checkLinearizability(one, { stepsMax: 100, statesMax: 2 }).verdict).toBe('unknown');
  });
});

describe('agreement with trying every order and every cut', () => {
  test('on 8,000 small histories nobody differs', () => {
    const { difference, valid, histories, counts } = compareCheckers(11, 8_000);
    expect(difference).toBeUndefined();
    expect(valid / histories).toBeGreaterThan(0.3);
    expect(valid / histories).toBeLessThan(0.9);
    expect(counts['crashes: invalid']).toBeGreaterThan(100);
    console.log(`agreement: ${valid} of ${histories} valid, ${JSON.stringify(counts)}`);
  });

  test.each(Object.keys(MISTAKEN))('a checker for which %s is found out', (mistaken) => {
    expect(compareCheckers(11, 20_000, { mistaken }).difference).toContain('mistaken');
  });
});

describe('bank', () => {
  const bank = { accounts: ['a', 'b'], total: 20 };
  test('complete reads and the end must show the total', () => {
    const good = history(['scan', 0, 1, {}, { a: '15#1', b: '5#2' }], ['read', 2, 3, {}, { a: '99' }]);
    expect(checkBank(good, bank, cells({ a: '10', b: '10' }))).toEqual({ verdict: 'valid', checked: 1 });
    expect(checkBank(good, bank, cells({ a: '10', b: '9' }))).toMatchObject({ class: 'bank-total' });
    const bad = history(['scan', 0, 1, {}, { a: '15', b: '4' }]);
    expect(checkBank(bad, bank)).toMatchObject({ class: 'bank-total', witness: [0] });
  });

  test('a missing account is no total, and a history without a complete read says nothing', () => {
    expect(checkBank(history(['scan', 0, 1, {}, { a: '20', b: null }]), bank).verdict).toBe('invalid');
    expect(checkBank(history(['read', 0, 1, {}, { a: '20' }]), bank).verdict).toBe('unknown');
  });
});

describe('batch atomicity', () => {
  const batch = (value: string, call: number): Line => ['batch', call, call + 1, { a: value, b: value }, {}];
  test('a read sees all of a batch or nothing of it', () => {
    const read = (a: string | null, b: string | null): History =>
      history(batch('1', 0), ['batch', 2, 9, { a: '2', b: '2' }, {}], ['scan', 4, 5, {}, { a, b }]);
    expect(checkBatchAtomicity(read('1', '1'))).toEqual({ verdict: 'valid', checked: 1 });
    expect(checkBatchAtomicity(read('2', '2')).verdict).toBe('valid');
    expect(checkBatchAtomicity(read('1', '2'))).toMatchObject({ class: 'torn-batch' });
    expect(checkBatchAtomicity(read('2', '1'))).toMatchObject({ class: 'torn-batch' });
    expect(checkBatchAtomicity(read('1', null))).toMatchObject({ class: 'torn-batch' });
  });

  test('a later write of one key does not fracture a batch, an earlier one does', () => {
    const mixed = (call: number): History =>
      history(batch('1', 4), ['write', call, call + 1, { b: 'x' }, {}], ['scan', 8, 9, {}, { a: '1', b: 'x' }]);
    expect(checkBatchAtomicity(mixed(6)).verdict).toBe('valid');
    expect(checkBatchAtomicity(mixed(2))).toMatchObject({ class: 'torn-batch', witness: [0, 1, 2] });
  });

  test('nothing of a rejected batch is seen', () => {
    const one = history(['batch', 0, 1, { a: '1', b: '1' }, {}, 'failed'], ['read', 2, 3, {}, { a: '1' }]);
    expect(checkBatchAtomicity(one)).toMatchObject({ class: 'rejected-write-visible', witness: [0, 1] });
  });

  test('says nothing against atomic stores, on 5,000 random histories', () => {
    const prng = new Prng(15);
    for (let run = 0; run < 5_000; run++) {
      const one = randomHistory(prng, { operations: 12, clients: 4, keys: 3, deletes: true, multiple: true });
      expect(checkBatchAtomicity(one).verdict, JSON.stringify(one)).toBe('valid');
    }
  });
});
