/** The commands of backups as a user meets them: the real command in a process. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeStore, runCommand, temporaryFolder } from './data-fixtures.ts';

test('backup, verify-backup, restore and scrub; a second restore into the same folder is refused', async () => {
  using folder = temporaryFolder();
  const run = async (...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> => {
    const { code, stdout, stderr } = await runCommand(args, { cwd: folder.path });
    return { code, stdout: String(stdout), stderr: String(stderr) };
  };
  await makeStore(join(folder.path, 'db'));
  expect(await run('backup', 'db', '--to', 'b')).toMatchObject({ code: 0, stderr: '' });
  const made = await run('backup', 'db', '--to', 'b', '--incremental', '--json');
  expect(JSON.parse(made.stdout)).toMatchObject({ number: 2, parent: 1 });
  expect(await run('verify-backup', 'b', '--backup', '2')).toMatchObject({ code: 0, stderr: '' });
  expect(await run('restore', 'r', '--from', 'b', '--backup', '2')).toMatchObject({ code: 0, stderr: '' });
  expect((await run('scan', 'r')).stdout).toBe((await run('scan', 'db')).stdout);
  expect(await run('scrub', 'r', '--json')).toMatchObject({ code: 0 });
  const again = await run('restore', 'r', '--from', 'b', '--backup', '1');
  expect(again).toMatchObject({ code: 2, stdout: '' });
  expect(again.stderr).toContain('LIGHTNING_EXISTS');
  expect(await run('restore', 'x', '--from', 'b', '--backup', 'abc')).toMatchObject({ code: 2, stdout: '' });
});
