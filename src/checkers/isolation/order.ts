/**
 * The order of each key's versions, as far as it is known: told by the history, shown by lists, or inferred. A
 * transaction that read a version and then wrote the key put its own above it: the other way round, with the read, would
 * be circular information flow (G1c). The initial version is below all others.
 *
 * Sources: Adya 1999, section 4.2 (version order); Kingsbury and Alvaro 2020, section 4.3 (traceable objects, and what
 * read-modify-write shows of registers).
 */
import { LightningError } from '../../base/errors.ts';
import type { HistoryColumns } from '../../history/columns.ts';
import type { Reads } from './reads.ts';
import type { ToldOrders } from './transactions.ts';
import { INITIAL, type Versions } from './versions.ts';

/** What is known to lie directly or indirectly above each version. */
export interface VersionOrder {
  /** A successor, or −1. Where the order of a key is whole, it is the next version. */
  readonly next: Int32Array;
  /** Further successors, where the order is not whole. */
  readonly more: ReadonlyMap<number, readonly number[]>;
  /** Keys whose order is not whole. */
  readonly open: readonly number[];
  /** Versions read by two transactions that both overwrote them: from, first, second. */
  readonly forks: readonly (readonly [from: number, first: number, second: number])[];
  /** By version: 1 when it is one that other transactions can find. */
  readonly installed: Uint8Array;
}

/** By version: 1 when it is one that other transactions can find. */
function installedOf({ cellKey }: HistoryColumns, versions: Versions, reads: Reads): Uint8Array {
  const { count, writer, intermediate, cell, isList } = versions;
  const installed = new Uint8Array(count);
  for (let version = 0; version < count; version++) {
    const by = writer[version];
    if (by < 0) installed[version] = Number(by === INITIAL);
    else if (reads.included[by] === 1) {
      installed[version] = Number(intermediate[version] === 0 || isList[cellKey[cell[version]]] === 1);
    }
  }
  return installed;
}

/** The versions of each wanted key that others can find, without the initial one. */
export function versionsOfKeys(
  { cellKey }: HistoryColumns,
  versions: Versions,
  installed: Uint8Array,
  wanted: Iterable<number>,
): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>(Array.from(wanted, (key) => [key, []]));
  for (let version = 0; found.size > 0 && version < versions.count; version++) {
    if (installed[version] === 0 || versions.writer[version] < 0) continue;
    found.get(cellKey[versions.cell[version]])?.push(version);
  }
  return found;
}

/** Puts together what is known. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for a told order that is not whole */
export function orderVersions(
  columns: HistoryColumns,
  versions: Versions,
  reads: Reads,
  told: ToldOrders = new Map(),
): VersionOrder {
  return new OrderBuilder(columns, versions, reads).build(told);
}

class OrderBuilder {
  private readonly columns: HistoryColumns;
  private readonly versions: Versions;
  private readonly reads: Reads;
  private readonly installed: Uint8Array;
  private readonly next: Int32Array;
  private readonly more = new Map<number, number[]>();
  private readonly hasBefore: Uint8Array;
  private readonly forks: [number, number, number][] = [];

  constructor(columns: HistoryColumns, versions: Versions, reads: Reads) {
    this.columns = columns;
    this.versions = versions;
    this.reads = reads;
    this.installed = installedOf(columns, versions, reads);
    this.next = new Int32Array(versions.count).fill(-1);
    this.hasBefore = new Uint8Array(versions.count);
  }

  build(told: ToldOrders): VersionOrder {
    const { keys } = this.columns;
    const toldKeys = new Map<number, readonly string[]>();
    if (told.size > 0) {
      const numbers = new Map(Array.from({ length: keys.count }, (_, key) => [keys.at(key), key]));
      for (const [name, values] of told) {
        const key = numbers.get(name);
        if (key === undefined) throw wrongOrder(name, 'nobody wrote it');
        toldKeys.set(key, values);
      }
    }
    this.overwrite(toldKeys);
    const lists = Array.from(this.versions.isList.keys()).filter((key) => this.versions.isList[key] === 1);
    const listed = versionsOfKeys(this.columns, this.versions, this.installed, [...toldKeys.keys(), ...lists]);
    for (const [key, values] of toldKeys) this.tell(key, values, listed.get(key) ?? []);
    for (const key of lists) this.chainList(key, listed.get(key) ?? []);
    return this.finish();
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

  /** Who read a version and wrote the key is above it. */
  private overwrite(told: ReadonlyMap<number, unknown>): void {
    const { overwritten } = this.reads;
    for (let i = 0; i < overwritten.length; i += 2) {
      const [from, to] = [overwritten[i], overwritten[i + 1]];
      if (this.installed[to] === 0 || told.has(this.columns.cellKey[this.versions.cell[to]])) continue;
      const other = this.next[from];
      if (other !== -1 && other !== to) this.forks.push([from, other, to]);
      this.add(from, to);
    }
  }

  private tell(key: number, values: readonly string[], installed: readonly number[]): void {
    const name = this.columns.keys.at(key);
    const byValue = new Map(installed.map((version) => [this.columns.values.at(this.versions.cell[version]), version]));
    let last = this.columns.absent[key];
    for (const value of values) {
      const version = byValue.get(value);
      const told = version !== undefined && this.versions.twin[this.versions.cell[version]] === -1;
      if (!told || this.hasBefore[version] === 1) throw wrongOrder(name, `${value} is not one version that committed`);
      this.add(last, version);
      last = version;
    }
    if (installed.some((version) => this.hasBefore[version] === 0)) throw wrongOrder(name, 'not whole');
  }

  private chainList(key: number, installed: readonly number[]): void {
    let last = this.columns.absent[key];
    for (let at = this.reads.longestFrom[key]; at < this.reads.longestEnd[key]; at++) {
      const version = this.columns.elements[at];
      if (this.versions.writer[version] < 0 || this.hasBefore[version] === 1) continue;
      this.add(last, version);
      last = version;
    }
    // What was never seen came after all that was: lists only grow.
    const seen = new Set(this.columns.elements.subarray(this.reads.longestFrom[key], this.reads.longestEnd[key]));
    for (const version of installed) {
      if (this.hasBefore[version] === 1) continue;
      const before = this.versions.ownBefore.get(version);
      this.add(before === undefined || seen.has(before) ? last : before, version);
    }
  }

  private finish(): VersionOrder {
    const { cellKey, absent } = this.columns;
    const counted = new Int32Array(absent.length);
    for (let version = 0; version < this.versions.count; version++) {
      if (this.versions.writer[version] < 0 || this.installed[version] === 0) continue;
      const key = cellKey[this.versions.cell[version]];
      counted[key]++;
      if (this.hasBefore[version] === 0) this.add(absent[key], version);
    }
    const open = Array.from(counted.keys()).filter((key) => this.chainLength(key, counted[key]) !== counted[key]);
    return { next: this.next, more: this.more, open, forks: this.forks, installed: this.installed };
  }

  /** How far one goes from the initial version without meeting a choice. */
  private chainLength(key: number, limit: number): number {
    let version = this.columns.absent[key];
    let length = 0;
    while (length <= limit && this.next[version] !== -1 && !this.more.has(version)) {
      version = this.next[version];
      length++;
    }
    return length;
  }
}

function wrongOrder(key: string, problem: string): LightningError {
  return new LightningError('LIGHTNING_INVALID_ARGUMENT', `order of versions of ${key}: ${problem}`, { key, problem });
}
