/** For tests of limits: how a call ends. */
import { LightningError } from '../../base/errors.ts';

/** The code that a promise is rejected with; `none` when it resolves. */
export async function errorCode(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'none';
  } catch (error) {
    if (error instanceof LightningError) return error.code;
    throw error;
  }
}
