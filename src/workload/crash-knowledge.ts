/**
 * What the client of a crash program knows at some moment, and the judgement of a store against it. Nothing comes from
 * the engine's own numbers.
 */
import {
  type CommitRecord,
  judgeRecovered,
  type RecoveredMap,
  type RecoveryTime,
} from '../../spec/executable/durable-prefix.ts';
import { isLightningError } from '../base/errors.ts';

/** What is wrong, as a failure class and in words. */
export interface CrashFailure {
  readonly class: string;
  readonly message: string;
}

/** One commit. Those that one sync made durable share a `group`; 0 before that. */
export interface KnownCommit extends CommitRecord {
  readonly group: number;
}

/**
 * What the store owes after the faults that struck (spec/disk.md, section 6): everything; everything, but it may refuse
 * with an error; the same, and so many of the last sync groups may be missing; or nothing but some prefix.
 */
export type Owed = 'everything' | 'everything or an error' | { readonly lastGroups: 1 | 2 } | 'a prefix';

/** A backup that was begun: the commits before it, and whether its end was reported. */
export interface KnownBackup {
  readonly number: number | undefined;
  readonly commits: readonly KnownCommit[];
  readonly time: RecoveryTime;
}

/** Everything that a client knows. */
export interface Knowledge {
  /** In the order of issue. */
  readonly commits: readonly KnownCommit[];
  readonly time: RecoveryTime;
  readonly owed: Owed;
  readonly backups: readonly KnownBackup[];
}

/** The knowledge of a client of whom nothing is known but its commits. */
export function knowing(commits: readonly KnownCommit[], before: Omit<Knowledge, 'commits'>): Knowledge {
  return { ...before, commits };
}

/** The commits as they have to be there. */
function owedCommits({ commits, owed }: Knowledge): readonly CommitRecord[] {
  if (owed === 'everything' || owed === 'everything or an error') return commits;
  const last = Math.max(...commits.map(({ group }) => group));
  const first = owed === 'a prefix' || last === 0 ? 0 : Math.max(1, last - owed.lastGroups + 1);
  return commits.map((commit) =>
    commit.fate === 'synced' && commit.group >= first
      ? { ...commit, fate: 'volatile', read: false }
      : owed === 'a prefix'
        ? { ...commit, read: false }
        : commit,
  );
}

/** Judges what a store shows. @param onUnknown called when there is no verdict */
export function judge(knowledge: Knowledge, rows: RecoveredMap, onUnknown?: () => void): CrashFailure | undefined {
  const verdict = judgeRecovered(owedCommits(knowledge), rows, knowledge.time);
  if (verdict.kind === 'unknown') onUnknown?.();
  return verdict.kind === 'failed' ? { class: verdict.class, message: verdict.message } : undefined;
}

/**
 * What is known once an opened store has shown its rows: the commits it included are durable, the others are gone. A
 * commit of unknown outcome stays one where both answers explain the rows.
 */
export function settled(knowledge: Knowledge, rows: RecoveredMap): Knowledge {
  const commits = owedCommits(knowledge);
  const verdict = judgeRecovered(commits, rows, knowledge.time);
  if (verdict.kind !== 'ok') return knowledge;
  const included = new Set(verdict.included);
  const after = knowledge.commits.flatMap((commit, position): KnownCommit[] => {
    const open = commits[position].fate === 'indefinite' && !commit.read;
    if (open && isEither(commits, position, included.has(position), rows, knowledge.time)) return [commit];
    return included.has(position) ? [{ ...commit, fate: 'synced', read: false }] : [];
  });
  return { ...knowledge, commits: after };
}

function isEither(
  commits: readonly CommitRecord[],
  position: number,
  isIncluded: boolean,
  rows: RecoveredMap,
  time: RecoveryTime,
): boolean {
  const other = { ...commits[position], fate: isIncluded ? ('rejected' as const) : ('synced' as const) };
  return judgeRecovered(commits.with(position, other), rows, time).kind === 'ok';
}

/** Whether an error with this code is one that faults may cause; corruption only where damage is in sight. */
export function isExcused(error: unknown, owed: Owed): boolean {
  if (!isLightningError(error) || error.errorClass === 'bug') return false;
  return error.errorClass !== 'corruption' || owed !== 'everything';
}

/**
 * The same of a recovery, whose disk has no faults: where everything is owed it has to succeed, and an error of the
 * environment is no excuse either.
 */
export function isExcusedAtRest(error: unknown, owed: Owed): boolean {
  return owed !== 'everything' && isExcused(error, owed);
}

/** An error that nothing excuses, as a failure. */
export function failureOf(error: unknown): CrashFailure {
  if (isLightningError(error)) return { class: 'unexpected-error', message: `${error.code}: ${error.message}` };
  return { class: 'uncoded-error', message: String(error) };
}
