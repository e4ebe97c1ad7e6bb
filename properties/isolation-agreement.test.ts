import { describe, expect, test } from 'vitest';
import { Prng } from '../src/base/prng.ts';
import { checkIsolation } from '../src/checkers/explain/report.ts';
import { drawCycle } from '../src/checkers/explain/draw.ts';
import type { Access, RecordedTransaction } from '../src/history/transactions.ts';
import { namedHistories } from './anomalies/anomalies.ts';
import { compareOne, MISTAKEN_ISOLATION, noAgreement } from './isolation-agreement.ts';

const transaction = (id: number, ...accesses: Access[]): RecordedTransaction => ({
  id,
  client: id,
  outcome: 'ok',
  call: 2 * id,
  return: 2 * id + 1,
  accesses,
});

describe('the isolation checker', () => {
  test('answers as the brute force does on small random histories', () => {
    const counts = noAgreement();
    const prng = new Prng(20_261);
    for (let i = 0; i < 1_500; i++) expect(compareOne(prng, counts)).toBeUndefined();
    expect(counts.valid / counts.histories).toBeGreaterThan(0.3);
    expect(counts.searched).toBeGreaterThan(150);
    const names = [...counts.anomalies.keys()];
    expect(names).toEqual(expect.arrayContaining(['G0', 'G1a', 'G1b', 'G1c', 'lost-update', 'G-single', 'long-fork']));
    expect(names).toEqual(expect.arrayContaining(['G2-item', 'G2', 'monotonic-reads', 'read-your-writes']));
  });

  test.each(Object.entries(MISTAKEN_ISOLATION))('for which %s is found out', (_, mistaken) => {
    const [counts, prng] = [noAgreement(), new Prng(3)];
    let found = false;
    while (!found && counts.histories < 2_000) found = compareOne(prng, counts, mistaken) !== undefined;
    expect(found).toBe(true);
  });

  const read: Access = { kind: 'read', key: 'x', value: '1' };
  test.each([
    ['a duplicate id', [transaction(1, read), { ...transaction(2, read), id: 1 }], 'id 1 is used a second time'],
    ['a return before its call', [{ ...transaction(1, read), return: 1 }], 'returns before its call'],
    ['two at once', [transaction(1), { ...transaction(2), client: 1, call: 2.5 }], 'client 1 has two operations'],
    ['an ok without a return', [{ ...transaction(1), return: Infinity }], 'has no return'],
    ['a call that is no number', [{ ...transaction(1), call: NaN }], 'returns before its call'],
    [
      'list and register',
      [transaction(1, read), transaction(2, { kind: 'list', key: 'x', elements: [] })],
      'both as a list and as a register',
    ],
    [
      'an element twice',
      [1, 2].map((id) => transaction(id, { kind: 'append', key: 'x', element: '1' })),
      'appended twice',
    ],
  ])('refuses %s', (_, transactions, message) => {
    expect(() => checkIsolation({ transactions })).toThrow(message);
  });

  test('refuses a told order that is not whole, and names values outside a range', () => {
    const transactions = [transaction(1, { kind: 'write', key: 'x', value: '1' })];
    expect(() => checkIsolation({ transactions, versionOrders: new Map([['x', []]]) })).toThrow('not whole');
    expect(() => checkIsolation({ transactions, versionOrders: new Map([['y', ['1']]]) })).toThrow('nobody wrote it');
    expect(() => checkIsolation({ transactions, versionOrders: new Map([['x', ['2']]]) })).toThrow('2 is not one');
    const row: Access = { kind: 'range', from: 'a', to: 'b', rows: [{ key: 'x', value: '1' }] };
    expect(checkIsolation({ transactions: [...transactions, transaction(2, row)] }).anomalies[0].name).toBe(
      'wrong-read',
    );
  });

  test('is unknown past its bounds, with the reason', () => {
    const transactions = [1, 2, 3, 4].flatMap((id) => [
      transaction(2 * id, { kind: 'write', key: 'x', value: `${id}` }),
      transaction(2 * id + 1, { kind: 'read', key: 'x', value: `${1 + (id % 4)}` }),
    ]);
    const report = checkIsolation({ transactions }, { steps: 5 });
    expect(report.levels['strict-serializable']).toBe('refuted');
    expect(report.levels.serializable).toBe('unknown');
    expect(report.reasons.join()).toMatch('the order of versions of 1 keys (x) is not known');
    expect(checkIsolation({ transactions }).levels.serializable).toBe('not-refuted');
  });

  test('draws each cycle as one self-contained picture', () => {
    for (const { history } of namedHistories()) {
      for (const anomaly of checkIsolation(history).anomalies) {
        const picture = drawCycle(anomaly);
        expect(picture.startsWith('<svg xmlns=')).toBe(true);
        for (const { from, kind } of anomaly.cycle) {
          expect(picture).toContain(`>T${from}</text>`);
          expect(picture).toContain(kind === 'time' ? '>time' : `>${kind} `);
        }
      }
    }
  });
});
