/** `lightning-db check` as a user meets it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ManualClock } from '../base/clock.ts';
import { formatEvents, HistoryRecorder } from '../checkers/index.ts';
import { runCommand, temporaryFolder } from './data-fixtures.ts';

/** A synced write, a power cut, and what a read then saw. */
function crashed(seen: string | null): string {
  const recorder = new HistoryRecorder(new ManualClock(0));
  const write = recorder.call(0, 'write', [{ key: 'k', value: '1' }]);
  recorder.return(0, write, 'ok', [], { durability: 'synced' });
  recorder.crash();
  recorder.reopen();
  const read = recorder.call(1, 'read');
  recorder.return(1, read, 'ok', [{ key: 'k', value: seen }]);
  return formatEvents(recorder.events);
}

async function check(text: string, ...flags: readonly string[]): Promise<Awaited<ReturnType<typeof runCommand>>> {
  using folder = temporaryFolder();
  const file = join(folder.path, 'history');
  writeFileSync(file, text);
  return await runCommand(['check', file, ...flags]);
}

test('valid is 0, a lost synced write is 1 with its picture', async () => {
  expect(await check(crashed('1'))).toMatchObject({ code: 0, stdout: 'valid: 2 operations\n', stderr: '' });
  using folder = temporaryFolder();
  const page = join(folder.path, 'page.html');
  const ended = await check(crashed(null), '--html', page);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toMatch(/^invalid: not-durable: .*operation 1 fits nowhere/);
  expect(readFileSync(page, 'utf8')).toContain('class="crash"');
});

test('Jepsen is read, the verdict is JSON when asked for, and what is outside a model is unknown', async () => {
  const edn = '{:process 0, :type :invoke, :f :cas, :value [1 2]}\n{:process 0, :type :ok, :f :cas, :value [1 2]}\n';
  const ended = await check(edn, '--json');
  expect(ended.code).toBe(1);
  expect(JSON.parse(ended.stdout)).toMatchObject({ verdict: 'invalid', class: 'wrong-read' });
  expect(await check(edn, '--datatype', 'register')).toMatchObject({ code: 4 });
});

/** Two transactions read both keys and each wrote one. */
function skewed(): string {
  const recorder = new HistoryRecorder(new ManualClock(0));
  const ids = [0, 1].map((client) => recorder.call(client, 'transaction'));
  ids.forEach((id, client) => {
    const reads = ['x', 'y'].map((key) => ({ kind: 'read' as const, key, value: null }));
    const write = { kind: 'write' as const, key: client === 0 ? 'x' : 'y', value: `${client}` };
    recorder.return(client, id, 'ok', [], { accesses: [...reads, write] });
  });
  return formatEvents(recorder.events);
}

test('a level of isolation is judged, with the levels that remain and a drawing of the cycle', async () => {
  using folder = temporaryFolder();
  const page = join(folder.path, 'page.html');
  const ended = await check(skewed(), '--level', 'serializable', '--html', page);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toMatch(/^invalid: G2-item: .*\nnot refuted: strong-snapshot-isolation\n/);
  expect(readFileSync(page, 'utf8')).toContain('<svg xmlns="http://www.w3.org/2000/svg"');
  expect((await check(skewed(), '--level', 'snapshot-isolation')).code).toBe(0);
});

test('the binary form is written, known by its magic, and gets the same verdict', async () => {
  using folder = temporaryFolder();
  const saved = join(folder.path, 'history.lhb');
  const first = await check(crashed(null), '--save', saved);
  const second = await runCommand(['check', saved]);
  expect(second).toEqual(first);
  writeFileSync(saved, readFileSync(saved).subarray(0, 100));
  expect(await runCommand(['check', saved])).toMatchObject({ code: 2, stdout: '' });
});

test.each([
  ['', 'it holds no operation'],
  [crashed('1').slice(0, -9), 'the last line is cut'],
  ['{"event":"return","id":1,"outcome":"ok","reads":[],"time":0}\n', 'returns before its call'],
  ['\u0000\u0001', 'not a map'],
])('a malformed history is exit 2 and one line: %j', async (text, problem) => {
  const ended = await check(text);
  expect(ended).toMatchObject({ code: 2, stdout: '' });
  expect(ended.stderr).toMatch(/^lightning-db: LIGHTNING_INVALID_ARGUMENT: history.*\n$/);
  expect(ended.stderr).toContain(problem);
});
