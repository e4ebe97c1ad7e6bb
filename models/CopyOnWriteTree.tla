--------------------------- MODULE CopyOnWriteTree ---------------------------
(***************************************************************************)
(* Which blocks of tree.db a merge may write, and when: rules F1 to F4 of    *)
(* src/base/free-map.ts, rule 9 of spec/semantics.md, and the order of        *)
(* src/engine/merge.ts.                                                      *)
(*                                                                          *)
(* A page is a block and the generation that wrote it; whoever refers to a   *)
(* page says both. Every build writes a new root and gives the old one up;   *)
(* which other pages it keeps is its own affair. Its last page is the footer, *)
(* which holds the free map. Two views of each block and of the manifest:     *)
(* what the process sees, and what a power cut must leave. Between the two a  *)
(* power cut leaves anything, torn blocks included.                          *)
(*                                                                          *)
(* Steps of the engine: BuildBegin: merge-begin. BuildWrite, BuildFree: nodes *)
(* written and replaced while the merge runs. BuildFooter: the free map is    *)
(* written. BuildSync: the fsync of tree.db. BuildEnter: the fsync of the     *)
(* directory after the first one. Swap, SwapSettle: swap-manifest, before and *)
(* after the fsync of the directory. Install: merge or collect. BuildDrop: a  *)
(* merge that fails. ZeroFree: close. OpenReader, ReadPage: a scan. Recover:  *)
(* recover.                                                                  *)
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
  "FooterAfterFsync",        \* the free map is written when the rest was fsynced
  "TreeNotEntered",          \* the manifest names a file whose name was not fsynced
  "OldFooterIsNamed",        \* the manifest names the free map of the tree before
  "MapForgetsFreed",         \* the free map keeps what was freed as used
  "FooterNotFreed",          \* the old footer is never given up
  "BeginsBeforeSettled",     \* a build may begin before the manifest's name is durable
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
  entered,    \* whether the file's name is durable
  manifest,   \* [seen, disk], each [tree, footer]: pages of the tree; the page of the free map, if there is one
  maps,       \* generation -> the blocks that its free map calls used
  used,       \* blocks that the free map in memory calls used
  build,      \* [step, generation, written, freed, footer]: the build under way
  reader,     \* [open, tree]: the pages that the reader at work goes by
  wrongRead,  \* history: a reader took a page for one that it is not
  refused,    \* history: a reader met a page that is not the one it was sent to
  phase,      \* "running" or "down"
  builds, crashes, readers

vars == <<blocks, entered, manifest, maps, used, build, reader, wrongRead, refused, phase, builds, crashes, readers>>

Omits(rule) == rule \in Omitted
Torn == 99
Generations == 0..(MaxBuilds + 1)

NoBuild == [step |-> "none", generation |-> 0, written |-> {}, freed |-> {}, footer |-> {}]
NoReader == [open |-> FALSE, tree |-> {}]

Running == phase = "running"
BlocksOf(pages) == { page.block : page \in pages }
Tree == manifest.seen.tree
PagesOf(m) == m.tree \cup m.footer
Settled == manifest.seen = manifest.disk
MinOf(S) == CHOOSE x \in S : \A y \in S : x <= y

-----------------------------------------------------------------------------
(* A build *)

BuildBegin ==
  /\ Running /\ build.step = "none" /\ builds < MaxBuilds
  /\ build' = [NoBuild EXCEPT !.step = "writing", !.generation = builds + (IF Omits("GenerationIsReserved") THEN 3 ELSE 1),
                              !.freed = IF Omits("FooterNotFreed") THEN {} ELSE BlocksOf(manifest.seen.footer)]
  /\ builds' = builds + 1
  /\ UNCHANGED <<blocks, entered, manifest, maps, used, reader, wrongRead, refused, phase, crashes, readers>>

Free ==
  IF Omits("MapIsIgnored") THEN Blocks \ BlocksOf(build.written)
  ELSE IF Omits("FreedIsReusedAtOnce") THEN Blocks \ ((used \ build.freed) \cup BlocksOf(build.written))
  ELSE Blocks \ (used \cup BlocksOf(build.written))

PageIn(b) == [block |-> b, generation |-> build.generation]
Put(b) == blocks' = [blocks EXCEPT ![b].seen = build.generation]

\* First fit.
BuildWrite(b) ==
  /\ build.step = "writing" /\ b \in Free /\ b = MinOf(Free)
  /\ Put(b)
  /\ build' = [build EXCEPT !.written = build.written \cup {PageIn(b)}]
  /\ UNCHANGED <<entered, manifest, maps, used, reader, wrongRead, refused, phase, builds, crashes, readers>>

BuildFree(b) ==
  /\ build.step = "writing" /\ b \in BlocksOf(Tree) \ build.freed
  /\ build' = [build EXCEPT !.freed = build.freed \cup {b}]
  /\ UNCHANGED <<blocks, entered, manifest, maps, used, reader, wrongRead, refused, phase, builds, crashes, readers>>

BuildTree == { page \in Tree : ~(page.block \in build.freed) } \cup build.written

UsedByBuild ==
  (IF Omits("MapForgetsFreed") THEN used ELSE used \ build.freed) \cup BlocksOf(build.written \cup build.footer)

\* There is a new root, and the old one is given up.
IsWhole == build.written # {} /\ (Tree = {} \/ BlocksOf(Tree) \cap build.freed # {})

BuildFooter(b) ==
  /\ build.step = (IF Omits("FooterAfterFsync") THEN "synced" ELSE "writing") /\ IsWhole /\ b \in Free /\ b = MinOf(Free)
  /\ Put(b)
  /\ build' = [build EXCEPT !.step = IF Omits("FooterAfterFsync") THEN "entering" ELSE "mapped", !.footer = {PageIn(b)}]
  /\ maps' = [maps EXCEPT ![build.generation] = UsedByBuild \cup {b}]
  /\ UNCHANGED <<entered, manifest, used, reader, wrongRead, refused, phase, builds, crashes, readers>>

BuildSync ==
  /\ build.step = (IF Omits("FooterAfterFsync") THEN "writing" ELSE "mapped") /\ IsWhole
  /\ build' = [build EXCEPT !.step = IF Omits("FooterAfterFsync") THEN "synced" ELSE "entering"]
  /\ blocks' = IF Omits("TreeNotFsynced") THEN blocks ELSE [b \in Blocks |-> [blocks[b] EXCEPT !.stable = blocks[b].seen]]
  /\ UNCHANGED <<entered, manifest, maps, used, reader, wrongRead, refused, phase, builds, crashes, readers>>

BuildEnter ==
  /\ build.step = "entering"
  /\ build' = [build EXCEPT !.step = "ready"]
  /\ entered' = (entered \/ ~Omits("TreeNotEntered"))
  /\ UNCHANGED <<blocks, manifest, maps, used, reader, wrongRead, refused, phase, builds, crashes, readers>>

Swap ==
  /\ build.step = "ready"
  /\ manifest' = [manifest EXCEPT !.seen =
       [ tree |-> BuildTree,
         footer |-> IF Omits("OldFooterIsNamed") /\ manifest.seen.footer # {} THEN manifest.seen.footer ELSE build.footer ]]
  /\ build' = [build EXCEPT !.step = "swapped"]
  /\ UNCHANGED <<blocks, entered, maps, used, reader, wrongRead, refused, phase, builds, crashes, readers>>

SwapSettle ==
  /\ Running /\ ~Settled
  /\ manifest' = [manifest EXCEPT !.disk = manifest.seen]
  /\ UNCHANGED <<blocks, entered, maps, used, build, reader, wrongRead, refused, phase, builds, crashes, readers>>

\* From here on readers see the new tree, and what was freed is free.
Install ==
  /\ build.step = "swapped"
  /\ Settled \/ Omits("BeginsBeforeSettled") \/ Omits("ZeroedBeforeSettled")
  /\ used' = UsedByBuild
  /\ build' = NoBuild
  /\ UNCHANGED <<blocks, entered, manifest, maps, reader, wrongRead, refused, phase, builds, crashes, readers>>

\* A merge that fails before the swap leaves bytes in free blocks, and nothing else.
BuildDrop ==
  /\ build.step \in {"writing", "mapped", "synced", "entering", "ready"}
  /\ used' = IF Omits("DroppedBuildFrees") THEN used \ build.freed ELSE used
  /\ build' = NoBuild
  /\ UNCHANGED <<blocks, entered, manifest, maps, reader, wrongRead, refused, phase, builds, crashes, readers>>

\* A clean close leaves no byte unaccounted for.
ZeroFree(b) ==
  /\ Running /\ build.step = "none" /\ ~(b \in used) /\ blocks[b].seen # 0
  /\ blocks' = [blocks EXCEPT ![b].seen = 0]
  /\ UNCHANGED <<entered, manifest, maps, used, build, reader, wrongRead, refused, phase, builds, crashes, readers>>

-----------------------------------------------------------------------------
(* A reader between whose steps anything may happen *)

OpenReader ==
  /\ Running /\ readers < MaxReaders /\ Tree # {} /\ build.step # "swapped"
  /\ reader' = [open |-> TRUE, tree |-> Tree]
  /\ readers' = readers + 1
  /\ UNCHANGED <<blocks, entered, manifest, maps, used, build, wrongRead, refused, phase, builds, crashes>>

\* Rule 9: it seeks again when the tree has changed since its last step.
ReaderTree == IF Omits("ReaderKeepsItsRoot") \/ Omits("ReaderBelievesTheBlock") \/ build.step = "swapped" THEN reader.tree ELSE Tree

ReadPage(page) ==
  /\ reader.open /\ page \in ReaderTree
  /\ reader' = [reader EXCEPT !.tree = ReaderTree]
  /\ wrongRead' = (wrongRead \/ (blocks[page.block].seen # page.generation /\ Omits("ReaderBelievesTheBlock")))
  /\ refused' = (refused \/ (blocks[page.block].seen # page.generation /\ ~Omits("ReaderBelievesTheBlock")))
  /\ UNCHANGED <<blocks, entered, manifest, maps, used, build, phase, builds, crashes, readers>>

CloseReader ==
  /\ reader.open
  /\ reader' = NoReader
  /\ UNCHANGED <<blocks, entered, manifest, maps, used, build, wrongRead, refused, phase, builds, crashes, readers>>

-----------------------------------------------------------------------------
(* Crashes, at any step *)

Down ==
  /\ Running /\ crashes < MaxCrashes
  /\ crashes' = crashes + 1
  /\ phase' = "down"
  /\ build' = NoBuild /\ reader' = NoReader /\ used' = {}
  /\ UNCHANGED <<wrongRead, refused, builds, readers, maps>>

\* The page cache survives.
ProcessKill == Down /\ UNCHANGED <<blocks, entered, manifest>>

Pending == { b \in Blocks : blocks[b].seen # blocks[b].stable }

\* `kept` whole, `torn` in part, every other pending block as it was; a file without a durable name may be gone.
PowerCut(kept, torn, there, m) ==
  /\ Down
  /\ blocks' = [b \in Blocks |->
       LET left == IF ~there THEN 0 ELSE IF b \in kept THEN blocks[b].seen ELSE IF b \in torn THEN Torn ELSE blocks[b].stable
       IN [seen |-> left, stable |-> left]]
  /\ entered' = (entered \/ there)
  /\ manifest' = [seen |-> m, disk |-> m]

AnyPowerCut ==
  \E kept \in SUBSET Pending : \E torn \in SUBSET (Pending \ kept) : \E there \in {TRUE, entered} :
    \E m \in {manifest.seen, manifest.disk} : PowerCut(kept, torn, there, m)

\* The free map that the manifest names is read, and the manifest settled.
Recover ==
  /\ phase = "down"
  /\ used' = IF Omits("MapNotRead") THEN {} ELSE UNION { maps[page.generation] : page \in manifest.seen.footer }
  /\ manifest' = [manifest EXCEPT !.disk = manifest.seen]
  /\ phase' = "running"
  /\ UNCHANGED <<blocks, entered, maps, build, reader, wrongRead, refused, builds, crashes, readers>>

-----------------------------------------------------------------------------
FirstManifest == [tree |-> {}, footer |-> {}]

Init ==
  /\ blocks = [b \in Blocks |-> [seen |-> 0, stable |-> 0]]
  /\ entered = FALSE
  /\ manifest = [seen |-> FirstManifest, disk |-> FirstManifest]
  /\ maps = [g \in Generations |-> {}]
  /\ used = {} /\ build = NoBuild /\ reader = NoReader /\ wrongRead = FALSE /\ refused = FALSE
  /\ phase = "running" /\ builds = 0 /\ crashes = 0 /\ readers = 0

Next ==
  \/ BuildBegin
  \/ \E b \in Blocks : (BuildWrite(b) \/ BuildFree(b) \/ BuildFooter(b) \/ ZeroFree(b))
  \/ BuildSync \/ BuildEnter \/ Swap \/ SwapSettle \/ Install \/ BuildDrop
  \/ OpenReader \/ CloseReader
  \/ \E page \in ReaderTree : ReadPage(page)
  \/ ProcessKill \/ AnyPowerCut
  \/ Recover

Spec == Init /\ [][Next]_vars

FairSpec ==
  /\ Spec
  /\ WF_vars(\E b \in Blocks : BuildFooter(b)) /\ WF_vars(BuildSync) /\ WF_vars(BuildEnter)
  /\ WF_vars(Swap) /\ WF_vars(SwapSettle) /\ WF_vars(Install) /\ WF_vars(BuildDrop) /\ WF_vars(Recover)

-----------------------------------------------------------------------------
(* Invariants *)

Contents == {0, Torn} \cup Generations

TypeOK ==
  /\ \A b \in Blocks : blocks[b].seen \in Contents /\ blocks[b].stable \in Contents
  /\ used \subseteq Blocks
  /\ build.generation \in Generations
  /\ Cardinality(manifest.seen.footer) <= 1

\* Whichever manifest a power cut leaves, each page that it names is whole, on the medium and in the page cache.
WholeIn(pages) == \A page \in pages : blocks[page.block].seen = page.generation /\ blocks[page.block].stable = page.generation
NamedPagesAreWhole == WholeIn(manifest.seen.tree) /\ WholeIn(manifest.disk.tree)

\* So is its free map.
NamedMapIsWhole == WholeIn(manifest.seen.footer) /\ WholeIn(manifest.disk.footer)

\* And so is the name of the file.
NamedFileIsEntered == (PagesOf(manifest.seen) \cup PagesOf(manifest.disk) # {}) => entered

\* No page is both free and reachable.
NothingReachableIsFree == (Running /\ build.step # "swapped") => BlocksOf(PagesOf(manifest.seen)) \subseteq used

\* And none is neither: nothing leaks, not even by builds that were dropped.
NothingLeaks == (Running /\ build.step # "swapped") => used \subseteq BlocksOf(PagesOf(manifest.seen))

\* The free map on disk says of the tree on disk what the one in memory says.
MapDescribesTree ==
  /\ \A page \in manifest.seen.footer : maps[page.generation] = BlocksOf(PagesOf(manifest.seen))
  /\ manifest.seen.footer = {} => manifest.seen.tree = {}

\* A reader's pages are those that it was sent to.
ReadersMeetTheirPages == ~refused
ReadersAreRight == ~wrongRead

-----------------------------------------------------------------------------
(* For TLC alone *)

\* A build ends.
BuildsEnd == build.step # "none" ~> build.step = "none"
=============================================================================
