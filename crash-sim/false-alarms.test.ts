/** Cases in which the crash stage accused an engine that was right. */
import { expect, test } from 'vitest';
import type { Operation } from '../src/contract/operations.ts';
import { replayCase } from './crash-replay.ts';

/**
 * The disk lost the only record of a log without a word, which may cost the last sync group. Behind it the client
 * committed a transaction that had written nothing, and took that for the last group: what had no record was to vouch for
 * what came before.
 */
test('a commit of nothing is no sync group', () => {
  const replay = (operations: readonly Operation[], step: number) =>
    replayCase({
      format: 1,
      program: { format: 1, options: {}, operations },
      machine: {
        directoryModel: 'journaled',
        tearBytes: 512,
        faults: [{ when: { path: '*', nth: 3, times: 1 }, effect: { operation: 'write', silent: 'lost' } }],
      },
      cuts: [{ step, choices: [] }],
    });
  const put: Operation = { kind: 'put', key: '61', value: '' };
  const nothing: Operation[] = [
    { kind: 'begin', transaction: 3, isolation: 'snapshot' },
    { kind: 'commit', transaction: 3 },
  ];
  expect(replay([put, ...nothing], 39)).toBeUndefined();
  // A record behind it does vouch for it: then the loss is damage that is found, and no excuse for other rows.
  expect(replay([put, { ...put, key: '62' }], 39)).toBeUndefined();
});
