/**
 * Exclusive locks on keys, held by transactions until they end, and for a moment by plain writes that had to wait for one
 * (queued-write.ts). Waiting is first come, first served, whoever waits.
 *
 * Deadlocks are found when a wait begins, not by a timer: who waits depends on the holder and on those before it in the
 * queue, and a cycle of such dependences can only be closed by a new wait. The youngest owner of the cycle is ended.
 *
 * Invariants
 *   1. A key has one owner; a lock without an owner is not kept.
 *   2. The graph of waits has no cycle once `acquire` has returned its promise.
 *   3. `releaseAll` leaves nothing of an owner: no lock, no wait.
 */
import { assert } from '../base/assert.ts';
import { compareBytes } from '../base/bytes.ts';
import { LightningError } from '../base/errors.ts';
import type { KeyRange, WriteOperation } from '../engine/index.ts';

/** Whoever holds locks. */
export interface LockOwner {
  /** Greater: begun later. */
  readonly age: number;
  /** Ends the owner, whose locks are released by that. */
  endBy(error: LightningError): void;
}

interface Waiter {
  readonly owner: LockOwner;
  readonly lock: Lock;
  readonly since: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Lock {
  readonly key: Uint8Array;
  owner: LockOwner;
  queue: Waiter[];
}

/** Figures for metrics. Milliseconds. */
export interface LockCounts {
  waits: number;
  waitMilliseconds: number;
  deadlocks: number;
}

export class LockManager {
  private readonly locks = new Map<string, Lock>();
  private readonly owned = new Map<LockOwner, Set<string>>();
  private readonly waits = new Map<LockOwner, Set<Waiter>>();
  private readonly now: () => number;
  readonly counts: LockCounts = { waits: 0, waitMilliseconds: 0, deadlocks: 0 };

  /** @param now a clock for durations, in milliseconds */
  constructor(now: () => number) {
    this.now = now;
  }

  /** Locks held. */
  get size(): number {
    return this.locks.size;
  }

  /** Waits under way. */
  get waiting(): number {
    let count = 0;
    for (const waits of this.waits.values()) count += waits.size;
    return count;
  }

  /**
   * Resolves once `owner` holds `key`; at once when it is free or its own.
   * @throws (rejects) LightningError `LIGHTNING_DEADLOCK` when the owner was ended for a cycle, or why it ended otherwise
   */
  async acquire(owner: LockOwner, key: Uint8Array): Promise<void> {
    const name = nameOf(key);
    const lock = this.locks.get(name);
    if (lock?.owner === owner) return;
    if (lock === undefined) {
      this.locks.set(name, { key: key.slice(), owner, queue: [] });
      setOf(this.owned, owner).add(name);
      return;
    }
    const granted = new Promise<void>((resolve, reject) => {
      const waiter: Waiter = { owner, lock, since: this.now(), resolve, reject };
      lock.queue.push(waiter);
      setOf(this.waits, owner).add(waiter);
    });
    this.counts.waits++;
    this.breakCycles(owner);
    await granted;
  }

  /** Whether somebody else than `owner` holds a lock on what `operations` write; the lock's key, or `undefined`. */
  foreign(operations: readonly WriteOperation[], owner?: LockOwner): Uint8Array | undefined {
    if (this.locks.size === 0) return undefined;
    for (const operation of operations) {
      const lock = operation.type === 'clear' ? this.inRange(operation, owner) : this.locks.get(nameOf(operation.key));
      if (lock !== undefined && lock.owner !== owner) return lock.key;
    }
    return undefined;
  }

  private inRange(range: KeyRange, owner: LockOwner | undefined): Lock | undefined {
    for (const lock of this.locks.values()) {
      if (lock.owner !== owner && isInside(lock.key, range)) return lock;
    }
    return undefined;
  }

  /** Whether `owner` itself holds a lock on what `operations` write. */
  holds(owner: LockOwner, operations: readonly WriteOperation[]): boolean {
    const names = this.owned.get(owner);
    if (names === undefined) return false;
    return operations.some((operation) => {
      if (operation.type !== 'clear') return names.has(nameOf(operation.key));
      return [...names].some((name) => isInside(Buffer.from(name, 'latin1'), operation));
    });
  }

  /** Ends every wait of `owner` with `reason`, and passes its locks on. */
  releaseAll(owner: LockOwner, reason: LightningError): void {
    const waits = this.waits.get(owner);
    this.waits.delete(owner);
    for (const waiter of waits ?? []) {
      waiter.lock.queue = waiter.lock.queue.filter((one) => one !== waiter);
      waiter.reject(reason);
    }
    const names = this.owned.get(owner);
    this.owned.delete(owner);
    for (const name of names ?? []) this.passOn(name);
  }

  private passOn(name: string): void {
    const lock = this.locks.get(name);
    assert(lock !== undefined, 'a lock that is owned is there');
    const next = lock.queue.shift();
    if (next === undefined) {
      this.locks.delete(name);
    } else {
      lock.owner = next.owner;
      setOf(this.owned, next.owner).add(name);
      removeFrom(this.waits, next);
      this.counts.waitMilliseconds += this.now() - next.since;
      next.resolve();
    }
  }

  private breakCycles(owner: LockOwner): void {
    for (;;) {
      const cycle = this.cycleThrough(owner);
      if (cycle === undefined) return;
      this.counts.deadlocks++;
      const victim = cycle.reduce((youngest, one) => (one.age > youngest.age ? one : youngest));
      victim.endBy(
        new LightningError(
          'LIGHTNING_DEADLOCK',
          `${cycle.length} transactions wait for each other; the youngest ends`,
          {
            transactions: cycle.length,
          },
        ),
      );
      assert(!this.owned.has(victim) && !this.waits.has(victim), 'a victim holds nothing and waits for nothing');
    }
  }

  /** The owners of a cycle of waits that `start` is part of. Linear in the waits. */
  private cycleThrough(start: LockOwner): LockOwner[] | undefined {
    const path: LockOwner[] = [];
    const seen = new Set<LockOwner>();
    const walk = (owner: LockOwner): boolean => {
      if (owner === start && path.length > 0) return true;
      if (seen.has(owner)) return false;
      seen.add(owner);
      path.push(owner);
      for (const next of this.blockersOf(owner)) if (walk(next)) return true;
      path.pop();
      return false;
    };
    return walk(start) ? path : undefined;
  }

  private *blockersOf(owner: LockOwner): Generator<LockOwner> {
    for (const waiter of this.waits.get(owner) ?? []) {
      yield waiter.lock.owner;
      for (const before of waiter.lock.queue) {
        if (before === waiter) break;
        if (before.owner !== owner) yield before.owner;
      }
    }
  }
}

function isInside(key: Uint8Array, range: KeyRange): boolean {
  return compareBytes(key, range.start) >= 0 && (range.end === undefined || compareBytes(key, range.end) < 0);
}

/** A key as a name in a map: one character a byte. */
export function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

function setOf<K, V>(map: Map<K, Set<V>>, key: K): Set<V> {
  let set = map.get(key);
  if (set === undefined) map.set(key, (set = new Set()));
  return set;
}

function removeFrom(waits: Map<LockOwner, Set<Waiter>>, waiter: Waiter): void {
  const set = waits.get(waiter.owner);
  set?.delete(waiter);
  if (set?.size === 0) waits.delete(waiter.owner);
}
