/**
 * Runs the engine's steps when work waits: a slice at a time, the event loop in between.
 *
 * A step that fails (a full disk, say) has dropped its output; it is tried again with the next commit or after a pause,
 * whichever comes first. Writers that are held back meanwhile get the error.
 */
import type { Blobs } from './blobs/blobs.ts';
import type { Engine } from '../engine/index.ts';

const RETRY_MILLISECONDS = 1000;
/** Slices done before other callbacks get their turn. */
const SLICES_A_TURN = 4;

export class Maintenance {
  private readonly engine: Engine;
  private readonly blobs: Blobs;
  private scheduled: NodeJS.Immediate | undefined;
  private retry: NodeJS.Timeout | undefined;
  /** Why the last step failed; `undefined` once one succeeds. */
  lastError: unknown;
  private listeners: (() => void)[] = [];
  private isFlushWanted = false;

  constructor(engine: Engine, blobs: Blobs) {
    this.engine = engine;
    this.blobs = blobs;
  }

  private get hasWork(): boolean {
    return this.blobs.sweep !== undefined || this.engine.pendingWork() !== undefined;
  }

  /** Looks whether work waits, and goes on with it soon. */
  poke(): void {
    if (this.blobs.takeMergeDue()) {
      this.engine.isMergeWanted = true;
      this.flushSoon();
    }
    if (this.scheduled !== undefined || this.engine.isClosed || !this.hasWork) return;
    this.scheduled = setImmediate(() => this.turn());
  }

  /** Has everything in memory flushed with the next turn. */
  flushSoon(): void {
    this.isFlushWanted = true;
    this.scheduled ??= setImmediate(() => this.turn());
  }

  /** Does waiting work now until a frozen memtable is flushed, for a synchronous writer that is held back. */
  relieveNow(): void {
    const before = this.engine.statistics();
    for (;;) {
      const more = this.engine.step();
      const now = this.engine.statistics();
      if (now.frozenCount < before.frozenCount || !more) return;
    }
  }

  /** Resolves after the next turn, whatever it did. */
  async nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.listeners.push(resolve);
      this.poke();
      if (this.scheduled === undefined) this.scheduled = setImmediate(() => this.turn());
    });
  }

  stop(): void {
    if (this.scheduled !== undefined) clearImmediate(this.scheduled);
    if (this.retry !== undefined) clearTimeout(this.retry);
    this.scheduled = undefined;
    this.retry = undefined;
    this.notify();
  }

  private turn(): void {
    this.scheduled = undefined;
    if (this.engine.isClosed || this.engine.poison !== undefined) {
      this.notify();
      return;
    }
    try {
      if (this.isFlushWanted) this.engine.flush();
      this.isFlushWanted = false;
      let more = true;
      for (let i = 0; i < SLICES_A_TURN && more; i++) more = this.engine.step();
      more = this.blobs.sweepSlice() || more;
      this.lastError = undefined;
      if (more) this.scheduled = setImmediate(() => this.turn());
    } catch (error) {
      this.lastError = error;
      this.retryLater();
    }
    this.notify();
  }

  private retryLater(): void {
    if (this.retry !== undefined) return;
    this.retry = setTimeout(() => {
      this.retry = undefined;
      this.poke();
    }, RETRY_MILLISECONDS);
    this.retry.unref();
  }

  private notify(): void {
    const { listeners } = this;
    this.listeners = [];
    for (const listener of listeners) listener();
  }
}
