/**
 * What every run of the stage `database` begins with: programs, limits and rounds of a few operations each, one for every
 * situation that drawn ones bring about too seldom for a control to depend on them.
 */
import { CLOCK_START_MILLISECONDS } from '../src/contract/limits.ts';
import type { Operation, Program } from '../src/contract/operations.ts';
import type { LimitProgram, LimitStep } from './limit-programs.ts';
import type { LockRound } from './lock-round.ts';
import type { SalvageCase } from './salvage-cases.ts';

const put = (key: string, value: string): Operation => ({ kind: 'put', key, value });
const begin = (isolation: 'snapshot' | 'serializable' | 'read-committed'): Operation => ({
  kind: 'begin',
  transaction: 1,
  isolation,
});
const program = (operations: readonly Operation[], options: Program['options'] = {}): Program => ({
  format: 1,
  options,
  operations,
});

/** A serializable transaction that reads, another commit that changes what it read, and a commit that must be refused. */
function changedBehindIt(read: Operation): Program {
  const write: Operation = { kind: 'txPut', transaction: 1, key: '62', value: '01' };
  return program([begin('serializable'), read, put('61', '02'), write, { kind: 'commit', transaction: 1 }]);
}

const read: Operation = { kind: 'txGet', transaction: 1, key: '61' };

/** Programs of the synchronous face. */
export const DIRECTED_DATABASE_PROGRAMS: readonly Program[] = [
  program([begin('read-committed'), read, put('61', '01'), read]),
  program([
    put('61', '01'),
    { kind: 'openSnapshot', snapshot: 1 },
    { kind: 'openSnapshot', snapshot: 2 },
    { kind: 'releaseSnapshot', snapshot: 1 },
    put('61', '02'),
    { kind: 'merge' },
    { kind: 'snapshotGet', snapshot: 2, key: '61' },
    { kind: 'releaseSnapshot', snapshot: 2 },
  ]),
  changedBehindIt(read),
  changedBehindIt({ kind: 'txScan', transaction: 1, range: {} }),
  // What a refused commit wrote is neither there when the next one is published, nor after a recovery.
  program([
    begin('snapshot'),
    read,
    put('61', '02'),
    { kind: 'txPut', transaction: 1, key: '61', value: '03' },
    { kind: 'txPut', transaction: 1, key: '62', value: '03' },
    { kind: 'commit', transaction: 1 },
    put('63', '04'),
    { kind: 'get', key: '62' },
    { kind: 'crash' },
  ]),
  program([put('61', '01'), put('61', '02'), put('62', '02'), { kind: 'delete', key: '61' }, { kind: 'crash' }], {
    indexed: true,
    unique: true,
  }),
  // A row that has expired, and one that came after it to the same unique value.
  program(
    [
      { kind: 'put', key: '61', value: '01', deadline: CLOCK_START_MILLISECONDS + 10 },
      { kind: 'advanceClock', milliseconds: 1000 },
      put('62', '01'),
      put('61', '02'),
    ],
    { indexed: true, unique: true },
  ),
];

const damaged = (
  kind: SalvageCase['damage']['kind'],
  steps: SalvageCase['steps'],
  position: number,
  file: number,
): SalvageCase => ({ format: 1, steps, closed: true, damage: { kind, file, position, mask: 4 } });
const row = { kind: 'put', key: 1, size: 400 } as const;
const pages = [1, 2, 3].map((key) => ({ kind: 'put', key, size: 6000 }) as const);

/** Stores that are salvaged: with a row that has expired, with a file gone, and with a changed bit in each file. */
export const DIRECTED_SALVAGES: readonly SalvageCase[] = [
  damaged('none', [{ ...row, expires: true }], 0, 0),
  ...[0, 1, 2].flatMap((file) => [
    damaged('remove', [row, { kind: 'flush' }, row], 0, file),
    damaged('flip', [...pages, { kind: 'flush' }], 600, file),
    damaged('flip', [row, { kind: 'compact' }], 600, file),
  ]),
];

const LARGE = 300_000;
const write = (size: number): LimitStep => ({ kind: 'put', key: 0, size });
const inTransaction = (size: number): LimitStep => ({ kind: 'txPut', transaction: 1, key: 0, size });
const OPEN: readonly LimitStep[] = [
  { kind: 'begin', transaction: 1 },
  inTransaction(LARGE),
  inTransaction(LARGE),
  inTransaction(LARGE),
];
const limited = (limits: LimitProgram['limits'], steps: readonly LimitStep[]): LimitProgram => ({
  format: 1,
  limits,
  steps: [...steps],
});
const QUOTA = { quotaBytes: 66_000 };
const MEMORY = { memoryBytesMax: 2 ** 20 };

/** Programs under a limit. */
export const DIRECTED_LIMIT_PROGRAMS: readonly LimitProgram[] = [
  // What is merged has to fit beside what it is merged from.
  limited(QUOTA, [
    { kind: 'put', key: 0, size: 12_000 },
    { kind: 'put', key: 2, size: 8000 },
    { kind: 'put', key: 3, size: 30_000 },
    { kind: 'compact' },
    { kind: 'delete', key: 6 },
    { kind: 'compact' },
  ]),
  limited(QUOTA, [write(30_000), write(12_000), write(12_000), { kind: 'reopen' }, write(30_000)]),
  limited(QUOTA, [write(4000), write(30_000), { kind: 'flush' }, write(8)]),
  limited(MEMORY, [write(LARGE), write(LARGE), write(LARGE), write(100_000), write(8)]),
  limited(MEMORY, [...OPEN, write(LARGE)]),
  limited(MEMORY, [...OPEN, write(100_000), { kind: 'abort', transaction: 1 }, write(8)]),
];

const round = (fields: Partial<LockRound>): LockRound => ({
  format: 1,
  seed: 1,
  clients: 1,
  transactionsPerClient: 1,
  counters: 1,
  ...fields,
});

/** Rounds of locks: one client, two, two that wait for each other, and plain writes that wait among them. */
export const DIRECTED_LOCK_ROUNDS: readonly LockRound[] = [
  round({}),
  round({ clients: 2 }),
  round({ clients: 2, transactionsPerClient: 2, counters: 2 }),
  round({ clients: 3, transactionsPerClient: 2, plainWrites: 6 }),
];
