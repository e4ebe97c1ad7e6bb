/**
 * Records a history while clients run. The call event is taken before the engine is asked and the return event after it
 * has answered, in one counter, so real-time order is never claimed where there was none.
 *
 * Invariants: 1. An operation returns at most once, after its call. 2. A client has at most one operation open.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import {
  eventOfCall,
  eventOfMarker,
  eventOfReturn,
  type HistoryEvent,
  historyOfEvents,
  type ReturnExtras,
} from './events.ts';
import type { Cell, History, HistoryKind, HistoryOutcome } from './history.ts';
import { HISTORY_EVENTS_MAX } from './limits.ts';

/** Collects events in order. */
export class HistoryRecorder {
  private readonly clock: Clock;
  private readonly collected: HistoryEvent[] = [];
  private readonly openByClient = new Map<number, number>();
  private nextId = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The events so far. */
  get events(): readonly HistoryEvent[] {
    return this.collected;
  }

  /** A client is about to ask. @returns the id of the operation */
  call(client: number, kind: HistoryKind, writes: readonly Cell[] = [], expected?: string | null): number {
    assert(!this.openByClient.has(client), 'a client has one operation at a time', client);
    const id = this.nextId++;
    this.openByClient.set(client, id);
    this.add(eventOfCall(id, client, kind, writes, this.clock.now(), expected));
    return id;
  }

  /**
   * A client has its answer.
   * @param extras what a transaction turned out to do, how durable a write is, whether a `cas` wrote
   */
  return(
    client: number,
    id: number,
    outcome: HistoryOutcome,
    reads: readonly Cell[] = [],
    extras: ReturnExtras = {},
  ): void {
    assert(this.openByClient.get(client) === id, 'an operation returns once, after its call', id);
    this.openByClient.delete(client);
    this.add(eventOfReturn(id, outcome, reads, extras, this.clock.now()));
  }

  /** The store stopped. Whoever waits for an answer will not get one; the clients go on with new operations. */
  crash(): void {
    this.openByClient.clear();
    this.add(eventOfMarker('crash', this.clock.now()));
  }

  /** The store is open again. */
  reopen(): void {
    this.add(eventOfMarker('reopen', this.clock.now()));
  }

  /** The history so far; operations without an answer have the outcome `unknown`. */
  history(): History {
    return historyOfEvents(this.collected);
  }

  private add(event: HistoryEvent): void {
    assert(this.collected.length < HISTORY_EVENTS_MAX, 'a history is bounded', this.collected.length);
    this.collected.push(event);
  }
}
