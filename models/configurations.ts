/** Every configuration of every model: what it must do, and how many states it must reach at least. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the models. */
export const modelsDirectory: string = fileURLToPath(new URL('./', import.meta.url));

/** From the smallest up; a profile runs its own tier and those before it. */
export const TIERS = ['smoke', 'ci', 'release'] as const;
export type Tier = (typeof TIERS)[number];

export type ModelName = 'MVCC' | 'WALRecovery';

/** A configuration in which every invariant holds. */
export interface PassingConfiguration {
  readonly model: ModelName;
  readonly name: string;
  readonly tier: Tier;
  /** Distinct states, measured by both checkers; fewer means that the model shrank. */
  readonly distinctStates: number;
  /** Temporal properties: TLC alone. */
  readonly liveness: boolean;
}

/** A configuration that leaves one rule out and must violate the named invariant. */
export interface BrokenConfiguration {
  readonly model: ModelName;
  readonly name: string;
  readonly tier: Tier;
  readonly violates: string;
  readonly liveness: boolean;
}

function passing(model: ModelName, name: string, tier: Tier, distinctStates: number): PassingConfiguration {
  return { model, name: `${model}.${name}`, tier, distinctStates, liveness: name === 'liveness' };
}

function broken(model: ModelName, tier: Tier, violates: string, ...names: readonly string[]): BrokenConfiguration[] {
  return names.map((name) => ({ model, name: `${model}.${name}`, tier, violates, liveness: false }));
}

function unlively(model: ModelName, violates: string, name: string): BrokenConfiguration {
  return { model, name: `${model}.${name}`, tier: 'ci', violates, liveness: true };
}

export const passingConfigurations: readonly PassingConfiguration[] = [
  passing('MVCC', 'smoke', 'smoke', 23_352),
  passing('WALRecovery', 'smoke', 'smoke', 40_018),
  passing('MVCC', 'serializable', 'smoke', 370),
  passing('MVCC', 'two-keys', 'ci', 148_820),
  passing('MVCC', 'reopen', 'ci', 110_452),
  passing('WALRecovery', 'interval', 'ci', 49_094),
  passing('MVCC', 'liveness', 'ci', 24_080),
  passing('WALRecovery', 'liveness', 'ci', 43_371),
  passing('MVCC', 'three-commits', 'release', 376_764),
  passing('WALRecovery', 'three-records', 'release', 865_304),
  passing('MVCC', 'large', 'release', 3_946_100),
];

export const brokenConfigurations: readonly BrokenConfiguration[] = [
  ...broken('MVCC', 'smoke', 'TypeOK', 'PublishReserved'),
  ...broken('MVCC', 'smoke', 'Layout', 'FlushNewestFirst'),
  ...broken('MVCC', 'smoke', 'PublishedIsDurable', 'PublishBeforeDurable'),
  ...broken('MVCC', 'smoke', 'SnapshotReads', 'HorizonIsPublished'),
  ...broken('MVCC', 'smoke', 'CurrentReads', 'CollectTimeNotRaised'),
  ...broken('MVCC', 'smoke', 'ConflictEvidence', 'NoBound', 'MergeEatsRangeTombstones'),
  ...broken('MVCC', 'smoke', 'ConflictEvidence', 'EvidenceTrimmedAtPublished'),
  ...broken('MVCC', 'smoke', 'CommitsAreSerializable', 'ReadsNotValidated'),
  ...broken('MVCC', 'smoke', 'CurrentReads', 'BatchInParts'),
  ...broken('MVCC', 'smoke', 'FirstCommitterWins', 'ConflictOnPublishedOnly'),
  ...broken('MVCC', 'smoke', 'VersionsSuffice', 'BoundForNewestOnly'),
  ...broken('MVCC', 'smoke', 'TreeIsBounded', 'KeepEverything'),
  ...broken('MVCC', 'ci', 'SnapshotReads', 'CollectTimeAtEnd'),
  ...broken('MVCC', 'ci', 'CurrentReads', 'HorizonWithoutPublished', 'CollectTimeInMemoryOnly', 'FreezeUnpublished'),
  ...broken('WALRecovery', 'smoke', 'TypeOK', 'PublishReserved'),
  ...broken('WALRecovery', 'smoke', 'BatchesAreWhole', 'AcceptTorn'),
  ...broken('WALRecovery', 'smoke', 'RecoveredIsPrefix', 'SkipDamaged'),
  ...broken('WALRecovery', 'smoke', 'NothingAcknowledgedIsLost', 'AckBeforeFsync', 'RotateWithoutFsync'),
  ...broken('WALRecovery', 'smoke', 'NothingAcknowledgedIsLost', 'NoDirectoryFsyncOnSwap', 'SegmentNotNamed'),
  ...broken('WALRecovery', 'smoke', 'NothingAcknowledgedIsLost', 'DeleteBeforeDurable', 'PublishBeforeTailFsync'),
  ...broken('WALRecovery', 'smoke', 'NothingAcknowledgedIsLost', 'AppendInPlaceLoses'),
  ...broken('WALRecovery', 'smoke', 'NeverAppendsToRecovered', 'AppendInPlace'),
  ...broken('WALRecovery', 'smoke', 'NoFalseAlarm', 'MarkIsAppended'),
  ...broken(
    'WALRecovery',
    'ci',
    'NothingAcknowledgedIsLost',
    'NoDirectoryFsyncOnCreate',
    'RunNotFsynced',
    'RunNotEntered',
  ),
  ...broken('WALRecovery', 'ci', 'NothingAcknowledgedIsLost', 'SyncCoversLateRecords'),
  ...broken('WALRecovery', 'ci', 'NeverAppendsToRecovered', 'ReuseFileNumber'),
  unlively('MVCC', 'CommitsArePublished', 'UnfairCommitsArePublished'),
  unlively('MVCC', 'MergesEnd', 'UnfairMergesEnd'),
  unlively('MVCC', 'NothingRunsBackwards', 'CollectTimeRunsBackwards'),
  unlively('WALRecovery', 'RecoveryEnds', 'UnfairRecoveryEnds'),
  unlively('WALRecovery', 'WritesAreAcknowledged', 'UnfairWritesAreAcknowledged'),
];

/** The tier of a profile; a profile of another name gets the smallest. */
export function tierOf(profile: string): Tier {
  return TIERS.find((tier) => tier === profile) ?? 'smoke';
}

/** Whether a configuration of `tier` belongs to a run of `upTo`. */
export function isIncluded(tier: Tier, upTo: Tier): boolean {
  return TIERS.indexOf(tier) <= TIERS.indexOf(upTo);
}

export function modelPath(model: ModelName): string {
  return join(modelsDirectory, `${model}.tla`);
}

export function passingPath(name: string): string {
  return join(modelsDirectory, `${name}.cfg`);
}

export function brokenPath(name: string): string {
  return join(modelsDirectory, 'broken', `${name}.cfg`);
}
