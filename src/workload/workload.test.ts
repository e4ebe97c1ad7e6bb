import { describe, expect, test } from 'vitest';
import { Interpreter } from '../../spec/executable/interpreter.ts';
import { SPECIFICATION_CAPABILITIES, specificationDriver } from '../../spec/executable/session.ts';
import { Prng } from '../base/prng.ts';
import { type Capabilities, supports } from '../contract/driver.ts';
import type { Operation, Program } from '../contract/operations.ts';
import { formatProgram, parseProgram } from '../contract/program-json.ts';
import { GeneratorCoverage } from './coverage.ts';
import { printProgram } from './print.ts';
import { generateProgram } from './programs.ts';
import { runProgram } from './run-program.ts';
import { shrinkProgram, withoutDangling } from './shrink.ts';

const FULL: Capabilities = { ...SPECIFICATION_CAPABILITIES, crash: true };
const PLAIN: Capabilities = {
  ...FULL,
  transactions: [],
  snapshots: false,
  deadlines: false,
  deleteRange: false,
  batchDeleteRange: false,
  syncWrites: false,
  crash: false,
  reverseScan: false,
  emptyKey: false,
  keyBytesMax: 500,
};

describe('generator', () => {
  test('the same seed gives the same program, which is valid, dangles nowhere and survives JSON', () => {
    for (let seed = 0; seed < 200; seed++) {
      const program = generateProgram(new Prng(seed), { capabilities: FULL, operations: 60 });
      expect(generateProgram(new Prng(seed), { capabilities: FULL, operations: 60 })).toEqual(program);
      expect(parseProgram(formatProgram(program))).toEqual(program);
      expect(withoutDangling(program.operations)).toEqual(program.operations);
      expect(program.operations.length).toBeGreaterThanOrEqual(60);
    }
  });

  test('asks an engine only for what it can do', () => {
    for (let seed = 0; seed < 100; seed++) {
      const program = generateProgram(new Prng(seed), { capabilities: PLAIN, operations: 60, without: ['flush'] });
      for (const operation of program.operations) {
        expect(supports(PLAIN, operation)).toBe(true);
        expect(operation.kind).not.toBe('flush');
      }
    }
  });

  test('has no hole: 400 programs meet every feature expected, and the specification accepts itself throughout', async () => {
    const coverage = new GeneratorCoverage();
    const driver = { ...specificationDriver(), capabilities: SPECIFICATION_CAPABILITIES };
    for (let seed = 0; seed < 400; seed++) {
      const program = generateProgram(new Prng(seed), { capabilities: driver.capabilities, operations: 120 });
      const interpreter = new Interpreter({ acknowledges: 'volatile' });
      coverage.begin();
      const run = await runProgram(driver, `store ${seed}`, program, (operation, outcome) => {
        coverage.note(operation, outcome);
        return interpreter.judge(operation, outcome);
      });
      expect(run.objection).toBeUndefined();
      expect(run.outcomes.length).toBe(program.operations.length);
    }
    expect(coverage.missing(SPECIFICATION_CAPABILITIES)).toEqual([]);
    expect(coverage.counts.get('value of over 1 MiB bytes')).toBeGreaterThan(0);
    expect(coverage.counts.get('put gives error')).toBeGreaterThan(0);
    console.log(`features met by 400 programs: ${coverage.counts.size}`);
  });

  test('a generator with a hole is noticed', () => {
    const coverage = new GeneratorCoverage();
    coverage.note({ kind: 'get', key: '61' }, { kind: 'absent' });
    expect(coverage.missing(FULL)).toContain('key beginning with ff');
    expect(coverage.missing(FULL)).toContain('reverse scan with prefix');
  });
});

describe('shrinker', () => {
  /** Fails when a key is put, later a flush, later deleted, then read: three quarters of real engine bugs. */
  const guilty = (program: Program): boolean => {
    const stages = new Map<string, number>();
    for (const operation of program.operations) {
      if (operation.kind === 'flush') for (const [key, stage] of stages) if (stage === 1) stages.set(key, 2);
      if (!('key' in operation)) continue;
      const key = JSON.stringify(operation.key);
      const stage = stages.get(key) ?? 0;
      if (operation.kind === 'put') stages.set(key, stage === 0 ? 1 : stage);
      if (operation.kind === 'delete' && stage === 2) stages.set(key, 3);
      if (operation.kind === 'get' && stage === 3) return true;
    }
    return false;
  };

  test('comes down to the four operations that matter, plain ones, whatever the seed', async () => {
    let shrunk = 0;
    for (let seed = 0; seed < 60; seed++) {
      const program = generateProgram(new Prng(seed), { capabilities: FULL, operations: 150 });
      if (!guilty(program)) continue;
      const result = await shrinkProgram(program, guilty, { runsMax: 5_000 });
      expect(result.program).toEqual({
        format: 1,
        options: {},
        operations: [
          { kind: 'put', key: '61', value: '' },
          { kind: 'flush' },
          { kind: 'delete', key: '61' },
          { kind: 'get', key: '61' },
        ],
      });
      expect(result.minimal).toBe(true);
      expect(await shrinkProgram(program, guilty, { runsMax: 5_000 })).toEqual(result);
      shrunk++;
    }
    expect(shrunk).toBeGreaterThan(5);
  });

  test('operations on what is no longer open go with what opened it', async () => {
    const operations: Operation[] = [
      { kind: 'openSnapshot', snapshot: 1 },
      { kind: 'put', key: '61', value: '02' },
      { kind: 'snapshotGet', snapshot: 1, key: '61' },
      { kind: 'get', key: '61' },
    ];
    const result = await shrinkProgram(
      { format: 1, options: {}, operations },
      (program) => program.operations.some((operation) => operation.kind === 'get'),
      { runsMax: 100 },
    );
    expect(result.program.operations).toEqual([{ kind: 'get', key: '61' }]);
    expect(withoutDangling(operations.slice(1)).map((operation) => operation.kind)).toEqual(['put', 'get']);
    expect(withoutDangling([operations[0], { kind: 'reopen' }, operations[2]]).length).toBe(2);
  });

  test('stops at its budget and says so', async () => {
    const program = generateProgram(new Prng(1), { capabilities: FULL, operations: 150 });
    const result = await shrinkProgram(program, () => true, { runsMax: 3 });
    expect(result).toMatchObject({ runs: 3, minimal: false });
    const late = await shrinkProgram(program, () => true, { runsMax: 300, outOfTime: () => true });
    expect(late).toEqual({ program, runs: 0, minimal: false });
  });
});

test('a program reads as a story', () => {
  const story = printProgram(
    {
      format: 1,
      options: { memtableBytes: 200 },
      operations: [
        { kind: 'put', key: '61', value: { repeat: '00', length: 70_000 }, sync: true },
        { kind: 'scan', range: { gte: '61', lt: 'ff', reverse: true, limit: 2 } },
        { kind: 'crash' },
      ],
    },
    [{ kind: 'ok' }, { kind: 'rows', rows: [] }],
  );
  expect(story).toEqual([
    'open with memtableBytes=200',
    '0  put "a" = 0x00 repeated to 70000 bytes, synced  → ok',
    '1  scan keys from "a", below 0xff backwards, at most 2 rows  → no rows',
    '2  power cut, then open',
  ]);
});
