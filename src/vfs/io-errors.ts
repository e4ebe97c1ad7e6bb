/** Operating system errors become coded ones here, and only here (the table of spec/errors.md). */
import { errnoOf, type ErrorCode, LightningError } from '../base/errors.ts';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'LIGHTNING_DISK_FULL',
  EDQUOT: 'LIGHTNING_DISK_FULL',
  EACCES: 'LIGHTNING_PERMISSION',
  EPERM: 'LIGHTNING_PERMISSION',
  EROFS: 'LIGHTNING_PERMISSION',
  EMFILE: 'LIGHTNING_TOO_MANY_FILES',
  ENFILE: 'LIGHTNING_TOO_MANY_FILES',
};

/**
 * The coded form of an operating system error, with the original as its cause. Anything else (a coded error, a power
 * cut of the simulator) comes back as it is.
 */
export function ioError(error: unknown, operation: string, file: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof LightningError) return error;
  return new LightningError(
    CODES[errno] ?? 'LIGHTNING_IO',
    `${operation} of ${file} failed: ${errno}`,
    { operation, file, errno },
    error,
  );
}

/** Whether an error says that the disk or the quota is full. */
export function isDiskFull(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOSPC' || errno === 'EDQUOT';
}

/**
 * The coded form of a failure after which nobody knows what is on the disk. Always `LIGHTNING_IO`: `LIGHTNING_DISK_FULL`
 * means "definitely not made", and an fsync that fails with ENOSPC leaves the commit indefinite.
 */
export function uncertainError(error: unknown, operation: string, file: string): unknown {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof LightningError) return error;
  return new LightningError(
    'LIGHTNING_IO',
    `${operation} of ${file} failed: ${errno}`,
    { operation, file, errno },
    error,
  );
}
