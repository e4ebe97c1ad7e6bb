----------------------------- MODULE GroupCommit -----------------------------
(***************************************************************************)
(* What many clients are told while their commits share fsyncs: invariants  *)
(* 1 to 3 of src/database/group-commit.ts, for durability `commit`.          *)
(*                                                                         *)
(* An operation is one commit of one client. It is appended when it is       *)
(* submitted, or held back while there is no room; it is answered once: it   *)
(* resolves, or it is rejected as definite (it is not in the log, and never  *)
(* will be) or indefinite (reopening will tell). `disk` is what the log has  *)
(* on the medium, which the engine cannot see; `durable` is what it believes.*)
(*                                                                         *)
(* Steps of the engine: Submit: GroupCommit.submit, with append. Refuse:     *)
(* a commit that the engine rejects. MakeRoom: flush. Unblock: append of one  *)
(* held back. Round: syncBegin. SyncEnds, SyncFails: syncEnd (sync, poison).  *)
(* Publish: publish. Release: the promises settle. Read: read. Close: close,  *)
(* settleAfterClose. PowerCut: the machine stops.                            *)
(***************************************************************************)
EXTENDS Naturals, Sequences, FiniteSets

CONSTANTS
  Operations,   \* commits, each submitted at most once
  Room,         \* commits that fit before something must be flushed
  MaxFailures,  \* fsyncs that fail in one behaviour
  AllowClose,   \* whether the store may be closed
  Omitted       \* rules taken away, by name; empty in a configuration that must pass

\* Each of these takes one rule away, and something must break.
Rules == {
  "ResolveAtAppend",         \* a commit resolves when it is appended
  "ReleaseEverybody",        \* an fsync that ends resolves everybody who waits
  "TicketCoversLate",        \* an fsync counts for commits appended while it ran
  "PublishAtAppend",         \* a commit is readable when it is appended
  "FailedFsyncIsRetried",    \* a failed fsync poisons nothing: the next one is believed
  "FailureIsDefinite",       \* commits whose fsync failed are rejected as definite
  "LateOvertakesBlocked",    \* a commit that arrives looks for room only, not for those held back
  "UnblockNewestFirst",      \* of those held back the newest goes first
  "UnblockedStaysQueued",    \* one that was held back and appended stays in the queue
  "AppendAfterPoison",       \* a poisoned store goes on appending
  "TicketIsReserved",        \* an fsync counts for the next sequence, which nobody has
  "CloseWithoutSync",        \* a close of a healthy store leaves those who wait in doubt
  "CloseRejectsAsDefinite"   \* a close tells those who wait for an fsync that nothing was written
}
ASSUME Omitted \subseteq Rules

VARIABLES
  answer,     \* operation -> "none", "pending", "resolved", "definite" or "indefinite"
  calls,      \* history: operations in the order of their calls
  log,        \* operations in the order of their sequences
  blocked,    \* those held back, oldest first
  waiting,    \* those appended that wait for an fsync, oldest first
  ticket,     \* length of the log when the fsync under way began; 0 for none
  durable,    \* sequences that the engine believes to be on the medium
  disk,       \* sequences that are
  lost,       \* an fsync has failed: what was pending then never gets to the medium
  published,  \* the last readable sequence
  seen,       \* history: the greatest sequence that a read returned
  room,       \* commits that still fit
  failures,   \* fsyncs that failed
  poisonedAt, \* history: length of the log + 1 when the store was poisoned; 0 for never
  phase,      \* "open", "closed" or "cut"
  kept        \* after a power cut: what came back

vars == <<answer, calls, log, blocked, waiting, ticket, durable, disk, lost, published, seen, room, failures,
          poisonedAt, phase, kept>>

Omits(rule) == rule \in Omitted
Max(a, b) == IF a > b THEN a ELSE b
Min(a, b) == IF a < b THEN a ELSE b

Last == Len(log)
Open == phase = "open"
Poisoned == poisonedAt > 0
Elements(q) == { q[i] : i \in 1..Len(q) }
PlaceOf(o) == CHOOSE i \in 1..Last : log[i] = o
In(o) == \E i \in 1..Last : log[i] = o

-----------------------------------------------------------------------------
(* Submitting: appended at once, so that the order of calls is the order of commits *)

Appended(o) ==
  /\ log' = Append(log, o)
  /\ room' = room - 1
  /\ published' = IF Omits("PublishAtAppend") THEN Last + 1 ELSE published

HasRoom == room > 0 /\ (Omits("LateOvertakesBlocked") \/ blocked = <<>>)
MayAppend == ~Poisoned \/ Omits("AppendAfterPoison")

Submit(o) ==
  /\ Open /\ answer[o] = "none" /\ MayAppend
  /\ calls' = Append(calls, o)
  /\ IF HasRoom
     THEN /\ Appended(o)
          /\ blocked' = blocked
          /\ waiting' = IF Omits("ResolveAtAppend") THEN waiting ELSE Append(waiting, o)
          /\ answer' = [answer EXCEPT ![o] = IF Omits("ResolveAtAppend") THEN "resolved" ELSE "pending"]
     ELSE /\ blocked' = Append(blocked, o)
          /\ answer' = [answer EXCEPT ![o] = "pending"]
          /\ UNCHANGED <<log, room, published, waiting>>
  /\ UNCHANGED <<ticket, durable, disk, lost, seen, failures, poisonedAt, phase, kept>>

\* A conflict, a limit, no space, a poisoned store: nothing was appended.
Refuse(o) ==
  /\ Open /\ answer[o] = "none"
  /\ answer' = [answer EXCEPT ![o] = "definite"]
  /\ UNCHANGED <<calls, log, blocked, waiting, ticket, durable, disk, lost, published, seen, room, failures,
                poisonedAt, phase, kept>>

\* What is published can be flushed, and makes room.
MakeRoom ==
  /\ Open /\ ~Poisoned /\ room < Room /\ published = Last
  /\ room' = Room
  /\ UNCHANGED <<answer, calls, log, blocked, waiting, ticket, durable, disk, lost, published, seen, failures,
                poisonedAt, phase, kept>>

Chosen == IF Omits("UnblockNewestFirst") THEN Len(blocked) ELSE 1
Without(q, i) == SubSeq(q, 1, i - 1) \o SubSeq(q, i + 1, Len(q))

Unblock ==
  /\ Open /\ ~Poisoned /\ blocked # <<>> /\ room > 0
  /\ Appended(blocked[Chosen])
  /\ waiting' = Append(waiting, blocked[Chosen])
  /\ blocked' = IF Omits("UnblockedStaysQueued") THEN blocked ELSE Without(blocked, Chosen)
  /\ UNCHANGED <<answer, calls, ticket, durable, disk, lost, seen, failures, poisonedAt, phase, kept>>

-----------------------------------------------------------------------------
(* One fsync at a time; it covers what was there when it began *)

Round ==
  /\ Open /\ ~Poisoned /\ ticket = 0 /\ durable < Last
  /\ ticket' = IF Omits("TicketIsReserved") THEN Last + 1 ELSE Last
  /\ UNCHANGED <<answer, calls, log, blocked, waiting, durable, disk, lost, published, seen, room, failures,
                poisonedAt, phase, kept>>

SyncEnds ==
  /\ ticket > 0
  /\ durable' = Max(durable, IF Omits("TicketCoversLate") THEN Last ELSE ticket)
  /\ disk' = IF lost THEN disk ELSE Max(disk, ticket)
  /\ ticket' = 0
  /\ UNCHANGED <<answer, calls, log, blocked, waiting, lost, published, seen, room, failures, poisonedAt, phase, kept>>

\* The kernel drops the pages: a later fsync succeeds and says nothing of them.
SyncFails ==
  /\ ticket > 0 /\ failures < MaxFailures
  /\ failures' = failures + 1
  /\ lost' = TRUE
  /\ ticket' = 0
  /\ poisonedAt' = IF Omits("FailedFsyncIsRetried") THEN 0 ELSE Last + 1
  /\ UNCHANGED <<answer, calls, log, blocked, waiting, durable, disk, published, seen, room, phase, kept>>

Publish ==
  /\ Open /\ published < durable
  /\ published' = durable
  /\ UNCHANGED <<answer, calls, log, blocked, waiting, ticket, durable, disk, lost, seen, room, failures, poisonedAt,
                phase, kept>>

Read ==
  /\ Open /\ seen < published
  /\ seen' = published
  /\ UNCHANGED <<answer, calls, log, blocked, waiting, ticket, durable, disk, lost, published, room, failures,
                poisonedAt, phase, kept>>

-----------------------------------------------------------------------------
(* Answers *)

\* Those whose commit is durable, from the front of the queue.
Done == { o \in Elements(waiting) : PlaceOf(o) <= durable }

Release ==
  /\ Open /\ ticket = 0 /\ Done # {}
  /\ LET settled == IF Omits("ReleaseEverybody") THEN Elements(waiting) ELSE Done
     IN /\ answer' = [o \in Operations |-> IF o \in settled THEN "resolved" ELSE answer[o]]
        /\ waiting' = SelectSeq(waiting, LAMBDA o : ~(o \in settled))
  /\ UNCHANGED <<calls, log, blocked, ticket, durable, disk, lost, published, seen, room, failures, poisonedAt, phase,
                kept>>

\* After a failed fsync nobody knows what is there; those held back were never appended.
ReleasePoisoned ==
  /\ Open /\ Poisoned /\ Done = {} /\ (waiting # <<>> \/ blocked # <<>>)
  /\ answer' = [o \in Operations |->
       IF o \in Elements(waiting) THEN (IF Omits("FailureIsDefinite") THEN "definite" ELSE "indefinite")
       ELSE IF o \in Elements(blocked) THEN "definite" ELSE answer[o]]
  /\ waiting' = <<>> /\ blocked' = <<>>
  /\ UNCHANGED <<calls, log, ticket, durable, disk, lost, published, seen, room, failures, poisonedAt, phase, kept>>

\* A close of a poisoned store: what is durable resolves, the rest of the queue is indefinite; a healthy one syncs first.
Close ==
  /\ Open /\ AllowClose /\ ticket = 0
  /\ phase' = "closed"
  /\ durable' = IF Poisoned \/ Omits("CloseWithoutSync") THEN durable ELSE Last
  /\ disk' = IF Poisoned \/ lost \/ Omits("CloseWithoutSync") THEN disk ELSE Last
  /\ answer' = [o \in Operations |->
       IF o \in Elements(waiting)
       THEN (IF Omits("CloseRejectsAsDefinite") THEN "definite"
             ELSE IF ~(Poisoned \/ Omits("CloseWithoutSync")) \/ PlaceOf(o) <= durable THEN "resolved" ELSE "indefinite")
       ELSE IF o \in Elements(blocked) THEN "definite" ELSE answer[o]]
  /\ waiting' = <<>> /\ blocked' = <<>>
  /\ UNCHANGED <<calls, log, ticket, lost, published, seen, room, failures, poisonedAt, kept>>

\* Of what is not on the medium any prefix may come back; of what an fsync dropped, nothing need.
PowerCut(n) ==
  /\ phase # "cut"
  /\ n \in disk..Last
  /\ phase' = "cut"
  /\ kept' = n
  /\ UNCHANGED <<answer, calls, log, blocked, waiting, ticket, durable, disk, lost, published, seen, room, failures,
                poisonedAt>>

-----------------------------------------------------------------------------
Init ==
  /\ answer = [o \in Operations |-> "none"]
  /\ calls = <<>> /\ log = <<>> /\ blocked = <<>> /\ waiting = <<>>
  /\ ticket = 0 /\ durable = 0 /\ disk = 0 /\ lost = FALSE /\ published = 0 /\ seen = 0
  /\ room = Room /\ failures = 0 /\ poisonedAt = 0 /\ phase = "open" /\ kept = 0

Next ==
  \/ \E o \in Operations : Submit(o)
  \/ \E o \in Operations : Refuse(o)
  \/ MakeRoom \/ Unblock \/ Round \/ SyncEnds \/ SyncFails \/ Publish \/ Read
  \/ Release \/ ReleasePoisoned \/ Close
  \/ phase # "cut" /\ \E n \in disk..Last : PowerCut(n)

Spec == Init /\ [][Next]_vars

FairSpec ==
  /\ Spec
  /\ WF_vars(MakeRoom) /\ WF_vars(Unblock) /\ WF_vars(Round) /\ WF_vars(SyncEnds \/ SyncFails) /\ WF_vars(Publish)
  /\ WF_vars(Release) /\ WF_vars(ReleasePoisoned)

-----------------------------------------------------------------------------
(* Invariants *)

TypeOK ==
  /\ answer \in [Operations -> {"none", "pending", "resolved", "definite", "indefinite"}]
  /\ ticket \in 0..Last /\ durable \in 0..Last /\ disk \in 0..Last /\ published \in 0..Last /\ seen \in 0..published
  /\ room \in 0..Room
  /\ phase \in {"open", "closed", "cut"}

\* The engine believes nothing durable that is not on the medium.
DurableIsOnDisk == durable <= disk

\* Who was told that a commit is there finds it after any stop.
ResolvedIsDurable == \A o \in Operations : answer[o] = "resolved" => (In(o) /\ PlaceOf(o) <= disk)

\* A read returns nothing that a power cut could take back.
ReadIsDurable == seen <= disk

\* Who was told that a commit is not there never finds it.
DefiniteIsAbsent == \A o \in Operations : answer[o] = "definite" => ~In(o)

\* The order of calls is the order of commits.
CallsAreInOrder ==
  \A i \in 1..Len(calls), j \in 1..Len(calls) :
    (i < j /\ In(calls[i]) /\ In(calls[j])) => PlaceOf(calls[i]) < PlaceOf(calls[j])

\* And none passes one that still waits for room.
NobodyOvertakes ==
  \A i \in 1..Len(calls), j \in 1..Len(calls) : (i < j /\ In(calls[j])) => (In(calls[i]) \/ answer[calls[i]] = "definite")

\* No commit is made twice.
OnceOnly == \A i \in 1..Last, j \in 1..Last : i # j => log[i] # log[j]

\* Doubt is told only where an fsync has failed.
DoubtHasACause == \A o \in Operations : answer[o] = "indefinite" => failures > 0

\* Nothing is written after a failed fsync.
NothingAfterPoison == Poisoned => Last + 1 = poisonedAt

\* What a power cut leaves holds every promise.
CutKeepsPromises ==
  phase = "cut" =>
    ( /\ kept >= seen
      /\ \A o \in Operations : answer[o] = "resolved" => \E i \in 1..kept : log[i] = o
      /\ \A o \in Operations : answer[o] = "definite" => ~\E i \in 1..kept : log[i] = o )

-----------------------------------------------------------------------------
(* For TLC alone *)

\* Every commit is answered, unless the machine stops.
EveryCommitIsAnswered == \A o \in Operations : (answer[o] = "pending") ~> (answer[o] # "pending" \/ phase = "cut")
=============================================================================
