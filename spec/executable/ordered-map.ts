/**
 * An ordered map with versions: the list of its commits, and nothing else. What a reader sees is defined twice, once by
 * looking for the newest version of one key (rule 2 of spec/semantics.md to the letter) and once by carrying out all
 * commits in order; tests hold the two against each other.
 */
import { type Key, type Range, inRange, rangesMeet } from './keys.ts';

/** Deadline of a value that never expires. */
export const NEVER = Infinity;

/** One step of a commit; steps take effect in order. */
export type Write =
  | { readonly kind: 'put'; readonly key: Key; readonly value: Uint8Array; readonly deadline: number }
  | { readonly kind: 'delete'; readonly key: Key }
  | { readonly kind: 'clear'; readonly range: Range };

/** A value and the time from which it is gone. */
export interface Entry {
  readonly value: Uint8Array;
  readonly deadline: number;
}

/** Which entry each key has; expired ones are still in it. */
export type State = ReadonlyMap<Key, Entry>;

/** One row of a scan. */
export type KeyValue = readonly [key: Key, value: Uint8Array];

/** Whether a write decides what a key is. */
export function touches(write: Write, key: Key): boolean {
  return write.kind === 'clear' ? inRange(key, write.range) : write.key === key;
}

/** Carries out writes, in order, on a state of one's own. */
export function applyWrites(state: Map<Key, Entry>, writes: readonly Write[]): void {
  for (const write of writes) {
    if (write.kind === 'put') state.set(write.key, { value: write.value, deadline: write.deadline });
    else if (write.kind === 'delete') state.delete(write.key);
    else for (const key of [...state.keys()]) if (inRange(key, write.range)) state.delete(key);
  }
}

/** The value of a key in a state at a time; absent from its deadline on. */
export function valueIn(state: State, key: Key, now: number): Uint8Array | undefined {
  const entry = state.get(key);
  return entry === undefined || entry.deadline <= now ? undefined : entry.value;
}

/** Rows of a state in a range at a time, in order; `reverse` turns the order, then the first `limit` are kept. */
export function rowsIn(state: State, range: Range, now: number, reverse = false, limit = Infinity): KeyValue[] {
  const rows: KeyValue[] = [];
  for (const [key, entry] of state) if (inRange(key, range) && entry.deadline > now) rows.push([key, entry.value]);
  rows.sort(([a], [b]) => (a < b ? -1 : 1));
  if (reverse) rows.reverse();
  return limit < rows.length ? rows.slice(0, limit) : rows;
}

/** The list of commits; the first has sequence 1. */
export class OrderedMap {
  private readonly commits: (readonly Write[])[] = [];
  private readonly current = new Map<Key, Entry>();
  private readonly remembered = new Map<number, State>();

  /** Sequence of the newest commit; 0 when there is none. */
  get sequence(): number {
    return this.commits.length;
  }

  /** Adds a commit. @returns its sequence */
  commit(writes: readonly Write[]): number {
    this.commits.push(writes);
    applyWrites(this.current, writes);
    return this.commits.length;
  }

  /** What a commit wrote. */
  writesOf(sequence: number): readonly Write[] {
    return this.commits[sequence - 1];
  }

  /** Rule 2: of the writes up to `sequence` that touch the key the newest decides; absent if none, a deletion, or expired. */
  read(key: Key, sequence: number, now: number): Uint8Array | undefined {
    for (let s = sequence; s >= 1; s--) {
      const newest = this.commits[s - 1].findLast((write) => touches(write, key));
      if (newest !== undefined) return newest.kind === 'put' && newest.deadline > now ? newest.value : undefined;
    }
    return undefined;
  }

  /** The same for all keys: the state after the commits up to `sequence`. Not to be changed, valid until the next commit. */
  stateAt(sequence: number): State {
    if (sequence === this.sequence) return this.current;
    const remembered = this.remembered.get(sequence);
    if (remembered !== undefined) return remembered;
    const state = new Map<Key, Entry>();
    for (const writes of this.commits.slice(0, sequence)) applyWrites(state, writes);
    this.remembered.set(sequence, state);
    return state;
  }

  /** Rule 7: the newest sequence that touches a key, deletions included; 0 if none does. */
  newestOf(key: Key): number {
    return 1 + this.commits.findLastIndex((writes) => writes.some((write) => touches(write, key)));
  }

  /** Rule 7 for a range: the newest sequence that touches any key in it. */
  newestIn(range: Range): number {
    return (
      1 +
      this.commits.findLastIndex((writes) =>
        writes.some((write) => (write.kind === 'clear' ? rangesMeet(write.range, range) : inRange(write.key, range))),
      )
    );
  }
}
