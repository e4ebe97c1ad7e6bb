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
import { rangeReader } from '../../history/ranges.ts';
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
  const { count, outcome, first, what, key: keyAt, cell: cellAt, cellKey, absent, listFirst, elements } = columns;
  const { writer, twin, intermediate, isList } = versions;
  const [reader, version, predicate] = Array.from({ length: 3 }, () => new GrowingInts(cellAt.length + 16));
  const overwritten = new GrowingInts(1024);
  const ambiguous: AmbiguousRead[] = [];
  const findings: Finding[] = [];
  const included = Uint8Array.from(outcome, (one) => Number(one === OUTCOME.ok));
  const optional = new Set<number>();
  const waiting: number[] = [];
  let tentative = false;
  // By key: the transaction that last wrote it and its version, the one that last read it from outside and what it found.
  const [stamp, readStamp] = [absent, absent].map((of) => new Int32Array(of.length).fill(-1));
  const [own, readVersion, longestFrom, longestEnd] = Array.from({ length: 4 }, () => new Int32Array(absent.length));
  const ownElements = new Map<number, number[]>();
  let written: Set<number> | undefined;
  const readRange = rangeReader(columns, (key) => {
    written ??= new Set(Array.from(versions.cell, (cell, v) => (writer[v] >= 0 ? cellKey[cell] : -1)));
    return written.has(key) && isList[key] === 0;
  });
  /** By cell: 1 when it has one version, which an included transaction left there, or nobody. */
  const isPlain = new Uint8Array(columns.cellCount);
  for (let cell = 0; cell < isPlain.length; cell++) {
    const by = writer[cell];
    const certain = by < 0 ? by === INITIAL : included[by] === 1 && intermediate[cell] === 0;
    isPlain[cell] = Number(certain && twin[cell] === -1);
  }

  function complain(why: Finding['why'], key: number, cells: number[], places: number[]): void {
    findings.push({ why, key, cells, places });
  }

  function resolveOne(t: number): void {
    if (ownElements.size > 0) ownElements.clear();
    for (let a = first[t]; a < first[t + 1]; a++) {
      const [k, cell] = [keyAt[a], cellAt[a]];
      if (what[a] === ACCESS.read) readRegister(t, k, cell, 0);
      else if (what[a] === ACCESS.write) {
        // What the transaction read of the key before its first write lies right below its last one.
        if (stamp[k] !== t && readStamp[k] === t) {
          overwritten.push(readVersion[k]);
          overwritten.push(lastVersion(t, k));
        }
        stamp[k] = t;
        own[k] = versionOf(t, cell);
        if (readStamp[k] === t && readVersion[k] === own[k]) complain('no-writer', k, [cell], [t]);
      } else if (what[a] === ACCESS.append) {
        const before = ownElements.get(k);
        if (before === undefined) ownElements.set(k, [cell]);
        else before.push(cell);
      } else if (what[a] === ACCESS.list) readList(t, k, cell);
      else if (what[a] === ACCESS.range) {
        const wrong = readRange(cell, (key, one) => readRegister(t, key, one, 1));
        if (wrong >= 0) complain('row', wrong, [], [t]);
      }
    }
  }

  /** Its version of a cell; the last, should it write the value twice. */
  function versionOf(t: number, cell: number): number {
    if (twin[cell] === -1) return cell;
    let found = cell;
    forEachVersion(versions, cell, (one) => {
      if (writer[one] === t && (writer[found] !== t || one > found)) found = one;
    });
    return found;
  }

  function lastVersion(t: number, k: number): number {
    let a = first[t + 1] - 1;
    while (what[a] !== ACCESS.write || keyAt[a] !== k) a--;
    return versionOf(t, cellAt[a]);
  }

  function readRegister(t: number, key: number, cell: number, byRange: number): void {
    if (stamp[key] !== t) external(t, key, cell, byRange);
    else if (versions.cell[own[key]] !== cell) complain('not-own', key, [versions.cell[own[key]], cell], [t]);
  }

  /** Could another transaction have read the version? */
  function isReadable(t: number, one: number): boolean {
    const by = writer[one];
    return by < 0 ? by === INITIAL : outcome[by] !== OUTCOME.failed && by !== t && intermediate[one] === 0;
  }

  function external(t: number, key: number, cell: number, byRange: number): void {
    // Should it be its own later write, that is found out there, or where it reads something else.
    if (isPlain[cell] === 1) {
      record(t, key, cell, byRange);
      return;
    }
    const candidates: number[] = [];
    forEachVersion(versions, cell, (one) => {
      if (isReadable(t, one)) candidates.push(one);
    });
    if (candidates.length === 0) complain('no-writer', key, [cell], [t]);
    else if (candidates.length === 1) {
      record(t, key, candidates[0], byRange);
      needs(writer[candidates[0]]);
    } else {
      ambiguous.push({ transaction: t, candidates, predicate: byRange === 1 });
      for (const by of candidates.map((one) => writer[one])) {
        if (by >= 0 && outcome[by] === OUTCOME.unknown) optional.add(by);
      }
    }
  }

  function record(t: number, key: number, one: number, byRange: number): void {
    reader.push(t);
    version.push(one);
    predicate.push(byRange);
    const before = readVersion[key];
    const again = readStamp[key] === t && before !== one;
    if (again && writer[before] === t) complain('no-writer', key, [versions.cell[before]], [t]);
    readStamp[key] = t;
    readVersion[key] = one;
  }

  /** A writer that was read has committed, and its own reads count. */
  function needs(by: number): void {
    if (by < 0 || included[by] === 1 || outcome[by] === OUTCOME.failed) return;
    if (tentative) optional.add(by);
    else {
      included[by] = 1;
      waiting.push(by);
    }
  }

  function readList(t: number, key: number, list: number): void {
    const mine = ownElements.get(key) ?? [];
    const from = listFirst[list];
    // Its own appends are not installed yet: what stood before them was.
    const end = listFirst[list + 1] - mine.length;
    if (end < from || mine.some((element, i) => elements[end + i] !== element)) {
      complain('list-not-own', key, [...elements.subarray(from, listFirst[list + 1])], [t]);
      return;
    }
    const longest = longestEnd[key] - longestFrom[key];
    for (let i = 0; i < Math.min(end - from, longest); i++) {
      const other = elements[longestFrom[key] + i];
      if (elements[from + i] === other) continue;
      complain('list-fork', key, [other, elements[from + i]], [t]);
      return;
    }
    if (end - from > longest) [longestFrom[key], longestEnd[key]] = [from, end];
    const last = end === from ? absent[key] : elements[end - 1];
    if (writer[last] === t) complain('no-writer', key, [last], [t]);
    else external(t, key, last, 0);
  }

  function forEachListed(take: (key: number, element: number) => void): void {
    isList.forEach((isOne, key) => {
      for (let at = longestFrom[key]; isOne === 1 && at < longestEnd[key]; at++) take(key, elements[at]);
    });
  }

  /** What stands anywhere in a list was committed, once, in the order of its transaction. */
  function checkLists(): void {
    const seen = new Set<number>();
    forEachListed((key, element) => {
      const by = writer[element];
      const before = versions.ownBefore.get(element);
      const counts = by >= 0 && outcome[by] !== OUTCOME.failed && !seen.has(element);
      if (!counts) complain('list-entry', key, [element], []);
      else if (before !== undefined && !seen.has(before)) complain('list-gap', key, [element], [by]);
      seen.add(element);
    });
  }

  /** What may be part of an execution brings its own reads, which bind when it is; one that cannot be is dropped. */
  function resolveOptional(): void {
    tentative = true;
    for (const t of optional) {
      const [from, end, before] = [longestFrom.slice(), longestEnd.slice(), findings.length];
      if (included[t] === 0) resolveOne(t);
      if (included[t] === 1 || findings.length > before) optional.delete(t);
      findings.length = before;
      longestFrom.set(from);
      longestEnd.set(end);
    }
  }

  for (let t = 0; t < count; t++) if (outcome[t] === OUTCOME.ok) resolveOne(t);
  do {
    for (let t = waiting.pop(); t !== undefined; t = waiting.pop()) resolveOne(t);
    forEachListed((_, element) => needs(writer[element]));
  } while (waiting.length > 0);
  checkLists();
  resolveOptional();
  const taken = { reader: reader.take(), version: version.take(), predicate: predicate.take() };
  return {
    ...taken,
    overwritten: overwritten.take(),
    ambiguous,
    included,
    optional,
    findings,
    longestFrom,
    longestEnd,
  };
}
