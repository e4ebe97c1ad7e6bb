/**
 * Secondary indexes over the ordered map (S32, S33 of spec/semantics.md): what rows stand under in a state, and which
 * commits a unique index does not allow. Nothing is kept: every answer is worked out from the states.
 */
import type { Key } from './keys.ts';
import { applyWrites, type Entry, NEVER, type OrderedMap, type State, touches, type Write } from './ordered-map.ts';
import type { Transaction } from './transactions.ts';

/** An index. */
export interface IndexRule {
  readonly name: string;
  readonly unique: boolean;
  /** What a row stands under. */
  readonly extract: (key: Key, value: Uint8Array) => readonly Key[];
}

/** An indexed value and the key of its row. */
export type IndexEntry = readonly [indexed: Key, key: Key];

function compare([a, x]: IndexEntry, [b, y]: IndexEntry): number {
  if (a !== b) return a < b ? -1 : 1;
  return x === y ? 0 : x < y ? -1 : 1;
}

/** Entries of the rows that live at a time: by indexed value, then by key, each once. */
export function entriesIn(state: State, rule: IndexRule, now: number): IndexEntry[] {
  const entries: IndexEntry[] = [];
  for (const [key, { value, deadline }] of state) {
    if (deadline > now) for (const indexed of new Set(rule.extract(key, value))) entries.push([indexed, key]);
  }
  return entries.sort(compare);
}

/**
 * Entries as a transaction sees them: those of its snapshot whose row still stands under them once its own writes are laid
 * over it. Its writes move no row to a new place before the commit.
 */
export function entriesSeenBy(snapshot: State, seen: State, rule: IndexRule, now: number): IndexEntry[] {
  return entriesIn(snapshot, rule, now).filter(([indexed, key]) => {
    const entry = seen.get(key);
    return entry !== undefined && entry.deadline > now && rule.extract(key, entry.value).includes(indexed);
  });
}

/**
 * Whether writes on a state would give one value of a unique index to two rows. Rows that are put count as living, whatever
 * their deadline says; others when they live at the time.
 */
export function makesTwins(state: State, writes: readonly Write[], rules: readonly IndexRule[], now: number): boolean {
  if (rules.every(({ unique }) => !unique)) return false;
  const next = new Map<Key, Entry>(state);
  applyWrites(next, writes);
  const counted = new Map<Key, Entry>();
  for (const [key, entry] of next)
    if (entry.deadline > now || writes.some((write) => touches(write, key)))
      counted.set(key, { ...entry, deadline: NEVER });
  return rules.some((rule) => {
    if (!rule.unique) return false;
    const entries = entriesIn(counted, rule, now);
    return entries.some(([indexed], i) => i > 0 && entries[i - 1][0] === indexed);
  });
}

/** Values of unique indexes that writes on a state take or leave, each with its index. */
function valuesMoved(state: State, writes: readonly Write[], rules: readonly IndexRule[]): Set<string> {
  const next = new Map<Key, Entry>(state);
  applyWrites(next, writes);
  const moved = new Set<string>();
  for (const one of [state, next]) {
    for (const [key, { value }] of one) {
      if (!writes.some((write) => touches(write, key))) continue;
      for (const { name, unique, extract } of rules)
        if (unique) for (const indexed of extract(key, value)) moved.add(`${name}:${indexed}`);
    }
  }
  return moved;
}

/** Whether a value that a transaction takes or leaves was taken or left by a commit after its snapshot. */
export function racesForValue(transaction: Transaction, map: OrderedMap, rules: readonly IndexRule[]): boolean {
  const { snapshot, writes } = transaction;
  if (snapshot === undefined || rules.every(({ unique }) => !unique)) return false;
  const own = valuesMoved(map.stateAt(map.sequence), writes, rules);
  for (let sequence = snapshot.sequence + 1; sequence <= map.sequence; sequence++) {
    const moved = valuesMoved(map.stateAt(sequence - 1), map.writesOf(sequence), rules);
    for (const value of own) if (moved.has(value)) return true;
  }
  return false;
}
