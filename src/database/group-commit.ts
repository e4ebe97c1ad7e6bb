/**
 * Group commit: commits that arrive while an fsync is under way share the next one.
 *
 * A commit is appended at once, so that the order of calls is the order of commits; what it waits for is the fsync. With
 * one writer the fsync runs inline, which is a third cheaper than through the thread pool; with several it overlaps
 * their work.
 *
 * Invariants
 *   1. `waiting` is in the order of sequences.
 *   2. At most one fsync is under way.
 *   3. A promise settles once: resolved after its commit is durable, rejected as definite when it was not appended, as
 *      indefinite when its fsync failed.
 */
import { isLightningError, LightningError } from '../base/errors.ts';
import type { Engine, SyncTicket } from '../engine/index.ts';
import type { Maintenance } from './maintenance.ts';

interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A commit held back until there is room. */
interface Blocked {
  readonly append: () => number;
  readonly durable: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class GroupCommit {
  private readonly engine: Engine;
  private readonly maintenance: Pick<Maintenance, 'lastError' | 'nextTurn' | 'poke'>;
  private waiting: Waiter[] = [];
  private blocked: Blocked[] = [];
  private ticket: SyncTicket | undefined;
  private roundScheduled = false;
  private unblocking = false;
  private lastGroup = 1;
  /** Commits per fsync, for figures. */
  readonly counts = { commits: 0, syncs: 0 };

  constructor(engine: Engine, maintenance: Pick<Maintenance, 'lastError' | 'nextTurn' | 'poke'>) {
    this.engine = engine;
    this.maintenance = maintenance;
  }

  /**
   * Appends a commit, waiting for room if there is none.
   * @param append makes the commit on the engine and returns its sequence
   * @param durable whether the promise waits for the fsync
   */
  async submit(append: () => number, durable: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const commit = { append, durable, resolve, reject };
      if (this.blocked.length > 0) this.blocked.push(commit);
      else if (!this.tryAppend(commit)) this.hold(commit);
    });
  }

  /** Resolves when everything committed before the call is durable. */
  async settle(): Promise<void> {
    return this.submit(() => {
      // Nothing is appended, but a closed or poisoned store refuses it, even when all that was written is durable.
      this.engine.commit([]);
      return this.engine.written;
    }, true);
  }

  private tryAppend(commit: Blocked): boolean {
    let sequence: number;
    try {
      sequence = commit.append();
    } catch (error) {
      if (isLightningError(error, 'LIGHTNING_BACKPRESSURE')) return false;
      commit.reject(error);
      return true;
    }
    this.counts.commits++;
    this.maintenance.poke();
    if (!commit.durable || sequence <= this.engine.durableSequence) {
      commit.resolve();
      return true;
    }
    this.waiting.push({ sequence, resolve: commit.resolve, reject: commit.reject });
    this.scheduleRound();
    return true;
  }

  private hold(commit: Blocked): void {
    this.blocked.push(commit);
    if (this.unblocking) return;
    this.unblocking = true;
    this.unblock().catch((error: unknown) => this.rejectBlocked(error));
  }

  private rejectBlocked(error: unknown): void {
    const { blocked } = this;
    this.blocked = [];
    for (const one of blocked) one.reject(error);
  }

  private async unblock(): Promise<void> {
    try {
      while (this.blocked.length > 0) {
        await this.maintenance.nextTurn();
        if (this.maintenance.lastError !== undefined) {
          this.rejectBlocked(this.maintenance.lastError);
          return;
        }
        while (this.blocked.length > 0 && this.tryAppend(this.blocked[0])) this.blocked.shift();
      }
    } finally {
      this.unblocking = false;
    }
  }

  private scheduleRound(): void {
    if (this.roundScheduled || this.ticket !== undefined) return;
    this.roundScheduled = true;
    // After a group of several, give the others of the group the time to come back with their next commit.
    if (this.lastGroup > 1) setImmediate(() => this.round());
    else queueMicrotask(() => this.round());
  }

  private round(): void {
    this.roundScheduled = false;
    if (this.waiting.length === 0 || this.ticket !== undefined || this.engine.isClosed) return;
    this.lastGroup = this.waiting.length;
    this.counts.syncs++;
    if (this.waiting.length === 1) this.syncInline();
    else this.syncOverlapped();
  }

  private syncInline(): void {
    let failure: unknown;
    try {
      this.engine.sync();
    } catch (error) {
      failure = error;
    }
    this.release(this.engine.durableSequence, failure);
  }

  private syncOverlapped(): void {
    let ticket: SyncTicket | undefined;
    try {
      ticket = this.engine.syncBegin();
    } catch (error) {
      this.release(0, error);
      return;
    }
    if (ticket === undefined) {
      this.release(this.engine.durableSequence, undefined);
      return;
    }
    const begun = ticket;
    this.ticket = begun;
    const end = (error: unknown): void => {
      this.ticket = undefined;
      let failure = error;
      try {
        this.engine.syncEnd(begun, error);
      } catch (late) {
        // It lets go of a segment that has been left meanwhile, and that may fail too.
        failure ??= late;
      }
      this.release(this.engine.durableSequence, failure ?? this.engine.poison);
    };
    try {
      begun.wal.file.syncAsync(end);
    } catch (error) {
      // It did not begin: as bad as one that failed, and nobody else would hear of it.
      end(error);
    }
  }

  /** Settles what is decided, and starts the next round for the rest. */
  private release(durable: number, failure: unknown): void {
    const waiting = this.waiting;
    if (failure !== undefined) {
      this.waiting = [];
      for (const one of waiting) {
        if (one.sequence <= durable) one.resolve();
        else one.reject(indefinite(failure));
      }
      return;
    }
    let done = 0;
    while (done < waiting.length && waiting[done].sequence <= durable) done++;
    this.waiting = waiting.slice(done);
    for (let i = 0; i < done; i++) waiting[i].resolve();
    if (this.waiting.length > 0) this.scheduleRound();
  }

  /** The engine has closed: what it made durable resolves, the rest is indefinite, what was held back was not made. */
  settleAfterClose(): void {
    const { blocked } = this;
    this.blocked = [];
    this.release(this.engine.durableSequence, new LightningError('LIGHTNING_CLOSED', 'the store was closed'));
    for (const one of blocked)
      one.reject(new LightningError('LIGHTNING_CLOSED', 'the store was closed; the commit was not made'));
  }

  /** Resolves once nothing waits any more; used by close. */
  async drained(): Promise<void> {
    while (this.waiting.length > 0 || this.blocked.length > 0 || this.ticket !== undefined) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }
}

function indefinite(cause: unknown): LightningError {
  return new LightningError(
    'LIGHTNING_INDEFINITE',
    'the fsync failed; whether the commit is there shows after the store is opened again',
    {},
    cause,
  );
}
