/**
 * What a swap saw. On this history the checker and the recursion that tries every cut once differed: client 2 swapped the
 * v0 of a batch for v3, neither was synced, and after the power cut the store was empty. Whoever promises that nobody sees
 * what a power cut takes back has broken it: the swap answered that v0 was there. A swap that did not find what it
 * expected names no value.
 */
import { expect, test } from 'vitest';
import type { History, HistoryOperation } from '../history/history.ts';
import { survives } from './agreement.fixture.ts';
import { someCutsExplain } from './brute-force.fixture.ts';
import { checkDurability } from './durability.ts';

const operation = (
  id: number,
  call: number,
  end: number,
  rest: Pick<HistoryOperation, 'kind'> & Partial<HistoryOperation>,
): HistoryOperation => ({
  id,
  client: id % 3,
  outcome: end === Infinity ? 'unknown' : 'ok',
  reads: [],
  writes: [],
  call,
  return: end,
  callMilliseconds: 0,
  returnMilliseconds: undefined,
  ...rest,
});
const empty = (from: string): Pick<HistoryOperation, 'kind' | 'accesses'> => ({
  kind: 'scan',
  accesses: [{ kind: 'range', from, to: null, rows: [] }],
});
const k0 = (value: string): HistoryOperation['writes'] => [{ key: 'k0', value }];
const k2 = (value: string): HistoryOperation['writes'] => [{ key: 'k2', value }];

/** @param swap what client 2 did to the batch's value before the power cut */
const lost = (swap: Partial<HistoryOperation>): History => ({
  operations: [
    operation(0, 0, 3, { kind: 'batch', writes: [...k0('v0'), ...k2('v1')] }),
    operation(1, 1, 4, { kind: 'cas', writes: k2('v2'), expected: null, swapped: false }),
    operation(2, 2, 6, { kind: 'cas', writes: k0('v3'), ...swap }),
    operation(3, 5, Infinity, { kind: 'scan' }),
    operation(4, 7, Infinity, { kind: 'read' }),
    operation(5, 10, 14, empty('k2')),
    operation(6, 11, 13, empty('k0')),
    operation(7, 12, 15, { kind: 'write', writes: k2('v4'), durability: 'synced' }),
  ],
  markers: [
    { kind: 'crash', index: 8 },
    { kind: 'reopen', index: 9 },
  ],
});

test.each([
  ['it swapped v0', { expected: 'v0', swapped: true }, 'invalid'],
  ['it did not find what nobody wrote', { expected: 'x', swapped: false }, 'valid'],
  ['nobody knows whether it swapped', { expected: 'v0', outcome: 'unknown', return: Infinity }, 'valid'],
] as const)('what a swap saw survives where readers see only what is durable: %s', (_, swap, verdict) => {
  const history = lost(swap);
  expect(checkDurability(history, { readsAreDurable: true }).verdict).toBe(verdict);
  expect(someCutsExplain(history, survives(history, true))).toBe(verdict === 'valid');
  expect(checkDurability(history).verdict).toBe('valid');
  expect(someCutsExplain(history, survives(history, false))).toBe(true);
});
