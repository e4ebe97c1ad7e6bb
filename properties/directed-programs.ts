/**
 * Programs that every run of the properties stage begins with: situations of a few operations each that drawn programs
 * bring about too seldom for a control to depend on them.
 */
import type { Operation, Program } from '../src/contract/operations.ts';

const put = (value: string): Operation => ({ kind: 'put', key: '61', value });

/** Values of three bytes are files of their own; everything is looked at after each operation. */
const WITH_BLOBS = { blobBytes: 2, checkEvery: 1 };

/** By what they bring about. */
export const DIRECTED_PROGRAMS: Readonly<Record<string, Program>> = {
  'a snapshot reads a large value that a merge keeps for it alone': {
    format: 1,
    options: WITH_BLOBS,
    operations: [
      put('000001'),
      { kind: 'openSnapshot', snapshot: 1 },
      put('000002'),
      { kind: 'merge' },
      { kind: 'snapshotGet', snapshot: 1, key: '61' },
      { kind: 'releaseSnapshot', snapshot: 1 },
      { kind: 'merge' },
    ],
  },
  'a transaction with a large value is refused': {
    format: 1,
    options: WITH_BLOBS,
    operations: [
      { kind: 'begin', transaction: 1 },
      { kind: 'txPut', transaction: 1, key: '61', value: '000001' },
      put('000002'),
      { kind: 'commit', transaction: 1 },
      { kind: 'get', key: '61' },
    ],
  },
};
