/**
 * One run of jsfuzz over one target, bounded by time. jsfuzz has no limit of its own, ends with 0 when its target did not
 * load, and loses the last counts; so it is stopped with SIGINT, its closing line is required, and executions are taken
 * from the account that the target keeps.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { monotonicMilliseconds } from '../src/base/clock.ts';
import { errnoOf, LightningError } from '../src/base/errors.ts';
import { fileExists, listNames, makeDirectory, readBytes, readTextIfThere, removeTree } from '../src/report/files.ts';
import { writeBytes } from './byte-files.ts';
import { readCorpus } from './corpus.ts';
import {
  FUZZ_ACCOUNT_VARIABLE,
  FUZZ_CACHE_VARIABLE,
  FUZZ_FUNCTION_SYMBOL,
  FUZZ_SEED_VARIABLE,
} from './jsfuzz-variables.ts';
import { FUZZ_TARGET_VARIABLE } from './jsfuzz-variables.ts';
import { importFlags } from './module-hooks.ts';

/** After this long over one input jsfuzz calls it a hang; loading counts as the first one, also on a busy machine. */
const INPUT_SECONDS_MAX = 20;
/** Memory of the process that runs the target. */
const MEMORY_MEGABYTES_MAX = 1024;
const START_SECONDS_MAX = 40;
/** From SIGINT to the end: long enough for jsfuzz to notice a hang. */
const END_SECONDS_MAX = 40;
const CLOSING_LINE = 'Worker exited';
const OUTPUT_CHARACTERS_MAX = 1_000_000;
const POLL_MILLISECONDS = 20;

/** What to run. */
export interface JsfuzzRequest {
  readonly target: string;
  /** A folder of this run alone. */
  readonly directory: string;
  readonly seed: number;
  /** From the moment the target is loaded. */
  readonly seconds: number;
  /** Ends the run early. */
  readonly stopped: () => boolean;
}

/** What a run of jsfuzz showed. */
export interface JsfuzzResult {
  readonly executions: number;
  readonly accepted: number;
  readonly refused: number;
  /** Statements, functions and branches of the engine's sources that were reached. */
  readonly coverage: number;
  /** Coverage after so many executions. */
  readonly growth: readonly (readonly [number, number])[];
  /** Inputs that reached new code. */
  readonly newInputs: number;
  /** The input that jsfuzz blames; what failed may be a neighbour of it. */
  readonly crash: Uint8Array | undefined;
  /** The input over which the target failed, when it could still say so. */
  readonly failing: Uint8Array | undefined;
  /** jsfuzz stopped the target: too slow, or too much memory. */
  readonly stoppedFor: 'time' | 'memory' | undefined;
  readonly seconds: number;
}

const accountSchema = z.object({
  pid: z.number(),
  accepted: z.number(),
  refused: z.number(),
  failed: z.number(),
  failing: z.base64().optional(),
});
type Account = z.infer<typeof accountSchema>;

function readAccount(path: string): Account | undefined {
  const text = readTextIfThere(path);
  if (text === undefined || text === '') return undefined;
  return accountSchema.parse(JSON.parse(text));
}

function setUp({ target, directory }: JsfuzzRequest): void {
  removeTree(directory);
  makeDirectory(join(directory, 'corpus'));
  for (const [name, input] of readCorpus(target)) writeBytes(join(directory, 'corpus', name), input);
  const source = `exports.fuzz = globalThis[Symbol.for('${FUZZ_FUNCTION_SYMBOL}')];\n`;
  writeBytes(join(directory, 'target.cjs'), Buffer.from(source));
}

function start({ target, directory, seed }: JsfuzzRequest, account: string): ChildProcess {
  const cache = join(directory, '..', 'instrumented');
  makeDirectory(cache);
  const suffix = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const setup = new URL(`jsfuzz-setup${suffix}`, import.meta.url).href;
  const options = ['--timeout', String(INPUT_SECONDS_MAX), '--rss-limit-mb', String(MEMORY_MEGABYTES_MAX)];
  return spawn(
    process.execPath,
    [
      createRequire(import.meta.url).resolve('jsfuzz'),
      ...['target.cjs', 'corpus', ...options, '--no-versifier', '--exact-artifact-path', 'crash.bin'],
    ],
    {
      cwd: directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        NODE_OPTIONS: [...importFlags(), `--import=${setup}`].join(' '),
        NODE_NO_WARNINGS: '1',
        [FUZZ_SEED_VARIABLE]: String(seed),
        [FUZZ_TARGET_VARIABLE]: target,
        [FUZZ_ACCOUNT_VARIABLE]: account,
        [FUZZ_CACHE_VARIABLE]: cache,
      },
    },
  );
}

/** Sends a signal; a process that is already gone is no error. */
function signal(pid: number, name: 'SIGINT' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

/** Waits until the target has loaded, then for its time to be over; asks it to end; insists if it does not. */
async function conduct(
  child: ChildProcess,
  request: JsfuzzRequest,
  account: string,
  ended: () => boolean,
): Promise<number> {
  const from = monotonicMilliseconds();
  const since = (start: number): number => (monotonicMilliseconds() - start) / 1000;
  while (!ended() && readAccount(account) === undefined && since(from) < START_SECONDS_MAX)
    await delay(POLL_MILLISECONDS);
  const loaded = monotonicMilliseconds();
  while (!ended() && since(loaded) < request.seconds && !request.stopped()) await delay(POLL_MILLISECONDS);
  const seconds = since(loaded);
  const worker = readAccount(account)?.pid;
  const parties = [child.pid, worker].filter((pid) => pid !== undefined);
  if (!ended()) for (const pid of parties) signal(pid, 'SIGINT');
  const asked = monotonicMilliseconds();
  while (!ended() && since(asked) < END_SECONDS_MAX) await delay(POLL_MILLISECONDS);
  if (!ended()) for (const pid of parties) signal(pid, 'SIGKILL');
  return seconds;
}

/**
 * Runs jsfuzz.
 * @throws LightningError `LIGHTNING_HARNESS` when it did not end as it should, or the target did not load
 */
export async function runJsfuzz(request: JsfuzzRequest): Promise<JsfuzzResult> {
  setUp(request);
  const account = join(request.directory, 'account.json');
  const child = start(request, account);
  let output = '';
  const listen = (text: string): void => {
    output = (output + text).slice(-OUTPUT_CHARACTERS_MAX);
  };
  child.stdout?.setEncoding('utf8').on('data', listen);
  child.stderr?.setEncoding('utf8').on('data', listen);
  let over = false;
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => {
      over = true;
      resolve();
    });
  });
  const seconds = await conduct(child, request, account, () => over);
  await ended;
  return readResult(request, readAccount(account), output, seconds);
}

function readResult(
  request: JsfuzzRequest,
  account: Account | undefined,
  output: string,
  seconds: number,
): JsfuzzResult {
  const artefact = join(request.directory, 'crash.bin');
  if (account === undefined || !output.includes(CLOSING_LINE)) {
    const tail = output.slice(-1500);
    const problem = account === undefined ? 'the target did not load' : 'its closing line is missing';
    throw new LightningError('LIGHTNING_HARNESS', `jsfuzz on ${request.target}: ${problem}\n${tail}`, {});
  }
  const growth = [...output.matchAll(/^#(\d+) (?:NEW|PULSE) +cov: (\d+)/gm)].map(
    ([, executions, coverage]): [number, number] => [Number(executions), Number(coverage)],
  );
  const names = listNames(join(request.directory, 'corpus'));
  const counted = account.accepted + account.refused + account.failed;
  return {
    // A target that was killed could not account for itself; then the last line of jsfuzz counts.
    executions: Math.max(counted, growth.at(-1)?.[0] ?? 0),
    accepted: account.accepted,
    refused: account.refused,
    coverage: growth.at(-1)?.[1] ?? 0,
    growth,
    newInputs: names.filter((name) => !name.endsWith('.bin')).length,
    crash: fileExists(artefact) ? new Uint8Array(readBytes(artefact)) : undefined,
    failing: account.failing === undefined ? undefined : new Uint8Array(Buffer.from(account.failing, 'base64')),
    stoppedFor: output.includes('timeout reached') ? 'time' : output.includes('MEMORY OOM') ? 'memory' : undefined,
    seconds,
  };
}
