/** The cases of the conformance suite: fixed programs, each step with its one right outcome. */
import { type BytesText, decodeBytes } from './bytes-text.ts';
import type { Operation, ScanRange } from './operations.ts';
import { ABSENT, CONFLICT, errorOutcome, OK, type Outcome } from './outcomes.ts';

/** An operation and the outcome it must have. */
export type ConformanceStep = readonly [operation: Operation, expected: Outcome];

/** A named program. */
export interface ConformanceCase {
  readonly name: string;
  readonly steps: readonly ConformanceStep[];
  /** The case uses the empty byte string as a key. */
  readonly emptyKey?: boolean;
}

const put = (key: BytesText, value: BytesText): ConformanceStep => [{ kind: 'put', key, value }, OK];
const value = (text: BytesText): Outcome => ({ kind: 'value', value: decodeBytes(text) });
const get = (key: BytesText, expected: Outcome): ConformanceStep => [{ kind: 'get', key }, expected];
const rows = (...pairs: readonly (readonly [BytesText, BytesText])[]): Outcome => ({
  kind: 'rows',
  rows: pairs.map(([key, text]) => [decodeBytes(key), decodeBytes(text)]),
});
const scan = (range: ScanRange, ...pairs: readonly (readonly [BytesText, BytesText])[]): ConformanceStep => [
  { kind: 'scan', range },
  rows(...pairs),
];

const BIG: BytesText = { repeat: '00ff80', length: 70_001 };
const FIVE: readonly ConformanceStep[] = ['00', '61', '6100', '7f', '80', 'ff', 'ffff'].map((key) => put(key, key));

/** Every case; a driver's capabilities decide which are run. */
export const CONFORMANCE_CASES: readonly ConformanceCase[] = [
  {
    name: 'a key is absent, there, replaced, deleted, there again',
    steps: [
      get('6b', ABSENT),
      put('6b', '01'),
      get('6b', value('01')),
      put('6b', '02'),
      get('6b', value('02')),
      [{ kind: 'delete', key: '6b' }, OK],
      get('6b', ABSENT),
      [{ kind: 'delete', key: '6b' }, OK],
      put('6b', '03'),
      get('6b', value('03')),
    ],
  },
  {
    name: 'values of any bytes and of no bytes pass unchanged',
    steps: [
      put('01', ''),
      put('02', 'ffffffff'),
      put('03', 'c328a0'),
      put('04', BIG),
      get('01', value('')),
      get('02', value('ffffffff')),
      get('03', value('c328a0')),
      get('04', value(BIG)),
    ],
  },
  {
    name: 'keys that are no text stay apart',
    steps: [put('c3', '01'), put('ef', '02'), put('efbfbd', '03'), get('c3', value('01')), get('ef', value('02'))],
  },
  { name: 'the empty key is a key', emptyKey: true, steps: [put('', '01'), put('00', '02'), get('', value('01'))] },
  {
    name: 'scans go in the order of unsigned bytes within every kind of bound',
    steps: [
      ...FIVE,
      scan({}, ...['00', '61', '6100', '7f', '80', 'ff', 'ffff'].map((key) => [key, key] as const)),
      scan({ gte: '61', lt: '80' }, ['61', '61'], ['6100', '6100'], ['7f', '7f']),
      scan({ gt: '61', lte: '80' }, ['6100', '6100'], ['7f', '7f'], ['80', '80']),
      scan({ gt: '60', limit: 2 }, ['61', '61'], ['6100', '6100']),
      scan({ limit: 0 }),
      scan({ gte: '80', lt: '61' }),
    ],
  },
  {
    name: 'a prefix ends where the prefix ends, also when it is all FF',
    steps: [
      ...FIVE,
      put('61ffff', '01'),
      scan({ prefix: '61' }, ['61', '61'], ['6100', '6100'], ['61ffff', '01']),
      scan({ prefix: 'ff' }, ['ff', 'ff'], ['ffff', 'ffff']),
      scan({ prefix: '62' }),
    ],
  },
  {
    name: 'reverse scans have the same bounds and start at the other end',
    steps: [
      ...FIVE,
      scan({ gte: '61', lt: '80', reverse: true }, ['7f', '7f'], ['6100', '6100'], ['61', '61']),
      scan({ gt: '61', lte: '80', reverse: true, limit: 2 }, ['80', '80'], ['7f', '7f']),
      scan({ prefix: 'ff', reverse: true }, ['ffff', 'ffff'], ['ff', 'ff']),
    ],
  },
  {
    name: 'a batch takes effect in order',
    steps: [
      put('61', '01'),
      [
        {
          kind: 'batch',
          operations: [
            { kind: 'put', key: '62', value: '02' },
            { kind: 'delete', key: '61' },
            { kind: 'put', key: '62', value: '03' },
          ],
        },
        OK,
      ],
      get('61', ABSENT),
      get('62', value('03')),
      [{ kind: 'batch', operations: [] }, OK],
    ],
  },
  {
    name: 'clear removes a range and no more',
    steps: [
      ...FIVE,
      [{ kind: 'clear', range: { gt: '61', lte: '80' } }, OK],
      scan({}, ['00', '00'], ['61', '61'], ['ff', 'ff'], ['ffff', 'ffff']),
      [{ kind: 'clear', range: {} }, OK],
      scan({}),
    ],
  },
  {
    name: 'a snapshot keeps what it saw',
    steps: [
      put('61', '01'),
      put('62', '02'),
      [{ kind: 'openSnapshot', snapshot: 1 }, OK],
      put('61', '03'),
      [{ kind: 'delete', key: '62' }, OK],
      put('63', '04'),
      [{ kind: 'snapshotGet', snapshot: 1, key: '61' }, value('01')],
      [{ kind: 'snapshotGet', snapshot: 1, key: '63' }, ABSENT],
      [{ kind: 'snapshotScan', snapshot: 1, range: {} }, rows(['61', '01'], ['62', '02'])],
      get('61', value('03')),
      [{ kind: 'releaseSnapshot', snapshot: 1 }, OK],
      [{ kind: 'snapshotGet', snapshot: 1, key: '61' }, errorOutcome('LIGHTNING_SNAPSHOT_CLOSED')],
    ],
  },
  {
    name: 'a transaction sees its snapshot and its own writes, and others see it when it has committed',
    steps: [
      put('61', '01'),
      [{ kind: 'begin', transaction: 1 }, OK],
      [{ kind: 'txGet', transaction: 1, key: '61' }, value('01')],
      put('62', '09'),
      [{ kind: 'txPut', transaction: 1, key: '63', value: '03' }, OK],
      [{ kind: 'txDelete', transaction: 1, key: '61' }, OK],
      [{ kind: 'txScan', transaction: 1, range: {} }, rows(['63', '03'])],
      get('63', ABSENT),
      [{ kind: 'commit', transaction: 1 }, OK],
      get('63', value('03')),
      get('61', ABSENT),
      [{ kind: 'txGet', transaction: 1, key: '61' }, errorOutcome('LIGHTNING_TRANSACTION_CLOSED')],
    ],
  },
  {
    name: 'the first committer wins, and an abort leaves nothing',
    steps: [
      put('61', '01'),
      [{ kind: 'begin', transaction: 1 }, OK],
      [{ kind: 'begin', transaction: 2 }, OK],
      [{ kind: 'txGet', transaction: 1, key: '61' }, value('01')],
      [{ kind: 'txGet', transaction: 2, key: '61' }, value('01')],
      [{ kind: 'txPut', transaction: 1, key: '61', value: '02' }, OK],
      [{ kind: 'txPut', transaction: 2, key: '61', value: '03' }, OK],
      [{ kind: 'commit', transaction: 1 }, OK],
      [{ kind: 'commit', transaction: 2 }, CONFLICT],
      get('61', value('02')),
      [{ kind: 'begin', transaction: 3 }, OK],
      [{ kind: 'txPut', transaction: 3, key: '61', value: '04' }, OK],
      [{ kind: 'abort', transaction: 3 }, OK],
      get('61', value('02')),
    ],
  },
  {
    name: 'a value is gone from its deadline on, and does not uncover an older one',
    steps: [
      put('61', '01'),
      [{ kind: 'put', key: '61', value: '02', deadline: 1_000_010 }, OK],
      get('61', value('02')),
      [{ kind: 'advanceClock', milliseconds: 9 }, OK],
      get('61', value('02')),
      [{ kind: 'advanceClock', milliseconds: 1 }, OK],
      get('61', ABSENT),
    ],
  },
  {
    name: 'what was written is there after a clean close and an open',
    steps: [
      put('61', '01'),
      put('62', BIG),
      [{ kind: 'delete', key: '61' }, OK],
      [{ kind: 'reopen' }, OK],
      get('61', ABSENT),
      get('62', value(BIG)),
      put('61', '03'),
      [{ kind: 'reopen' }, OK],
      get('61', value('03')),
    ],
  },
  {
    name: 'sync, flush, merge and collect change no answer',
    steps: [
      put('61', '01'),
      [{ kind: 'sync' }, OK],
      [{ kind: 'flush' }, OK],
      put('61', '02'),
      [{ kind: 'flush' }, OK],
      [{ kind: 'merge' }, OK],
      [{ kind: 'collect' }, OK],
      scan({}, ['61', '02']),
    ],
  },
];
