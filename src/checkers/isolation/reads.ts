/**
 * Reads find the version that they returned: a unique value names its writer, a list names every append before it, a
 * range names the state of each key that was ever written in it (absent ones are unborn or dead). A value with several
 * writers, absence among deletions above all, leaves a choice.
 *
 * Sources: Adya 1999, section 4.2 (G1a, G1b); Kingsbury and Alvaro, "Elle" (VLDB 2020), section 4.2, for lists and for
 * internal consistency. Transactions of unknown outcome count once somebody read them: dropping an unread one can only
 * take constraints away.
 */
import type { Cell } from '../../history/history.ts';
import type { Access, Anomaly, AnomalyName, RecordedTransaction, TransactionalHistory } from './transactions.ts';
import { keyOfKind, type KeyVersions, type VersionTable } from './versions.ts';

/** A read that may have returned one of several versions. */
export interface AmbiguousRead {
  readonly transaction: number;
  readonly candidates: readonly number[];
  readonly predicate: boolean;
}

/** External reads, and which transactions count. */
export interface ReadTable {
  /** Parallel: who read which version, and whether through a range. */
  readonly reader: number[];
  readonly version: number[];
  readonly predicate: boolean[];
  readonly ambiguous: AmbiguousRead[];
  /** By place: it is part of every execution. */
  readonly included: Uint8Array;
  /** Unknown ones that may be part of one. */
  readonly optional: Set<number>;
  /** Pairs of versions: the second was written over the first by a transaction that had read it. */
  readonly overwritten: [from: number, to: number][];
  readonly anomalies: Anomaly[];
}

/** Resolves the reads of all transactions that count. */
export function resolveReads(history: TransactionalHistory, table: VersionTable): ReadTable {
  return new ReadResolver(history, table).resolve();
}

class ReadResolver {
  private readonly transactions: readonly RecordedTransaction[];
  private readonly table: VersionTable;
  private readonly waiting: number[] = [];
  private tentative = false;
  private sortedKeys: readonly string[] | undefined;
  private readonly found: ReadTable;

  constructor({ transactions }: TransactionalHistory, table: VersionTable) {
    this.transactions = transactions;
    this.table = table;
    this.found = {
      reader: [],
      version: [],
      predicate: [],
      ambiguous: [],
      included: new Uint8Array(transactions.length),
      optional: new Set(),
      overwritten: [],
      anomalies: [],
    };
  }

  resolve(): ReadTable {
    for (let t = 0; t < this.transactions.length; t++) if (this.transactions[t].outcome === 'ok') this.include(t);
    for (let t = 0; t < this.transactions.length; t++) if (this.transactions[t].outcome === 'ok') this.resolveOne(t);
    do {
      for (let t = this.waiting.pop(); t !== undefined; t = this.waiting.pop()) this.resolveOne(t);
      for (const key of this.table.keys.values()) {
        for (const element of key.longest) this.needs(this.writerOf(key, element));
      }
    } while (this.waiting.length > 0);
    this.checkLists();
    this.resolveOptional();
    return this.found;
  }

  /** What may be part of an execution brings its own reads, which bind when it is; one that cannot be is dropped. */
  private resolveOptional(): void {
    const { optional, included, anomalies } = this.found;
    this.tentative = true;
    for (const t of optional) {
      if (included[t] === 1) {
        optional.delete(t);
        continue;
      }
      const longest = new Map([...this.table.keys.values()].map((key) => [key, key.longest]));
      const before = anomalies.length;
      this.resolveOne(t);
      if (anomalies.length > before) optional.delete(t);
      anomalies.length = before;
      for (const [key, list] of longest) key.longest = list;
    }
  }

  private writerOf(key: KeyVersions, element: string): number {
    const version = key.byValue.get(element);
    return typeof version === 'number' ? this.table.writer[version] : -1;
  }

  private include(t: number): void {
    this.found.included[t] = 1;
  }

  private complain(name: AnomalyName, message: string, places: readonly number[]): void {
    const transactions = [...new Set(places)].map((t) => this.transactions[t].id);
    this.found.anomalies.push({ name, message, transactions, cycle: [], refutes: 'read-committed' });
  }

  private resolveOne(t: number): void {
    for (const access of this.transactions[t].accesses) this.resolveAccess(t, access);
  }

  private resolveAccess(t: number, access: Access): void {
    switch (access.kind) {
      case 'read':
        this.readRegister(t, keyOfKind(this.table, access.key, 'register'), access.value, false);
        break;
      case 'write': {
        const key = keyOfKind(this.table, access.key, 'register');
        if (key.stamp !== t) this.overwrite(t, key);
        key.stamp = t;
        key.own = this.versionOf(t, key, access.value);
        break;
      }
      case 'append': {
        const key = keyOfKind(this.table, access.key, 'list');
        if (key.stamp !== t) key.ownElements = [];
        key.stamp = t;
        key.ownElements.push(access.element);
        break;
      }
      case 'list':
        this.readList(t, keyOfKind(this.table, access.key, 'list'), access.elements);
        break;
      case 'range':
        this.readRange(t, access.from, access.to, access.rows);
    }
  }

  /** Its version of that value; the last, should it write the value twice. */
  private versionOf(t: number, key: KeyVersions, value: string | null): number {
    const known = key.byValue.get(value) ?? key.initial;
    return typeof known === 'number' ? known : (known.findLast((v) => this.table.writer[v] === t) ?? key.initial);
  }

  /** The first write of a key: what the transaction read of it before lies right below. */
  private overwrite(t: number, key: KeyVersions): void {
    if (key.readStamp === t) this.found.overwritten.push([key.readVersion, this.finalVersion(t, key)]);
  }

  private finalVersion(t: number, key: KeyVersions): number {
    const { accesses } = this.transactions[t];
    for (let i = accesses.length - 1; i >= 0; i--) {
      const access = accesses[i];
      if (access.kind === 'write' && access.key === key.key) return this.versionOf(t, key, access.value);
    }
    return key.initial;
  }

  private readRegister(t: number, key: KeyVersions, value: string | null, predicate: boolean): void {
    if (key.stamp === t) {
      const own = this.table.value[key.own];
      if (own === value) return;
      this.complain('internal', `T${this.idOf(t)} wrote ${show(own)} to ${key.key} and then read ${show(value)}`, [t]);
      return;
    }
    this.external(t, key, key.byValue.get(value), value, predicate);
  }

  private idOf(t: number): number {
    return this.transactions[t].id;
  }

  private external(
    t: number,
    key: KeyVersions,
    known: number | readonly number[] | undefined,
    value: string | null,
    predicate: boolean,
  ): void {
    if (typeof known === 'number') {
      const writer = this.table.writer[known];
      if (writer < 0 || (this.transactions[writer].outcome !== 'failed' && writer !== t && this.isFinal(known))) {
        this.record(t, known, predicate);
        return;
      }
    }
    const all = known === undefined ? [] : typeof known === 'number' ? [known] : known;
    const candidates = all.filter((v) => {
      const writer = this.table.writer[v];
      return writer < 0 || (this.transactions[writer].outcome !== 'failed' && writer !== t && this.isFinal(v));
    });
    if (candidates.length === 1) this.record(t, candidates[0], predicate);
    else if (candidates.length > 1) this.recordAmbiguous(t, candidates, predicate);
    else this.explainNothing(t, key, all, value);
  }

  private isFinal(version: number): boolean {
    return !this.table.intermediate.has(version);
  }

  private record(t: number, version: number, predicate: boolean): void {
    this.found.reader.push(t);
    this.found.version.push(version);
    this.found.predicate.push(predicate);
    const key = this.table.keyOf[version];
    key.readStamp = t;
    key.readVersion = version;
    this.needs(this.table.writer[version]);
  }

  /** A writer that was read has committed, and its own reads count. */
  private needs(writer: number): void {
    if (writer < 0 || this.found.included[writer] === 1) return;
    if (this.transactions[writer].outcome === 'failed') return;
    if (this.tentative) {
      this.found.optional.add(writer);
      return;
    }
    this.include(writer);
    this.waiting.push(writer);
  }

  private recordAmbiguous(t: number, candidates: readonly number[], predicate: boolean): void {
    this.found.ambiguous.push({ transaction: t, candidates, predicate });
    for (const version of candidates) {
      const writer = this.table.writer[version];
      if (writer >= 0 && this.transactions[writer].outcome === 'unknown') this.found.optional.add(writer);
    }
  }

  private explainNothing(t: number, key: KeyVersions, all: readonly number[], value: string | null): void {
    const what = `T${this.idOf(t)} read ${show(value)} of ${key.key}`;
    const writers = all.map((v) => this.table.writer[v]);
    const failed = writers.find((w) => w >= 0 && this.transactions[w].outcome === 'failed');
    const own = writers.includes(t);
    const other = writers.find((w) => w !== t);
    if (failed !== undefined)
      this.complain('G1a', `${what}, which T${this.idOf(failed)} wrote and took back`, [failed, t]);
    else if (other !== undefined)
      this.complain('G1b', `${what}, which T${this.idOf(other)} wrote only on its way to another value`, [other, t]);
    else if (own) this.complain('internal', `${what} before it wrote that itself`, [t]);
    else this.complain('wrong-read', `${what}, which nobody wrote`, [t]);
  }

  // ---- lists

  private readList(t: number, key: KeyVersions, elements: readonly string[]): void {
    let end = elements.length;
    if (key.stamp === t) {
      const own = key.ownElements;
      end -= own.length;
      if (end < 0 || own.some((element, i) => elements[end + i] !== element)) {
        const message = `T${this.idOf(t)} appended ${own.join(' ')} to ${key.key} and then read [${elements.join(' ')}]`;
        this.complain('internal', message, [t]);
        return;
      }
    }
    // Its own appends are not installed yet: what stood before them was.
    const seen = end === elements.length ? elements : elements.slice(0, end);
    if (!isPrefix(seen, key.longest)) {
      if (!isPrefix(key.longest, seen)) {
        const message = `[${seen.join(' ')}] and [${key.longest.join(' ')}] were both read of ${key.key}, and neither begins the other`;
        this.complain('incompatible-order', message, [t]);
        return;
      }
      key.longest = seen;
    }
    const last = end === 0 ? null : elements[end - 1];
    this.external(t, key, last === null ? key.initial : key.byValue.get(last), last, false);
  }

  /** What stands anywhere in a list was committed, once, in the order of its transaction. */
  private checkLists(): void {
    for (const key of this.table.keys.values()) {
      const seen = new Set<number>();
      for (const element of key.longest) {
        const version = key.byValue.get(element);
        if (typeof version !== 'number' || seen.has(version)) {
          this.complain('wrong-read', `a list of ${key.key} holds ${element}, which was not appended so often`, []);
          continue;
        }
        const writer = this.table.writer[version];
        const before = this.table.ownBefore.get(version);
        if (this.transactions[writer].outcome === 'failed') {
          this.complain('G1a', `a list of ${key.key} holds ${element}, which T${this.idOf(writer)} took back`, [
            writer,
          ]);
        } else if (before !== undefined && !seen.has(before)) {
          const message = `a list of ${key.key} holds ${element} of T${this.idOf(writer)} without what it appended before`;
          this.complain('incompatible-order', message, [writer]);
        }
        seen.add(version);
      }
    }
  }

  // ---- ranges

  private readRange(t: number, from: string, to: string | null, rows: readonly Cell[]): void {
    const values = new Map<string, string | null>();
    for (const { key, value } of rows) {
      const outside = key < from || (to !== null && key >= to);
      if (outside || value === null || values.has(key) || !this.table.keys.has(key)) {
        this.complain('wrong-read', `T${this.idOf(t)} read a row ${key} of [${from}, ${to ?? '∞'}) that cannot be`, [
          t,
        ]);
        return;
      }
      values.set(key, value);
    }
    // Keys that are only read are absent everywhere; written ones were numbered before any read.
    this.sortedKeys ??= [...this.table.keys.values()]
      .filter((key) => key.kind !== 'list')
      .map((key) => key.key)
      .sort();
    const keys = this.sortedKeys;
    for (let i = lowerBound(keys, from); i < keys.length && (to === null || keys[i] < to); i++) {
      this.readRegister(t, keyOfKind(this.table, keys[i], 'register'), values.get(keys[i]) ?? null, true);
    }
  }
}

function show(value: string | null): string {
  return value ?? 'absent';
}

function isPrefix(short: readonly string[], long: readonly string[]): boolean {
  if (short.length > long.length) return false;
  for (let i = 0; i < short.length; i++) if (short[i] !== long[i]) return false;
  return true;
}

function lowerBound(sorted: readonly string[], bound: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
