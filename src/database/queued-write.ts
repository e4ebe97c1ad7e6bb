/**
 * A plain write that waits for locks. It stands in the queue of a lock like a transaction, so that those who come after it
 * cannot pass it again and again; it lets go of what it got as soon as it is appended.
 *
 * Where its wait closes a cycle it is the one that begins anew: a plain write never ends for a deadlock.
 */
import { isLightningError, LightningError } from '../base/errors.ts';
import type { WriteOperation } from '../engine/index.ts';
import type { LockManager, LockOwner } from './locks.ts';

export class QueuedWrite implements LockOwner {
  /** Younger than every transaction. */
  readonly age = Infinity;
  private readonly locks: LockManager;

  constructor(locks: LockManager) {
    this.locks = locks;
  }

  endBy(error: LightningError): void {
    this.locks.releaseAll(this, error);
  }

  /**
   * Waits until nobody else has locked what `operations` write; the locks that were in the way are held then.
   * @throws (rejects) LightningError `LIGHTNING_ABORTED` by the signal; nothing is held then
   */
  async clearWay(operations: readonly WriteOperation[], signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      if (signal?.aborted === true) throw aborted(signal);
      const key = this.locks.foreign(operations, this);
      if (key === undefined) return;
      try {
        await this.waitFor(key, signal);
      } catch (error) {
        // The locks that it had are given up: others go first, and it begins anew.
        if (!isLightningError(error, 'LIGHTNING_DEADLOCK')) throw error;
      }
    }
  }

  private async waitFor(key: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const stop = (): void => {
      if (signal !== undefined) this.endBy(aborted(signal));
    };
    signal?.addEventListener('abort', stop, { once: true });
    try {
      await this.locks.acquire(this, key);
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** Lets go of everything. */
  done(): void {
    this.locks.releaseAll(this, new LightningError('LIGHTNING_CLOSED', 'the write is over'));
  }
}

/** Why a write that its caller has given up was not made. */
export function aborted(signal: AbortSignal): LightningError {
  return new LightningError('LIGHTNING_ABORTED', 'the signal ended the wait; nothing was written', {}, signal.reason);
}
