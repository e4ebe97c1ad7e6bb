import { describe, expect, test } from 'vitest';
import { runConformance } from '../../src/contract/conformance.ts';
import type { Operation } from '../../src/contract/operations.ts';
import { ABSENT, CONFLICT, errorOutcome, OK, type Outcome } from '../../src/contract/outcomes.ts';
import { DirtyReadSession } from './broken/dirty-read.ts';
import { FracturedBatchSession } from './broken/fractured-batch.ts';
import { LostUpdateSession } from './broken/lost-update.ts';
import { StaleReadSession } from './broken/stale-read.ts';
import { judgeRecovered } from './durable-prefix.ts';
import { Interpreter } from './interpreter.ts';
import type { SpecificationSession } from './session.ts';
import { specificationDriver } from './session.ts';

const value = (byte: number): Outcome => ({ kind: 'value', value: new Uint8Array([byte]) });

/** Carries out operations as the specification says and returns the last set of allowed outcomes. */
function after(interpreter: Interpreter, ...operations: Operation[]): readonly Outcome[] {
  let allowed: readonly Outcome[] = [];
  for (const operation of operations) {
    allowed = interpreter.allowed(operation);
    interpreter.apply(operation, allowed[0]);
  }
  return allowed;
}

const begin = (transaction: number, isolation: 'snapshot' | 'serializable' | 'read-committed'): Operation => ({
  kind: 'begin',
  transaction,
  isolation,
});
const txGet = (transaction: number, key: string): Operation => ({ kind: 'txGet', transaction, key });
const txPut = (transaction: number, key: string, text: string): Operation => ({
  kind: 'txPut',
  transaction,
  key,
  value: text,
});
const commit = (transaction: number): Operation => ({ kind: 'commit', transaction });

test('the specification conforms to its own contract', async () => {
  const results = await runConformance(specificationDriver(), (name) => name);
  expect(results.filter((result) => result.verdict !== 'pass')).toEqual([]);
  expect(results.length).toBeGreaterThan(12);
});

describe('transactions', () => {
  test('write skew passes under snapshot isolation and not under serializable', () => {
    for (const [isolation, expected] of [
      ['snapshot', OK],
      ['serializable', CONFLICT],
      ['read-committed', OK],
    ] as const) {
      const interpreter = new Interpreter();
      const last = after(
        interpreter,
        begin(1, isolation),
        begin(2, isolation),
        txGet(1, '61'),
        txGet(2, '62'),
        txPut(1, '62', '01'),
        txPut(2, '61', '01'),
        commit(1),
        commit(2),
      );
      expect(last).toEqual([expected]);
    }
  });

  test('a deletion and a cleared range conflict, also over keys that were never there', () => {
    for (const late of [
      { kind: 'delete', key: '61' },
      { kind: 'clear', range: { gte: '60', lt: '62' } },
    ] as const) {
      const last = after(
        new Interpreter(),
        begin(1, 'snapshot'),
        txGet(1, '70'),
        late,
        txPut(1, '61', '01'),
        commit(1),
      );
      expect(last).toEqual([CONFLICT]);
    }
    const clears = after(
      new Interpreter(),
      begin(1, 'snapshot'),
      txGet(1, '70'),
      { kind: 'put', key: '61', value: '01' },
      { kind: 'txClear', transaction: 1, range: { prefix: '61' } },
      commit(1),
    );
    expect(clears).toEqual([CONFLICT]);
  });

  test('the snapshot is taken at the first read; blind writes never conflict; read-committed reads afresh', () => {
    const put: Operation = { kind: 'put', key: '61', value: '05' };
    expect(after(new Interpreter(), begin(1, 'snapshot'), put, txGet(1, '61'))).toEqual([value(5)]);
    expect(
      after(new Interpreter({ transactionSnapshotAt: 'begin' }), begin(1, 'snapshot'), put, txGet(1, '61')),
    ).toEqual([ABSENT]);
    expect(after(new Interpreter(), begin(1, 'snapshot'), put, txPut(1, '61', '06'), commit(1))).toEqual([OK]);
    expect(after(new Interpreter(), begin(1, 'read-committed'), txGet(1, '61'), put, txGet(1, '61'))).toEqual([
      value(5),
    ]);
  });

  test('own writes are seen in gets and in scans both ways', () => {
    const interpreter = new Interpreter();
    after(interpreter, { kind: 'put', key: '61', value: '01' }, { kind: 'put', key: '62', value: '02' });
    after(interpreter, begin(1, 'snapshot'), txPut(1, '63', '03'), { kind: 'txDelete', transaction: 1, key: '61' });
    const [rows] = after(interpreter, { kind: 'txScan', transaction: 1, range: { reverse: true } });
    expect(rows).toEqual({
      kind: 'rows',
      rows: [
        [new Uint8Array([0x63]), new Uint8Array([3])],
        [new Uint8Array([0x62]), new Uint8Array([2])],
      ],
    });
  });
});

describe('allowed outcomes', () => {
  test('after the clock ran backwards a deadline passed meanwhile may count or not, and nothing else may vary', () => {
    const interpreter = new Interpreter();
    after(interpreter, { kind: 'put', key: '61', value: '01', deadline: 1_000_050 });
    after(interpreter, { kind: 'put', key: '62', value: '02', deadline: 1_000_500 });
    after(interpreter, { kind: 'advanceClock', milliseconds: 100 }, { kind: 'advanceClock', milliseconds: -100 });
    expect(interpreter.allowed({ kind: 'get', key: '61' })).toEqual([value(1), ABSENT]);
    expect(interpreter.judge({ kind: 'get', key: '61' }, ABSENT)).toBeUndefined();
    expect(interpreter.judge({ kind: 'get', key: '62' }, ABSENT)).toMatchObject({ class: 'wrong-read' });
    expect(interpreter.allowed({ kind: 'scan', range: {} }).length).toBe(2);
  });

  test('too long keys and values are refused with their codes', () => {
    const interpreter = new Interpreter({ keyBytesMax: 3, valueBytesMax: 2 });
    expect(interpreter.allowed({ kind: 'put', key: '01020304', value: '' })).toEqual([
      errorOutcome('LIGHTNING_KEY_TOO_LARGE'),
    ]);
    expect(interpreter.allowed({ kind: 'put', key: '010203', value: { repeat: '00', length: 3 } })).toEqual([
      errorOutcome('LIGHTNING_VALUE_TOO_LARGE'),
    ]);
    expect(interpreter.allowed({ kind: 'put', key: '010203', value: '0000' })).toEqual([OK]);
  });

  test('mismatches have the class of what was asked', () => {
    const interpreter = new Interpreter();
    after(interpreter, { kind: 'put', key: '61', value: '01' }, { kind: 'openSnapshot', snapshot: 1 });
    const judge = (operation: Operation, outcome: Outcome): string | undefined =>
      interpreter.judge(operation, outcome)?.class;
    expect(judge({ kind: 'get', key: '61' }, ABSENT)).toBe('wrong-read');
    expect(judge({ kind: 'scan', range: {} }, { kind: 'rows', rows: [] })).toBe('scan-differs');
    expect(judge({ kind: 'snapshotGet', snapshot: 1, key: '61' }, value(2))).toBe('snapshot-differs');
    expect(judge({ kind: 'get', key: '61' }, errorOutcome('LIGHTNING_IO'))).toBe('unexpected-error');
    after(interpreter, begin(1, 'snapshot'), txGet(1, '61'), { kind: 'delete', key: '61' }, txPut(1, '61', '02'));
    expect(judge(commit(1), OK)).toBe('conflict-missed');
  });

  test('a tolerated definite error has no effect, an indefinite one waits for the recovered state', () => {
    const interpreter = new Interpreter();
    const tolerated = (): boolean => true;
    const put = (key: string): Operation => ({ kind: 'put', key, value: '01' });
    expect(interpreter.judge(put('61'), { kind: 'ok', durability: 'synced' }, tolerated)).toBeUndefined();
    expect(interpreter.judge(put('62'), errorOutcome('LIGHTNING_DISK_FULL'), tolerated)).toBeUndefined();
    expect(interpreter.judge(put('63'), errorOutcome('LIGHTNING_INDEFINITE', '', false), tolerated)).toBeUndefined();
    expect(interpreter.commits.map((record) => record.fate)).toEqual(['synced', 'rejected', 'indefinite']);
    const recovered = new Map([
      ['a', new Uint8Array([1])],
      ['c', new Uint8Array([1])],
    ]);
    const verdict = judgeRecovered(interpreter.commits, recovered, interpreter.time);
    expect(verdict).toMatchObject({ kind: 'ok', included: [0, 2] });
    if (verdict.kind === 'ok') interpreter.adopt(verdict.included);
    expect(interpreter.allowed({ kind: 'get', key: '63' })).toEqual([value(1)]);
    expect(interpreter.allowed({ kind: 'get', key: '62' })).toEqual([ABSENT]);
  });

  test('a read raises the floor of what a crash may lose by the commits that it returned', () => {
    const interpreter = new Interpreter({ acknowledges: 'volatile' });
    after(interpreter, { kind: 'put', key: '61', value: '01' }, { kind: 'put', key: '62', value: '02' });
    expect(judgeRecovered(interpreter.commits, new Map()).kind).toBe('ok');
    after(interpreter, { kind: 'get', key: '61' });
    expect(judgeRecovered(interpreter.commits, new Map())).toMatchObject({
      class: 'lost-acknowledged-write',
      floor: 1,
    });
    after(interpreter, { kind: 'sync' });
    expect(judgeRecovered(interpreter.commits, new Map([['a', new Uint8Array([1])]]))).toMatchObject({ floor: 2 });
  });
});

describe('broken variants differ from the specification', () => {
  const pause = (): Promise<void> => Promise.resolve();
  const put: Operation = { kind: 'put', key: '61', value: '01' };
  const cases: readonly (readonly [string, SpecificationSession, readonly Operation[], Outcome])[] = [
    ['stale read', new StaleReadSession(pause, 1, 1), [put, { kind: 'get', key: '61' }], value(1)],
    [
      'lost update',
      new LostUpdateSession(pause),
      [begin(1, 'snapshot'), txGet(1, '61'), put, txPut(1, '61', '02'), commit(1)],
      CONFLICT,
    ],
    [
      'dirty read',
      new DirtyReadSession(pause),
      [begin(1, 'snapshot'), txPut(1, '61', '02'), { kind: 'get', key: '61' }],
      ABSENT,
    ],
  ];
  test.each(cases)('%s', async (_name, session, operations, right) => {
    let last: Outcome = OK;
    for (const operation of operations) last = await session.execute(operation);
    expect(last).not.toEqual(right);
  });

  test('fractured batch', async () => {
    const session = new FracturedBatchSession(pause);
    const batch = session.execute({ kind: 'batch', operations: [put, { ...put, key: '62' }] as never });
    const seen = new Set<number>();
    for (let i = 0; i < 6; i++) {
      const outcome = await session.execute({ kind: 'scan', range: {} });
      if (outcome.kind === 'rows') seen.add(outcome.rows.length);
    }
    await batch;
    expect(seen).toContain(1);
  });
});

test('a backup is what there was when it began; a point in time is a prefix; what there is not is refused', () => {
  const interpreter = new Interpreter();
  const put = (key: string): Operation => ({ kind: 'put', key, value: key });
  const keys = (backup: number, toCommit?: number): string | undefined => {
    const state = interpreter.restored(backup, toCommit);
    return state === undefined ? undefined : [...state.keys()].join('');
  };
  after(interpreter, put('61'), put('62'), { kind: 'backup' }, put('63'), { kind: 'delete', key: '61' });
  after(interpreter, { kind: 'backup', incremental: true });
  expect([keys(1), keys(2), keys(1, 2), keys(1, 3), keys(1, 4)]).toEqual(['ab', 'bc', 'ab', 'abc', 'bc']);
  expect([keys(0), keys(3), keys(1, 1), keys(1, 5), keys(2, 3)]).toEqual(Array(5).fill(undefined));
  // After a recovery there is another history: the backups stay what they were, and no point behind them is known.
  interpreter.adopt([0]);
  after(interpreter, put('64'), put('65'), put('66'));
  expect([keys(1), keys(1, 3), keys(2)]).toEqual(['ab', undefined, 'bc']);
});

/**
 * Found by the stage `database`, once in some hundred thousand programs: a clock that ran back, and a transaction whose own
 * write is due between what the clock shows and what it once showed. The times of its snapshot alone were tried.
 */
test('entries of an index in a transaction: the deadlines of its own writes are times that make a difference', () => {
  const extract = (_: string, value: Uint8Array): string[] => [String(value[0])];
  const interpreter = new Interpreter({ indexes: [{ name: 'i', unique: false, extract }] });
  const start = interpreter.time.nowEarliest;
  after(interpreter, { kind: 'advanceClock', milliseconds: -10 }, begin(1, 'snapshot'));
  after(interpreter, { kind: 'txPut', transaction: 1, key: '61', value: '05', deadline: start - 5 });
  after(interpreter, { kind: 'put', key: '61', value: '05' }, txGet(1, '61'));
  expect(interpreter.entriesAllowed('i', { transaction: 1 })).toEqual([[['5', 'a']], []]);
});
