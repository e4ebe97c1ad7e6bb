import { describe, expect, test } from 'vitest';
import { ManualClock } from '../base/clock.ts';
import { formatEvents, parseEvents, parseHistory } from './ndjson.ts';
import { keysOf } from './history.ts';
import { HistoryRecorder } from './recorder.ts';

function recorded(): HistoryRecorder {
  const clock = new ManualClock(5);
  const recorder = new HistoryRecorder(clock);
  const write = recorder.call(0, 'write', [{ key: '61', value: '01' }]);
  const read = recorder.call(1, 'read');
  clock.advance(2);
  recorder.return(1, read, 'ok', [{ key: '61', value: null }]);
  recorder.return(0, write, 'ok');
  recorder.call(0, 'batch', [{ key: '62', value: '02' }]);
  recorder.crash();
  recorder.reopen();
  const transaction = recorder.call(0, 'transaction');
  recorder.return(0, transaction, 'ok', [{ key: '61', value: '01' }], {
    writes: [{ key: '62', value: '03' }],
    durability: 'synced',
    accesses: [
      { kind: 'range', from: '61', to: null, rows: [{ key: '61', value: '01' }] },
      { kind: 'write', key: '62', value: '03' },
    ],
  });
  const swap = recorder.call(1, 'cas', [{ key: '61', value: '04' }], '01');
  recorder.return(1, swap, 'ok', [], { swapped: false });
  return recorder;
}

describe('histories', () => {
  test('calls and returns are put together in one order of events', () => {
    const history = recorded().history();
    expect(history.operations.map(({ call, return: end, outcome }) => [call, end, outcome])).toEqual([
      [0, 3, 'ok'],
      [1, 2, 'ok'],
      [4, Infinity, 'unknown'],
      [7, 8, 'ok'],
      [9, 10, 'ok'],
    ]);
    expect(history.operations[1]).toMatchObject({ callMilliseconds: 5, returnMilliseconds: 7 });
    expect(keysOf(history.operations[3])).toEqual(['61', '62']);
    expect(history.markers).toEqual([
      { kind: 'crash', index: 5 },
      { kind: 'reopen', index: 6 },
    ]);
  });

  test('survive their text', () => {
    const recorder = recorded();
    const text = formatEvents(recorder.events);
    expect(parseEvents(text)).toEqual(recorder.events);
    expect(parseHistory(text)).toEqual(recorder.history());
  });

  test('a cut last line is refused, or dropped when one is expected', () => {
    const text = formatEvents(recorded().events).slice(0, -10);
    expect(() => parseHistory(text)).toThrow('line 11: the last line is cut');
    expect(parseHistory(text, 'allow').operations[4].outcome).toBe('unknown');
  });

  const call = '{"event":"call","id":1,"client":1,"kind":"read","writes":[],"time":0}\n';
  const end = '{"event":"return","id":1,"outcome":"ok","reads":[],"time":0}\n';
  test.each([
    [end, 'line 1: id 1 returns before its call'],
    [call + end + call, 'line 3: id 1 is used a second time'],
    [call + end + end, 'line 3: id 1 returns when it is not open'],
    [call + call.replace('"id":1', '"id":2'), 'line 2: client 1 has two operations at once'],
    ['{}\n', 'line 1: no time'],
    ['{"time":0,"event":"fly"}\n', 'line 1: unknown event "fly"'],
    [call.replace('read', 'fly'), 'line 1: unknown kind "fly"'],
    [call + end.replace('ok', 'fine'), 'line 2: unknown outcome "fine"'],
    [call + end.replace('"reads":[]', '"reads":[1]'), 'line 2: reads are no list of cells'],
    [call.replace('read', 'cas'), 'line 1: a cas without what it expects'],
    [call + end.replace('"reads"', '"durability":"maybe","reads"'), 'line 2: unknown durability "maybe"'],
    [call + end.replace('"reads"', '"swapped":1,"reads"'), 'line 2: swapped is not a boolean'],
    [
      call + end.replace('"reads"', '"accesses":[{"kind":"list","key":"k"}],"reads"'),
      'line 2: accesses are no list of accesses',
    ],
    [`${call}nonsense\n`, 'line 2: not JSON'],
    ['7\n', 'line 1: not an object'],
  ])('refuses %j', (text, message) => {
    expect(() => parseHistory(text)).toThrow(`history, ${message}`);
  });

  test('a client that asks twice without an answer is a mistake of the harness', () => {
    const recorder = new HistoryRecorder(new ManualClock());
    const id = recorder.call(1, 'read');
    expect(() => recorder.call(1, 'read')).toThrow('one operation at a time');
    recorder.return(1, id, 'ok');
    expect(() => recorder.return(1, id, 'ok')).toThrow('returns once');
  });
});
