/**
 * The one error class and the one table of codes. The code is the contract; the message may improve.
 * Every code belongs to a class that says who must act, and the table must equal the one in spec/errors.md (a test
 * compares them).
 */

/** Who must act: the caller, nobody (try again), the disk or OS, the operator of a damaged store, or us. */
export type ErrorClass = 'usage' | 'transient' | 'environment' | 'corruption' | 'bug';

/** Every code that this project throws, with its class. */
export const ERROR_CODES = {
  LIGHTNING_INVALID_ARGUMENT: 'usage',
  LIGHTNING_UNKNOWN_OPTION: 'usage',
  LIGHTNING_KEY_TOO_LARGE: 'usage',
  LIGHTNING_VALUE_TOO_LARGE: 'usage',
  LIGHTNING_BATCH_TOO_LARGE: 'usage',
  LIGHTNING_CLOSED: 'usage',
  LIGHTNING_READ_ONLY: 'usage',
  LIGHTNING_TRANSACTION_CLOSED: 'usage',
  LIGHTNING_SNAPSHOT_CLOSED: 'usage',
  LIGHTNING_ITERATOR_CLOSED: 'usage',
  LIGHTNING_NOT_FOUND: 'usage',
  LIGHTNING_EXISTS: 'usage',
  LIGHTNING_NOT_A_STORE: 'usage',
  LIGHTNING_UNSUPPORTED_FORMAT: 'usage',
  LIGHTNING_NOT_UNIQUE: 'usage',
  LIGHTNING_EXTRACTOR: 'usage',
  LIGHTNING_LOCKED: 'transient',
  LIGHTNING_CONFLICT: 'transient',
  LIGHTNING_DEADLOCK: 'transient',
  LIGHTNING_BACKPRESSURE: 'transient',
  LIGHTNING_LIMIT: 'transient',
  LIGHTNING_ABORTED: 'transient',
  LIGHTNING_DISK_FULL: 'environment',
  LIGHTNING_IO: 'environment',
  LIGHTNING_PERMISSION: 'environment',
  LIGHTNING_TOO_MANY_FILES: 'environment',
  LIGHTNING_POISONED: 'environment',
  LIGHTNING_INDEFINITE: 'environment',
  LIGHTNING_MISSING_CAPABILITY: 'environment',
  LIGHTNING_CORRUPTION: 'corruption',
  LIGHTNING_EVIDENCE_REFUSED: 'corruption',
  LIGHTNING_ASSERTION: 'bug',
  LIGHTNING_STALE_PLANTED_BUG: 'bug',
  LIGHTNING_HARNESS: 'bug',
} as const satisfies Record<string, ErrorClass>;

/** A code from {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * Everything this project throws on purpose. `details` are plain values for programs (file, offset, expected, actual);
 * `cause` is the error underneath. A write that fails without `indefinite` is definitely not in the store.
 */
export class LightningError extends Error {
  override readonly name = 'LightningError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }

  /** The class of the code: who must act. */
  get errorClass(): ErrorClass {
    return ERROR_CODES[this.code];
  }
}

/** Whether `error` is a {@link LightningError}, with that code if one is given. */
export function isLightningError(error: unknown, code?: ErrorCode): error is LightningError {
  return error instanceof LightningError && (code === undefined || error.code === code);
}

/** The POSIX name of an operating system error (`ENOSPC`), coded already or not; `undefined` for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof LightningError) {
    const errno = error.details['errno'];
    return typeof errno === 'string' ? errno : undefined;
  }
  if (error instanceof Error && 'code' in error && typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code)) {
    return error.code;
  }
  return undefined;
}
