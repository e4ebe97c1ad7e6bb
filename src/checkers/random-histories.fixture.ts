/** Random small histories of a store that takes effect at one moment within each operation, and mutations of them. */
import type { Prng } from '../base/prng.ts';
import type { Access, Cell, History, HistoryMarker, HistoryOperation } from '../history/history.ts';

/** How a random history is made. */
export interface SmallHistory {
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
  readonly deletes: boolean;
  readonly multiple: boolean;
  /** Share of operations that write; half when nothing is said. */
  readonly writeShare?: number;
  /** Some writes compare first. */
  readonly compare?: boolean;
  /** Some writes lengthen the text that is there. */
  readonly append?: boolean;
  /** Power cuts; the history then says which writes are synced. */
  readonly crashes?: number;
  /** Readers never see what a power cut takes back. */
  readonly readsAreDurable?: boolean;
}

type Values = Map<string, string | null>;
interface Open {
  operation: HistoryOperation;
  done: boolean;
  /** Place of the state it left or saw. */
  place: number;
}

/** The store and its past since the last power cut. */
class Past {
  states: Values[] = [new Map()];
  floor = 0;
  private readonly keep: boolean;

  constructor(keep: boolean) {
    this.keep = keep;
  }

  get now(): Values {
    return this.states[this.states.length - 1];
  }

  write(writes: readonly Cell[]): number {
    if (!this.keep) {
      for (const { key, value } of writes) this.now.set(key, value);
      return 0;
    }
    this.states.push(new Map([...this.now, ...writes.map(({ key, value }) => [key, value] as const)]));
    return this.states.length - 1;
  }

  crash(prng: Prng): void {
    this.states = [this.states[prng.between(this.floor, this.states.length - 1)]];
    this.floor = 0;
  }
}

/** The range with the rows that are there. */
function withRows(access: Access, now: ReadonlyMap<string, string | null>): Access {
  if (access.kind !== 'range') return access;
  const { from, to } = access;
  const there = [...now].filter(([key]) => key >= from && (to === null || key < to));
  return { ...access, rows: there.flatMap(([key, value]) => (value === null ? [] : [{ key, value }])) };
}

/** Place of the state that must survive once the operation has answered. */
function floorOf({ readsAreDurable }: SmallHistory, operation: HistoryOperation, place: number): number {
  if (operation.durability === 'synced') return place;
  if (readsAreDurable !== true) return 0;
  if (operation.writes.length === 0) return place;
  // A swap saw what it replaced.
  return operation.swapped === true && operation.expected !== null ? place - 1 : 0;
}

/** A history with unknown and failed outcomes: valid by construction. Cost: linear in the operations and states. */
export function randomHistory(prng: Prng, shape: SmallHistory): History {
  const past = new Past(shape.crashes !== undefined);
  const open = new Map<number, Open>();
  const finished: HistoryOperation[] = [];
  const markers: HistoryMarker[] = [];
  let [next, event, value] = [0, 0, 0];
  const names = (): string[] => {
    const count = shape.multiple && prng.chance(0.5) ? Math.min(2, shape.keys) : 1;
    return prng.shuffle(Array.from({ length: shape.keys }, (_, i) => `k${i}`)).slice(0, count);
  };
  const begin = (client: number): HistoryOperation => {
    const common = { id: next++, client, outcome: 'ok', call: event++, return: Infinity } as const;
    const times = { callMilliseconds: 0, returnMilliseconds: undefined };
    const durable = shape.crashes !== undefined && prng.chance(0.4) ? ({ durability: 'synced' } as const) : {};
    if (shape.crashes !== undefined && prng.chance(0.08)) {
      return { ...common, ...times, kind: 'sync', reads: [], writes: [], durability: 'synced' };
    }
    const keys = names();
    if (shape.multiple && prng.chance(0.2)) {
      const range = { kind: 'range' as const, from: keys[0], to: prng.pick([null, null, 'k2']), rows: [] };
      return { ...common, ...times, kind: 'scan', reads: [], writes: [], accesses: [range] };
    }
    if (!prng.chance(shape.writeShare ?? 0.5)) {
      const reads = keys.map((key) => ({ key, value: null }));
      return { ...common, ...times, kind: keys.length > 1 ? 'scan' : 'read', reads, writes: [] };
    }
    if (shape.compare === true && prng.chance(0.5)) {
      const expected = prng.chance(0.3) ? (past.now.get(keys[0]) ?? null) : `v${Math.max(0, value - prng.below(4))}`;
      const writes = [{ key: keys[0], value: `v${value++}` }];
      return { ...common, ...times, ...durable, kind: 'cas', reads: [], writes, expected };
    }
    if (shape.append === true && prng.chance(0.6)) {
      // Few different texts, so that one text comes about in several ways.
      const writes = [{ key: keys[0], value: prng.chance(0.3) ? 'x' : `v${value++}` }];
      return { ...common, ...times, ...durable, kind: 'append', reads: [], writes };
    }
    const writes = keys.map((key) => ({ key, value: shape.deletes && prng.chance(0.3) ? null : `v${value++}` }));
    return { ...common, ...times, ...durable, kind: keys.length > 1 ? 'batch' : 'write', reads: [], writes };
  };
  const takeEffect = (entry: Open): void => {
    const { operation } = entry;
    const writes = operation.writes.length > 0;
    const fate = writes ? prng.weighted([8, 1, 1, 1]) : 0;
    entry.done = true;
    const { key } = operation.writes[0] ?? { key: '' };
    const fits = operation.kind !== 'cas' || (past.now.get(key) ?? null) === operation.expected;
    const longer = operation.writes.map((cell) => ({ key, value: (past.now.get(key) ?? '') + String(cell.value) }));
    const written = operation.kind === 'append' ? longer : operation.writes;
    entry.place = writes && fits && fate !== 1 && fate !== 2 ? past.write(written) : past.states.length - 1;
    const reads = operation.reads.map((cell) => ({ key: cell.key, value: past.now.get(cell.key) ?? null }));
    const outcome = fate === 0 ? 'ok' : fate === 1 ? 'failed' : 'unknown';
    const swapped = operation.kind === 'cas' && outcome === 'ok' ? { swapped: fits } : {};
    const accesses = operation.accesses?.map((access) => withRows(access, past.now));
    entry.operation = { ...operation, reads, outcome, ...swapped, ...(accesses === undefined ? {} : { accesses }) };
  };
  const answer = ({ operation, place }: Open): void => {
    if (operation.outcome === 'ok') past.floor = Math.max(past.floor, floorOf(shape, operation, place));
    finished.push({ ...operation, return: operation.outcome === 'unknown' ? Infinity : event++ });
  };
  while (next < shape.operations || open.size > 0) {
    if (markers.length < 2 * (shape.crashes ?? 0) && prng.chance(0.08)) {
      for (const { operation } of open.values()) finished.push({ ...operation, reads: [], outcome: 'unknown' });
      open.clear();
      markers.push({ kind: 'crash', index: event++ }, { kind: 'reopen', index: event++ });
      past.crash(prng);
    }
    const client = prng.below(shape.clients);
    const current = open.get(client);
    if (current === undefined) {
      if (next < shape.operations) open.set(client, { operation: begin(client), done: false, place: 0 });
    } else if (!current.done) takeEffect(current);
    else {
      answer(current);
      open.delete(client);
    }
  }
  return { operations: finished.sort((a, b) => a.call - b.call), markers };
}

/** The history with one row of a range left out, or as it was when none has one. */
function withoutRandomRow(prng: Prng, history: History): History {
  const places = history.operations.flatMap(({ accesses = [] }, place) =>
    accesses.some((access) => access.kind === 'range' && access.rows.length > 0) ? [place] : [],
  );
  if (places.length === 0) return history;
  const place = prng.pick(places);
  const operation = history.operations[place];
  const accesses = operation.accesses?.map((access): Access =>
    access.kind === 'range' ? { ...access, rows: access.rows.toSpliced(prng.below(access.rows.length), 1) } : access,
  );
  return { ...history, operations: history.operations.with(place, { ...operation, accesses: accesses ?? [] }) };
}

/** The history with one read returning another value that was written to that key, or the initial one; as it was when none is. */
export function withRandomRead(prng: Prng, history: History): History {
  const places = history.operations.flatMap((operation, place) => (operation.reads.length > 0 ? [place] : []));
  if (places.length === 0 || prng.chance(0.2)) return withoutRandomRow(prng, history);
  const place = prng.pick(places);
  const operation = history.operations[place];
  const at = prng.below(operation.reads.length);
  const { key, value } = operation.reads[at];
  const seen = history.operations.flatMap((o) => [...o.writes, ...o.reads].filter((cell) => cell.key === key));
  const others = [null, ...seen.map((cell) => cell.value)].filter((one) => one !== value);
  if (others.length === 0) return history;
  const reads = operation.reads.with(at, { key, value: prng.pick(others) });
  return { ...history, operations: history.operations.with(place, { ...operation, reads }) };
}
