/** Shrinking and its stories, piece by piece; that planted bugs end in short stories is asked of every run by the gate. */
import { expect, test } from 'vitest';
import type { Operation } from '../src/contract/operations.ts';
import type { PlannedFault } from '../src/faults/fault-plan.ts';
import { type CrashCase, signatureOf } from './crash-case.ts';
import { fasterFaults, plainerMachines, plainerOrders } from './crash-plainer.ts';
import { recordCase } from './crash-recording.ts';
import { keepMore } from './crash-shrink-choices.ts';
import { storySentence, tellStory } from './crash-story.ts';

const fault: PlannedFault = {
  when: { path: 'wal-*', nth: 3, times: 2 },
  effect: { operation: 'write', error: 'ENOSPC', writtenBytes: 700 },
};
/** It strikes the first commit: the first write of a segment is its header. */
const aimed: PlannedFault = { ...fault, when: { path: 'wal-*', nth: 2, times: 2 } };
/** A put that is torn by the power cut before its fsync: step 11 is its write. */
const torn = (choices: readonly number[]): CrashCase => ({
  format: 1,
  program: { format: 1, options: {}, operations: [{ kind: 'put', key: '61', value: { repeat: '31', length: 3000 } }] },
  machine: { directoryModel: 'journaled', tearBytes: 512, faults: [] },
  cuts: [{ step: 12, choices }],
});

test('an error that nothing excuses keeps its code while it shrinks, other failures their class', () => {
  const error = (message: string) => signatureOf({ class: 'unexpected-error', message });
  expect(error('LIGHTNING_CORRUPTION: a')).toBe(error('LIGHTNING_CORRUPTION: b'));
  expect(error('LIGHTNING_CORRUPTION: a')).not.toBe(error('LIGHTNING_BUG: a'));
  expect(signatureOf({ class: 'torn-batch', message: 'LIGHTNING_X' })).toBe('torn-batch');
});

test('plainer machines have fewer faults, then plainer ones, then plainer rules', () => {
  const machines = [...plainerMachines({ directoryModel: 'strict', tearBytes: 4096, faults: [fault, fault] })];
  expect(machines.slice(0, 3).map(({ faults }) => faults.length)).toEqual([0, 1, 1]);
  expect(machines.some((machine) => JSON.stringify(machine.faults).includes('"times":1'))).toBe(true);
  expect(machines.at(-2)?.directoryModel).toBe('journaled');
  expect(machines.at(-1)?.tearBytes).toBe(512);
  expect([...plainerMachines({ directoryModel: 'journaled', tearBytes: 512, faults: [] })]).toEqual([]);
});

test('a fault is aimed at every earlier call, nearest first', () => {
  const aims = [...fasterFaults([fault])].map(([{ when }]) => ('nth' in when ? when.nth : 0));
  expect(aims).toEqual([2, 1]);
});

test('the steps of a transaction are moved together', () => {
  const begin: Operation = { kind: 'begin', transaction: 1 };
  const put: Operation = { kind: 'put', key: '61', value: '' };
  const commit: Operation = { kind: 'commit', transaction: 1 };
  expect([...plainerOrders([begin, put, commit])]).toEqual([[put, begin, commit]]);
  expect([...plainerOrders([put, begin, commit])]).toEqual([]);
});

test('as much survives as the failure allows, sectors of a torn write included', () => {
  const everything = keepMore(torn([0]), () => true);
  const [leg] = recordCase(everything);
  expect(leg.steps.at(-1)?.fate).toBe('survives');
  const oneSectorLost = keepMore(torn([]), (tried) => recordCase(tried)[0].steps.at(-1)?.fate !== 'survives');
  const lost = recordCase(oneSectorLost)[0].steps.at(-1);
  expect(lost?.fate).not.toBe('survives');
});

test('a story says in its first sentence what was lost', () => {
  const sentence = (crashCase: CrashCase) => storySentence(crashCase, recordCase(crashCase), 'key "a" is gone');
  expect(sentence(torn([]))).toBe('1 operation, a power cut with one write to wal-1.log lost: key "a" is gone');
  expect(sentence(torn([6, 1, 1, 0, 1, 1, 1]))).toMatch(/a power cut with .*one \d+-byte tear in wal-1\.log: key/);
  expect(sentence({ ...torn([]), cuts: [], machine: { ...torn([]).machine, faults: [aimed] } })).toMatch(
    /^1 operation, a write that fails with ENOSPC \(call 2 on wal-\* and 1 more\): /,
  );
});

test('a fate is durable once a sync has covered it, and a failed step has none', () => {
  const [leg] = recordCase({ ...torn([]), cuts: [{ step: 13, choices: [] }] });
  expect(leg.steps.findLast(({ operation, path }) => operation === 'write' && path === 'wal-1.log')?.fate).toBe(
    'durable',
  );
  const [failed] = recordCase({ ...torn([]), cuts: [], machine: { ...torn([]).machine, faults: [aimed] } });
  expect(failed.steps.filter(({ fate }) => fate === 'failed')).toHaveLength(1);
});

test('a story of two cuts tells of both', () => {
  const lines = tellStory({ ...torn([]), cuts: [...torn([]).cuts, { step: 5, choices: [] }] }, 'x');
  expect(lines.filter((line) => line.startsWith('POWER CUT'))).toHaveLength(2);
  expect(lines[0]).toMatch(/a power cut in the recovery/);
});
