/** Every configuration of every model: what it must do, and how many states it must reach at least. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the models. */
export const modelsDirectory: string = fileURLToPath(new URL('./', import.meta.url));

/** From the smallest up; a profile runs its own tier and those before it. */
export const TIERS = ['smoke', 'ci', 'release'] as const;
export type Tier = (typeof TIERS)[number];

/** The modules that are checked. */
export const MODELS = ['MVCC', 'WALRecovery', 'CopyOnWriteTree', 'GroupCommit'] as const;
export type Module = (typeof MODELS)[number];
/** Those that traces of the engine are held against. */
export type ModelName = Extract<Module, 'MVCC' | 'WALRecovery'>;

/** A configuration in which every invariant holds. */
export interface PassingConfiguration {
  readonly model: Module;
  readonly name: string;
  readonly tier: Tier;
  /** Distinct states, measured by both checkers; fewer means that the model shrank. */
  readonly distinctStates: number;
  /** Temporal properties: TLC alone. */
  readonly liveness: boolean;
  /** TLC alone judges it: temporal properties, or more states than tla-checker gets through in minutes. */
  readonly tlcAlone: boolean;
}

/** Too large for tla-checker. */
const TLC_ALONE: ReadonlySet<string> = new Set(['MVCC.large', 'CopyOnWriteTree.three-builds']);

/** A configuration that leaves one rule out and must violate the named invariant. */
export interface BrokenConfiguration {
  readonly model: Module;
  readonly name: string;
  readonly tier: Tier;
  readonly violates: string;
  /** Steps of the shortest counterexample, which both checkers find; `undefined` for liveness, where TLC's need not be it. */
  readonly steps: number | undefined;
  readonly liveness: boolean;
}

function passing(model: Module, name: string, tier: Tier, distinctStates: number): PassingConfiguration {
  const liveness = name === 'liveness';
  const whole = `${model}.${name}`;
  return { model, name: whole, tier, distinctStates, liveness, tlcAlone: liveness || TLC_ALONE.has(whole) };
}

/** `names`: rules left out, each with the steps of its shortest counterexample. */
function broken(
  model: Module,
  tier: Tier,
  violates: string,
  names: Readonly<Record<string, number>>,
): BrokenConfiguration[] {
  return Object.entries(names).map(([name, steps]) => ({
    model,
    name: `${model}.${name}`,
    tier,
    violates,
    steps,
    liveness: false,
  }));
}

function unlively(model: Module, violates: string, name: string): BrokenConfiguration {
  return { model, name: `${model}.${name}`, tier: 'ci', violates, steps: undefined, liveness: true };
}

export const passingConfigurations: readonly PassingConfiguration[] = [
  passing('MVCC', 'smoke', 'smoke', 23_352),
  passing('WALRecovery', 'smoke', 'smoke', 40_018),
  passing('MVCC', 'serializable', 'smoke', 370),
  passing('CopyOnWriteTree', 'smoke', 'smoke', 1_860),
  passing('CopyOnWriteTree', 'recovery', 'smoke', 522),
  passing('GroupCommit', 'smoke', 'smoke', 7_590),
  passing('MVCC', 'vectors-two-keys', 'ci', 740),
  passing('MVCC', 'vectors-one-key', 'ci', 3_950),
  passing('MVCC', 'two-keys', 'ci', 148_820),
  passing('MVCC', 'reopen', 'ci', 110_452),
  passing('WALRecovery', 'interval', 'ci', 49_094),
  passing('MVCC', 'liveness', 'ci', 24_080),
  passing('WALRecovery', 'liveness', 'ci', 43_371),
  passing('CopyOnWriteTree', 'crash', 'ci', 42_814),
  passing('CopyOnWriteTree', 'liveness', 'ci', 42_165),
  passing('GroupCommit', 'liveness', 'ci', 6_958),
  passing('GroupCommit', 'four', 'ci', 86_544),
  passing('MVCC', 'three-commits', 'release', 376_764),
  passing('WALRecovery', 'three-records', 'release', 865_304),
  passing('CopyOnWriteTree', 'three-builds', 'release', 481_913),
  passing('MVCC', 'large', 'release', 3_946_100),
];

export const brokenConfigurations: readonly BrokenConfiguration[] = [
  ...broken('MVCC', 'smoke', 'TypeOK', { PublishReserved: 1 }),
  ...broken('MVCC', 'smoke', 'Layout', { FlushNewestFirst: 9 }),
  ...broken('MVCC', 'smoke', 'PublishedIsDurable', { PublishBeforeDurable: 2 }),
  ...broken('MVCC', 'smoke', 'SnapshotReads', { HorizonIsPublished: 11 }),
  ...broken('MVCC', 'smoke', 'CurrentReads', { CollectTimeNotRaised: 9 }),
  ...broken('MVCC', 'smoke', 'ConflictEvidence', { NoBound: 8, MergeEatsRangeTombstones: 8 }),
  ...broken('MVCC', 'smoke', 'ConflictEvidence', { EvidenceTrimmedAtPublished: 8 }),
  ...broken('MVCC', 'smoke', 'CommitsAreSerializable', { ReadsNotValidated: 3 }),
  ...broken('MVCC', 'smoke', 'CurrentReads', { BatchInParts: 3 }),
  ...broken('MVCC', 'smoke', 'FirstCommitterWins', { ConflictOnPublishedOnly: 3 }),
  ...broken('MVCC', 'smoke', 'VersionsSuffice', { BoundForNewestOnly: 12 }),
  ...broken('MVCC', 'smoke', 'TreeIsBounded', { KeepEverything: 8 }),
  ...broken('MVCC', 'ci', 'SnapshotReads', { CollectTimeAtEnd: 10 }),
  ...broken('MVCC', 'ci', 'CurrentReads', {
    HorizonWithoutPublished: 8,
    CollectTimeInMemoryOnly: 10,
    FreezeUnpublished: 7,
  }),
  ...broken('WALRecovery', 'smoke', 'TypeOK', { PublishReserved: 1 }),
  ...broken('WALRecovery', 'smoke', 'BatchesAreWhole', { AcceptTorn: 3 }),
  ...broken('WALRecovery', 'smoke', 'RecoveredIsPrefix', { SkipDamaged: 4 }),
  ...broken('WALRecovery', 'smoke', 'NothingAcknowledgedIsLost', { AckBeforeFsync: 4, RotateWithoutFsync: 8 }),
  ...broken('WALRecovery', 'smoke', 'NothingAcknowledgedIsLost', { NoDirectoryFsyncOnSwap: 11, SegmentNotNamed: 11 }),
  ...broken('WALRecovery', 'smoke', 'NothingAcknowledgedIsLost', {
    DeleteBeforeDurable: 13,
    PublishBeforeTailFsync: 11,
  }),
  ...broken('WALRecovery', 'smoke', 'NothingAcknowledgedIsLost', { AppendInPlaceLoses: 7 }),
  ...broken('WALRecovery', 'smoke', 'NeverAppendsToRecovered', { AppendInPlace: 3 }),
  ...broken('WALRecovery', 'smoke', 'NoFalseAlarm', { MarkIsAppended: 4 }),
  ...broken('WALRecovery', 'ci', 'NothingAcknowledgedIsLost', {
    NoDirectoryFsyncOnCreate: 12,
    RunNotFsynced: 12,
    RunNotEntered: 12,
  }),
  ...broken('WALRecovery', 'ci', 'NothingAcknowledgedIsLost', { SyncCoversLateRecords: 7 }),
  ...broken('WALRecovery', 'ci', 'NeverAppendsToRecovered', { ReuseFileNumber: 5 }),
  ...broken('CopyOnWriteTree', 'smoke', 'NamedPagesAreWhole', {
    MapIsIgnored: 10,
    TreeNotFsynced: 6,
    FreedIsReusedAtOnce: 11,
  }),
  ...broken('CopyOnWriteTree', 'smoke', 'NamedPagesAreWhole', { BeginsBeforeSettled: 17, ZeroedBeforeSettled: 17 }),
  ...broken('CopyOnWriteTree', 'smoke', 'NamedMapIsWhole', { FooterAfterFsync: 6 }),
  ...broken('CopyOnWriteTree', 'smoke', 'NamedFileIsEntered', { TreeNotEntered: 6 }),
  ...broken('CopyOnWriteTree', 'smoke', 'NothingReachableIsFree', { MapNotRead: 8, DroppedBuildFrees: 10 }),
  ...broken('CopyOnWriteTree', 'smoke', 'NothingLeaks', { MapForgetsFreed: 17, FooterNotFreed: 17 }),
  ...broken('CopyOnWriteTree', 'smoke', 'MapDescribesTree', { OldFooterIsNamed: 15 }),
  ...broken('CopyOnWriteTree', 'smoke', 'TypeOK', { GenerationIsReserved: 3 }),
  ...broken('CopyOnWriteTree', 'smoke', 'ReadersMeetTheirPages', { ReaderKeepsItsRoot: 20 }),
  ...broken('CopyOnWriteTree', 'smoke', 'ReadersAreRight', { ReaderBelievesTheBlock: 20 }),
  ...broken('GroupCommit', 'smoke', 'ResolvedIsDurable', { ResolveAtAppend: 1, ReleaseEverybody: 5 }),
  ...broken('GroupCommit', 'smoke', 'DurableIsOnDisk', { TicketCoversLate: 4 }),
  ...broken('GroupCommit', 'smoke', 'ReadIsDurable', { PublishAtAppend: 2 }),
  ...broken('GroupCommit', 'smoke', 'CutKeepsPromises', { FailedFsyncIsRetried: 5 }),
  ...broken('GroupCommit', 'smoke', 'DefiniteIsAbsent', { FailureIsDefinite: 4, CloseRejectsAsDefinite: 2 }),
  ...broken('GroupCommit', 'smoke', 'NobodyOvertakes', { LateOvertakesBlocked: 7 }),
  ...broken('GroupCommit', 'smoke', 'CallsAreInOrder', { UnblockNewestFirst: 13 }),
  ...broken('GroupCommit', 'smoke', 'OnceOnly', { UnblockedStaysQueued: 9 }),
  ...broken('GroupCommit', 'smoke', 'NothingAfterPoison', { AppendAfterPoison: 4 }),
  ...broken('GroupCommit', 'smoke', 'TypeOK', { TicketIsReserved: 2 }),
  ...broken('GroupCommit', 'smoke', 'DoubtHasACause', { CloseWithoutSync: 2 }),
  unlively('MVCC', 'CommitsArePublished', 'UnfairCommitsArePublished'),
  unlively('MVCC', 'MergesEnd', 'UnfairMergesEnd'),
  unlively('MVCC', 'NothingRunsBackwards', 'CollectTimeRunsBackwards'),
  unlively('WALRecovery', 'RecoveryEnds', 'UnfairRecoveryEnds'),
  unlively('WALRecovery', 'WritesAreAcknowledged', 'UnfairWritesAreAcknowledged'),
  unlively('CopyOnWriteTree', 'BuildsEnd', 'UnfairBuildsEnd'),
  unlively('GroupCommit', 'EveryCommitIsAnswered', 'UnfairEveryCommitIsAnswered'),
];

/** The tier of a profile; a profile of another name gets the smallest. */
export function tierOf(profile: string): Tier {
  return TIERS.find((tier) => tier === profile) ?? 'smoke';
}

/** Whether a configuration of `tier` belongs to a run of `upTo`. */
export function isIncluded(tier: Tier, upTo: Tier): boolean {
  return TIERS.indexOf(tier) <= TIERS.indexOf(upTo);
}

export function modelPath(model: Module): string {
  return join(modelsDirectory, `${model}.tla`);
}

export function passingPath(name: string): string {
  return join(modelsDirectory, `${name}.cfg`);
}

export function brokenPath(name: string): string {
  return join(modelsDirectory, 'broken', `${name}.cfg`);
}
