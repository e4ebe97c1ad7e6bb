/** Runs a model checker as a process with a time limit: neither of the two can be interrupted from inside. */
import { spawn } from 'node:child_process';

/** How a child ended and what it printed. */
export interface ChildResult {
  readonly exitCode: number | undefined;
  readonly timedOut: boolean;
  readonly output: string;
  readonly errors: string;
  /** Set when the program could not be started. */
  readonly startError: Error | undefined;
}

/** Output past this is cut; a counterexample is a few kilobytes. */
const OUTPUT_CHARACTERS_MAX = 16 * 1024 * 1024;

/**
 * Starts `command`, writes `input`, waits. Never rejects; a child past its limit is killed. `environment` by default is
 * this process's own.
 */
export function runChild(
  command: string,
  args: readonly string[],
  options: {
    readonly input?: string;
    readonly timeLimitSeconds: number;
    readonly environment?: NodeJS.ProcessEnv;
  },
): Promise<ChildResult> {
  return new Promise((resolve) => {
    let output = '';
    let errors = '';
    let timedOut = false;
    let settled = false;
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: options.environment ?? process.env });
    const killOnExit = (): void => {
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, options.timeLimitSeconds * 1000);
    const settle = (exitCode: number | undefined, startError: Error | undefined): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      process.off('exit', killOnExit);
      resolve({ exitCode, timedOut, output, errors, startError });
    };
    process.on('exit', killOnExit);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < OUTPUT_CHARACTERS_MAX) output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (errors.length < OUTPUT_CHARACTERS_MAX) errors += text;
    });
    // A child that died before it read its input; its exit code says the rest.
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => settle(undefined, error));
    child.on('close', (code) => settle(code ?? undefined, undefined));
    child.stdin.end(options.input ?? '');
  });
}
