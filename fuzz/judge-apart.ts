/** Judges an input in a process of its own, and calls it a hang when that does not end. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LightningError } from '../src/base/errors.ts';
import { writeBytes } from './byte-files.ts';
import type { Judgement } from './decoder-target.ts';
import { importFlags } from './module-hooks.ts';

const SECONDS_MAX = 10;

/** @param directory where the input is written for the process */
export function judgeApart(target: string, input: Uint8Array, directory: string): Promise<Judgement> {
  const path = join(directory, 'input.bin');
  writeBytes(path, input);
  const suffix = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const program = fileURLToPath(new URL(`judge-child${suffix}`, import.meta.url));
  const options = { timeout: SECONDS_MAX * 1000, killSignal: 'SIGKILL' as const };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...importFlags(), program, target, path], options, (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout) as Judgement);
      else if (error.killed === true) {
        const message = `no answer after ${SECONDS_MAX} s over ${input.length} bytes`;
        resolve({ kind: 'failed', class: 'hang', message });
      } else reject(new LightningError('LIGHTNING_HARNESS', `an input could not be judged: ${stderr}`, {}, error));
    });
  });
}
