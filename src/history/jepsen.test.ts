import { describe, expect, test } from 'vitest';
import { formatElle, parseJepsen } from './jepsen.ts';

const log = (...lines: string[]): string => lines.map((line) => `INFO  jepsen.util - ${line}\n`).join('');

describe('histories of Jepsen', () => {
  test('log lines: answers, refusals, failed swaps and processes that died', () => {
    const { operations } = parseJepsen(
      log(
        '0 :invoke :write 3',
        '1 :invoke :cas [3 4]',
        '0 :ok :write 3',
        '1 :fail :cas [3 4]',
        ':nemesis :info :start nil',
      ) + log('1 :invoke :read nil', '2 :invoke :write 5', '1 :ok :read 3', '2 :info :write :timed-out'),
    );
    expect(operations.map(({ kind, outcome }) => `${kind} ${outcome}`)).toEqual([
      'write ok',
      'cas ok',
      'read ok',
      'write unknown',
    ]);
    expect(operations[1]).toMatchObject({ expected: '3', swapped: false, writes: [{ key: 'register', value: '4' }] });
    expect(operations[2].reads).toEqual([{ key: 'register', value: '3' }]);
    expect(operations[3].return).toBe(Infinity);
  });

  test('EDN maps: keys, tags, comments and transactions, and the way back', () => {
    const text = `; a comment
      {:process 0, :type :invoke, :f :txn, :value [[:append 1 7] [:r 2 nil]], :time 2000000}
      #jepsen.history.Op{:process :nemesis, :type :info, :f :kill}
      {:process 0 :type :ok :f :txn :value [[:append 1 7] [:r 2 [5 6]]]}`;
    const history = parseJepsen(text);
    expect(history.operations[0]).toMatchObject({
      kind: 'transaction',
      callMilliseconds: 2,
      accesses: [
        { kind: 'append', key: '1', element: '7' },
        { kind: 'list', key: '2', elements: ['5', '6'] },
      ],
    });
    expect(parseJepsen(formatElle(history)).operations[0].accesses).toEqual(history.operations[0].accesses);
  });

  test.each([
    ['{:process 0, :type :ok, :f :read, :value 1}', 'line 1: process 0 returns before its call'],
    [
      '{:process 0, :type :invoke, :f :read}\n{:process 0, :type :invoke, :f :read}',
      'line 2: process 0 has two operations at once',
    ],
    ['{:process 0, :type :invoke, :f :fly}', 'line 1: unknown operation "fly"'],
    ['{:process 0, :type :gone, :f :read}', 'line 1: unknown type "gone"'],
    ['{:process 0, :type :invoke, :f :cas, :value 1}', 'line 1: a cas without two values'],
    ['{:process 0, :type :invoke, :f :txn, :value [[:fly 1 2]]}', 'line 1: unknown access "fly"'],
    ['{:process 0, :type', 'line 1: the last value is cut'],
    ['{:process}', 'line 1: a map with a key and no value'],
    ['"never ended', 'line 1: not EDN'],
    [']', 'line 1: "]" stands alone'],
    ['7', 'line 1: not a map'],
    ['['.repeat(1000), 'line 1: nested too deep'],
  ])('refuses %j', (text, message) => {
    expect(() => parseJepsen(text)).toThrow(`history, ${message.replaceAll('\\"', '"')}`);
  });
});
