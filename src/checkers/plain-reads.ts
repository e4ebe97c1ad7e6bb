/**
 * Accesses of a transaction or scan as reads of single keys, which is all that the search knows. A range read says of every
 * key in it what was there, and so of every key that any operation names and the range did not return: it was absent.
 * Keys that nobody names were never written, and are absent in every order.
 */
import type { Access, Cell, History, HistoryOperation } from '../history/history.ts';
import { RANGE_READS_MAX } from './limits.ts';
import { type HistoryVerdict, invalid, unknown } from './verdict.ts';

type Range = Extract<Access, { kind: 'range' }>;
type Plain = Extract<Access, { kind: 'read' | 'write' }>;

/** Whether an access is a range read. */
export function isRange(access: Access): access is Range {
  return access.kind === 'range';
}

const isInside = (key: string, { from, to }: Range): boolean => key >= from && (to === null || key < to);

function namedKeys(operations: readonly HistoryOperation[]): readonly string[] {
  const keys = new Set<string>();
  for (const { reads, writes, accesses = [] } of operations) {
    for (const { key } of reads) keys.add(key);
    for (const { key } of writes) keys.add(key);
    for (const access of accesses) {
      if (!isRange(access)) keys.add(access.key);
      else for (const { key } of access.rows) keys.add(key);
    }
  }
  return [...keys].sort((a, b) => (a < b ? -1 : 1));
}

/** Reads of all named keys of a range, or the key that cannot be one of its rows. */
function readsOf(range: Range, keys: readonly string[]): Plain[] | string {
  const rows = new Map<string, string | null>();
  for (const { key, value } of range.rows) {
    if (rows.has(key) || !isInside(key, range)) return key;
    rows.set(key, value);
  }
  return keys.filter((key) => isInside(key, range)).map((key) => ({ kind: 'read', key, value: rows.get(key) ?? null }));
}

/** What it read from others: of each key the first read before its own first write. A read that differs from what it had seen is named. */
function endsOf(accesses: readonly Access[]): { reads: readonly Cell[]; contradiction: string | undefined } {
  const reads = new Map<string, string | null>();
  const seen = new Map<string, string | null>();
  for (const access of accesses) {
    if (access.kind !== 'read' && access.kind !== 'write') continue;
    const { kind, key, value } = access;
    const before = seen.get(key);
    if (kind === 'read' && before !== undefined && before !== value) {
      return { reads: [], contradiction: `key ${key}: it read ${String(value)} after ${String(before)}` };
    }
    if (kind === 'read' && before === undefined) reads.set(key, value);
    seen.set(key, value);
  }
  return { reads: [...reads].map(([key, value]) => ({ key, value })), contradiction: undefined };
}

/**
 * The history with range reads taken apart. Cost: the ranges times the keys named in the history.
 * @returns a verdict when an operation contradicts itself (`wrong-read`) or the reads would be too many (`unknown`)
 */
export function plainReads(history: History): History | HistoryVerdict {
  const told = history.operations.filter(({ outcome, accesses }) => outcome === 'ok' && accesses !== undefined);
  if (told.length === 0) return history;
  const keys = told.some(({ accesses = [] }) => accesses.some(isRange)) ? namedKeys(history.operations) : [];
  let room = RANGE_READS_MAX;
  const changed = new Map<number, HistoryOperation>();
  for (const operation of told) {
    const plain: Access[] = [];
    for (const access of operation.accesses ?? []) {
      const reads = isRange(access) ? readsOf(access, keys) : [access];
      if (typeof reads === 'string') {
        const message = `key ${reads}: operation ${operation.id} read it outside its range or twice`;
        return invalid('wrong-read', message, [operation.id]);
      }
      if (isRange(access)) room -= reads.length;
      if (room < 0) return unknown(`range reads of more than ${RANGE_READS_MAX} keys`);
      for (const read of reads) plain.push(read);
    }
    const { reads, contradiction } = endsOf(plain);
    if (contradiction !== undefined) {
      return invalid('wrong-read', `${contradiction}, both in operation ${operation.id}`, [operation.id]);
    }
    if (operation.accesses?.some(isRange) !== true) continue;
    changed.set(operation.id, { ...operation, accesses: plain, reads });
  }
  if (changed.size === 0) return history;
  return { ...history, operations: history.operations.map((operation) => changed.get(operation.id) ?? operation) };
}
