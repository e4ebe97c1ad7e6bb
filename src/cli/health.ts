/** `lightning-db health` and `clear-cache`: asked of a server that runs, by its admin address; health of a closed store too. */
import type { Command } from 'commander';
import { LightningError } from '../base/errors.ts';
import { parseAddress } from '../database/protocol/address.ts';
import { EXIT } from '../report/verdict.ts';
import { type DataFlags, DB_ABOUT, DB_FLAG, JSON_FLAG, onePath, runData, withDatabase } from './data-run.ts';
import { DATA_EXIT_CODES } from './exit-codes.ts';

/** Flags of what can be asked of a server that runs. */
export interface AdminFlags extends DataFlags {
  readonly admin?: string;
  readonly anywhere?: boolean;
}

export const ADMIN_FLAG = '--admin <address>';
export const ADMIN_ABOUT = 'HOST:PORT that `serve --admin` printed';
const ANSWER_MILLISECONDS_MAX = 10_000;

/**
 * What an admin server answers.
 * @param body makes it a request that may take its time
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT`, `LIGHTNING_IO` when none answers
 */
export async function ask(
  address: string,
  flags: AdminFlags,
  method: string,
  path: string,
  body?: object,
): Promise<unknown> {
  const { host, port } = parseAddress(address, flags.anywhere === true);
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  try {
    const signal = body === undefined ? AbortSignal.timeout(ANSWER_MILLISECONDS_MAX) : null;
    const sent =
      body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const response = await fetch(`http://${place}${path}`, { method, signal, ...sent });
    return await response.json();
  } catch (error) {
    throw new LightningError('LIGHTNING_IO', `no admin server answers at ${place}`, { host, port }, error);
  }
}

/** A field of an answer; `undefined` when it has none of this name. */
export function fieldOf(answer: unknown, name: string): unknown {
  return typeof answer === 'object' && answer !== null ? Reflect.get(answer, name) : undefined;
}

async function health(operand: string | undefined, flags: AdminFlags): Promise<void> {
  await runData(async (output) => {
    const { admin } = flags;
    if (admin !== undefined && (operand !== undefined || flags.db !== undefined)) {
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'name a store or an --admin address, not both');
    }
    const answer: unknown =
      admin === undefined
        ? await withDatabase(onePath(operand, flags), { createIfMissing: false }, async (database) => {
            database.checkInvariants();
            return { healthy: true };
          })
        : await ask(admin, flags, 'GET', '/health');
    const isHealthy = fieldOf(answer, 'healthy') === true;
    const why = `${String(fieldOf(answer, 'code'))}: ${String(fieldOf(answer, 'message'))}`;
    await output.line(flags.json === true ? JSON.stringify(answer) : isHealthy ? 'healthy' : `not healthy: ${why}`);
    return isHealthy ? EXIT.pass : EXIT.fail;
  });
}

async function clearCache(flags: AdminFlags): Promise<void> {
  await runData(async (output) => {
    const { admin } = flags;
    if (admin === undefined) {
      throw new LightningError(
        'LIGHTNING_INVALID_ARGUMENT',
        'a cache is in the memory of the process that serves the store: name its --admin address',
      );
    }
    const answer = await ask(admin, flags, 'POST', '/clear-cache');
    const clearedBytes = fieldOf(answer, 'clearedBytes');
    if (typeof clearedBytes !== 'number') {
      throw new LightningError('LIGHTNING_IO', `the server refused: ${String(fieldOf(answer, 'message'))}`);
    }
    await output.line(flags.json === true ? JSON.stringify({ clearedBytes }) : `${clearedBytes} bytes were cached`);
  });
}

/** Adds `health`. */
export function addHealth(program: Command): void {
  program
    .command('health [dir]')
    .description('whether a server that runs is healthy, or a closed store opens with all its invariants')
    .option(DB_FLAG, DB_ABOUT)
    .option(ADMIN_FLAG, ADMIN_ABOUT)
    .option('--anywhere', 'allow an address of another machine')
    .option(JSON_FLAG, 'the answer as one object')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(health);
}

/** Adds `clear-cache`. */
export function addClearCache(program: Command): void {
  program
    .command('clear-cache')
    .description('forget the cached blocks of a server that runs')
    .option(ADMIN_FLAG, ADMIN_ABOUT)
    .option('--anywhere', 'allow an address of another machine')
    .option(JSON_FLAG, 'the bytes that were cached, as JSON')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(clearCache);
}
