import { expect, test } from 'vitest';
import { LightningError } from '../base/errors.ts';
import { errnoError } from '../vfs/errno.ts';
import { FaultPlan, injectedError, isInjectedFault, matchesPath } from './fault-plan.ts';

test('injected errors are known by identity, through causes, never by text', () => {
  const injected = injectedError('ENOSPC', 'write', 'a');
  const real = errnoError('ENOSPC', 'write', 'a');
  expect([injected.message, isInjectedFault(injected)]).toEqual([real.message, true]);
  expect(isInjectedFault(real)).toBe(false);
  expect(isInjectedFault(new LightningError('LIGHTNING_DISK_FULL', 'no space', {}, injected))).toBe(true);
  expect(isInjectedFault(new LightningError('LIGHTNING_DISK_FULL', 'no space', {}, real))).toBe(false);
  for (const value of [undefined, null, 'ENOSPC', { cause: injected }]) expect(isInjectedFault(value)).toBe(false);
  const circular = new Error('circular');
  circular.cause = circular;
  expect(isInjectedFault(circular)).toBe(false);
});

test('a fault strikes the nth matching call, as often as its budget says, and is recorded', () => {
  const effect = { operation: 'write', error: 'ENOSPC', writtenBytes: 0 } as const;
  const plan = new FaultPlan([{ when: { path: 'wal-*', nth: 2, times: 2 }, effect }]);
  const struck = ['wal-1', 'run-1', 'wal-1', 'wal-2', 'wal-2'].map(
    (path, i) => plan.strike('write', path, i + 1) === effect,
  );
  expect(struck).toEqual([false, false, true, true, false]);
  expect(plan.strike('sync', 'wal-1', 6)).toBe(undefined);
  const landed = {
    operation: 'write',
    name: 'write ENOSPC',
    error: 'ENOSPC',
    tolerance: 'survive',
    inTheMiddle: false,
  };
  expect(plan.landed).toEqual([
    { ...landed, path: 'wal-1', step: 3 },
    { ...landed, path: 'wal-2', step: 4 },
  ]);
});

test('a fault at a step strikes only its operation there', () => {
  const plan = new FaultPlan([{ when: { step: 2 }, effect: { operation: 'rename', error: 'EIO' } }]);
  expect([plan.strike('rename', 'a', 1), plan.strike('unlink', 'a', 2), plan.strike('rename', 'a', 3)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(plan.strike('rename', 'a', 2)).toMatchObject({ error: 'EIO' });
  expect(() => new FaultPlan([{ when: { step: 1 }, effect: { operation: 'read', error: 'EIO' } }])).toThrow('no step');
});

test('a star stands for any characters', () => {
  const fits: [string, string][] = [
    ['*', ''],
    ['*', 'a/b'],
    ['wal-*', 'wal-'],
    ['wal-*.log', 'wal-12.log'],
    ['*a*b*', 'xaxbx'],
    ['a.b', 'a.b'],
    ['a*a', 'aa'],
  ];
  const misses: [string, string][] = [
    ['wal-*', 'run-1'],
    ['wal-*.log', 'wal-1.log2'],
    ['a.b', 'axb'],
    ['a*a', 'a'],
    ['*a*b*', 'ba'],
    ['a*b*bc', 'abc'],
    ['', 'a'],
  ];
  for (const [pattern, path] of fits) expect(matchesPath(pattern, path), `${pattern} ${path}`).toBe(true);
  for (const [pattern, path] of misses) expect(matchesPath(pattern, path), `${pattern} ${path}`).toBe(false);
});
