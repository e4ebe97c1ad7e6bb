import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isLightningError } from '../base/errors.ts';
import { NodeVfs } from './node-vfs.ts';
import { vfsConformance } from './vfs-conformance.ts';

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'lightning-vfs-'));
}

/** Descriptors of this process on files below a folder; nothing where the system has no /proc. */
function descriptorsBelow(folder: string): number {
  let names: string[];
  try {
    names = readdirSync('/proc/self/fd');
  } catch {
    return 0;
  }
  return names.filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`).startsWith(folder);
    } catch {
      return false; // the descriptor of the listing itself
    }
  }).length;
}

vfsConformance('NodeVfs', () => {
  const folder = temporaryFolder();
  return {
    vfs: new NodeVfs(folder),
    openFileCount: () => descriptorsBelow(folder),
    dispose: () => rmSync(folder, { recursive: true }),
  };
});

function inFolder(use: (vfs: NodeVfs, folder: string) => void): void {
  const folder = temporaryFolder();
  try {
    use(new NodeVfs(folder), folder);
    expect(descriptorsBelow(folder)).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('files, folders and locks are for their owner alone', () => {
  inFolder((vfs, folder) => {
    vfs.open('a', 'create').close();
    vfs.makeDirectory('b');
    vfs.lock('LOCK').release();
    expect(['a', 'b', 'LOCK'].map((name) => statSync(join(folder, name)).mode & 0o777)).toEqual([0o600, 0o700, 0o600]);
  });
});

test('a relative root is refused', () => {
  expect(() => new NodeVfs('relative')).toThrow('absolute');
});

test('a refused open leaves no descriptor', () => {
  inFolder((vfs) => {
    vfs.makeDirectory('folder');
    for (let i = 0; i < 20; i++) expect(() => vfs.open('folder', 'read')).toThrow('EISDIR');
  });
});

test('a lock is one lock by whatever path it is reached', () => {
  inFolder((vfs, folder) => {
    vfs.makeDirectory('real');
    symlinkSync(join(folder, 'real'), join(folder, 'alias'));
    const lock = vfs.lock('real/LOCK');
    expect(() => new NodeVfs(join(folder, 'alias')).lock('LOCK')).toThrow('is locked by this process');
    lock.release();
    vfs.lock('alias/LOCK').release();
  });
});

test('a lock file with foreign bytes is refused, and left alone', () => {
  inFolder((vfs, folder) => {
    writeFileSync(join(folder, 'LOCK'), 'no lock but a text of more than a hundred bytes. '.repeat(20));
    let thrown: unknown;
    try {
      vfs.lock('LOCK');
    } catch (error) {
      thrown = error;
    }
    expect(isLightningError(thrown, 'LIGHTNING_CORRUPTION')).toBe(true);
    expect(statSync(join(folder, 'LOCK')).size).toBe(49 * 20);
  });
});

test('another process is refused while the lock is held, and gets it when the holder is killed', async () => {
  const folder = temporaryFolder();
  const program = `
    import { NodeVfs } from ${JSON.stringify(new URL('./node-vfs.ts', import.meta.url).href)};
    try {
      new NodeVfs(${JSON.stringify(folder)}).lock('LOCK');
      process.stdout.write('held');
      setInterval(() => {}, 1000);
    } catch (error) {
      process.stdout.write(String(error.code));
    }`;
  const children: ReturnType<typeof spawn>[] = [];
  const start = () => {
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], { stdio: 'pipe' });
    children.push(child);
    let warnings = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (warnings += text));
    return { child, warnings: () => warnings };
  };
  try {
    const vfs = new NodeVfs(folder);
    const holder = start();
    const [first] = (await once(holder.child.stdout, 'data')) as [Buffer];
    expect([String(first), holder.warnings()]).toEqual(['held', '']);
    expect(() => vfs.lock('LOCK')).toThrow('is locked by another process');
    const second = start();
    const [answer] = (await once(second.child.stdout, 'data')) as [Buffer];
    expect(String(answer)).toBe('LIGHTNING_LOCKED');
    const gone = once(holder.child, 'exit');
    holder.child.kill('SIGKILL');
    await gone;
    vfs.lock('LOCK').release();
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});

test('a folder without permission shows its errno, and no lock is left', async () => {
  const folder = temporaryFolder();
  // Root ignores permissions, so a child under another user asks; without root this process itself is that user.
  const program = `
    import { chmodSync, existsSync } from 'node:fs';
    import { NodeVfs } from ${JSON.stringify(new URL('./node-vfs.ts', import.meta.url).href)};
    const folder = ${JSON.stringify(folder)};
    if (process.getuid() === 0) { chmodSync(folder, 0o555); process.setuid(65534); } else chmodSync(folder, 0o500);
    const vfs = new NodeVfs(folder);
    const codes = [];
    for (const action of [() => vfs.lock('LOCK'), () => vfs.open('a', 'create'), () => vfs.makeDirectory('b')]) {
      try { action(); codes.push('none'); } catch (error) { codes.push(error.code); }
    }
    process.stdout.write(codes.join(' ') + ' ' + existsSync(folder + '/LOCK'));`;
  try {
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], { stdio: 'pipe' });
    let output = '';
    child.stdout.on('data', (text) => (output += String(text)));
    child.stderr.on('data', (text) => (output += String(text)));
    await once(child, 'close');
    expect(output).toBe('EACCES EACCES EACCES false');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
