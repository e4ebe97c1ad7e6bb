/**
 * What a read of a running store may give: the newest of the client's commits that it must see, or a later one that it
 * may see already. Commits of unknown outcome, and those that wait for their sync, leave two answers open.
 */
import { type Entry, touches, type Write } from '../../spec/executable/ordered-map.ts';
import { type Key, type Range, inRange } from '../../spec/executable/keys.ts';
import type { RecoveryTime } from '../../spec/executable/durable-prefix.ts';
import { describeBytes } from '../contract/outcomes.ts';
import type { CrashFailure, Knowledge, KnownCommit } from './crash-knowledge.ts';

/** A row that was read. */
export type ReadRow = readonly [Key, Uint8Array];

function entryOf(writes: readonly Write[], key: Key): Entry | undefined {
  const last = writes.findLast((write) => touches(write, key));
  return last?.kind === 'put' ? { value: last.value, deadline: last.deadline } : undefined;
}

/** Every entry that a key may have; `undefined` among them: none. */
function possibleEntries(
  commits: readonly KnownCommit[],
  key: Key,
  seenAtOnce: boolean,
  anyPrefix: boolean,
): (Entry | undefined)[] {
  let possible: (Entry | undefined)[] = [undefined];
  for (const { fate, writes } of commits) {
    if (fate === 'rejected' || !writes.some((write) => touches(write, key))) continue;
    const entry = entryOf(writes, key);
    const isCertain = !anyPrefix && (fate === 'synced' || (fate === 'volatile' && seenAtOnce));
    possible = isCertain ? [entry] : [...possible, entry];
  }
  return possible;
}

function shows(entry: Entry | undefined, found: Uint8Array | undefined, time: RecoveryTime): boolean {
  if (found === undefined) return entry === undefined || entry.deadline <= time.nowLatest;
  return entry !== undefined && entry.deadline > time.nowEarliest && Buffer.compare(entry.value, found) === 0;
}

/** Judges the reads of one client. */
export class ReadJudge {
  private readonly seenAtOnce: boolean;

  /** @param seenAtOnce whether commits are readable before they are durable */
  constructor(seenAtOnce: boolean) {
    this.seenAtOnce = seenAtOnce;
  }

  /** @param found the value read; `undefined` for none */
  get(knowledge: Knowledge, key: Key, found: Uint8Array | undefined): CrashFailure | undefined {
    const anyPrefix = knowledge.owed !== 'everything' && knowledge.owed !== 'everything or an error';
    const possible = possibleEntries(knowledge.commits, key, this.seenAtOnce, anyPrefix);
    if (possible.some((entry) => shows(entry, found, knowledge.time))) return undefined;
    const value = found === undefined ? 'absent' : describeBytes(found);
    return { class: 'wrong-read', message: `key ${Buffer.from(key, 'latin1').toString('hex')} is read as ${value}` };
  }

  /** @param isWhole whether no limit has cut the rows off */
  scan(
    knowledge: Knowledge,
    range: Range,
    rows: readonly ReadRow[],
    reverse: boolean,
    isWhole: boolean,
  ): CrashFailure | undefined {
    const found = new Map(rows);
    for (let i = 1; i < rows.length; i++) {
      const ascends = reverse ? rows[i][0] < rows[i - 1][0] : rows[i][0] > rows[i - 1][0];
      if (!ascends) return { class: 'wrong-read', message: 'a scan gives rows out of order' };
    }
    const keys = new Set(rows.map(([key]) => key));
    if (isWhole)
      for (const { writes } of knowledge.commits)
        for (const write of writes) if (write.kind === 'put') keys.add(write.key);
    for (const key of keys) {
      if (!inRange(key, range)) {
        if (found.has(key)) return { class: 'wrong-read', message: 'a scan gives a row outside of its range' };
        continue;
      }
      const wrong = this.get(knowledge, key, found.get(key));
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }
}
