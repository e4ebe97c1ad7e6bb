/**
 * What corresponds to each broken configuration in the engine: the fault that takes the same guard out of it, or the
 * reason why there is none. Faults are those of `planted-bugs/catalogue` where one is the same, else of `planted-bugs/guards`.
 */

/** Broken configuration -> name of the fault. */
export const GUARDS: Readonly<Record<string, string>> = {
  'MVCC.PublishReserved': 'publish-reserved',
  'MVCC.FlushNewestFirst': 'flush-newest-first',
  'MVCC.PublishBeforeDurable': 'publish-before-durable',
  'MVCC.HorizonIsPublished': 'gc-skips-busy-snapshot',
  'MVCC.CollectTimeNotRaised': 'collect-time-not-raised',
  'MVCC.NoBound': 'no-bound',
  'MVCC.MergeEatsRangeTombstones': 'merge-eats-range-tombstones',
  'MVCC.EvidenceTrimmedAtPublished': 'evidence-trimmed-at-published',
  'MVCC.ReadsNotValidated': 'serializable-misses-keys',
  'MVCC.BatchInParts': 'batch-in-parts',
  'MVCC.ConflictOnPublishedOnly': 'conflict-on-published-only',
  'MVCC.BoundForNewestOnly': 'bound-for-newest-only',
  'MVCC.KeepEverything': 'keep-everything',
  'MVCC.CollectTimeAtEnd': 'collect-time-at-end',
  'MVCC.HorizonWithoutPublished': 'horizon-without-published',
  'MVCC.CollectTimeInMemoryOnly': 'collect-time-in-memory-only',
  'MVCC.FreezeUnpublished': 'freeze-unpublished',
  'WALRecovery.PublishReserved': 'publish-reserved',
  'WALRecovery.AcceptTorn': 'accept-torn',
  'WALRecovery.SkipDamaged': 'skip-damaged',
  'WALRecovery.AckBeforeFsync': 'wal-ack-before-fsync',
  'WALRecovery.RotateWithoutFsync': 'rotate-without-fsync',
  'WALRecovery.NoDirectoryFsyncOnSwap': 'manifest-directory-not-synced',
  'WALRecovery.SegmentNotNamed': 'segment-not-named',
  'WALRecovery.DeleteBeforeDurable': 'inputs-unlinked-before-edit-durable',
  'WALRecovery.PublishBeforeTailFsync': 'recovery-published-before-fsync',
  'WALRecovery.AppendInPlaceLoses': 'append-in-place',
  'WALRecovery.AppendInPlace': 'append-in-place',
  'WALRecovery.MarkIsAppended': 'mark-is-appended',
  'WALRecovery.NoDirectoryFsyncOnCreate': 'wal-dir-not-synced',
  'WALRecovery.RunNotFsynced': 'table-missing-fsync',
  'WALRecovery.RunNotEntered': 'order-run-named-before-entered',
  'WALRecovery.SyncCoversLateRecords': 'sync-covers-late-records',
  'WALRecovery.ReuseFileNumber': 'reuse-file-number',
  'CopyOnWriteTree.MapIsIgnored': 'map-is-ignored',
  'CopyOnWriteTree.TreeNotFsynced': 'merge-tree-not-synced',
  'CopyOnWriteTree.FreedIsReusedAtOnce': 'freed-is-reused-at-once',
  // One fsync of the directory stands for both rules: nothing else happens before it.
  'CopyOnWriteTree.BeginsBeforeSettled': 'manifest-directory-not-synced',
  'CopyOnWriteTree.ZeroedBeforeSettled': 'manifest-directory-not-synced',
  'CopyOnWriteTree.FooterAfterFsync': 'footer-after-fsync',
  'CopyOnWriteTree.TreeNotEntered': 'tree-not-entered',
  'CopyOnWriteTree.MapNotRead': 'map-not-read',
  'CopyOnWriteTree.DroppedBuildFrees': 'dropped-build-frees',
  'CopyOnWriteTree.MapForgetsFreed': 'map-forgets-freed',
  'CopyOnWriteTree.FooterNotFreed': 'footer-not-freed',
  'CopyOnWriteTree.OldFooterIsNamed': 'old-footer-is-named',
  'CopyOnWriteTree.ReaderKeepsItsRoot': 'reader-keeps-its-root',
  'CopyOnWriteTree.ReaderBelievesTheBlock': 'reader-believes-the-block',
  'GroupCommit.ResolveAtAppend': 'resolve-at-append',
  'GroupCommit.ReleaseEverybody': 'group-acknowledges-latecomers',
  'GroupCommit.TicketCoversLate': 'sync-covers-late-records',
  'GroupCommit.PublishAtAppend': 'publish-before-durable',
  'GroupCommit.FailedFsyncIsRetried': 'failed-fsync-is-retried',
  'GroupCommit.FailureIsDefinite': 'failure-is-definite',
  'GroupCommit.CloseRejectsAsDefinite': 'close-rejects-as-definite',
  'GroupCommit.LateOvertakesBlocked': 'late-overtakes-blocked',
  'GroupCommit.UnblockNewestFirst': 'unblock-newest-first',
  'GroupCommit.UnblockedStaysQueued': 'unblocked-stays-queued',
  'GroupCommit.AppendAfterPoison': 'append-after-poison',
  'GroupCommit.TicketIsReserved': 'ticket-is-reserved',
  'GroupCommit.CloseWithoutSync': 'close-without-sync',
};

const NO_SCHEDULER =
  'an endless behaviour in which a step is never taken: the engine takes no step by itself, whoever owns the schedule does';

/** Broken configuration -> why nothing of the engine corresponds to it. */
export const WITHOUT_GUARD: Readonly<Record<string, string>> = {
  'CopyOnWriteTree.GenerationIsReserved':
    'generations are bounded so that the search ends; in the engine they only rise, and gaps are allowed',
  'MVCC.CollectTimeRunsBackwards':
    'a property of single steps, which TLC alone judges; the same guard is taken out by CollectTimeInMemoryOnly',
  'MVCC.UnfairCommitsArePublished': NO_SCHEDULER,
  'MVCC.UnfairMergesEnd': NO_SCHEDULER,
  'WALRecovery.UnfairRecoveryEnds': NO_SCHEDULER,
  'WALRecovery.UnfairWritesAreAcknowledged': NO_SCHEDULER,
  'CopyOnWriteTree.UnfairBuildsEnd': NO_SCHEDULER,
  'GroupCommit.UnfairEveryCommitIsAnswered': NO_SCHEDULER,
};
