/**
 * Every write of a history as a numbered version, found again by key and value. Version numbers are dense; the first of
 * a key is its initial state (absent, or the empty list). Which of them commit is decided in reads.ts.
 *
 * Source: Adya, "Weak Consistency" (MIT, 1999), section 4.1: versions, initial (unborn) and dead ones, intermediate ones.
 */
import { LightningError } from '../../base/errors.ts';
import { ISOLATION_KEYS_MAX } from './limits.ts';
import type { RecordedTransaction, TransactionalHistory } from './transactions.ts';

/** A key and its versions. */
export interface KeyVersions {
  readonly key: string;
  readonly initial: number;
  kind: 'none' | 'register' | 'list';
  readonly byValue: Map<string | null, number | number[]>;
  /** Scratch: the transaction that last touched the key, and what it wrote there. */
  stamp: number;
  own: number;
  ownElements: string[];
  /** The transaction that last read it from outside, and the version that it found. */
  readStamp: number;
  readVersion: number;
  /** The longest list that was read. */
  longest: readonly string[];
}

/** Numbered versions; parallel arrays by version. */
export interface VersionTable {
  readonly keys: Map<string, KeyVersions>;
  /** Place of the writer in the history; −1: the initial state. */
  readonly writer: number[];
  readonly keyOf: KeyVersions[];
  readonly value: (string | null)[];
  /** Overwritten by its own transaction. */
  readonly intermediate: Set<number>;
  /** Of an intermediate element of a list and its next: from the later to the earlier one of the same transaction. */
  readonly ownBefore: Map<number, number>;
}

function refuse(problem: string, details: Readonly<Record<string, unknown>>): never {
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `history of transactions: ${problem}`, details);
}

/** @throws LightningError `LIGHTNING_INVALID_ARGUMENT`: ids, clients or events that cannot be */
export function checkShape({ transactions }: TransactionalHistory): void {
  const ids = new Set<number>();
  let sorted: readonly RecordedTransaction[] = transactions;
  for (let i = 0; i < transactions.length; i++) {
    const { id, client, call, return: end, outcome } = transactions[i];
    if (ids.has(id)) refuse(`id ${id} is used a second time`, { id });
    ids.add(id);
    if (!(Number.isFinite(call) && end > call)) refuse(`transaction ${id} returns before its call`, { id, client });
    if (outcome === 'ok' && end === Infinity) refuse(`transaction ${id} has no return and yet an outcome`, { id });
    if (i > 0 && call < transactions[i - 1].call && sorted === transactions) {
      sorted = transactions.toSorted((a, b) => a.call - b.call);
    }
  }
  const busyUntil = new Map<number, number>();
  for (const { id, client, call, return: end, outcome } of sorted) {
    const until = busyUntil.get(client);
    if (until !== undefined && call < until) refuse(`client ${client} has two transactions at once`, { id });
    busyUntil.set(client, outcome === 'unknown' ? call : end);
  }
}

function newVersion(table: VersionTable, key: KeyVersions, writer: number, value: string | null): number {
  const version = table.writer.length;
  table.writer.push(writer);
  table.keyOf.push(key);
  table.value.push(value);
  const known = key.byValue.get(value);
  if (known === undefined) key.byValue.set(value, version);
  else if (typeof known === 'number') key.byValue.set(value, [known, version]);
  else known.push(version);
  return version;
}

/** The versions of a key, which is new or known. */
export function keyVersions(table: VersionTable, name: string): KeyVersions {
  const known = table.keys.get(name);
  if (known !== undefined) return known;
  if (table.keys.size >= ISOLATION_KEYS_MAX) refuse('too many keys', { keys: table.keys.size });
  const initial = table.writer.length;
  const byValue = new Map<string | null, number>();
  const key: KeyVersions = {
    key: name,
    initial,
    kind: 'none',
    byValue,
    stamp: -1,
    own: -1,
    ownElements: [],
    readStamp: -1,
    readVersion: -1,
    longest: [],
  };
  table.keys.set(name, key);
  newVersion(table, key, -1, null);
  return key;
}

/** The key as a list or as a register; @throws LightningError `LIGHTNING_INVALID_ARGUMENT` when it was the other */
export function keyOfKind(table: VersionTable, name: string, kind: 'register' | 'list'): KeyVersions {
  const key = keyVersions(table, name);
  if (key.kind === 'none') key.kind = kind;
  else if (key.kind !== kind) refuse(`key ${name} is used both as a list and as a register`, { key: name });
  return key;
}

/** Numbers all writes. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for an element appended twice */
export function numberVersions({ transactions }: TransactionalHistory): VersionTable {
  const table: VersionTable = {
    keys: new Map(),
    writer: [],
    keyOf: [],
    value: [],
    intermediate: new Set(),
    ownBefore: new Map(),
  };
  for (let t = 0; t < transactions.length; t++) {
    for (const access of transactions[t].accesses) {
      if (access.kind !== 'write' && access.kind !== 'append') continue;
      const append = access.kind === 'append';
      const key = keyOfKind(table, access.key, append ? 'list' : 'register');
      const value = access.kind === 'append' ? access.element : access.value;
      if (append && key.byValue.has(value)) {
        refuse(`element ${String(value)} is appended twice to key ${access.key}`, { key: access.key });
      }
      const version = newVersion(table, key, t, value);
      if (key.stamp === t) {
        table.intermediate.add(key.own);
        if (append) table.ownBefore.set(version, key.own);
      }
      key.stamp = t;
      key.own = version;
    }
  }
  for (const key of table.keys.values()) key.stamp = -1;
  return table;
}
