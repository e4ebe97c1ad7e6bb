/** Events, of which a saved history has one a line, and how a history is put together from them. */
import { LightningError } from '../base/errors.ts';
import type {
  Access,
  Cell,
  Durability,
  History,
  HistoryKind,
  HistoryMarker,
  HistoryOperation,
  HistoryOutcome,
} from './history.ts';

/** What a return may say besides its outcome and reads. */
export interface ReturnExtras {
  /** Replaces the writes of the call. */
  readonly writes?: readonly Cell[];
  /** What a transaction did, in program order. */
  readonly accesses?: readonly Access[];
  /** Whether a `cas` wrote. */
  readonly swapped?: boolean;
  readonly durability?: Durability;
}

/** A call, a return, a crash or a reopening. Its index is its place in the sequence. */
export type HistoryEvent =
  | {
      readonly event: 'call';
      readonly id: number;
      readonly client: number;
      readonly kind: HistoryKind;
      readonly writes: readonly Cell[];
      /** What a `cas` compares with. */
      readonly expected?: string | null;
      readonly time: number;
    }
  | ({
      readonly event: 'return';
      readonly id: number;
      readonly outcome: HistoryOutcome;
      readonly reads: readonly Cell[];
      readonly time: number;
    } & ReturnExtras)
  | { readonly event: 'crash' | 'reopen'; readonly time: number };

/** A call. */
export function eventOfCall(
  id: number,
  client: number,
  kind: HistoryKind,
  writes: readonly Cell[],
  time: number,
  expected?: string | null,
): HistoryEvent {
  return { event: 'call', id, client, kind, writes, ...(expected === undefined ? {} : { expected }), time };
}

/** A return. */
export function eventOfReturn(
  id: number,
  outcome: HistoryOutcome,
  reads: readonly Cell[],
  extras: ReturnExtras,
  time: number,
): HistoryEvent {
  return { event: 'return', id, outcome, reads, ...extras, time };
}

/** A crash or a reopening. */
export function eventOfMarker(event: 'crash' | 'reopen', time: number): HistoryEvent {
  return { event, time };
}

function refuse(index: number, problem: string): never {
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `history, line ${index + 1}: ${problem}`, {
    line: index + 1,
    problem,
  });
}

/**
 * Puts calls and returns together.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` naming the line: a return before its call, a second return, a
 *   duplicate id, a client with two operations at once
 */
export function historyOfEvents(events: readonly HistoryEvent[]): History {
  const operations: HistoryOperation[] = [];
  const places = new Map<number, number>();
  const openByClient = new Map<number, number>();
  const markers: HistoryMarker[] = [];
  events.forEach((event, index) => {
    if (event.event === 'call') {
      if (places.has(event.id)) refuse(index, `id ${event.id} is used a second time`);
      if (openByClient.has(event.client)) refuse(index, `client ${event.client} has two operations at once`);
      places.set(event.id, operations.length);
      openByClient.set(event.client, event.id);
      operations.push({
        id: event.id,
        client: event.client,
        kind: event.kind,
        reads: [],
        writes: event.writes,
        outcome: 'unknown',
        ...(event.expected === undefined ? {} : { expected: event.expected }),
        call: index,
        return: Infinity,
        callMilliseconds: event.time,
        returnMilliseconds: undefined,
      });
    } else if (event.event === 'return') {
      const place = places.get(event.id);
      if (place === undefined) refuse(index, `id ${event.id} returns before its call`);
      const call = operations[place];
      if (openByClient.get(call.client) !== event.id) refuse(index, `id ${event.id} returns when it is not open`);
      openByClient.delete(call.client);
      operations[place] = {
        ...call,
        reads: event.outcome === 'ok' ? event.reads : [],
        writes: event.writes ?? call.writes,
        outcome: event.outcome,
        ...(event.accesses === undefined ? {} : { accesses: event.accesses }),
        ...(event.swapped === undefined ? {} : { swapped: event.swapped }),
        ...(event.durability === undefined ? {} : { durability: event.durability }),
        return: event.outcome === 'unknown' ? Infinity : index,
        returnMilliseconds: event.time,
      };
    } else {
      markers.push({ kind: event.event, index });
      if (event.event === 'crash') openByClient.clear();
    }
  });
  return { operations, markers };
}
