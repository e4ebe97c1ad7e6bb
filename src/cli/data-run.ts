/** What every data command does alike: where its store is, how it opens and closes it, how it ends. */
import { Option } from 'commander';
import { LightningError } from '../base/errors.ts';
import { Database, type DatabaseOptions } from '../database/index.ts';
import { EXIT } from '../report/verdict.ts';
import { Output } from './data-output.ts';
import { dataExitCode, errorText } from './exit-codes.ts';

/** Flags that the data commands share. */
export interface DataFlags {
  readonly db?: string;
  readonly json?: boolean;
  readonly hex?: boolean;
  readonly durability?: 'commit' | 'interval' | 'none';
}

/** `--db`, the same in every data command. */
export const DB_FLAG = '--db <dir>';
export const DB_ABOUT = 'the folder of the store';
/** `--hex`, the same in every data command that shows or takes bytes. */
export const HEX_FLAG = '--hex';
export const HEX_ABOUT = 'keys and values as hexadecimal digits, in and out (otherwise UTF-8 text)';
export const JSON_FLAG = '--json';

/** `--durability` of the commands that write. */
export function durabilityOption(): Option {
  return new Option('--durability <mode>', 'when a write is acknowledged: after its fsync, or after its write')
    .choices(['commit', 'interval', 'none'])
    .default('commit');
}

/**
 * The one path that was given, as operand or as `--db`.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for none or two
 */
export function onePath(operand: string | undefined, flags: DataFlags): string {
  const path = operand ?? flags.db;
  if (path === undefined || path === '' || (operand !== undefined && flags.db !== undefined)) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'name the folder of the store once, as --db <dir> or alone');
  }
  return path;
}

/** Opens, works, closes. An error of the work outranks one of closing. */
export async function withDatabase<T>(
  path: string,
  options: Partial<DatabaseOptions>,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  return closingAfter(Database.openSync(path, options), work);
}

/** Works with an open database, closes it. An error of the work outranks one of closing. */
export async function closingAfter<T>(database: Database, work: (database: Database) => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work(database);
  } catch (error) {
    await database.close().catch(() => {
      // What the work says comes first; the next opening recovers the store.
    });
    throw error;
  }
  await database.close();
  return result;
}

/** Runs one data command to its end: results on standard output, one line for what went wrong, the exit code. */
export async function runData(work: (output: Output) => Promise<number | void>): Promise<void> {
  const output = new Output(process.stdout);
  let code: number;
  try {
    code = (await work(output)) ?? EXIT.pass;
    await output.flush();
  } catch (error) {
    await output.flush();
    process.stderr.write(errorText(error));
    code = dataExitCode(error);
  }
  process.exitCode = output.isLost ? EXIT.fail : code;
}

/** Reports the first SIGINT or SIGTERM, so that work can end at the next row; the second ends the process. */
export function watchInterrupt(): { readonly interrupted: boolean; stop(): void } {
  let interrupted = false;
  const onSignal = (): void => {
    if (interrupted) process.exit(EXIT.interrupted);
    interrupted = true;
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    get interrupted(): boolean {
      return interrupted;
    },
    stop(): void {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
