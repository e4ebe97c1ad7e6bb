/** For tests of the data commands: a store with every kind of file, the real command in a process, trees of files. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LightningError } from '../base/errors.ts';
import { Database } from '../database/index.ts';

const COMMAND = fileURLToPath(new URL('../../bin/lightning-db.js', import.meta.url));
const TIME_LIMIT_MILLISECONDS = 30_000;
/** Compiled sources are shared between the many processes of a test: a third of the processor time of each. */
const compiled = mkdtempSync(join(tmpdir(), 'lightning-cli-compiled-'));
process.on('exit', () => rmSync(compiled, { recursive: true, force: true }));

/** How a command ended. */
export interface Ended {
  /** `null` when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How it is started. */
export interface StartOptions {
  /** Standard input. */
  readonly input?: string | Uint8Array;
  /** Where it runs. */
  readonly cwd?: string;
  /** Without the privilege of root to ignore permissions. */
  readonly unprivileged?: boolean;
}

/** Starts the real command. Root keeps its files but loses its capabilities where permissions are to be felt. */
export function startCommand(args: readonly string[], options: StartOptions = {}): ChildProcess {
  const dropped = options.unprivileged === true && process.getuid?.() === 0;
  const prefix = dropped ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [];
  const [file, ...rest] = [...prefix, process.execPath, COMMAND, ...args];
  const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
  return spawn(file, rest, { cwd: options.cwd, env, timeout: TIME_LIMIT_MILLISECONDS, killSignal: 'SIGKILL' });
}

/** Runs the real command to its end. */
export async function runCommand(args: readonly string[], options: StartOptions = {}): Promise<Ended> {
  const child = startCommand(args, options);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** A folder of its own, removed with everything in it at the end of the block. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'lightning-cli-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

/** So that a hundred rows make a tree of two levels. */
const SMALL = { memtableBytes: 4000, runCountMax: 8, nodeTargetBytes: 4096 } as const;

/** A closed store with a tree of two levels, a free map, two runs and a log that holds commits. */
export async function makeStore(path: string): Promise<void> {
  const database = await Database.open(path, { ...SMALL, durability: 'none' });
  for (let i = 0; i < 100; i++) await database.put(bytes(`key ${i}`), bytes('v'.repeat(100)));
  await database.compact();
  await database.put(bytes('in a run'), bytes('1'));
  await database.flush();
  await database.clear({ gte: bytes('key 90') });
  await database.flush();
  await database.put(bytes('in the log'), bytes('2'));
  await database.delete(bytes('key 1'));
  await database.close();
}

/** Copies a store whole. */
export function copyStore(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
}

/** One name of a folder that matches. */
export function nameIn(folder: string, pattern: RegExp): string {
  const name = readdirSync(folder).find((candidate) => pattern.test(candidate));
  if (name === undefined) throw new LightningError('LIGHTNING_HARNESS', `${folder} holds no ${String(pattern)}`);
  return name;
}

/** A line for everything below a folder: path, kind, mode, content. Two equal lists are two equal trees. */
export function treeOf(path: string, leftOut?: RegExp): string[] {
  const lines: string[] = [];
  const visit = (relative: string): void => {
    for (const name of readdirSync(join(path, relative)).sort()) {
      const below = join(relative, name);
      if (leftOut?.test(below) === true) continue;
      const status = lstatSync(join(path, below));
      const mode = (status.mode & 0o777).toString(8);
      if (status.isDirectory()) {
        lines.push(`${below} folder ${mode}`);
        visit(below);
      } else {
        const hash = createHash('sha256').update(readFileSync(join(path, below)));
        lines.push(`${below} file ${mode} ${hash.digest('hex')}`);
      }
    }
  };
  visit('');
  return lines;
}
