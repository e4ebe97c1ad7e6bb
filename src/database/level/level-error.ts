/** Errors of the database under the codes that users of a Level know. */
import { type ErrorCode, isLightningError } from '../../base/errors.ts';

const LEVEL_CODES: Readonly<Partial<Record<ErrorCode, string>>> = {
  LIGHTNING_CLOSED: 'LEVEL_DATABASE_NOT_OPEN',
  LIGHTNING_LOCKED: 'LEVEL_LOCKED',
  LIGHTNING_CORRUPTION: 'LEVEL_CORRUPTION',
  LIGHTNING_IO: 'LEVEL_IO_ERROR',
  LIGHTNING_DISK_FULL: 'LEVEL_IO_ERROR',
  LIGHTNING_INDEFINITE: 'LEVEL_IO_ERROR',
  LIGHTNING_POISONED: 'LEVEL_IO_ERROR',
  LIGHTNING_ITERATOR_CLOSED: 'LEVEL_ITERATOR_NOT_OPEN',
  LIGHTNING_SNAPSHOT_CLOSED: 'LEVEL_SNAPSHOT_NOT_OPEN',
};

/**
 * The error to throw. Its `code` is `LEVEL_…`: a name that Levels have where there is one, else the code of ours behind it;
 * `cause` is the error underneath with its own code.
 * @param error `undefined` when the database is not open
 */
export function levelError(error: unknown): unknown {
  if (error === undefined) return Object.assign(new Error('Database is not open'), { code: 'LEVEL_DATABASE_NOT_OPEN' });
  if (!isLightningError(error)) return error;
  const code = LEVEL_CODES[error.code] ?? error.code.replace('LIGHTNING_', 'LEVEL_');
  const message = error.code === 'LIGHTNING_NOT_FOUND' ? `${error.message}: it does not exist` : error.message;
  return Object.assign(new Error(message, { cause: error }), { code });
}
