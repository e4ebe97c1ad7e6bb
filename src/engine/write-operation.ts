/** One operation of a commit, checked. */
import { LightningError } from '../base/errors.ts';
import { COMMIT_OPERATIONS_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX } from './limits.ts';
import { NO_DEADLINE } from './types.ts';

/** A put, a delete, or a clear of `[key, end)` (no `end`: to the last key). Bytes are read when the commit is made. */
export type WriteOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array; readonly deadline?: number }
  | { readonly type: 'delete'; readonly key: Uint8Array }
  | { readonly type: 'clear'; readonly start: Uint8Array; readonly end: Uint8Array | undefined };

/** @throws LightningError `LIGHTNING_INVALID_ARGUMENT` or `LIGHTNING_KEY_TOO_LARGE` */
export function checkKey(key: unknown, name = 'key'): asserts key is Uint8Array {
  if (!(key instanceof Uint8Array))
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `${name} is not a Uint8Array`);
  if (key.length > KEY_BYTES_MAX) {
    throw new LightningError('LIGHTNING_KEY_TOO_LARGE', `${name} has ${key.length} bytes, more than ${KEY_BYTES_MAX}`, {
      length: key.length,
      limit: KEY_BYTES_MAX,
    });
  }
}

function checkValue(value: unknown): void {
  if (!(value instanceof Uint8Array))
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'value is not a Uint8Array');
  if (value.length > VALUE_BYTES_MAX) {
    throw new LightningError(
      'LIGHTNING_VALUE_TOO_LARGE',
      `value has ${value.length} bytes, more than ${VALUE_BYTES_MAX}`,
      {
        length: value.length,
        limit: VALUE_BYTES_MAX,
      },
    );
  }
}

/** @throws LightningError of class usage; nothing has happened then */
export function checkOperation(operation: WriteOperation): void {
  switch (operation.type) {
    case 'put': {
      checkKey(operation.key);
      checkValue(operation.value);
      const deadline = operation.deadline ?? NO_DEADLINE;
      if (deadline !== NO_DEADLINE && !Number.isSafeInteger(deadline)) {
        throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a deadline is a whole number of milliseconds', {
          deadline,
        });
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
