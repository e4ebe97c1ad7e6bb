/** Runs a Node program to its end, or to a time limit; what it printed is kept. */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

const OUTPUT_CHARACTERS_MAX = 200_000;
/** From SIGTERM to SIGKILL: time to tidy up. */
const GRACE_MILLISECONDS = 5_000;

/** How it ended. */
export interface ProgramResult {
  readonly exitCode: number | undefined;
  readonly timedOut: boolean;
  /** The end of both its outputs. */
  readonly output: string;
}

/** Starts `node …args`; never rejects for what the program does. */
export async function runProgram(
  args: readonly string[],
  options: {
    readonly cwd: string;
    readonly timeLimitSeconds: number;
    readonly environment?: Readonly<Record<string, string>>;
  },
): Promise<ProgramResult> {
  const child = spawn(process.execPath, args, {
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.environment },
  });
  let output = '';
  const listen = (text: string): void => {
    output = (output + text).slice(-OUTPUT_CHARACTERS_MAX);
  };
  child.stdout.setEncoding('utf8').on('data', listen);
  child.stderr.setEncoding('utf8').on('data', listen);
  const ended = new Promise<number | undefined>((resolve) => {
    child.once('error', (error) => {
      listen(error.message);
      resolve(undefined);
    });
    child.once('close', (code) => resolve(code ?? undefined));
  });
  const end = new AbortController();
  const limit = delay(options.timeLimitSeconds * 1000, 'late' as const, { signal: end.signal, ref: false }).catch(
    () => 'over',
  );
  const first = await Promise.race([ended, limit]);
  end.abort();
  if (first !== 'late') return { exitCode: await ended, timedOut: false, output };
  child.kill('SIGTERM');
  const insist = setTimeout(() => child.kill('SIGKILL'), GRACE_MILLISECONDS);
  const exitCode = await ended;
  clearTimeout(insist);
  return { exitCode, timedOut: true, output };
}
