/** Bugs that the crash stage found in this engine, kept as the cases that showed them. */
import { expect, test } from 'vitest';
import type { Operation } from '../src/contract/operations.ts';
import type { PlannedFault } from '../src/faults/fault-plan.ts';
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
        { when: { path: 'wal-*', nth: 3, times: 1 }, effect: { operation: 'write', error: 'ENOSPC', writtenBytes: 1 } },
      ],
    },
    cuts: [],
  };
  for (let step = 10; step <= 35; step++) {
    for (const choices of [[], [1], [1, 0], [0, 1], [1, 1], [1, 0, 1], [1, 1, 1, 1]]) {
      expect(replayCase({ ...crashCase, cuts: [{ step, choices }] })).toBeUndefined();
    }
  }
});

/**
 * Two commits in a row meet a full disk, each after all but its last byte. Both cuts were pending when the power went:
 * the last byte of the first attempt completed the second, and a rejected commit was there after recovery.
 */
test('what is left of one rejected record never completes another', () => {
  const put = (length: number) => ({ kind: 'put', key: '61', value: { repeat: '61', length } }) as const;
  const crashCase: CrashCase = {
    format: 1,
    program: { format: 1, options: {}, operations: [put(0), put(2), put(1)] },
    machine: {
      directoryModel: 'journaled',
      tearBytes: 512,
      faults: [
        {
          when: { path: 'wal-*', nth: 3, times: 3 },
          effect: { operation: 'write', error: 'EDQUOT', writtenBytes: 700 },
        },
      ],
    },
    cuts: [],
  };
  for (let step = 11; step <= 22; step++) {
    expect(replayCase({ ...crashCase, cuts: [{ step, choices: [1, 1, 1, 1] }] })).toBeUndefined();
  }
});

/**
 * A backup froze the files of the store and met an I/O error while it read them: what came out was the operating system's
 * error, without a code. Short reads ended the backup too, as if the view of the files had been given up.
 */
test('a backup that cannot read a file fails with a code, and goes on after a short read', () => {
  const crashCase = (nth: number, effect: PlannedFault['effect']): CrashCase => ({
    format: 1,
    program: {
      format: 1,
      options: {},
      operations: [
        { kind: 'put', key: '61', value: '6161' },
        { kind: 'backup' },
        { kind: 'put', key: '62', value: '' },
      ],
    },
    machine: {
      directoryModel: 'journaled',
      tearBytes: 512,
      faults: [{ when: { path: '*', nth, times: 1 }, effect }],
    },
    cuts: [],
  });
  for (let nth = 1; nth <= 20; nth++) {
    expect(replayCase(crashCase(nth, { operation: 'read', error: 'EIO' }))).toBeUndefined();
    expect(replayCase(crashCase(nth, { operation: 'open', error: 'EMFILE' }))).toBeUndefined();
    expect(replayCase(crashCase(nth, { operation: 'read', silent: 'short', bytes: 3 }))).toBeUndefined();
  }
});

/**
 * A merge dropped the only version that referred to a blob, and its file was removed. The store was closed, and the power
 * cut brought the file back. After a clean close nobody looks for such files, so it stayed for ever.
 */
test('a blob that a merge has dropped does not come back after a clean close', () => {
  const crashCase: CrashCase = {
    format: 1,
    program: {
      format: 1,
      options: { blobBytes: 20 },
      operations: [
        { kind: 'put', key: '61', value: { repeat: '61', length: 58 }, deadline: 995 },
        { kind: 'merge' },
        { kind: 'put', key: '62', value: '' },
        { kind: 'reopen' },
      ],
    },
    machine: { directoryModel: 'strict', tearBytes: 512, faults: [] },
    cuts: [],
  };
  for (let step = 55; step <= 90; step++) {
    for (const choices of [
      [1, 0, 1, 1],
      [0, 0, 0, 1],
      [0, 0, 1, 1],
      [0, 1],
      [0, 0, 1],
    ]) {
      expect([step, replayCase({ ...crashCase, cuts: [{ step, choices }] })]).toEqual([step, undefined]);
    }
  }
});

/**
 * The store was closed while a merge still deleted what it had dropped. The close let the merge finish that, but only
 * after it had made removed names durable, and a blob was back in a store that counted as cleanly closed.
 */
test('what a merge under way at the close has dropped does not come back either', () => {
  const batch = (serial: number): Operation => ({
    kind: 'batch',
    operations: ['61', '62'].map((key) => ({ kind: 'put', key, value: { repeat: `000${serial}`, length: 40 } })),
  });
  const crashCase: CrashCase = {
    format: 1,
    program: {
      format: 1,
      options: { memtableBytes: 1, runCountMax: 1, frozenCountMax: 1, blobBytes: 20 },
      operations: [batch(0), batch(1), batch(2), batch(3), batch(4), { kind: 'reopen' }],
    },
    machine: { directoryModel: 'strict', tearBytes: 512, faults: [] },
    cuts: [],
  };
  for (let step = 155; step <= 175; step++) {
    expect([step, replayCase({ ...crashCase, cuts: [{ step, choices: [0, 1, 1, 1] }] })]).toEqual([step, undefined]);
  }
});
