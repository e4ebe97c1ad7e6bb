/** What `serve` writes beside its answers: a log of one JSON object a line, on standard error. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand, temporaryFolder } from './data-fixtures.ts';

test('the log is JSON line by line, and standard output holds answers alone', async () => {
  using folder = temporaryFolder();
  const input = '{"id":1,"op":"hello","protocol":1}\n{"id":2,"op":"put","key":"YQ==","value":"YQ=="}\n';
  const path = join(folder.path, 'db');
  const { code, stdout, stderr } = await runCommand(['serve', path, '--stdio', '--admin', '0'], { input });
  const jsonLines = (text: string): unknown[] =>
    [...text.trimEnd().split('\n')].map((line): unknown => JSON.parse(line));
  expect(jsonLines(stdout)).toMatchObject([{ id: 1 }, { id: 2, durability: 'synced' }]);
  const time: unknown = expect.any(Number);
  expect(jsonLines(stderr)).toEqual([
    { time, event: 'open', path, durability: 'commit', admin: expect.any(Number) },
    { time, event: 'close' },
  ]);
  expect(code).toBe(0);
});
