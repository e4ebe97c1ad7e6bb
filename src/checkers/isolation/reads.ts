/**
 * Reads find the version that they returned: a unique value names its writer, a list names every append before it, a
 * range names the state of each key that was ever written in it (absent ones are unborn or dead). A value with several
 * writers, absence among deletions above all, leaves a choice.
 *
 * Sources: Adya 1999, section 4.2 (G1a, G1b); Kingsbury and Alvaro, "Elle" (VLDB 2020), section 4.2, for lists and for
 * internal consistency. Transactions of unknown outcome count once somebody read them: dropping an unread one can only
 * take constraints away.
 */
import { GrowingInts } from '../../base/growing.ts';
import { ACCESS, type HistoryColumns, OUTCOME } from '../../history/columns.ts';
import { forEachVersion, INITIAL, type Versions } from './versions.ts';

/** A read that may have returned one of several versions. */
export interface AmbiguousRead {
  readonly transaction: number;
  readonly candidates: readonly number[];
  readonly predicate: boolean;
}

/** What is wrong with a read by itself: the transaction did not see its own, nobody can have left that for it, ... */
export interface Finding {
  readonly why: 'not-own' | 'no-writer' | 'list-not-own' | 'list-fork' | 'list-entry' | 'list-gap' | 'row';
  readonly key: number;
  readonly cells: readonly number[];
  readonly places: readonly number[];
}

/** External reads, and which transactions count. */
export interface Reads {
  /** Parallel: who read which version, and 1 when through a range. */
  readonly reader: Int32Array;
  readonly version: Int32Array;
  readonly predicate: Int32Array;
  readonly ambiguous: readonly AmbiguousRead[];
  /** By place: 1 when it is part of every execution. */
  readonly included: Uint8Array;
  /** Unknown ones that may be part of one. */
  readonly optional: ReadonlySet<number>;
  /** Pairs of versions: the second was written over the first by a transaction that had read it. */
  readonly overwritten: Int32Array;
  /** By key: the longest list that was read, as places in the columns' elements. */
  readonly longestFrom: Int32Array;
  readonly longestEnd: Int32Array;
  readonly findings: readonly Finding[];
}

/** Resolves the reads of all transactions that count. Cost: linear, besides ranges and lists that are read. */
export function resolveReads(columns: HistoryColumns, versions: Versions): Reads {
  return new ReadResolver(columns, versions).resolve();
}

class ReadResolver {
  private readonly columns: HistoryColumns;
  private readonly versions: Versions;
  private readonly reader: GrowingInts;
  private readonly version: GrowingInts;
  private readonly predicate: GrowingInts;
  private readonly overwritten = new GrowingInts(1024);
  /** By cell: 1 when it has one version, which an included transaction left there, or nobody. */
  private readonly isPlain: Uint8Array;
  private readonly ambiguous: AmbiguousRead[] = [];
  private readonly findings: Finding[] = [];
  private readonly included: Uint8Array;
  private readonly optional = new Set<number>();
  private readonly waiting: number[] = [];
  private tentative = false;
  /** By key: the transaction that last wrote it and its version, the one that last read it from outside and what it found. */
  private readonly stamp: Int32Array;
  private readonly own: Int32Array;
  private readonly readStamp: Int32Array;
  private readonly readVersion: Int32Array;
  private readonly longestFrom: Int32Array;
  private readonly longestEnd: Int32Array;
  private readonly ownElements = new Map<number, number[]>();
  private keysInOrder: readonly (readonly [name: string, key: number])[] | undefined;

  constructor(columns: HistoryColumns, versions: Versions) {
    const keys = columns.keys.count;
    this.columns = columns;
    this.versions = versions;
    this.included = new Uint8Array(columns.count);
    this.stamp = new Int32Array(keys).fill(-1);
    this.own = new Int32Array(keys);
    this.readStamp = new Int32Array(keys).fill(-1);
    this.readVersion = new Int32Array(keys);
    this.longestFrom = new Int32Array(keys);
    this.longestEnd = new Int32Array(keys);
    const room = columns.what.reduce((sum, what) => sum + Number(what === ACCESS.read), 16);
    this.reader = new GrowingInts(room);
    this.version = new GrowingInts(room);
    this.predicate = new GrowingInts(room);
    this.isPlain = new Uint8Array(columns.cellCount);
    const { writer, twin, intermediate } = versions;
    for (let cell = 0; cell < columns.cellCount; cell++) {
      const by = writer[cell];
      const certain = by < 0 ? by === INITIAL : columns.outcome[by] === OUTCOME.ok && intermediate[cell] === 0;
      this.isPlain[cell] = Number(certain && twin[cell] === -1);
    }
  }

  resolve(): Reads {
    const { count, outcome } = this.columns;
    for (let t = 0; t < count; t++) if (outcome[t] === OUTCOME.ok) this.included[t] = 1;
    for (let t = 0; t < count; t++) if (outcome[t] === OUTCOME.ok) this.resolveOne(t);
    do {
      for (let t = this.waiting.pop(); t !== undefined; t = this.waiting.pop()) this.resolveOne(t);
      this.forEachListed((_, element) => this.needs(this.versions.writer[element]));
    } while (this.waiting.length > 0);
    this.checkLists();
    this.resolveOptional();
    const { included, optional, ambiguous, findings, longestFrom, longestEnd } = this;
    const taken = {
      reader: this.reader.take(),
      version: this.version.take(),
      predicate: this.predicate.take(),
      overwritten: this.overwritten.take(),
    };
    return { ...taken, ambiguous, included, optional, findings, longestFrom, longestEnd };
  }

  /** What may be part of an execution brings its own reads, which bind when it is; one that cannot be is dropped. */
  private resolveOptional(): void {
    this.tentative = true;
    for (const t of this.optional) {
      if (this.included[t] === 1) {
        this.optional.delete(t);
        continue;
      }
      const longest = [this.longestFrom.slice(), this.longestEnd.slice()];
      const before = this.findings.length;
      this.resolveOne(t);
      if (this.findings.length > before) this.optional.delete(t);
      this.findings.length = before;
      this.longestFrom.set(longest[0]);
      this.longestEnd.set(longest[1]);
    }
  }

  private complain(why: Finding['why'], key: number, cells: number[], places: number[]): void {
    this.findings.push({ why, key, cells, places });
  }

  private resolveOne(t: number): void {
    const { first, what, key, cell } = this.columns;
    if (this.ownElements.size > 0) this.ownElements.clear();
    for (let a = first[t]; a < first[t + 1]; a++) {
      const k = key[a];
      if (what[a] === ACCESS.read) this.readRegister(t, k, cell[a], 0);
      else if (what[a] === ACCESS.write) {
        // What the transaction read of the key before its first write lies right below its last one.
        if (this.stamp[k] !== t && this.readStamp[k] === t) {
          this.overwritten.push(this.readVersion[k]);
          this.overwritten.push(this.lastVersion(t, k));
        }
        this.stamp[k] = t;
        this.own[k] = this.versionOf(t, cell[a]);
        if (this.readStamp[k] === t && this.readVersion[k] === this.own[k]) {
          this.complain('no-writer', k, [cell[a]], [t]);
        }
      } else if (what[a] === ACCESS.append) {
        const own = this.ownElements.get(k);
        if (own === undefined) this.ownElements.set(k, [cell[a]]);
        else own.push(cell[a]);
      } else if (what[a] === ACCESS.list) this.readList(t, k, cell[a]);
      else if (what[a] === ACCESS.range) this.readRange(t, cell[a]);
    }
  }

  /** Its version of a cell; the last, should it write the value twice. */
  private versionOf(t: number, cell: number): number {
    if (this.versions.twin[cell] === -1) return cell;
    let found = cell;
    forEachVersion(this.versions, cell, (version) => {
      if (this.versions.writer[version] === t && (this.versions.writer[found] !== t || version > found))
        found = version;
    });
    return found;
  }

  private lastVersion(t: number, k: number): number {
    const { first, what, key, cell } = this.columns;
    let a = first[t + 1] - 1;
    while (what[a] !== ACCESS.write || key[a] !== k) a--;
    return this.versionOf(t, cell[a]);
  }

  private readRegister(t: number, key: number, cell: number, predicate: number): void {
    if (this.stamp[key] !== t) this.external(t, key, cell, predicate);
    else if (this.versions.cell[this.own[key]] !== cell) {
      this.complain('not-own', key, [this.versions.cell[this.own[key]], cell], [t]);
    }
  }

  /** Could another transaction have read the version? */
  private isReadable(t: number, version: number): boolean {
    const writer = this.versions.writer[version];
    if (writer < 0) return writer === INITIAL;
    return this.columns.outcome[writer] !== OUTCOME.failed && writer !== t && this.versions.intermediate[version] === 0;
  }

  private external(t: number, key: number, cell: number, predicate: number): void {
    if (this.isPlain[cell] === 1) {
      // Should it be its own later write, that is found out there, or where it reads something else.
      this.record(t, key, cell, predicate);
      return;
    }
    const candidates: number[] = [];
    forEachVersion(this.versions, cell, (version) => {
      if (this.isReadable(t, version)) candidates.push(version);
    });
    if (candidates.length === 0) this.complain('no-writer', key, [cell], [t]);
    else if (candidates.length === 1) {
      this.record(t, key, candidates[0], predicate);
      this.needs(this.versions.writer[candidates[0]]);
    } else {
      this.ambiguous.push({ transaction: t, candidates, predicate: predicate === 1 });
      for (const version of candidates) {
        const writer = this.versions.writer[version];
        if (writer >= 0 && this.columns.outcome[writer] === OUTCOME.unknown) this.optional.add(writer);
      }
    }
  }

  private record(t: number, key: number, version: number, predicate: number): void {
    this.reader.push(t);
    this.version.push(version);
    this.predicate.push(predicate);
    const before = this.readVersion[key];
    const again = this.readStamp[key] === t && before !== version;
    if (again && this.versions.writer[before] === t) this.complain('no-writer', key, [this.versions.cell[before]], [t]);
    this.readStamp[key] = t;
    this.readVersion[key] = version;
  }

  /** A writer that was read has committed, and its own reads count. */
  private needs(writer: number): void {
    if (writer < 0 || this.included[writer] === 1 || this.columns.outcome[writer] === OUTCOME.failed) return;
    if (this.tentative) this.optional.add(writer);
    else {
      this.included[writer] = 1;
      this.waiting.push(writer);
    }
  }

  // ---- lists

  private readList(t: number, key: number, list: number): void {
    const { listFirst, elements, absent } = this.columns;
    const own = this.ownElements.get(key) ?? [];
    const from = listFirst[list];
    // Its own appends are not installed yet: what stood before them was.
    const end = listFirst[list + 1] - own.length;
    if (end < from || own.some((element, i) => elements[end + i] !== element)) {
      this.complain('list-not-own', key, [...elements.subarray(from, listFirst[list + 1])], [t]);
      return;
    }
    const longest = this.longestEnd[key] - this.longestFrom[key];
    for (let i = 0; i < Math.min(end - from, longest); i++) {
      if (elements[from + i] === elements[this.longestFrom[key] + i]) continue;
      this.complain('list-fork', key, [elements[this.longestFrom[key] + i], elements[from + i]], [t]);
      return;
    }
    if (end - from > longest) [this.longestFrom[key], this.longestEnd[key]] = [from, end];
    const last = end === from ? absent[key] : elements[end - 1];
    if (this.versions.writer[last] === t) this.complain('no-writer', key, [last], [t]);
    else this.external(t, key, last, 0);
  }

  private forEachListed(take: (key: number, element: number) => void): void {
    this.versions.isList.forEach((isList, key) => {
      for (let at = this.longestFrom[key]; isList === 1 && at < this.longestEnd[key]; at++) {
        take(key, this.columns.elements[at]);
      }
    });
  }

  /** What stands anywhere in a list was committed, once, in the order of its transaction. */
  private checkLists(): void {
    const seen = new Set<number>();
    this.forEachListed((key, element) => {
      const writer = this.versions.writer[element];
      const before = this.versions.ownBefore.get(element);
      const counts = writer >= 0 && this.columns.outcome[writer] !== OUTCOME.failed && !seen.has(element);
      if (!counts) this.complain('list-entry', key, [element], []);
      else if (before !== undefined && !seen.has(before)) this.complain('list-gap', key, [element], [writer]);
      seen.add(element);
    });
  }

  // ---- ranges

  private readRange(t: number, range: number): void {
    const { from, to, rows } = this.columns.ranges[range];
    const { cellKey, absent, keys } = this.columns;
    const found = new Map<number, number>();
    this.keysInOrder ??= this.writtenKeys();
    for (const row of rows) {
      const key = cellKey[row];
      const name = keys.at(key);
      const outside = name < from || (to !== null && name >= to);
      const unwritten = this.versions.writer[row] < 0 || this.versions.isList[key] === 1;
      if (outside || unwritten || found.has(key) || row === absent[key]) {
        this.complain('row', key, [row], [t]);
        return;
      }
      found.set(key, row);
    }
    for (let i = lowerBound(this.keysInOrder, from); i < this.keysInOrder.length; i++) {
      const [name, key] = this.keysInOrder[i];
      if (to !== null && name >= to) break;
      this.readRegister(t, key, found.get(key) ?? absent[key], 1);
    }
  }

  /** Registers that somebody writes, by name; all others are absent in every execution. */
  private writtenKeys(): (readonly [string, number])[] {
    const written = new Uint8Array(this.columns.keys.count);
    const { writer, cell, isList } = this.versions;
    writer.forEach((by, version) => {
      if (by >= 0) written[this.columns.cellKey[cell[version]]] = 1;
    });
    const named = Array.from(written.keys(), (key) => [this.columns.keys.at(key), key] as const);
    const wanted = named.filter(([, key]) => written[key] === 1 && isList[key] === 0);
    return wanted.sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

function lowerBound(sorted: readonly (readonly [string, number])[], bound: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle][0] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
