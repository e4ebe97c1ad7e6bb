/**
 * Histories to measure checkers on, as columns, from a seed: clients of a store in which every operation takes effect at
 * one moment between its call and its return, and transactions of a store with snapshots. Valid by construction.
 */
import type { Prng } from '../../src/base/prng.ts';
import { ACCESS, ColumnsBuilder, type HistoryColumns } from '../../src/history/columns.ts';
import type { HistoryKind } from '../../src/history/history.ts';

/** Clients on single keys. */
export interface SingleKeyShape {
  readonly operations: number;
  readonly clients: number;
  readonly keys: number;
  /** Shares of all operations; what is left reads. */
  readonly writeShare: number;
  readonly deleteShare: number;
  /** How many different values there are; 0: each is written once. */
  readonly values: number;
  /** One read of so many places is changed to an older value of its key. */
  readonly staleReads?: number;
}

interface OpenOperation {
  readonly place: number;
  readonly kind: HistoryKind;
  readonly key: number;
  /** Cell that it writes, or once it has taken effect the one that it saw; −1 before. */
  cell: number;
  done: boolean;
}

interface Row {
  readonly client: number;
  readonly kind: HistoryKind;
  readonly key: number;
  readonly call: number;
  cell: number;
  end: number;
}

/** Draws a history of reads, writes and deletions. Cost: linear. */
export function singleKeyHistory(prng: Prng, shape: SingleKeyShape): HistoryColumns {
  const builder = new ColumnsBuilder();
  const keys = Array.from({ length: shape.keys }, (_, i) => builder.keyOf(`k${i}`));
  const current = keys.map((key) => builder.cellOf(key, null));
  const past: number[][] = current.map((cell) => [cell]);
  const open: (OpenOperation | undefined)[] = Array.from({ length: shape.clients });
  const rows: Row[] = [];
  let event = 0;
  for (let ended = 0; ended < shape.operations;) {
    const client = prng.below(shape.clients);
    const running = open[client];
    if (running === undefined) {
      if (rows.length === shape.operations) continue;
      const place = rows.length;
      const draw = prng.float();
      const key = prng.below(shape.keys);
      const write = draw < shape.writeShare;
      const value = shape.values === 0 ? `v${place}` : `v${prng.below(shape.values)}`;
      const deletes = !write && draw < shape.writeShare + shape.deleteShare;
      const cell = write ? builder.cellOf(keys[key], value) : deletes ? builder.cellOf(keys[key], null) : -1;
      const kind = write || deletes ? 'write' : 'read';
      open[client] = { place, kind, key, cell, done: false };
      rows.push({ client, kind, key, call: event++, cell: -1, end: 0 });
    } else if (!running.done) {
      running.done = true;
      if (running.kind === 'read') running.cell = current[running.key];
      else {
        current[running.key] = running.cell;
        past[running.key].push(running.cell);
      }
    } else {
      rows[running.place].cell = running.cell;
      rows[running.place].end = event++;
      open[client] = undefined;
      ended++;
    }
  }
  for (let stale = 0; stale < (shape.staleReads ?? 0);) {
    const row = rows[prng.between(rows.length >> 1, rows.length - 1)];
    const older = past[row.key][prng.below(past[row.key].length >> 2)];
    if (row.kind !== 'read' || older === row.cell) continue;
    row.cell = older;
    stale++;
  }
  rows.forEach(({ client, kind, key, call, cell, end }, id) => {
    builder.begin({ id, client, kind, outcome: 'ok', call, return: end });
    builder.add(kind === 'read' ? ACCESS.read : ACCESS.write, keys[key], cell);
  });
  return builder.build();
}

/** Transactions of eight accesses: reads of different keys, some of which it then writes. */
export interface TransactionShape {
  readonly transactions: number;
  readonly clients: number;
  readonly keys: number;
  readonly reads: number;
  readonly writes: number;
  /** Whether a transaction is refused when something that it read has changed, or only when something it writes has. */
  readonly validates: 'reads' | 'writes';
}

/** Draws a history of a store with snapshots: reads at the call, writes at the return, first committer wins. */
export function transactionHistory(prng: Prng, shape: TransactionShape): HistoryColumns {
  const builder = new ColumnsBuilder();
  const keys = Array.from({ length: shape.keys }, (_, i) => builder.keyOf(`k${i}`));
  const current = Int32Array.from(keys, (key) => builder.cellOf(key, null));
  const open: ({ readonly place: number } | undefined)[] = Array.from({ length: shape.clients });
  const { transactions: count, reads, writes } = shape;
  const readKeys = new Int32Array(count * reads);
  const readCells = new Int32Array(count * reads);
  const call = new Float64Array(count);
  const end = new Float64Array(count);
  const clients = new Int32Array(count);
  const failed = new Uint8Array(count);
  const written = new Int32Array(count * writes);
  let [event, next] = [0, 0];
  for (let ended = 0; ended < count;) {
    const client = prng.below(shape.clients);
    const running = open[client];
    if (running === undefined) {
      if (next === count) continue;
      open[client] = { place: next };
      call[next] = event++;
      clients[next] = client;
      const from = prng.below(shape.keys);
      const step = 1 + prng.below(shape.keys - 1);
      for (let i = 0; i < reads; i++) {
        const key = (from + i * step) % shape.keys;
        readKeys[next * reads + i] = key;
        readCells[next * reads + i] = current[key];
      }
      next++;
    } else {
      const { place } = running;
      const checked = shape.validates === 'reads' ? reads : writes;
      for (let i = 0; i < checked; i++) {
        if (current[readKeys[place * reads + i]] !== readCells[place * reads + i]) failed[place] = 1;
      }
      for (let i = 0; i < writes; i++) {
        const key = readKeys[place * reads + i];
        written[place * writes + i] = builder.cellOf(keys[key], `${place}`);
        if (failed[place] === 0) current[key] = written[place * writes + i];
      }
      end[place] = event++;
      open[client] = undefined;
      ended++;
    }
  }
  for (let place = 0; place < count; place++) {
    const outcome = failed[place] === 1 ? 'failed' : 'ok';
    builder.begin({
      id: place,
      client: clients[place],
      kind: 'transaction',
      outcome,
      call: call[place],
      return: end[place],
    });
    for (let i = 0; i < reads; i++) {
      builder.add(ACCESS.read, keys[readKeys[place * reads + i]], readCells[place * reads + i]);
    }
    for (let i = 0; i < writes; i++) {
      builder.add(ACCESS.write, keys[readKeys[place * reads + i]], written[place * writes + i]);
    }
  }
  return builder.build();
}
