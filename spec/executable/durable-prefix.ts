/**
 * The judge of what a crash left behind (design: one writer, one order of commits, one cut over all keys).
 *
 * The recovered map must equal the state after some prefix of the commits that holds the floor: every commit
 * acknowledged as synced, and every commit whose effect a completed read returned where reads are promised durable,
 * with all predecessors. Rejected commits are in no prefix. Commits of unknown outcome may be in it or not, each alone.
 */
import { INDEFINITE_COMMITS_MAX } from '../../src/contract/limits.ts';
import { describeBytes } from '../../src/contract/outcomes.ts';
import { bytesOfKey, type Key } from './keys.ts';
import { applyWrites, type Entry, touches, type Write } from './ordered-map.ts';

/** One commit in the order of issue, and what the writer was told. */
export interface CommitRecord {
  readonly writes: readonly Write[];
  /** `synced` and `volatile`: acknowledged. `rejected`: a definite error. `indefinite`: an error or no answer at all. */
  readonly fate: 'synced' | 'volatile' | 'rejected' | 'indefinite';
  /** A completed read returned something that only this commit can have written, in a mode that promises it durable. */
  readonly read: boolean;
}

/** What recovery gave back, all of it. */
export type RecoveredMap = ReadonlyMap<Key, Uint8Array>;

/** How a recovered map can be wrong. */
export type RecoveryFailureClass =
  'lost-acknowledged-write' | 'rejected-write-visible' | 'torn-batch' | 'not-a-prefix' | 'wrong-read';

/** The verdict on one recovered map. `included` are positions of the commits that are in it, the longest such prefix. */
export type RecoveryVerdict =
  | { readonly kind: 'ok'; readonly prefixLength: number; readonly included: readonly number[]; readonly floor: number }
  | { readonly kind: 'failed'; readonly class: RecoveryFailureClass; readonly message: string; readonly floor: number }
  | { readonly kind: 'unknown'; readonly message: string };

/** Time at recovery: a value whose deadline lies between the bounds may be there or not. */
export interface RecoveryTime {
  readonly nowEarliest: number;
  readonly nowLatest: number;
}

/** How many of the first commits a recovered map must hold. */
export function floorOf(commits: readonly CommitRecord[]): number {
  return 1 + commits.findLastIndex((commit) => commit.fate === 'synced' || commit.read);
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || Buffer.compare(a, b) === 0;
}

/** Whether a recovered value is what an entry shows at some time between the bounds. */
function shows(entry: Entry | undefined, recovered: Uint8Array | undefined, time: RecoveryTime): boolean {
  const present = entry !== undefined && entry.deadline > time.nowEarliest && sameBytes(entry.value, recovered);
  const absent = (entry === undefined || entry.deadline <= time.nowLatest) && recovered === undefined;
  return present || absent;
}

/** Visits the state before and after each commit taken, with the keys on which it differs from the recovered map. */
function walk(
  commits: readonly CommitRecord[],
  taken: (position: number) => boolean,
  recovered: RecoveredMap,
  time: RecoveryTime,
  visit: (prefixLength: number, state: ReadonlyMap<Key, Entry>, different: ReadonlySet<Key>) => void,
): void {
  const state = new Map<Key, Entry>();
  const different = new Set<Key>(recovered.keys());
  visit(0, state, different);
  commits.forEach((commit, position) => {
    if (taken(position)) {
      const touched = new Set<Key>();
      for (const write of commit.writes) {
        if (write.kind !== 'clear') touched.add(write.key);
        else for (const key of state.keys()) if (touches(write, key)) touched.add(key);
      }
      applyWrites(state, commit.writes);
      for (const key of touched) {
        if (shows(state.get(key), recovered.get(key), time)) different.delete(key);
        else different.add(key);
      }
    }
    visit(position + 1, state, different);
  });
}

/** Positions of the commits that are optional: with unknown outcome, and not read. */
function optionalPositions(commits: readonly CommitRecord[]): number[] {
  return commits.flatMap((commit, position) => (commit.fate === 'indefinite' && !commit.read ? [position] : []));
}

/** The longest prefix that equals the recovered map, over all answers to the optional commits. */
function longestMatch(
  commits: readonly CommitRecord[],
  extra: number | undefined,
  recovered: RecoveredMap,
  time: RecoveryTime,
): { prefixLength: number; included: number[] } | undefined {
  const optional = optionalPositions(commits);
  let best: { prefixLength: number; included: number[] } | undefined;
  for (let dropped = 0; dropped < 1 << optional.length; dropped++) {
    const isDropped = new Set(optional.filter((_, bit) => ((dropped >> bit) & 1) === 1));
    const taken = (position: number): boolean =>
      !isDropped.has(position) && (commits[position].fate !== 'rejected' || position === extra);
    walk(commits, taken, recovered, time, (prefixLength, _state, different) => {
      if (different.size === 0 && prefixLength > (best?.prefixLength ?? -1)) {
        best = { prefixLength, included: [...Array(prefixLength).keys()].filter(taken) };
      }
    });
  }
  return best;
}

/** A row that no commit wrote, or only a rejected one. */
function foreignRow(
  commits: readonly CommitRecord[],
  recovered: RecoveredMap,
): { class: RecoveryFailureClass; message: string } | undefined {
  for (const [key, value] of recovered) {
    const writers = commits.filter((commit) =>
      commit.writes.some((write) => write.kind === 'put' && write.key === key && sameBytes(write.value, value)),
    );
    const row = `key ${describeBytes(bytesOfKey(key))} = ${describeBytes(value)}`;
    if (writers.length === 0) return { class: 'wrong-read', message: `${row}: nobody wrote that` };
    if (writers.every((commit) => commit.fate === 'rejected')) {
      return { class: 'rejected-write-visible', message: `${row}: only a rejected commit wrote that` };
    }
  }
  return undefined;
}

/** A commit of which only a part is there, right after a prefix. */
function partOfCommit(
  commits: readonly CommitRecord[],
  floor: number,
  recovered: RecoveredMap,
  time: RecoveryTime,
): { class: RecoveryFailureClass; message: string } | undefined {
  let found: { class: RecoveryFailureClass; message: string } | undefined;
  const taken = (position: number): boolean => commits[position].fate !== 'rejected';
  walk(commits, taken, recovered, time, (prefixLength, state, different) => {
    if (found !== undefined || prefixLength === commits.length || different.size === 0) return;
    const next = commits[prefixLength];
    const after = new Map(state);
    applyWrites(after, next.writes);
    for (const key of different) {
      if (!next.writes.some((write) => touches(write, key))) return;
      if (!shows(after.get(key), recovered.get(key), time)) return;
    }
    const rejected = next.fate === 'rejected';
    found = {
      class: rejected ? 'rejected-write-visible' : prefixLength < floor ? 'lost-acknowledged-write' : 'torn-batch',
      message: `commit ${prefixLength} is there in part: ${different.size} of the keys it changes`,
    };
  });
  return found;
}

/** A key that no prefix from the floor on explains, though a commit below the floor wrote it. */
function keyBelowFloor(
  commits: readonly CommitRecord[],
  floor: number,
  recovered: RecoveredMap,
  time: RecoveryTime,
): { class: RecoveryFailureClass; message: string } | undefined {
  const wrong = new Set<Key>();
  const taken = (position: number): boolean => commits[position].fate !== 'rejected';
  walk(commits, taken, recovered, time, (prefixLength, _state, different) => {
    if (prefixLength === floor) for (const key of different) wrong.add(key);
    if (prefixLength > floor) for (const key of wrong) if (!different.has(key)) wrong.delete(key);
  });
  for (const key of wrong) {
    const lost = commits.findLastIndex(
      (commit, position) =>
        position < floor && commit.fate !== 'rejected' && commit.writes.some((write) => touches(write, key)),
    );
    if (lost < 0) continue;
    const value = recovered.get(key);
    const shown = value === undefined ? 'absent' : describeBytes(value);
    return {
      class: 'lost-acknowledged-write',
      message: `key ${describeBytes(bytesOfKey(key))} is ${shown}: commit ${lost} is lost, and the floor is ${floor}`,
    };
  }
  return undefined;
}

/** What is lost between a state and the floor, by one key of it. */
function lostWords(commits: readonly CommitRecord[], from: number, floor: number, recovered: RecoveredMap): string {
  for (const { writes, fate } of commits.slice(from, floor)) {
    const write = writes.at(0);
    if (fate === 'rejected' || write === undefined) continue;
    if (write.kind === 'clear') return 'an acknowledged clear is undone';
    const plain = Buffer.from(bytesOfKey(write.key)).toString('latin1');
    const key = /^[\x21-\x7e]{1,24}$/.test(plain) ? JSON.stringify(plain) : describeBytes(bytesOfKey(write.key));
    if (write.kind === 'delete') return `the acknowledged deletion of key ${key} is undone`;
    return recovered.has(write.key) ? `acknowledged key ${key} is old` : `acknowledged key ${key} is gone`;
  }
  return 'an acknowledged commit is lost';
}

/**
 * Judges a recovered map. Cost: linear in all writes, times two to the power of the unread commits of unknown outcome
 * (of which there is normally one).
 */
export function judgeRecovered(
  commits: readonly CommitRecord[],
  recovered: RecoveredMap,
  time: RecoveryTime = { nowEarliest: -Infinity, nowLatest: -Infinity },
): RecoveryVerdict {
  const floor = floorOf(commits);
  if (optionalPositions(commits).length > INDEFINITE_COMMITS_MAX) {
    return { kind: 'unknown', message: `more than ${INDEFINITE_COMMITS_MAX} commits of unknown outcome` };
  }
  const match = longestMatch(commits, undefined, recovered, time);
  if (match !== undefined && match.prefixLength >= floor) return { kind: 'ok', ...match, floor };
  if (match !== undefined) {
    return {
      kind: 'failed',
      class: 'lost-acknowledged-write',
      message: `${lostWords(commits, match.prefixLength, floor, recovered)}: the state after ${match.prefixLength} commits came back, and the floor is ${floor}`,
      floor,
    };
  }
  const foreign = foreignRow(commits, recovered);
  if (foreign !== undefined) return { kind: 'failed', ...foreign, floor };
  for (const [position, commit] of commits.entries()) {
    if (commit.fate === 'rejected' && longestMatch(commits, position, recovered, time) !== undefined) {
      const message = `the state is right only if commit ${position}, which was rejected, took effect`;
      return { kind: 'failed', class: 'rejected-write-visible', message, floor };
    }
  }
  const explained = partOfCommit(commits, floor, recovered, time) ?? keyBelowFloor(commits, floor, recovered, time);
  if (explained !== undefined) return { kind: 'failed', ...explained, floor };
  return { kind: 'failed', class: 'not-a-prefix', message: 'no prefix of the commits gives this state', floor };
}
