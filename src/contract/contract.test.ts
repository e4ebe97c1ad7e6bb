import { describe, expect, test } from 'vitest';
import { Prng } from '../base/prng.ts';
import { decodeBytes, encodeBytes, lengthOfText } from './bytes-text.ts';
import { OPERATION_KINDS, type Program } from './operations.ts';
import { describeOutcome, errorOutcome, sameOutcome } from './outcomes.ts';
import { formatProgram, isOperationKind, parseProgram, problemOfOperation } from './program-json.ts';

describe('bytes as text', () => {
  test('what is encoded decodes to itself, long repetitions to short text', () => {
    const prng = new Prng(1);
    for (let i = 0; i < 500; i++) {
      const pattern = prng.bytes(prng.between(1, 20));
      const bytes = new Uint8Array(Buffer.alloc(prng.below(300), pattern));
      expect(decodeBytes(encodeBytes(bytes))).toEqual(bytes);
      expect(lengthOfText(encodeBytes(bytes))).toBe(bytes.length);
    }
    const big = new Uint8Array(Buffer.alloc(1 << 20, 'abc'));
    expect(JSON.stringify(encodeBytes(big)).length).toBeLessThan(50);
  });

  test.each([['0'], ['zz'], ['AB'], [{ repeat: '', length: 2 }], [{ repeat: '00', length: -1 }]])(
    'refuses %j',
    (text) => {
      expect(() => decodeBytes(text)).toThrow(expect.objectContaining({ code: 'LIGHTNING_INVALID_ARGUMENT' }));
    },
  );
});

describe('programs as JSON', () => {
  const program: Program = {
    format: 1,
    options: { memtableBytes: 4096, compression: 'none', readOnly: false },
    operations: [
      { kind: 'put', key: '61', value: { repeat: '00', length: 70_000 }, deadline: 5 },
      { kind: 'batch', operations: [{ kind: 'clear', range: { gte: '61' } }], sync: true },
      { kind: 'scan', range: { prefix: '', reverse: true, limit: 3 } },
      { kind: 'advanceClock', milliseconds: -3 },
    ],
  };

  test('come back as they were', () => {
    expect(parseProgram(formatProgram(program))).toEqual(program);
  });

  test.each([
    [{ kind: 'put', key: '61' }, 'field "value" is missing'],
    [{ kind: 'put', key: '61', value: '1' }, 'field "value" is not valid'],
    [{ kind: 'get', key: '61', colour: 'red' }, 'unknown field "colour"'],
    [{ kind: 'fly' }, 'unknown kind "fly"'],
    [{ kind: 'scan', range: { above: '61' } }, 'field "range" is not valid'],
    [{ kind: 'batch', operations: [{ kind: 'get', key: '61' }] }, 'field "operations" is not valid'],
    [{ kind: 'begin', transaction: 1, isolation: 'chaos' }, 'field "isolation" is not valid'],
    ['put', 'has no kind'],
  ])('%j is refused: %s', (operation, problem) => {
    expect(problemOfOperation(operation)).toBe(problem);
  });

  test('the error of a bad program names the operation', () => {
    const text = '{"format":1,"options":{},"operations":[{"kind":"sync"},{"kind":"put"}]}';
    expect(() => parseProgram(text)).toThrow('operation 1: field "key" is missing');
    expect(() => parseProgram(text.slice(0, -5))).toThrow(
      expect.objectContaining({ code: 'LIGHTNING_INVALID_ARGUMENT' }),
    );
    expect(() => parseProgram('{"format":2}')).toThrow('unknown format');
  });

  test('every kind is known, and others are not', () => {
    for (const kind of OPERATION_KINDS) expect(isOperationKind(kind)).toBe(true);
    expect(isOperationKind('toString')).toBe(false);
  });
});

describe('outcomes', () => {
  test('are the same by what they say, not by durability class or wording', () => {
    expect(sameOutcome({ kind: 'ok', durability: 'synced' }, { kind: 'ok' })).toBe(true);
    expect(sameOutcome(errorOutcome('LIGHTNING_IO', 'a'), errorOutcome('LIGHTNING_IO', 'b'))).toBe(true);
    expect(sameOutcome(errorOutcome('LIGHTNING_IO', '', false), errorOutcome('LIGHTNING_IO'))).toBe(false);
    expect(sameOutcome({ kind: 'absent' }, { kind: 'value', value: new Uint8Array(0) })).toBe(false);
  });

  test('are shown on one line', () => {
    expect(describeOutcome({ kind: 'value', value: new Uint8Array(100) })).toContain('(100 bytes)');
    expect(describeOutcome({ kind: 'rows', rows: [[new Uint8Array([1]), new Uint8Array()]] })).toBe('01 = (empty)');
  });
});
