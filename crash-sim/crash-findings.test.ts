/** Bugs that the crash stage found in this engine, kept as the cases that showed them. */
import { expect, test } from 'vitest';
import type { CrashCase } from './crash-case.ts';
import { replayCase } from './crash-replay.ts';

/**
 * A commit meets a full disk after one byte; the segment is cut back; the store is closed, which seals the segment. The
 * cut was not fsynced, because no commit was pending, and after a power cut the sealed segment was a byte too long.
 */
test('a segment that was cut back is fsynced before it is sealed', () => {
  const crashCase: CrashCase = {
    format: 1,
    program: {
      format: 1,
      options: {},
      operations: [{ kind: 'put', key: '62', value: '' }, { kind: 'put', key: '61', value: '' }, { kind: 'reopen' }],
    },
    machine: {
      directoryModel: 'journaled',
      tearBytes: 4096,
      faults: [
        { when: { path: 'wal-*', nth: 4, times: 1 }, effect: { operation: 'write', error: 'ENOSPC', writtenBytes: 1 } },
      ],
    },
    cuts: [],
  };
  for (let step = 20; step <= 45; step++) {
    for (const choices of [[], [1], [1, 0], [0, 1], [1, 1], [1, 0, 1], [1, 1, 1, 1]]) {
      expect(replayCase({ ...crashCase, cuts: [{ step, choices }] })).toBeUndefined();
    }
  }
});
