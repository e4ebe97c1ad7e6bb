-------------------------------- MODULE MVCC --------------------------------
(***************************************************************************)
(* Which versions a store must keep so that nobody can tell that it flushed *)
(* and merged: rules 1 to 7 and 10 of spec/semantics.md.                    *)
(*                                                                         *)
(* One commit writes one or more keys, or clears all keys by one range      *)
(* tombstone. The value of a version is its sequence number, so a read names *)
(* its writer. `log` is the history: the truth that the stored versions are *)
(* compared with. Bounds are guards of actions, never a constraint.         *)
(*                                                                         *)
(* Steps of the engine: Put, TransactionCommit: append (a transaction is     *)
(* validated first). SyncTo: the end of an fdatasync of the log. Publish:    *)
(* publish. Freeze: freeze. Flush: flush, after the swap that names a run.   *)
(* MergeStart: merge-begin. MergeEnd: merge or collect, after its swap.      *)
(* OpenSnapshot, Release: a snapshot or transaction begins and ends.         *)
(* Reopen: a stop, and recover.                                              *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  Keys,            \* the keys
  MaxCommits,      \* commits in one behaviour
  MaxSnapshots,    \* snapshots alive at once
  MaxFrozen,       \* frozen memtables at once
  MaxRuns,         \* sorted runs at once; writers wait past it
  MaxBatch,        \* keys that one commit may put or delete together
  MaxReads,        \* keys that a serializable transaction may have read; 0: snapshot isolation
  MaxMerges,       \* merges in one behaviour
  MaxReopens,      \* reopenings in one behaviour
  MaxClock,        \* the clock shows 1..MaxClock
  Deadlines,       \* deadlines that a put may carry
  AllowClear,      \* whether range tombstones are written
  Omitted          \* rules taken away, by name; empty in a configuration that must pass

\* Each of these takes one rule away, and something must break.
Rules == {
  "HorizonIsPublished",         \* H = {P}: live snapshots are forgotten
  "HorizonWithoutPublished",    \* H = sequences of live snapshots, P only when there is none
  "NoBound",                    \* rule 6 without "and its seq <= m"
  "BoundForNewestOnly",         \* rule 6 applies the bound m to the newest version of a key only
  "CollectTimeNotRaised",       \* a merge raises no collect time
  "CollectTimeAtEnd",           \* a merge raises the collect time with its result instead of at its start
  "CollectTimeInMemoryOnly",    \* the collect time is forgotten by a reopening
  "PublishBeforeDurable",       \* rule 1 without "durable"
  "PublishReserved",            \* publishes the next number, not the last
  "FreezeUnpublished",          \* rule 3 without "all its sequences are <= P"
  "FlushNewestFirst",           \* rule 3 without "oldest first"
  "ConflictOnPublishedOnly",    \* rule 7 without "unpublished"
  "KeepEverything",             \* no rule 5 and no rule 6
  "MergeEatsRangeTombstones",   \* a merge keeps no evidence of range tombstones above m
  "EvidenceTrimmedAtPublished", \* the evidence is dropped at P instead of at the oldest snapshot
  "BatchInParts",               \* one key of a commit is seen with the commit before
  "ReadsNotValidated"           \* a serializable transaction validates only what it wrote
}
ASSUME Omitted \subseteq Rules

VARIABLES
  log,        \* history: every commit, in WAL order; log[i].seq = i
  durable,    \* the greatest sequence whose record is fsynced
  published,  \* P
  memtable,   \* versions in the active memtable, hidden ones included
  frozen,     \* frozen memtables, oldest first
  runs,       \* sorted runs, oldest first
  tree,       \* versions in the tree
  live,       \* L: snapshots [s, now]
  clock,      \* the machine's clock, jumping both ways
  collect,    \* the collect time: no reader's now is before it
  persisted,  \* the collect time that the manifest holds
  evidence,   \* range tombstones that a merge took and rule 7 still asks for; in memory
  merge,      \* the merge under way
  merges,     \* how many merges were started
  reopens,    \* how many reopenings there were
  winnerKept, \* history: no transaction ever committed over a newer version
  readsKept   \* history: what a serializable transaction read is what it would read at its place in the order

vars == <<log, durable, published, memtable, frozen, runs, tree, live, clock,
          collect, persisted, evidence, merge, merges, reopens, winnerKept, readsKept>>

Omits(rule) == rule \in Omitted

NoDeadline == MaxClock + 1

Idle == [running |-> FALSE, count |-> 0, horizon |-> {}, time |-> 0]

Max(a, b) == IF a > b THEN a ELSE b
Min(a, b) == IF a < b THEN a ELSE b
MinOf(S) == CHOOSE x \in S : \A y \in S : x <= y

Last == Len(log)
Now == Max(clock, collect)

-----------------------------------------------------------------------------
(* Versions *)

Batches == { K \in SUBSET Keys : K # {} /\ Cardinality(K) <= MaxBatch }

PointWrites ==
  { [keys |-> K, kind |-> "put", deadline |-> d] : K \in Batches, d \in Deadlines \cup {NoDeadline} }
    \cup { [keys |-> K, kind |-> "delete", deadline |-> NoDeadline] : K \in Batches }

RangeWrites ==
  IF AllowClear THEN { [keys |-> Keys, kind |-> "clear", deadline |-> NoDeadline] } ELSE {}

Writes == PointWrites \cup RangeWrites

Version(w, n) == [keys |-> w.keys, kind |-> w.kind, deadline |-> w.deadline, seq |-> n]

SetOf(levels) == UNION { levels[i] : i \in 1..Len(levels) }

History == { log[i] : i \in 1..Last }
Stored == memtable \cup SetOf(frozen) \cup SetOf(runs) \cup tree

Of(V, k) == { v \in V : k \in v.keys }
UpTo(V, s) == { v \in V : v.seq <= s }
Newest(V) == CHOOSE v \in V : \A w \in V : w.seq <= v.seq

Deletes(v) == v.kind # "put"
Gone(v, now) == Deletes(v) \/ v.deadline <= now

\* Rule 2. The sequence of the version that is read, 0 for absent.
Read(V, k, s, now) ==
  LET seen == UpTo(Of(V, k), s)
  IN IF seen = {} THEN 0
     ELSE IF Gone(Newest(seen), now) THEN 0 ELSE Newest(seen).seq

\* Rule 7. Whether something newer than s was written to k.
NewerThan(V, k, s) == \E v \in V : k \in v.keys /\ v.seq > s

Conflict(keys, s) ==
  LET asked == IF Omits("ConflictOnPublishedOnly") THEN UpTo(Stored, published) ELSE Stored \cup evidence
  IN \E k \in keys : NewerThan(asked, k, s)

\* Nobody reads below it.
Oldest(snapshots) == MinOf({ x.s : x \in snapshots } \cup {published})

\* Evidence that no live snapshot can ask for is dropped.
Trimmed(kept, snapshots) ==
  { v \in kept : v.seq > (IF Omits("EvidenceTrimmedAtPublished") THEN published ELSE Oldest(snapshots)) }

-----------------------------------------------------------------------------
(* Rule 1: commit, sync, publish *)

\* The fault: one key of a commit is seen with the commit before it.
Parts(w) ==
  LET first == CHOOSE k \in w.keys : TRUE
  IN { Version([w EXCEPT !.keys = {first}], Last), Version([w EXCEPT !.keys = w.keys \ {first}], Last + 1) }

Append1(w) ==
  /\ log' = Append(log, Version(w, Last + 1))
  /\ memtable' = memtable \cup
       (IF Omits("BatchInParts") /\ Cardinality(w.keys) > 1 THEN Parts(w) ELSE {Version(w, Last + 1)})

Put(w) ==
  /\ Append1(w)
  /\ UNCHANGED <<durable, published, frozen, runs, tree, live, clock, collect, persisted, evidence, merge, merges,
                reopens, winnerKept, readsKept>>

\* A transaction that read at x commits, and ends; a serializable one says what it read. Its place is the present.
TransactionCommit(x, w, reads) ==
  /\ ~Conflict(IF Omits("ReadsNotValidated") THEN w.keys ELSE w.keys \cup reads, x.s)
  /\ Append1(w)
  /\ live' = live \ {x}
  /\ evidence' = Trimmed(evidence, live \ {x})
  /\ winnerKept' = (winnerKept /\ \A k \in w.keys : ~NewerThan(History, k, x.s))
  /\ readsKept' = (readsKept /\ \A k \in reads : Read(History, k, x.s, x.now) = Read(History, k, Last, x.now))
  /\ UNCHANGED <<durable, published, frozen, runs, tree, clock, collect, persisted, merge, merges, reopens>>

\* An fsync ends. It covers what was there when it began; commits go on meanwhile.
SyncTo(n) ==
  /\ durable < n /\ n <= Last
  /\ durable' = n
  /\ UNCHANGED <<log, published, memtable, frozen, runs, tree, live, clock, collect, persisted, evidence, merge,
                merges, reopens, winnerKept, readsKept>>

Publish ==
  /\ published' = IF Omits("PublishReserved") THEN durable + 1 ELSE IF Omits("PublishBeforeDurable") THEN Last ELSE durable
  /\ published' > published
  /\ UNCHANGED <<log, durable, memtable, frozen, runs, tree, live, clock, collect, persisted, evidence, merge,
                merges, reopens, winnerKept, readsKept>>

-----------------------------------------------------------------------------
(* Rule 3: freeze and flush *)

Freeze ==
  /\ memtable # {}
  /\ Len(frozen) < MaxFrozen
  /\ \A v \in memtable : v.seq <= durable /\ (v.seq <= published \/ Omits("FreezeUnpublished"))
  /\ frozen' = Append(frozen, memtable)
  /\ memtable' = {}
  /\ UNCHANGED <<log, durable, published, runs, tree, live, clock, collect, persisted, evidence, merge, merges,
                reopens, winnerKept, readsKept>>

Flush ==
  /\ frozen # <<>>
  /\ Len(runs) < MaxRuns
  /\ IF Omits("FlushNewestFirst")
     THEN /\ runs' = Append(runs, frozen[Len(frozen)])
          /\ frozen' = SubSeq(frozen, 1, Len(frozen) - 1)
     ELSE /\ runs' = Append(runs, Head(frozen))
          /\ frozen' = Tail(frozen)
  /\ UNCHANGED <<log, durable, published, memtable, tree, live, clock, collect, persisted, evidence, merge, merges,
                reopens, winnerKept, readsKept>>

-----------------------------------------------------------------------------
(* Rules 4 to 6: merge. Zero runs: the tree alone is collected. *)

Horizon ==
  IF Omits("HorizonIsPublished") THEN {published}
  ELSE IF Omits("HorizonWithoutPublished") /\ live # {} THEN { x.s : x \in live }
  ELSE { x.s : x \in live } \cup {published}

CollectableTime == MinOf({ x.now : x \in live } \cup {Now})

MergeStart(n) ==
  /\ n + Cardinality(tree) > 0
  /\ merge' = [running |-> TRUE, count |-> n, horizon |-> Horizon, time |-> CollectableTime]
  /\ merges' = merges + 1
  /\ collect' = IF Omits("CollectTimeNotRaised") \/ Omits("CollectTimeAtEnd") THEN collect ELSE Max(collect, CollectableTime)
  /\ UNCHANGED <<log, durable, published, memtable, frozen, runs, tree, live, clock, persisted, evidence, reopens,
                winnerKept, readsKept>>

MergeInput == tree \cup SetOf(SubSeq(runs, 1, merge.count))

\* Rule 5, for one version of k in the input.
SomeoneReads(V, v) ==
  \E h \in merge.horizon : v.seq <= h /\ ~\E w \in V : v.seq < w.seq /\ w.seq <= h

\* Rule 6.
Droppable(V, v) ==
  /\ Gone(v, merge.time)
  /\ \/ v.seq <= MinOf(merge.horizon)
     \/ Omits("NoBound")
     \/ Omits("BoundForNewestOnly") /\ v # Newest(V)

\* A range tombstone becomes a deletion only where it deletes something: there is no end of keys it could cover.
TouchesNothing(V, v) == v.kind = "clear" /\ ~\E w \in V : w.seq < v.seq

KeptOf(k) ==
  LET V == Of(MergeInput, k)
  IN { v \in V : ~TouchesNothing(V, v) /\ (Omits("KeepEverything") \/ (SomeoneReads(V, v) /\ ~Droppable(V, v))) }

AsPoint(v, k) ==
  [keys |-> {k}, kind |-> IF Deletes(v) THEN "delete" ELSE "put", deadline |-> v.deadline, seq |-> v.seq]

MergeEnd ==
  /\ merge.running
  /\ tree' = UNION { { AsPoint(v, k) : v \in KeptOf(k) } : k \in Keys }
  /\ runs' = SubSeq(runs, merge.count + 1, Len(runs))
  /\ merge' = Idle
  /\ collect' = IF Omits("CollectTimeAtEnd") THEN Max(collect, merge.time) ELSE collect
  /\ persisted' = collect'
  /\ evidence' = IF Omits("MergeEatsRangeTombstones") THEN evidence
                 ELSE Trimmed(evidence \cup { v \in MergeInput : v.kind = "clear" }, live)
  /\ UNCHANGED <<log, durable, published, memtable, frozen, live, clock, merges, reopens, winnerKept, readsKept>>

-----------------------------------------------------------------------------
(* Readers, the clock, reopening *)

OpenSnapshot ==
  /\ Cardinality(live) < MaxSnapshots
  /\ live' = live \cup {[s |-> published, now |-> Now]}
  /\ live' # live
  /\ UNCHANGED <<log, durable, published, memtable, frozen, runs, tree, clock, collect, persisted, evidence, merge,
                merges, reopens, winnerKept, readsKept>>

Release(x) ==
  /\ live' = live \ {x}
  /\ evidence' = Trimmed(evidence, live \ {x})
  /\ UNCHANGED <<log, durable, published, memtable, frozen, runs, tree, clock, collect, persisted, merge, merges,
                reopens, winnerKept, readsKept>>

ClockJumps(t) ==
  /\ t # clock
  /\ clock' = t
  /\ UNCHANGED <<log, durable, published, memtable, frozen, runs, tree, live, collect, persisted, evidence, merge,
                merges, reopens, winnerKept, readsKept>>

\* A stop at any moment, and an opening. Of what was not fsynced a prefix comes back, and is durable from then on; sealed
\* segments become frozen memtables, the last one the active memtable. Snapshots and the evidence were memory.
Reopen(n) ==
  /\ reopens < MaxReopens
  /\ n \in durable..Last
  /\ reopens' = reopens + 1
  /\ log' = SubSeq(log, 1, n)
  /\ memtable' = UpTo(memtable, n)
  /\ durable' = n
  /\ published' = n
  /\ live' = {}
  /\ evidence' = {}
  /\ merge' = Idle
  /\ collect' = IF Omits("CollectTimeInMemoryOnly") THEN 0 ELSE persisted
  /\ persisted' = IF Omits("CollectTimeInMemoryOnly") THEN 0 ELSE persisted
  /\ UNCHANGED <<frozen, runs, tree, clock, merges, winnerKept, readsKept>>

-----------------------------------------------------------------------------
Init ==
  /\ log = <<>> /\ durable = 0 /\ published = 0
  /\ memtable = {} /\ frozen = <<>> /\ runs = <<>> /\ tree = {}
  /\ live = {} /\ clock = 1 /\ collect = 0 /\ persisted = 0 /\ evidence = {}
  /\ merge = Idle /\ merges = 0 /\ reopens = 0 /\ winnerKept = TRUE /\ readsKept = TRUE

ReadSets == { K \in SUBSET Keys : Cardinality(K) <= MaxReads }

\* Guards stand before the quantifiers where they can: a checker then builds fewer sets.
Next ==
  \/ Last < MaxCommits /\ \E w \in Writes : Put(w)
  \/ Last < MaxCommits /\ live # {} /\ \E x \in live, w \in Writes, reads \in ReadSets : TransactionCommit(x, w, reads)
  \/ \E n \in (durable + 1)..Last : SyncTo(n)
  \/ Publish \/ Freeze \/ Flush
  \/ ~merge.running /\ merges < MaxMerges /\ \E n \in 0..Len(runs) : MergeStart(n)
  \/ MergeEnd
  \/ OpenSnapshot
  \/ \E x \in live : Release(x)
  \/ \E t \in 1..MaxClock : ClockJumps(t)
  \/ reopens < MaxReopens /\ \E n \in durable..Last : Reopen(n)

Spec == Init /\ [][Next]_vars

FairSpec == Spec /\ WF_vars(SyncTo(Last)) /\ WF_vars(Publish) /\ WF_vars(Freeze) /\ WF_vars(Flush) /\ WF_vars(MergeEnd)

-----------------------------------------------------------------------------
(* Invariants *)

TypeOK ==
  /\ Last \in 0..MaxCommits
  /\ durable \in 0..Last
  /\ published \in 0..Last
  /\ \A i \in 1..Last : log[i].seq = i
  /\ Len(frozen) <= MaxFrozen /\ Len(runs) <= MaxRuns
  /\ \A x \in live : x.s \in 0..Last /\ x.now \in 1..MaxClock
  /\ clock \in 1..MaxClock /\ collect \in 0..MaxClock
  /\ merge.count \in 0..Len(runs) /\ merge.time \in 0..MaxClock
  /\ persisted \in 0..collect
  /\ \A v \in evidence : v.kind = "clear" /\ v.seq \in 1..Last
  /\ winnerKept \in BOOLEAN /\ readsKept \in BOOLEAN

\* Levels hold adjacent intervals of sequences, the tree the oldest, and the tree holds no range tombstone.
Below(V, W) == \A v \in V, w \in W : v.seq < w.seq

Layout ==
  LET levels == <<tree>> \o runs \o frozen \o <<memtable>>
  IN /\ \A i, j \in 1..Len(levels) : i < j => Below(levels[i], levels[j])
     /\ \A v \in tree : v.kind # "clear" /\ Cardinality(v.keys) = 1

\* Nobody reads what a power cut could take back.
PublishedIsDurable ==
  /\ published <= durable
  /\ \A x \in live : x.s <= durable

\* Rule 10 for live snapshots.
SnapshotReads ==
  \A x \in live, k \in Keys : Read(Stored, k, x.s, x.now) = Read(History, k, x.s, x.now)

\* Rule 10 for (P, clock).
CurrentReads ==
  \A k \in Keys : Read(Stored, k, published, Now) = Read(History, k, published, Now)

\* Rule 10 for the answer to rule 7.
ConflictEvidence ==
  \A s \in { x.s : x \in live } \cup {published}, k \in Keys : NewerThan(Stored \cup evidence, k, s) = NewerThan(History, k, s)

\* First committer wins.
FirstCommitterWins == winnerKept

\* The order of commits is a serial order for those that validate what they read.
CommitsAreSerializable == readsKept

\* Versions kept are enough: whatever somebody sees is there itself; only what is gone for all may be missing.
VersionsSuffice ==
  LET readers == { x.s : x \in live } \cup {published}
  IN \A s \in readers, k \in Keys :
       LET seen == UpTo(Of(History, k), s)
       IN seen # {} =>
            \/ \E v \in Stored \cup evidence : k \in v.keys /\ v.seq = Newest(seen).seq
            \/ Gone(Newest(seen), collect) /\ Newest(seen).seq <= MinOf(readers)

\* And not too many: at most one version of a key for each reader there could have been.
TreeIsBounded ==
  \A k \in Keys : Cardinality(Of(tree, k)) <= MaxSnapshots + 1

-----------------------------------------------------------------------------
(* For TLC alone *)

\* Every commit is published in the end, and every merge that started ends.
CommitsArePublished == <>[](published = Last)
MergesEnd == merge.running ~> ~merge.running

\* Neither the published sequence nor the collect time falls, not even over a reopening.
NothingRunsBackwards == [][published' >= published /\ persisted' >= persisted]_vars
=============================================================================
