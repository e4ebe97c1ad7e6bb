/**
 * The order of each key's versions, as far as it is known: told by the history, shown by lists, or inferred. A
 * transaction that read a version and then wrote the key put its own above it: the other way round, with the read, would
 * be circular information flow (G1c). The initial version is below all others.
 *
 * Sources: Adya 1999, section 4.2 (version order); Kingsbury and Alvaro 2020, section 4.3 (traceable objects, and what
 * read-modify-write shows of registers).
 */
import { LightningError } from '../../base/errors.ts';
import type { ReadTable } from './reads.ts';
import type { TransactionalHistory } from './transactions.ts';
import type { KeyVersions, VersionTable } from './versions.ts';

/** What is known to lie directly or indirectly above each version. */
export interface VersionOrder {
  /** A successor, or −1. Where the order of a key is whole, it is the next version. */
  readonly next: Int32Array;
  /** Further successors, where the order is not whole. */
  readonly more: ReadonlyMap<number, readonly number[]>;
  /** Keys whose order is not whole. */
  readonly open: readonly KeyVersions[];
  /** Versions read by two transactions that both overwrote them: from, first, second. */
  readonly forks: readonly (readonly [from: number, first: number, second: number])[];
}

/** Puts together what is known. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for a told order that is not whole */
export function orderVersions(history: TransactionalHistory, table: VersionTable, reads: ReadTable): VersionOrder {
  const builder = new OrderBuilder(table, reads);
  const told = history.versionOrders ?? new Map<string, readonly string[]>();
  for (const [from, to] of reads.overwritten) {
    if (!told.has(table.keyOf[from].key) && builder.counts(to)) builder.overwrite(from, to);
  }
  for (const [name, values] of told) builder.tell(name, values);
  for (const key of table.keys.values()) if (key.kind === 'list') builder.chainList(key);
  return builder.finish();
}

class OrderBuilder {
  private readonly table: VersionTable;
  private readonly reads: ReadTable;
  private readonly next: Int32Array;
  private readonly more = new Map<number, number[]>();
  private readonly hasBefore: Uint8Array;
  private readonly overwrittenBy: Int32Array;
  private readonly forks: [number, number, number][] = [];

  constructor(table: VersionTable, reads: ReadTable) {
    const count = table.writer.length;
    this.table = table;
    this.reads = reads;
    this.next = new Int32Array(count).fill(-1);
    this.hasBefore = new Uint8Array(count);
    this.overwrittenBy = new Int32Array(count).fill(-1);
  }

  /** Is the version one that others can read? */
  counts(version: number): boolean {
    const writer = this.table.writer[version];
    if (writer < 0) return true;
    const whole = this.table.keyOf[version].kind === 'list' || !this.table.intermediate.has(version);
    return whole && this.reads.included[writer] === 1;
  }

  private add(from: number, to: number): void {
    if (this.next[from] === -1) this.next[from] = to;
    else if (this.next[from] !== to) {
      const further = this.more.get(from);
      if (further === undefined) this.more.set(from, [to]);
      else further.push(to);
    }
    this.hasBefore[to] = 1;
  }

  overwrite(from: number, to: number): void {
    const other = this.overwrittenBy[from];
    if (other === -1) this.overwrittenBy[from] = to;
    else if (other !== to) this.forks.push([from, other, to]);
    this.add(from, to);
  }

  tell(name: string, values: readonly string[]): void {
    const key = this.table.keys.get(name);
    if (key === undefined) throw wrongOrder(name, 'nobody wrote it');
    let last = key.initial;
    for (const value of values) {
      const version = key.byValue.get(value);
      if (typeof version !== 'number' || !this.counts(version) || this.hasBefore[version] === 1) {
        throw wrongOrder(name, `${value} is not one version that committed`);
      }
      this.add(last, version);
      last = version;
    }
    if (this.versionsOf(key).some((version) => this.hasBefore[version] === 0)) throw wrongOrder(name, 'not whole');
  }

  chainList(key: KeyVersions): void {
    let last = key.initial;
    for (const element of key.longest) {
      const version = key.byValue.get(element);
      if (typeof version !== 'number' || this.hasBefore[version] === 1) continue;
      this.add(last, version);
      last = version;
    }
    // What was never seen came after all that was: lists only grow.
    const seen = new Set(key.longest);
    for (const version of this.versionsOf(key)) {
      if (this.hasBefore[version] === 1) continue;
      const before = this.table.ownBefore.get(version);
      this.add(before === undefined || seen.has(this.table.value[before] ?? '') ? last : before, version);
    }
  }

  private versionsOf(key: KeyVersions): number[] {
    return [...key.byValue.values()].flat().filter((version) => version !== key.initial && this.counts(version));
  }

  finish(): VersionOrder {
    const counted = new Map<KeyVersions, number>();
    for (let version = 0; version < this.table.writer.length; version++) {
      if (this.table.writer[version] < 0 || !this.counts(version)) continue;
      const key = this.table.keyOf[version];
      counted.set(key, (counted.get(key) ?? 0) + 1);
      if (this.hasBefore[version] === 0) this.add(key.initial, version);
    }
    const open: KeyVersions[] = [];
    for (const [key, count] of counted) if (this.chainLength(key, count) !== count) open.push(key);
    return { next: this.next, more: this.more, open, forks: this.forks };
  }

  /** How far one goes from the initial version without meeting a choice. */
  private chainLength(key: KeyVersions, limit: number): number {
    let version = key.initial;
    let length = 0;
    while (length <= limit && this.next[version] !== -1 && !this.more.has(version)) {
      version = this.next[version];
      length++;
    }
    return length;
  }
}

/**
 * The likeliest choice where something is open, by the times of calls and returns. It proves nothing; when every choice
 * contradicts a level, the cycle of this one is shown.
 */
export function likeliest(
  { transactions }: TransactionalHistory,
  table: VersionTable,
  reads: ReadTable,
  order: VersionOrder,
): { readonly reads: ReadTable; readonly order: VersionOrder } {
  const counts = (version: number): boolean => {
    const writer = table.writer[version];
    const whole = table.keyOf[version].kind === 'list' || !table.intermediate.has(version);
    return writer >= 0 && reads.included[writer] === 1 && whole;
  };
  const written = (version: number): number => {
    const writer = table.writer[version];
    return writer < 0 ? -1 : transactions[writer].call;
  };
  const next = order.next.slice();
  const more = new Map(order.more);
  for (const key of order.open) {
    const versions = [...key.byValue.values()].flat().filter(counts);
    const seen = new Map(key.longest.map((element, i) => [element, i - key.longest.length]));
    const rank = (v: number): number => seen.get(table.value[v] ?? '') ?? transactions[table.writer[v]].return;
    versions.sort((a, b) => rank(a) - rank(b) || a - b);
    let last = key.initial;
    for (const version of [...versions, -1]) {
      next[last] = version;
      more.delete(last);
      last = version;
    }
  }
  const guessed: ReadTable = {
    ...reads,
    reader: [...reads.reader],
    version: [...reads.version],
    predicate: [...reads.predicate],
  };
  for (const { transaction, candidates, predicate } of reads.ambiguous) {
    const before = candidates.filter((v) => written(v) < transactions[transaction].return);
    guessed.reader.push(transaction);
    guessed.version.push(before.reduce((a, b) => (written(b) > written(a) ? b : a), candidates[0]));
    guessed.predicate.push(predicate);
  }
  return { reads: guessed, order: { ...order, next, more } };
}

function wrongOrder(key: string, problem: string): LightningError {
  return new LightningError('LIGHTNING_INVALID_ARGUMENT', `order of versions of ${key}: ${problem}`, { key, problem });
}
