--------------------------- MODULE CopyOnWriteTree ---------------------------
(***************************************************************************)
(* Which blocks of tree.db a merge may write, and when: rules F1 to F4 of    *)
(* src/base/free-map.ts, rule 9 of spec/semantics.md, and the order of        *)
(* src/engine/merge.ts.                                                      *)
(*                                                                          *)
(* A page is a block and the generation that wrote it; whoever refers to a   *)
(* page says both. Every build writes a new root and gives the old one up;   *)
(* which other pages it keeps is its own affair. Two views of each block,    *)
(* file and manifest: what the process sees, and what a power cut must leave.*)
(* Between the two a power cut leaves anything, torn blocks included.        *)
(*                                                                          *)
(* Steps of the engine: BuildBegin: merge-begin. BuildWrite, BuildFree: nodes *)
(* written and replaced while the merge runs. BuildSync: the fsync of        *)
(* tree.db. MapWrite, MapSync: the free map is written; it and the directory  *)
(* are fsynced. Swap, SwapSettle: swap-manifest, before and after the fsync   *)
(* of the directory. Install: merge or collect. DeleteMap: delete-file.       *)
(* BuildDrop: a merge that fails. ZeroFree: close. OpenReader, ReadPage: a    *)
(* scan. Recover: recover.                                                   *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets

CONSTANTS
  Blocks,       \* blocks of the file, its header left out
  MaxBuilds,    \* builds started in one behaviour
  MaxCrashes,   \* process kills and power cuts in one behaviour
  MaxReaders,   \* readers opened in one behaviour
  Omitted       \* rules taken away, by name; empty in a configuration that must pass

\* Each of these takes one rule away, and something must break.
Rules == {
  "FreedIsReusedAtOnce",     \* F3: a build writes blocks that it has freed itself
  "MapIsIgnored",            \* F2: a build writes any block
  "TreeNotFsynced",          \* the manifest names pages that were not fsynced
  "MapNotFsynced",           \* the manifest names a free map that was not fsynced
  "OldMapIsNamed",           \* the manifest names the free map of the tree before
  "MapForgetsFreed",         \* the free map keeps what was freed as used
  "InstalledBeforeSettled",  \* a build may begin before the manifest's name is durable
  "MapDeletedBeforeSettled", \* the old free map is deleted before that
  "ZeroedBeforeSettled",     \* free blocks are made zero before that
  "ReaderKeepsItsRoot",      \* a reader does not seek again when the tree has changed
  "ReaderBelievesTheBlock",  \* nor does it, and it asks for no generation: it believes whatever page stands in the block
  "DroppedBuildFrees",       \* F4: a build that is dropped has freed what it freed
  "MapNotRead",              \* recovery begins with an empty free map
  "GenerationIsReserved"     \* a build takes a generation past the next
}
ASSUME Omitted \subseteq Rules

VARIABLES
  blocks,     \* block -> [seen, stable]: generation of the page in it; 0 for none, Torn for part of one
  manifest,   \* [seen, disk], each [tree, map]: pages of the tree, number of the free map; the map's number is the generation
  maps,       \* generation -> [there, used, stable]: the free maps as files
  used,       \* blocks that the free map in memory calls used
  build,      \* [step, generation, written, freed]: the build under way
  reader,     \* [open, tree]: the pages that the reader at work goes by
  wrongRead,  \* history: a reader took a page for one that it is not
  refused,    \* history: a reader met a page that is not the one it was sent to
  phase,      \* "running" or "down"
  builds, crashes, readers

vars == <<blocks, manifest, maps, used, build, reader, wrongRead, refused, phase, builds, crashes, readers>>

Omits(rule) == rule \in Omitted
Torn == 99
Generations == 0..(MaxBuilds + 1)

NoBuild == [step |-> "none", generation |-> 0, written |-> {}, freed |-> {}]
NoReader == [open |-> FALSE, tree |-> {}]
NoMap == [there |-> FALSE, used |-> {}, stable |-> FALSE]

Running == phase = "running"
BlocksOf(tree) == { page.block : page \in tree }
Tree == manifest.seen.tree
Settled == manifest.seen = manifest.disk

-----------------------------------------------------------------------------
(* A build *)

BuildBegin ==
  /\ Running /\ build.step = "none" /\ builds < MaxBuilds
  /\ build' = [NoBuild EXCEPT !.step = "writing", !.generation = builds + (IF Omits("GenerationIsReserved") THEN 3 ELSE 1)]
  /\ builds' = builds + 1
  /\ UNCHANGED <<blocks, manifest, maps, used, reader, wrongRead, refused, phase, crashes, readers>>

Free ==
  IF Omits("MapIsIgnored") THEN Blocks \ BlocksOf(build.written)
  ELSE IF Omits("FreedIsReusedAtOnce") THEN Blocks \ ((used \ build.freed) \cup BlocksOf(build.written))
  ELSE Blocks \ (used \cup BlocksOf(build.written))

BuildWrite(b) ==
  /\ Running /\ build.step = "writing" /\ b \in Free
  /\ blocks' = [blocks EXCEPT ![b].seen = build.generation]
  /\ build' = [build EXCEPT !.written = build.written \cup {[block |-> b, generation |-> build.generation]}]
  /\ UNCHANGED <<manifest, maps, used, reader, wrongRead, refused, phase, builds, crashes, readers>>

BuildFree(b) ==
  /\ Running /\ build.step = "writing" /\ b \in BlocksOf(Tree) \ build.freed
  /\ build' = [build EXCEPT !.freed = build.freed \cup {b}]
  /\ UNCHANGED <<blocks, manifest, maps, used, reader, wrongRead, refused, phase, builds, crashes, readers>>

BuildTree == { page \in Tree : ~(page.block \in build.freed) } \cup build.written

\* There is a new root, and the old one is given up.
BuildSync ==
  /\ Running /\ build.step = "writing" /\ build.written # {} /\ (Tree = {} \/ build.freed # {})
  /\ build' = [build EXCEPT !.step = "synced"]
  /\ blocks' = IF Omits("TreeNotFsynced") THEN blocks ELSE [b \in Blocks |-> [blocks[b] EXCEPT !.stable = blocks[b].seen]]
  /\ UNCHANGED <<manifest, maps, used, reader, wrongRead, refused, phase, builds, crashes, readers>>

UsedByBuild ==
  IF Omits("MapForgetsFreed") THEN used \cup BlocksOf(build.written)
  ELSE (used \ build.freed) \cup BlocksOf(build.written)

MapWrite ==
  /\ Running /\ build.step = "synced"
  /\ maps' = [maps EXCEPT ![build.generation] = [there |-> TRUE, used |-> UsedByBuild, stable |-> FALSE]]
  /\ build' = [build EXCEPT !.step = "mapped"]
  /\ UNCHANGED <<blocks, manifest, used, reader, wrongRead, refused, phase, builds, crashes, readers>>

MapSync ==
  /\ Running /\ build.step = "mapped"
  /\ maps' = IF Omits("MapNotFsynced") THEN maps ELSE [maps EXCEPT ![build.generation].stable = TRUE]
  /\ build' = [build EXCEPT !.step = "ready"]
  /\ UNCHANGED <<blocks, manifest, used, reader, wrongRead, refused, phase, builds, crashes, readers>>

Swap ==
  /\ Running /\ build.step = "ready" /\ Settled
  /\ manifest' = [manifest EXCEPT !.seen =
       [tree |-> BuildTree, map |-> IF Omits("OldMapIsNamed") /\ manifest.seen.map > 0 THEN manifest.seen.map ELSE build.generation]]
  /\ build' = [build EXCEPT !.step = "swapped"]
  /\ UNCHANGED <<blocks, maps, used, reader, wrongRead, refused, phase, builds, crashes, readers>>

SwapSettle ==
  /\ Running /\ ~Settled
  /\ manifest' = [manifest EXCEPT !.disk = manifest.seen]
  /\ UNCHANGED <<blocks, maps, used, build, reader, wrongRead, refused, phase, builds, crashes, readers>>

\* From here on readers see the new tree, and what was freed is free.
Install ==
  /\ Running /\ build.step = "swapped"
  /\ Settled \/ Omits("InstalledBeforeSettled") \/ Omits("ZeroedBeforeSettled") \/ Omits("MapDeletedBeforeSettled")
  /\ used' = UsedByBuild
  /\ build' = NoBuild
  /\ UNCHANGED <<blocks, manifest, maps, reader, wrongRead, refused, phase, builds, crashes, readers>>

\* A merge that fails before the swap leaves bytes in free blocks, and nothing else.
BuildDrop ==
  /\ Running /\ build.step \in {"writing", "synced", "mapped", "ready"}
  /\ used' = IF Omits("DroppedBuildFrees") THEN used \ build.freed ELSE used
  /\ build' = NoBuild
  /\ UNCHANGED <<blocks, manifest, maps, reader, wrongRead, refused, phase, builds, crashes, readers>>

\* A free map that no manifest names, nor one that a power cut could bring back.
DeleteMap(g) ==
  /\ Running /\ maps[g].there /\ build.step = "none"
  /\ g # manifest.seen.map
  /\ Settled \/ Omits("MapDeletedBeforeSettled")
  /\ maps' = [maps EXCEPT ![g] = NoMap]
  /\ UNCHANGED <<blocks, manifest, used, build, reader, wrongRead, refused, phase, builds, crashes, readers>>

\* A clean close leaves no byte unaccounted for.
ZeroFree(b) ==
  /\ Running /\ build.step = "none" /\ ~(b \in used) /\ blocks[b].seen # 0
  /\ Settled \/ Omits("ZeroedBeforeSettled")
  /\ blocks' = [blocks EXCEPT ![b].seen = 0]
  /\ UNCHANGED <<manifest, maps, used, build, reader, wrongRead, refused, phase, builds, crashes, readers>>

-----------------------------------------------------------------------------
(* A reader between whose steps anything may happen *)

\* The tree that is installed: until Install it is the one before the build.
Installed == IF build.step = "swapped" THEN { page \in Tree : ~(page \in build.written) } ELSE Tree

OpenReader ==
  /\ Running /\ ~reader.open /\ readers < MaxReaders /\ Tree # {} /\ build.step # "swapped"
  /\ reader' = [open |-> TRUE, tree |-> Tree]
  /\ readers' = readers + 1
  /\ UNCHANGED <<blocks, manifest, maps, used, build, wrongRead, refused, phase, builds, crashes>>

\* Rule 9: it seeks again when the tree has changed since its last step.
ReaderTree == IF Omits("ReaderKeepsItsRoot") \/ Omits("ReaderBelievesTheBlock") \/ build.step = "swapped" THEN reader.tree ELSE Tree

ReadPage(page) ==
  /\ Running /\ reader.open /\ page \in ReaderTree
  /\ reader' = [reader EXCEPT !.tree = ReaderTree]
  /\ wrongRead' = (wrongRead \/ (blocks[page.block].seen # page.generation /\ Omits("ReaderBelievesTheBlock")))
  /\ refused' = (refused \/ (blocks[page.block].seen # page.generation /\ ~Omits("ReaderBelievesTheBlock")))
  /\ UNCHANGED <<blocks, manifest, maps, used, build, phase, builds, crashes, readers>>

CloseReader ==
  /\ reader.open
  /\ reader' = NoReader
  /\ UNCHANGED <<blocks, manifest, maps, used, build, wrongRead, refused, phase, builds, crashes, readers>>

-----------------------------------------------------------------------------
(* Crashes, at any step *)

Down ==
  /\ crashes < MaxCrashes
  /\ crashes' = crashes + 1
  /\ phase' = "down"
  /\ build' = NoBuild /\ reader' = NoReader /\ used' = {}
  /\ UNCHANGED <<wrongRead, refused, builds, readers>>

\* The page cache survives.
ProcessKill == Running /\ Down /\ UNCHANGED <<blocks, manifest, maps>>

Pending == { b \in Blocks : blocks[b].seen # blocks[b].stable }
PendingMaps == { g \in Generations : maps[g].there /\ ~maps[g].stable }

\* `kept` whole, `torn` in part, every other pending block as it was; of pending maps `there` are left.
PowerCut(kept, torn, there, m) ==
  /\ Down
  /\ blocks' = [b \in Blocks |->
       LET left == IF b \in kept THEN blocks[b].seen ELSE IF b \in torn THEN Torn ELSE blocks[b].stable
       IN [seen |-> left, stable |-> left]]
  /\ maps' = [g \in Generations |->
       IF g \in PendingMaps THEN (IF g \in there THEN [maps[g] EXCEPT !.stable = TRUE] ELSE NoMap) ELSE maps[g]]
  /\ manifest' = [seen |-> m, disk |-> m]

AnyPowerCut ==
  \E kept \in SUBSET Pending : \E torn \in SUBSET (Pending \ kept) : \E there \in SUBSET PendingMaps :
    \E m \in {manifest.seen, manifest.disk} : PowerCut(kept, torn, there, m)

\* The free map that the manifest names is read, and the manifest settled.
Recover ==
  /\ phase = "down"
  /\ manifest.seen.map = 0 \/ maps[manifest.seen.map].there
  /\ used' = IF manifest.seen.map = 0 \/ Omits("MapNotRead") THEN {} ELSE maps[manifest.seen.map].used
  /\ manifest' = [manifest EXCEPT !.disk = manifest.seen]
  /\ phase' = "running"
  /\ UNCHANGED <<blocks, maps, build, reader, wrongRead, refused, builds, crashes, readers>>

-----------------------------------------------------------------------------
FirstManifest == [tree |-> {}, map |-> 0]

Init ==
  /\ blocks = [b \in Blocks |-> [seen |-> 0, stable |-> 0]]
  /\ manifest = [seen |-> FirstManifest, disk |-> FirstManifest]
  /\ maps = [g \in Generations |-> NoMap]
  /\ used = {} /\ build = NoBuild /\ reader = NoReader /\ wrongRead = FALSE /\ refused = FALSE
  /\ phase = "running" /\ builds = 0 /\ crashes = 0 /\ readers = 0

Next ==
  \/ BuildBegin
  \/ build.step = "writing" /\ \E b \in Blocks : BuildWrite(b)
  \/ build.step = "writing" /\ \E b \in Blocks : BuildFree(b)
  \/ BuildSync \/ MapWrite \/ MapSync \/ Swap \/ SwapSettle \/ Install \/ BuildDrop
  \/ Running /\ \E g \in Generations : DeleteMap(g)
  \/ Running /\ \E b \in Blocks : ZeroFree(b)
  \/ OpenReader \/ CloseReader
  \/ reader.open /\ \E page \in ReaderTree : ReadPage(page)
  \/ crashes < MaxCrashes /\ (ProcessKill \/ (Running /\ AnyPowerCut))
  \/ Recover

Spec == Init /\ [][Next]_vars

FairSpec ==
  /\ Spec
  /\ WF_vars(BuildSync) /\ WF_vars(MapWrite) /\ WF_vars(MapSync) /\ WF_vars(Swap) /\ WF_vars(SwapSettle) /\ WF_vars(Install)
  /\ WF_vars(BuildDrop) /\ WF_vars(Recover) /\ WF_vars(\E g \in Generations : DeleteMap(g))

-----------------------------------------------------------------------------
(* Invariants *)

Contents == {0, Torn} \cup Generations

TypeOK ==
  /\ \A b \in Blocks : blocks[b].seen \in Contents /\ blocks[b].stable \in Contents
  /\ used \subseteq Blocks
  /\ build.generation \in Generations
  /\ manifest.seen.map \in Generations /\ manifest.disk.map \in Generations

\* Whichever manifest a power cut leaves, each page that it names is whole, on the medium and in the page cache.
Whole(m) == \A page \in m.tree : blocks[page.block].seen = page.generation /\ blocks[page.block].stable = page.generation
NamedPagesAreWhole == Whole(manifest.seen) /\ Whole(manifest.disk)

\* And so is its free map.
MapIsThere(m) == m.map = 0 \/ (maps[m.map].there /\ maps[m.map].stable)
NamedMapIsThere == MapIsThere(manifest.seen) /\ MapIsThere(manifest.disk)

\* No page is both free and reachable.
NothingReachableIsFree ==
  (Running /\ build.step # "swapped") => BlocksOf(Tree) \subseteq used

\* And none is neither: nothing leaks, not even by builds that were dropped.
NothingLeaks ==
  (Running /\ build.step # "swapped") => used \subseteq BlocksOf(Tree)

\* The free map on disk says of the tree on disk what the one in memory says.
MapDescribesTree ==
  /\ (manifest.seen.map > 0 /\ maps[manifest.seen.map].there) => maps[manifest.seen.map].used = BlocksOf(manifest.seen.tree)
  /\ manifest.seen.map = 0 => manifest.seen.tree = {}

\* A reader's pages are those that it was sent to.
ReadersMeetTheirPages == ~refused
ReadersAreRight == ~wrongRead

-----------------------------------------------------------------------------
(* For TLC alone *)

\* A build ends, and of the free maps one is left.
BuildsEnd == build.step # "none" ~> build.step = "none"
OldMapsGo == <>[](phase = "running" => Cardinality({ g \in Generations : maps[g].there }) <= 1)
=============================================================================
