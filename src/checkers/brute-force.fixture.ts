/**
 * Linearizability by trying every order: for tests alone, written apart from the checkers that it judges. Random small
 * histories come with it.
 */
import type { Prng } from '../base/prng.ts';
import type { History, HistoryOperation } from '../history/history.ts';

/** Whether some order that respects real time explains every operation; operations without a return may be left out. */
export function someOrderExplains(history: History): boolean {
  const operations = history.operations.filter((operation) => operation.outcome !== 'failed');
  const values = new Map<string, string | null>();
  const place = (left: readonly HistoryOperation[]): boolean => {
    if (left.every((operation) => operation.return === Infinity)) return true;
    const earliestReturn = Math.min(...left.map((operation) => operation.return));
    return left.some((operation) => {
      if (operation.call > earliestReturn) return false;
      if (operation.reads.some(({ key, value }) => (values.get(key) ?? null) !== value)) return false;
      const before = operation.writes.map(({ key }) => [key, values.get(key) ?? null] as const);
      for (const { key, value } of operation.writes) values.set(key, value);
      const found = place(left.filter((other) => other !== operation));
      for (const [key, value] of before.toReversed()) values.set(key, value);
      return found;
    });
  };
  return place(operations);
}

/** How a random history is made. */
export interface SmallHistory {
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
  readonly deletes: boolean;
  readonly multiple: boolean;
}

/**
 * A history of a store that takes effect at one moment within each operation, with unknown and failed outcomes: valid by
 * construction.
 */
export function randomHistory(prng: Prng, shape: SmallHistory): History {
  const store = new Map<string, string | null>();
  type Open = { id: number; client: number; operation: HistoryOperation; done: boolean };
  const open = new Map<number, Open>();
  const finished: HistoryOperation[] = [];
  let [next, event, value] = [0, 0, 0];
  while (next < shape.operations || open.size > 0) {
    const client = prng.below(shape.clients);
    const current = open.get(client);
    if (current === undefined) {
      if (next >= shape.operations) continue;
      const write = prng.chance(0.5);
      const count = shape.multiple && prng.chance(0.5) ? Math.min(2, shape.keys) : 1;
      const keys = prng.shuffle(Array.from({ length: shape.keys }, (_, i) => `k${i}`)).slice(0, count);
      const kind = count > 1 ? (write ? 'batch' : 'scan') : write ? 'write' : 'read';
      const operation: HistoryOperation = {
        id: next,
        client,
        kind,
        reads: write ? [] : keys.map((key) => ({ key, value: null })),
        writes: write
          ? keys.map((key) => ({ key, value: shape.deletes && prng.chance(0.3) ? null : `v${value++}` }))
          : [],
        outcome: 'ok',
        call: event++,
        return: Infinity,
        callMilliseconds: 0,
        returnMilliseconds: undefined,
      };
      open.set(client, { id: next++, client, operation, done: false });
    } else if (!current.done) {
      const fate = current.operation.kind === 'read' ? 0 : prng.weighted([8, 1, 1, 1]);
      const { operation } = current;
      current.done = true;
      if (fate !== 1 && fate !== 2) for (const cell of operation.writes) store.set(cell.key, cell.value);
      const reads = operation.reads.map(({ key }) => ({ key, value: store.get(key) ?? null }));
      const outcome = fate === 0 ? 'ok' : fate === 1 ? 'failed' : operation.writes.length === 0 ? 'ok' : 'unknown';
      current.operation = { ...operation, reads, outcome };
    } else {
      const returned = current.operation.outcome === 'unknown' ? Infinity : event++;
      finished.push({ ...current.operation, return: returned });
      open.delete(client);
    }
  }
  return { operations: finished.sort((a, b) => a.call - b.call), markers: [] };
}

/** The history with one read returning another value that was written to that key, or the initial one. */
export function withRandomRead(prng: Prng, history: History): History {
  const places = history.operations.flatMap((operation, place) => (operation.reads.length > 0 ? [place] : []));
  if (places.length === 0) return history;
  const place = prng.pick(places);
  const operation = history.operations[place];
  const at = prng.below(operation.reads.length);
  const { key } = operation.reads[at];
  const values = history.operations.flatMap((o) =>
    o.writes.filter((cell) => cell.key === key).map((cell) => cell.value),
  );
  const reads = operation.reads.with(at, { key, value: prng.pick([null, ...values]) });
  return { ...history, operations: history.operations.with(place, { ...operation, reads }) };
}
