/** An adapter as a process group of its own: started with a command, ended by the end of its input, or killed. */
import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { LightningError } from '../base/errors.ts';

/** A running adapter. */
export interface Adapter {
  /** What it says. */
  readonly input: Readable;
  /** What it is told. */
  readonly output: Writable;
  /** Ends its input and waits for it. @throws (rejects) LightningError unless it exits with 0 */
  end(): Promise<void>;
  kill(): void;
}

/** Starts an adapter on the store in a folder. */
export type StartAdapter = (directory: string) => Adapter;

/** Starts a command of a shell, in which `{dir}` stands for the folder. */
export function adapterCommand(command: string): StartAdapter {
  return (directory) => {
    const child = spawn(command.replaceAll('{dir}', `'${directory.replaceAll("'", `'\\''`)}'`), {
      shell: true,
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, LIGHTNING_DB_DIRECTORY: directory },
    });
    const ended = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, signal) => resolve(signal ?? String(code)));
    });
    return {
      input: child.stdout,
      output: child.stdin,
      async end(): Promise<void> {
        child.stdin.end();
        const how = await ended;
        if (how !== '0') throw new LightningError('LIGHTNING_IO', `the adapter ended with ${how}`);
      },
      kill(): void {
        try {
          if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
        } catch {
          // It has ended already.
        }
      },
    };
  };
}
