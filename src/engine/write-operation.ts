/** One operation of a commit, checked. */
import { type ErrorCode, LightningError } from '../base/errors.ts';
import { COMMIT_OPERATIONS_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX } from './limits.ts';
import { NO_DEADLINE } from './types.ts';

/** A put, a delete, or a clear of `[key, end)` (no `end`: to the last key). Bytes are read when the commit is made. */
export type WriteOperation =
  | {
      readonly type: 'put';
      readonly key: Uint8Array;
      readonly value: Uint8Array;
      readonly deadline?: number;
      /** The value lies outside, and this one says where. For whoever keeps such values alone. */
      readonly isReference?: boolean;
    }
  | { readonly type: 'delete'; readonly key: Uint8Array }
  | { readonly type: 'clear'; readonly start: Uint8Array; readonly end: Uint8Array | undefined };

/** @throws LightningError `LIGHTNING_INVALID_ARGUMENT` or `LIGHTNING_KEY_TOO_LARGE` */
export function checkKey(key: unknown, name = 'key'): asserts key is Uint8Array {
  checkBytes(key, name, KEY_BYTES_MAX, 'LIGHTNING_KEY_TOO_LARGE');
}

function checkBytes(bytes: unknown, name: string, limit: number, tooLarge: ErrorCode): asserts bytes is Uint8Array {
  if (!(bytes instanceof Uint8Array))
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `${name} is not a Uint8Array`);
  const { length } = bytes;
  if (length <= limit) return;
  throw new LightningError(tooLarge, `${name} has ${length} bytes, more than ${limit}`, { length, limit });
}

/** @throws LightningError of class usage; nothing has happened then */
export function checkOperation(operation: WriteOperation): void {
  switch (operation.type) {
    case 'put': {
      checkKey(operation.key);
      checkBytes(operation.value, 'value', VALUE_BYTES_MAX, 'LIGHTNING_VALUE_TOO_LARGE');
      const deadline = operation.deadline ?? NO_DEADLINE;
      if (deadline !== NO_DEADLINE && !Number.isSafeInteger(deadline)) {
        const problem = 'a deadline is a whole number of milliseconds';
        throw new LightningError('LIGHTNING_INVALID_ARGUMENT', problem, { deadline });
      }
      return;
    }
    case 'delete':
      checkKey(operation.key);
      return;
    case 'clear':
      checkKey(operation.start, 'start');
      if (operation.end !== undefined) checkKey(operation.end, 'end');
      return;
    default:
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'an operation is a put, a delete or a clear', {
        type: (operation as { type?: unknown }).type,
      });
  }
}

/** @throws LightningError of class usage for the first operation that is wrong, or too many of them */
export function checkOperations(operations: readonly WriteOperation[]): void {
  if (operations.length > COMMIT_OPERATIONS_MAX) {
    throw new LightningError('LIGHTNING_BATCH_TOO_LARGE', `a commit has at most ${COMMIT_OPERATIONS_MAX} operations`, {
      count: operations.length,
      limit: COMMIT_OPERATIONS_MAX,
    });
  }
  for (const operation of operations) checkOperation(operation);
}
