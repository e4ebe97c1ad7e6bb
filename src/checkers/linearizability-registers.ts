/**
 * Linearizability of single-key registers whose written values are unique and never deleted, in O(n log n).
 *
 * Source: Gibbons and Korach, "Testing Shared Memories" (SIAM J. Comput. 26(4), 1997), section 4: gather for each value
 * its write and the reads that returned it. With f the earliest return and s the latest call among them, the value must
 * hold the register during all of [f, s] if f < s (a forward zone), and may be placed at any moment of [s, f] otherwise
 * (a backward zone). A history is linearizable exactly when no read returns before its write is called, no two forward
 * zones overlap, and no backward zone lies inside a forward one.
 *
 * A write of unknown outcome never returns. Unread it is dropped; read, it is there, and the reads bound its zone.
 */
import type { History, HistoryOperation } from '../history/history.ts';
import { type HistoryVerdict, invalid, unknown, valid } from './verdict.ts';

interface Zone {
  readonly value: string | null;
  /** Earliest return among the value's write and reads. */
  readonly finish: number;
  /** Latest call among them. */
  readonly start: number;
  readonly ids: readonly number[];
}

interface Cluster {
  readonly write: HistoryOperation | undefined;
  readonly reads: HistoryOperation[];
}

/** Why a history is outside this checker; `undefined` when it is inside. */
export function outsideRegisters(history: History): string | undefined {
  const values = new Map<string, Set<string>>();
  for (const operation of history.operations) {
    if (operation.kind !== 'read' && operation.kind !== 'write') return `an operation of kind ${operation.kind}`;
    if (operation.accesses?.some(({ kind }) => kind !== 'read' && kind !== 'write') === true)
      return 'a range or a list';
    if (operation.reads.length + operation.writes.length > 1) return 'an operation on several keys';
    for (const { key, value } of operation.writes) {
      if (value === null) return 'a deletion';
      const known = values.get(key) ?? new Set<string>();
      if (known.has(value)) return `two writes of one value to key ${key}`;
      values.set(key, known.add(value));
    }
  }
  return undefined;
}

/** Checks every key on its own. `unknown` when the history is outside what this checker can judge. */
export function checkRegisters(history: History): HistoryVerdict {
  const outside = outsideRegisters(history);
  if (outside !== undefined) return unknown(`not a history of registers: ${outside}`);
  const byKey = Map.groupBy(history.operations, (operation) => [...operation.reads, ...operation.writes][0]?.key ?? '');
  for (const [key, operations] of byKey) {
    const verdict = checkRegister(key, operations);
    if (verdict !== undefined) return verdict;
  }
  return valid(history.operations.length);
}

function checkRegister(key: string, operations: readonly HistoryOperation[]): HistoryVerdict | undefined {
  const clusters = new Map<string | null, Cluster>([[null, { write: undefined, reads: [] }]]);
  const rejected = new Map<string | null, number>();
  for (const operation of operations) {
    if (operation.kind !== 'write' || operation.writes.length === 0) continue;
    const { value } = operation.writes[0];
    if (operation.outcome === 'failed') rejected.set(value, operation.id);
    else clusters.set(value, { write: operation, reads: [] });
  }
  for (const operation of operations) {
    if (operation.outcome !== 'ok' || operation.reads.length === 0) continue;
    const { value } = operation.reads[0];
    const cluster = clusters.get(value);
    const writer = rejected.get(value);
    if (cluster === undefined && writer !== undefined) {
      const message = `key ${key}: a read returned ${String(value)}, whose write was rejected`;
      return invalid('rejected-write-visible', message, [writer, operation.id]);
    }
    if (cluster === undefined) {
      return invalid('wrong-read', `key ${key}: a read returned ${String(value)}, which nobody wrote`, [operation.id]);
    }
    if (cluster.write !== undefined && operation.return < cluster.write.call) {
      const message = `key ${key}: a read returned ${String(value)} before it was written`;
      return invalid('not-linearizable', message, [cluster.write.id, operation.id]);
    }
    cluster.reads.push(operation);
  }
  return checkZones(key, zonesOf(clusters));
}

function zonesOf(clusters: ReadonlyMap<string | null, Cluster>): Zone[] {
  const zones: Zone[] = [];
  for (const [value, { write, reads }] of clusters) {
    if (reads.length === 0 && (write === undefined || write.outcome === 'unknown')) continue;
    // The initial value was written before everything.
    let finish = write === undefined ? -1 : write.return;
    let start = write === undefined ? -1 : write.call;
    const ids = write === undefined ? [] : [write.id];
    for (const read of reads) {
      finish = Math.min(finish, read.return);
      start = Math.max(start, read.call);
      ids.push(read.id);
    }
    zones.push({ value, finish, start, ids });
  }
  return zones;
}

function checkZones(key: string, zones: readonly Zone[]): HistoryVerdict | undefined {
  const forward = zones.filter((zone) => zone.finish < zone.start).sort((a, b) => a.finish - b.finish);
  for (let i = 1; i < forward.length; i++) {
    const [a, b] = [forward[i - 1], forward[i]];
    if (b.finish < a.start) {
      const message = `key ${key}: values ${String(a.value)} and ${String(b.value)} must both hold the register at once`;
      return invalid('not-linearizable', message, [...a.ids, ...b.ids]);
    }
  }
  for (const zone of zones) {
    if (zone.finish < zone.start) continue;
    const around = lastBeginningBefore(forward, zone.start);
    if (around !== undefined && zone.finish < around.start) {
      const message = `key ${key}: value ${String(zone.value)} has no moment outside that of ${String(around.value)}`;
      return invalid('not-linearizable', message, [...zone.ids, ...around.ids]);
    }
  }
  return undefined;
}

/** The last forward zone (they are disjoint and sorted) that begins before an event. */
function lastBeginningBefore(forward: readonly Zone[], event: number): Zone | undefined {
  let low = 0;
  let high = forward.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (forward[middle].finish < event) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? undefined : forward[low - 1];
}
