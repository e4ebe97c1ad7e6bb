/**
 * Watches over what pins versions: snapshots and scans. One that was dropped without its release is found when its object
 * is collected; it is let go then, counted and reported, instead of pinning versions for ever.
 */

/** What kind of handle was abandoned. */
export type HandleKind = 'snapshot' | 'scan' | 'stream';

/** Told of each abandoned handle. */
export type AbandonedListener = (kind: HandleKind) => void;

/** Figures of open handles. Ages in milliseconds. */
export interface HandleStatistics {
  readonly openHandles: number;
  readonly abandonedHandles: number;
  readonly oldestHandleMilliseconds: number;
}

interface Held {
  readonly kind: HandleKind;
  readonly since: number;
  /** Must not lead back to the watched object, which could never be collected then. */
  readonly release: () => void;
}

export class Handles {
  private readonly now: () => number;
  private readonly onAbandoned: AbandonedListener;
  /** In the order of their opening. */
  private readonly open = new Set<Held>();
  private readonly registry = new FinalizationRegistry<Held>((held) => this.abandon(held));
  private abandonedCount = 0;

  /** @param now a clock for durations, in milliseconds */
  constructor(now: () => number, onAbandoned: AbandonedListener) {
    this.now = now;
    this.onAbandoned = onAbandoned;
  }

  /**
   * Watches `target`.
   * @param release lets go of what it pins; it may not refer to `target`
   * @returns to be called when `target` has been released in the ordinary way
   */
  watch(target: WeakKey, kind: HandleKind, release: () => void): () => void {
    const held: Held = { kind, since: this.now(), release };
    this.open.add(held);
    this.registry.register(target, held, held);
    return () => {
      this.open.delete(held);
      this.registry.unregister(held);
    };
  }

  /** What the registry does when a watched object is gone. */
  private abandon(held: Held): void {
    if (!this.open.delete(held)) return;
    this.abandonedCount++;
    held.release();
    this.onAbandoned(held.kind);
  }

  statistics(): HandleStatistics {
    const [oldest] = this.open;
    return {
      openHandles: this.open.size,
      abandonedHandles: this.abandonedCount,
      oldestHandleMilliseconds: oldest === undefined ? 0 : this.now() - oldest.since,
    };
  }
}
