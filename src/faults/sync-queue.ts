/** Asynchronous syncs that have begun and not ended. They end in the order in which they began, when the simulator says. */
import type { IoSteps } from './io-steps.ts';

/** When they end: each by itself on a microtask, or all when told to. */
export type SyncCompletion = 'microtask' | 'manual';

interface PendingSync {
  /** Makes durable what the sync covers, and returns its error. */
  readonly end: () => Error | undefined;
  readonly done: (error: unknown) => void;
}

export class SyncQueue {
  private readonly completion: SyncCompletion;
  private readonly io: IoSteps;
  private readonly queue: PendingSync[] = [];

  constructor(completion: SyncCompletion, io: IoSteps) {
    this.completion = completion;
    this.io = io;
  }

  get length(): number {
    return this.queue.length;
  }

  add(end: () => Error | undefined, done: (error: unknown) => void): void {
    this.queue.push({ end, done });
    if (this.completion === 'microtask') queueMicrotask(() => this.completeOne());
  }

  /** Ends those under way now, not the ones that begin meanwhile; returns how many. */
  complete(): number {
    const count = this.queue.length;
    for (let i = 0; i < count; i++) this.completeOne();
    return count;
  }

  /** Without power nothing becomes durable; the caller is told by the error that every other call throws. */
  private completeOne(): void {
    const sync = this.queue.shift();
    if (sync === undefined) return;
    sync.done(this.io.cut ?? sync.end());
  }
}
