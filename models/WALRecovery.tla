----------------------------- MODULE WALRecovery -----------------------------
(***************************************************************************)
(* What a store may acknowledge, and how it finds it again: the rules of     *)
(* spec/durability.md for segments, rotation, flush, deletion and recovery.  *)
(*                                                                          *)
(* Two views of each file: what the process sees (the page cache, which      *)
(* outlives a process kill) and what a power cut must leave. Of everything   *)
(* between the two a power cut leaves any subset: records whole, torn or as  *)
(* holes, directory entries, unlinks, the renamed manifest.                  *)
(*                                                                          *)
(* Steps of the engine, as the file system sees them: Write = a record is    *)
(* written. SyncBegin, SyncEnd = fdatasync of the segment. Acknowledge =      *)
(* publish. Rotate… = freeze. Flush… = flush. StructureSynced = any other     *)
(* fsync of the directory. Delete = unlink. Recover… = opening.               *)
(*                                                                          *)
(* One record is one batch. `order` is the history: the commits that the     *)
(* store stands by, in order; `floor` is how many of them no crash may take. *)
(* Neither is ever set from what recovery found before the two were compared.*)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  MaxRecords,   \* records written in one behaviour, over all crashes
  Segments,     \* file numbers that segments may get
  MaxCrashes,   \* process kills and power cuts in one behaviour
  MaxFlushes,   \* flushes in one behaviour
  Durability,   \* "commit": returns after fsync; "interval": after the write
  Omitted       \* steps left out, by name; empty in a configuration that must pass

\* Each of these leaves one step out, and something must be lost.
Steps == {
  "AckBeforeFsync",            \* a commit is acknowledged when it is written
  "SyncCoversLateRecords",     \* an fsync counts for records appended while it ran
  "RotateWithoutFsync",        \* the old segment is not fsynced before its successor exists
  "NoDirectoryFsyncOnCreate",  \* the directory is not fsynced after a segment was created
  "NoDirectoryFsyncOnSwap",    \* the directory is not fsynced after the manifest was renamed
  "SegmentNotNamed",           \* the manifest does not name the new segment
  "RunNotFsynced",             \* the manifest names a run that was not fsynced
  "RunNotEntered",             \* the manifest names a run whose name was not fsynced
  "DeleteBeforeDurable",       \* segments are deleted when the new manifest is renamed, not when it is durable
  "PublishBeforeTailFsync",    \* recovery publishes its copy of the tail before it is fsynced
  "AppendInPlace",             \* recovery goes on writing in the segment it recovered
  "ReuseFileNumber",           \* the next number is beyond the manifest's only, not the directory's
  "SkipDamaged",               \* the reader skips a damaged record and goes on
  "AcceptTorn",                \* the reader checks no checksum
  "MarkIsAppended",            \* a record's mark says what was appended, not what was durable
  "PublishReserved"            \* publishes the next number, not the last
}
ASSUME Omitted \subseteq Steps /\ Durability \in {"commit", "interval"}

VARIABLES
  files,      \* segment number -> [entry, data, stable]
  manifest,   \* [seen, disk], each [segments, flushed]
  run,        \* [batches, fsynced, safe]: what sorted runs hold, in order; how much is fsynced; how much with its name
  order,      \* history: ids of the commits that the store stands by
  floor,      \* history: how many of them must survive
  nextId,     \* the id of the next record
  phase,      \* what the process is doing
  current,    \* the segment that is appended to; 0 for none
  durable,    \* the greatest sequence that the process knows to be fsynced
  syncing,    \* length of the current segment when the fsync under way began; 0 for none
  flush,      \* [step, upTo]: the flush under way
  found,      \* what the last recovery read: [batches, whole, alarm, there]
  crashes,    \* how many crashes there were
  flushes     \* how many flushes were started

vars == <<files, manifest, run, order, floor, nextId, phase, current, durable,
          syncing, flush, found, crashes, flushes>>

Omits(step) == step \in Omitted
Max(a, b) == IF a > b THEN a ELSE b
Min(a, b) == IF a < b THEN a ELSE b

Absent == [entry |-> "absent", data |-> <<>>, stable |-> 0]
Hole == [id |-> 0, seq |-> 0, mark |-> 0, whole |-> FALSE]
NoFlush == [step |-> "idle", upTo |-> 0]
NothingFound == [batches |-> <<>>, whole |-> TRUE, alarm |-> FALSE, there |-> {}]

\* Entries: "new" is seen but not durable, "here" is durable, "gone" is unlinked but may come back.
Seen(f) == files[f].entry \in {"new", "here"}
Last == Len(order)

Names == manifest.seen.segments
NamedSet == { Names[i] : i \in 1..Len(Names) }

MaxOf(S) == CHOOSE x \in S : \A y \in S : y <= x

\* The next number is beyond both the manifest's and the directory's.
NextNumber ==
  LET taken == {0} \cup NamedSet \cup (IF Omits("ReuseFileNumber") THEN {} ELSE { f \in Segments : Seen(f) })
  IN MaxOf(taken) + 1

-----------------------------------------------------------------------------
(* The disk *)

Appended(f, records) == [files EXCEPT ![f].data = files[f].data \o records]
Fsynced(f, length) == [files EXCEPT ![f].stable = Max(files[f].stable, length)]

SettledEntry(file) ==
  IF file.entry = "new" THEN [file EXCEPT !.entry = "here"]
  ELSE IF file.entry = "gone" THEN Absent ELSE file

DirectoryFsynced == [f \in Segments |-> SettledEntry(files[f])]

\* A record by one number, so that sets of them are cheap.
At(f, i) == f * 1000 + i

Pending(f) == { At(f, i) : i \in (files[f].stable + 1)..Len(files[f].data) }
PendingRecords == UNION { Pending(f) : f \in Segments }
PendingEntries == { f \in Segments : files[f].entry \in {"new", "gone"} }

SlotAfterCut(f, i, kept, torn) ==
  IF i <= files[f].stable \/ At(f, i) \in kept THEN files[f].data[i]
  ELSE IF At(f, i) \in torn THEN [files[f].data[i] EXCEPT !.whole = FALSE]
  ELSE Hole

AfterCut(f, kept, torn, entries) ==
  IF files[f].entry = "here" \/ (files[f].entry # "absent" /\ f \in entries)
  THEN [ entry |-> "here", stable |-> Len(files[f].data),
         data |-> [i \in 1..Len(files[f].data) |-> SlotAfterCut(f, i, kept, torn)] ]
  ELSE Absent

-----------------------------------------------------------------------------
(* Writing *)

Running == phase = "running"

Write ==
  /\ Running /\ nextId <= MaxRecords
  /\ LET record == [id |-> nextId, seq |-> Last + 1, whole |-> TRUE,
                    mark |-> IF Omits("MarkIsAppended") THEN Last + 1 ELSE durable]
     IN files' = Appended(current, <<record>>)
  /\ order' = Append(order, nextId)
  /\ nextId' = nextId + 1
  /\ UNCHANGED <<manifest, run, floor, phase, current, durable, syncing, flush, found, crashes, flushes>>

SyncBegin ==
  /\ Running /\ syncing = 0 /\ durable < Last
  /\ syncing' = Len(files[current].data)
  /\ UNCHANGED <<files, manifest, run, order, floor, nextId, phase, current, durable, flush, found, crashes, flushes>>

SyncEnd ==
  /\ Running /\ syncing > 0
  /\ files' = Fsynced(current, syncing)
  /\ durable' = IF Omits("SyncCoversLateRecords") THEN Last ELSE files[current].data[syncing].seq
  /\ syncing' = 0
  /\ UNCHANGED <<manifest, run, order, floor, nextId, phase, current, flush, found, crashes, flushes>>

\* Publishes and acknowledges: from here on no crash may take it (in "interval" no process kill).
Acknowledgeable ==
  IF Omits("PublishReserved") THEN Last + 1
  ELSE IF Durability = "interval" \/ Omits("AckBeforeFsync") THEN Last ELSE durable

Acknowledge ==
  /\ Running /\ floor < Acknowledgeable
  /\ floor' = Acknowledgeable
  /\ UNCHANGED <<files, manifest, run, order, nextId, phase, current, durable, syncing, flush, found, crashes, flushes>>

-----------------------------------------------------------------------------
(* The manifest: written, fsynced and renamed in one step, durable by the directory fsync that follows *)

ManifestSettled == manifest.seen = manifest.disk
Renamed(segments, flushed) == [manifest EXCEPT !.seen = [segments |-> segments, flushed |-> flushed]]
SwapSettled == [manifest EXCEPT !.disk = manifest.seen]

Settle(next) ==
  /\ phase' = next
  /\ files' = IF Omits("NoDirectoryFsyncOnSwap") THEN files ELSE DirectoryFsynced
  /\ manifest' = IF Omits("NoDirectoryFsyncOnSwap") THEN manifest ELSE SwapSettled

-----------------------------------------------------------------------------
(* Rotation: fsync of the old, create, directory fsync, manifest, directory fsync, first append *)

RotateCreate(f) ==
  /\ Running /\ syncing = 0 /\ ManifestSettled
  /\ files[current].data # <<>> /\ nextId <= MaxRecords
  /\ f >= NextNumber
  /\ files' = [ (IF Omits("RotateWithoutFsync") THEN files ELSE Fsynced(current, Len(files[current].data)))
                EXCEPT ![f] = [entry |-> "new", data |-> <<>>, stable |-> 0] ]
  /\ durable' = Last
  /\ current' = f
  /\ phase' = "created"
  /\ UNCHANGED <<manifest, run, order, floor, nextId, syncing, flush, found, crashes, flushes>>

RotateDirectoryFsync ==
  /\ phase = "created"
  /\ phase' = "entered"
  /\ files' = IF Omits("NoDirectoryFsyncOnCreate") THEN files ELSE DirectoryFsynced
  /\ UNCHANGED <<manifest, run, order, floor, nextId, current, durable, syncing, flush, found, crashes, flushes>>

RotateName ==
  /\ phase = "entered"
  /\ phase' = "named"
  /\ manifest' = IF Omits("SegmentNotNamed") THEN manifest
                 ELSE Renamed(Append(manifest.seen.segments, current), manifest.seen.flushed)
  /\ UNCHANGED <<files, run, order, floor, nextId, current, durable, syncing, flush, found, crashes, flushes>>

RotateSettle ==
  /\ phase = "named"
  /\ Settle("running")
  /\ UNCHANGED <<run, order, floor, nextId, current, durable, syncing, flush, found, crashes, flushes>>

-----------------------------------------------------------------------------
(* Flush: run written, fsynced, manifest, directory fsync; then segments are deleted *)

\* A segment can go when all it holds is in runs.
Covered(f, upTo) == \A i \in 1..Len(files[f].data) : files[f].data[i].seq <= upTo
Live(upTo) == SelectSeq(manifest.seen.segments, LAMBDA f : f = current \/ ~Covered(f, upTo))

\* What is flushed: the oldest segment, sealed and published.
Sealed == Len(Names) > 1
OldestSeal == files[Names[1]].data[Len(files[Names[1]].data)].seq

FlushWrite ==
  /\ Running /\ flush.step = "idle" /\ flushes < MaxFlushes
  /\ Sealed /\ OldestSeal <= floor
  /\ run' = [run EXCEPT !.batches = SubSeq(order, 1, OldestSeal)]
  /\ flush' = [step |-> "written", upTo |-> OldestSeal]
  /\ flushes' = flushes + 1
  /\ UNCHANGED <<files, manifest, order, floor, nextId, phase, current, durable, syncing, found, crashes>>

FlushFsync ==
  /\ Running /\ flush.step = "written"
  /\ run' = IF Omits("RunNotFsynced") THEN run ELSE [run EXCEPT !.fsynced = flush.upTo]
  /\ flush' = [flush EXCEPT !.step = "fsynced"]
  /\ UNCHANGED <<files, manifest, order, floor, nextId, phase, current, durable, syncing, found, crashes, flushes>>

\* The directory is fsynced: the run has its name.
FlushEnter ==
  /\ Running /\ flush.step = "fsynced"
  /\ run' = IF Omits("RunNotEntered") THEN run ELSE [run EXCEPT !.safe = run.fsynced]
  /\ files' = IF Omits("RunNotEntered") THEN files ELSE DirectoryFsynced
  /\ flush' = [flush EXCEPT !.step = "entered"]
  /\ UNCHANGED <<manifest, order, floor, nextId, phase, current, durable, syncing, found, crashes, flushes>>

FlushName ==
  /\ Running /\ flush.step = "entered" /\ ManifestSettled
  /\ manifest' = Renamed(Live(flush.upTo), flush.upTo)
  /\ flush' = [flush EXCEPT !.step = "named"]
  /\ UNCHANGED <<files, run, order, floor, nextId, phase, current, durable, syncing, found, crashes, flushes>>

FlushSettle ==
  /\ Running /\ flush.step = "named"
  /\ Settle("running")
  /\ flush' = NoFlush
  /\ UNCHANGED <<run, order, floor, nextId, current, durable, syncing, found, crashes, flushes>>

Named(m, f) == \E i \in 1..Len(m.segments) : m.segments[i] = f

\* Any other fsync of the directory: a merge swaps the manifest, too, and leaves the segments as they are. It may run while
\* a run is being written.
StructureSynced ==
  /\ Running /\ ManifestSettled /\ flush.step \in {"idle", "written"}
  /\ files' = DirectoryFsynced
  /\ UNCHANGED <<manifest, run, order, floor, nextId, phase, current, durable, syncing, flush, found, crashes, flushes>>

Delete(f) ==
  /\ phase \in {"running", "resettled"} /\ Seen(f) /\ f # current
  /\ ~Named(manifest.seen, f)
  /\ ManifestSettled \/ Omits("DeleteBeforeDurable")
  /\ files' = [files EXCEPT ![f].entry = "gone"]
  /\ UNCHANGED <<manifest, run, order, floor, nextId, phase, current, durable, syncing, flush, found, crashes, flushes>>

-----------------------------------------------------------------------------
(* Crashes, at any step, recovery included *)

Down ==
  /\ crashes < MaxCrashes
  /\ crashes' = crashes + 1
  /\ phase' = "down"
  /\ current' = 0 /\ syncing' = 0
  /\ flush' = NoFlush
  /\ found' = NothingFound

\* The page cache survives, and what was pending stays pending.
ProcessKill ==
  /\ phase # "down" /\ Down
  /\ UNCHANGED <<files, manifest, run, order, floor, nextId, durable, flushes>>

\* `kept` whole, `torn` in part, every other pending record a hole; `entries` as they were last seen, or back again.
PowerCut(kept, torn, entries, m) ==
  /\ crashes < MaxCrashes
  /\ files' = [f \in Segments |-> AfterCut(f, kept, torn, entries)]
  /\ manifest' = [seen |-> m, disk |-> m]
  /\ run' = [run EXCEPT !.batches = SubSeq(run.batches, 1, Min(run.safe, Len(run.batches))), !.fsynced = run.safe]
  /\ floor' = IF Durability = "interval" THEN Min(floor, durable) ELSE floor
  /\ Down
  /\ UNCHANGED <<order, nextId, durable, flushes>>

AnyPowerCut ==
  \E kept \in SUBSET PendingRecords : \E torn \in SUBSET (PendingRecords \ kept) :
  \E entries \in SUBSET PendingEntries : \E m \in {manifest.seen, manifest.disk} : PowerCut(kept, torn, entries, m)

-----------------------------------------------------------------------------
(* Recovery: read, copy the valid part of the last segment into a new one, fsync, directory fsync, manifest, directory fsync, publish *)

DataOf(i) == IF i <= Len(Names) THEN files[Names[i]].data ELSE <<>>
AllNamed == DataOf(1) \o DataOf(2) \o DataOf(3) \o DataOf(4)

\* Records in sequence, those that runs hold already left out.
Readable(r) == r.whole \/ (Omits("AcceptTorn") /\ r.id # 0)
TailRead ==
  LET all == AllNamed
      readable == IF Omits("SkipDamaged") THEN SelectSeq(all, LAMBDA r : Readable(r)) ELSE all
  IN SelectSeq(readable, LAMBDA r : r.id = 0 \/ r.seq > manifest.seen.flushed)

Expected(i) == manifest.seen.flushed + i
ValidLength(tail) ==
  CHOOSE n \in 0..Len(tail) :
    /\ \A i \in 1..n : Readable(tail[i]) /\ (tail[i].seq = Expected(i) \/ Omits("SkipDamaged"))
    /\ n = Len(tail) \/ ~(Readable(tail[n + 1]) /\ (tail[n + 1].seq = Expected(n + 1) \/ Omits("SkipDamaged")))

\* Damage that no crash can have left: a named file is missing, a sealed segment ends early, or a later record
\* was written when the damaged one was durable.
Missing == \E i \in 1..Len(Names) : ~Seen(Names[i])
SealedDamage == Len(Names) > 1 /\ \E f \in { Names[i] : i \in 1..(Len(Names) - 1) } :
                  \E i \in 1..Len(files[f].data) : ~files[f].data[i].whole
MarkedDamage(tail, valid) ==
  \E i \in (valid + 1)..Len(tail) : i > valid + 1 /\ tail[i].whole /\ tail[i].mark >= Expected(valid + 1)
RunMissing == Len(run.batches) < manifest.seen.flushed

RecoverRead ==
  /\ phase = "down"
  /\ LET tail == TailRead
         valid == ValidLength(tail)
     IN found' = [ batches |-> SubSeq(run.batches, 1, Min(manifest.seen.flushed, Len(run.batches))) \o [i \in 1..valid |-> tail[i].id],
                   whole |-> \A i \in 1..valid : tail[i].whole,
                   alarm |-> Missing \/ RunMissing \/ SealedDamage \/ MarkedDamage(tail, valid),
                   there |-> { f \in Segments : Seen(f) } ]
  /\ phase' = "read"
  /\ UNCHANGED <<files, manifest, run, order, floor, nextId, current, durable, syncing, flush, crashes, flushes>>

\* The valid records of the last segment, as they are; the sealed ones stay where they are.
LastData == files[Names[Len(Names)]].data
Copies ==
  LET skipped == Cardinality({ i \in 1..(Len(AllNamed) - Len(LastData)) : AllNamed[i].id = 0 \/ AllNamed[i].seq > manifest.seen.flushed })
      count == Len(found.batches) - manifest.seen.flushed - skipped
  IN [ i \in 1..count |-> [TailRead[skipped + i] EXCEPT !.whole = TRUE] ]

RecoverCopy(f) ==
  /\ phase = "read" /\ ~found.alarm /\ ~Omits("AppendInPlace")
  /\ IF Omits("ReuseFileNumber") THEN f = NextNumber ELSE f >= NextNumber
  /\ files' = [files EXCEPT ![f] = [ entry |-> IF files[f].entry = "here" THEN "here" ELSE "new",
                                     data |-> (IF Seen(f) THEN files[f].data ELSE <<>>) \o Copies,
                                     stable |-> IF Seen(f) THEN files[f].stable ELSE 0 ]]
  /\ current' = f
  /\ phase' = "copied"
  /\ UNCHANGED <<manifest, run, order, floor, nextId, durable, syncing, flush, found, crashes, flushes>>

\* The fault: the segment that was read is written on, behind whatever damage stands at its end.
RecoverInPlace ==
  /\ phase = "read" /\ ~found.alarm /\ Omits("AppendInPlace")
  /\ current' = Names[Len(Names)]
  /\ phase' = "resettled"
  /\ UNCHANGED <<files, manifest, run, order, floor, nextId, durable, syncing, flush, found, crashes, flushes>>

RecoverFsync ==
  /\ phase = "copied"
  /\ phase' = "fsynced"
  /\ files' = IF Omits("PublishBeforeTailFsync") THEN files ELSE Fsynced(current, Len(files[current].data))
  /\ UNCHANGED <<manifest, run, order, floor, nextId, current, durable, syncing, flush, found, crashes, flushes>>

RecoverDirectoryFsync ==
  /\ phase = "fsynced"
  /\ phase' = "reentered"
  /\ files' = IF Omits("NoDirectoryFsyncOnCreate") THEN files ELSE DirectoryFsynced
  /\ UNCHANGED <<manifest, run, order, floor, nextId, current, durable, syncing, flush, found, crashes, flushes>>

RecoverName ==
  /\ phase = "reentered"
  /\ phase' = "renamed"
  /\ manifest' = Renamed(Append(SubSeq(Names, 1, Len(Names) - 1), current), manifest.seen.flushed)
  /\ UNCHANGED <<files, run, order, floor, nextId, current, durable, syncing, flush, found, crashes, flushes>>

RecoverSettle ==
  /\ phase = "renamed"
  /\ Settle("resettled")
  /\ UNCHANGED <<run, order, floor, nextId, current, durable, syncing, flush, found, crashes, flushes>>

\* What was found is what the store stands by from now on. The two were compared while it stood in `found`.
RecoverPublish ==
  /\ phase = "resettled"
  /\ phase' = "running"
  /\ order' = found.batches
  /\ floor' = Len(found.batches)
  /\ durable' = Len(found.batches)
  /\ found' = NothingFound
  /\ UNCHANGED <<files, manifest, run, nextId, current, syncing, flush, crashes, flushes>>

-----------------------------------------------------------------------------
FirstManifest(first) == [segments |-> <<first>>, flushed |-> 0]

InitAt(first) ==
  /\ files = [f \in Segments |-> IF f = first THEN [entry |-> "here", data |-> <<>>, stable |-> 0] ELSE Absent]
  /\ manifest = [seen |-> FirstManifest(first), disk |-> FirstManifest(first)]
  /\ run = [batches |-> <<>>, fsynced |-> 0, safe |-> 0]
  /\ order = <<>> /\ floor = 0 /\ nextId = 1
  /\ phase = "running" /\ current = first /\ durable = 0 /\ syncing = 0
  /\ flush = NoFlush /\ found = NothingFound /\ crashes = 0 /\ flushes = 0

Init == InitAt(1)

\* The numbers that a checker tries: the next one, if there is such a file.
NextNumbers == {NextNumber} \cap Segments

Recover ==
  \/ RecoverRead
  \/ phase = "read" /\ \E f \in NextNumbers : RecoverCopy(f)
  \/ RecoverInPlace
  \/ RecoverFsync \/ RecoverDirectoryFsync \/ RecoverName \/ RecoverSettle \/ RecoverPublish

Rotate == RotateDirectoryFsync \/ RotateName \/ RotateSettle

Next ==
  \/ Running /\ (Write \/ SyncBegin \/ SyncEnd \/ Acknowledge \/ \E f \in NextNumbers : RotateCreate(f))
  \/ Running /\ (FlushWrite \/ FlushFsync \/ FlushEnter \/ FlushName \/ FlushSettle \/ StructureSynced)
  \/ phase \in {"running", "resettled"} /\ \E f \in Segments : Delete(f)
  \/ ~Running /\ (Rotate \/ Recover)
  \/ crashes < MaxCrashes /\ (ProcessKill \/ AnyPowerCut)

Spec == Init /\ [][Next]_vars
FairSpec == Spec /\ WF_vars(Recover) /\ WF_vars(Rotate) /\ WF_vars(SyncBegin) /\ WF_vars(SyncEnd) /\ WF_vars(Acknowledge)

-----------------------------------------------------------------------------
(* Invariants *)

Recovered == phase \in {"read", "copied", "fsynced", "reentered", "renamed", "resettled"}

TypeOK ==
  /\ floor \in 0..Last /\ durable \in 0..Last
  /\ nextId \in 1..(MaxRecords + 1)
  /\ current \in {0} \cup Segments
  /\ \A f \in Segments : files[f].stable \in 0..Len(files[f].data)
  /\ manifest.seen.flushed \in 0..MaxRecords /\ manifest.disk.flushed \in 0..MaxRecords
  /\ Len(manifest.seen.segments) \in 0..4
  /\ IF Running THEN current \in Segments /\ Seen(current) ELSE TRUE

\* Every batch is there whole or not at all.
BatchesAreWhole == found.whole

\* What is recovered is a prefix of the commit order ...
RecoveredIsPrefix ==
  Recovered => /\ Len(found.batches) <= Last
               /\ \A i \in 1..Len(found.batches) : found.batches[i] = order[i]

\* ... and holds everything that was acknowledged.
NothingAcknowledgedIsLost == Recovered => Len(found.batches) >= floor

\* Recovery never appends to a segment that was there when it began.
NeverAppendsToRecovered == phase \in {"copied", "resettled"} => ~(current \in found.there)

\* No crash is mistaken for corruption.
NoFalseAlarm == ~found.alarm

-----------------------------------------------------------------------------
(* For TLC alone *)

RecoveryEnds == []<>(phase = "running")
WritesAreAcknowledged == <>[](floor = Last)
=============================================================================
