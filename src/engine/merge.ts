/**
 * Moves runs into the tree, and drops versions that nobody can read: rules 4 to 6 and 8 of spec/semantics.md. With no
 * runs it is the collection of garbage.
 *
 *   H, m, T fixed → copy-on-write pages, free map → fsync → manifest → old runs deleted
 */
import { assert } from '../base/assert.ts';
import type { FreeMap } from '../base/free-map.ts';
import { runFileName, TREE_FILE } from './file-names.ts';
import type { TreeState } from './manifest-format.ts';
import { MergeCursor } from './merge-cursor.ts';
import { Retention } from './retention.ts';
import type { RunReader } from './run-reader.ts';
import type { Store } from './store.ts';
import { Tree } from './tree.ts';
import { mergeTree } from './tree-merge.ts';
import type { FileNumber } from './types.ts';

const NOTHING_TO_GIVE = { leastDroppable: Infinity, leastDeadline: Infinity };

/** Whether the tree holds a version that nobody can read any more. */
export function collectionIsDue(store: Store): boolean {
  const { tree } = store;
  if (tree === undefined) return false;
  const oldest = store.snapshots.oldest(store.published);
  const { leastDroppable, leastDeadline } = tree.state.root?.reference ?? NOTHING_TO_GIVE;
  if (leastDroppable <= oldest) return true;
  const time = collectTime(store);
  if (leastDeadline > time) return false;
  // An expired version above the oldest snapshot stays; looking again helps only once that snapshot has moved.
  const last = tree.lastRetention;
  return last === undefined || last.oldest < oldest || last.collectTime < leastDeadline;
}

/** T of rule 4: no reader, now or later, is before it. */
function collectTime(store: Store): number {
  return Math.min(store.snapshots.earliestNow(), store.now());
}

/**
 * Merges `runs`, which are the oldest ones, into the tree, in slices. Yields bytes of work done.
 * @throws LightningError; the output is dropped, runs and tree stay, and the merge can be tried again unless the store
 *   is poisoned
 */
export function* mergeRuns(store: Store, runs: readonly RunReader[]): Generator<number, void> {
  const areOldest = runs.every((run, i) => run === store.runs[i]);
  assert(areOldest, 'a merge takes the oldest runs');
  const time = collectTime(store);
  const retention = new Retention(store.snapshots.horizon(store.published), time);
  // Snapshots opened while the merge runs must not stand before T, even if the clock jumps back.
  store.collectTime = Math.max(store.collectTime, time);
  store.observe('merge-begin', runs.length);
  const created = store.tree === undefined;
  const tree = store.tree ?? Tree.create(store.vfs, store.manifest, store.options.nodeTargetBytes, store.cache);
  let installed = false;
  try {
    const generation = store.newBuildGeneration();
    const blocks = tree.beginBuild();
    const dropped: Uint8Array[] = [];
    const result = yield* mergeTree({
      tree: tree.treeFile,
      nodeTargetBytes: tree.nodeTargetBytes,
      compression: store.options.compression,
      generation,
      blocks,
      root: tree.state.root,
      footer: tree.state.footer,
      source: new MergeCursor(runs.toReversed().map((run) => run.cursor({ bypassCache: true }))),
      rangeTombstones: runs.flatMap((run) => run.rangeTombstones),
      retention,
      dropped,
    });
    tree.treeFile.file.sync();
    const freeMap = blocks.commit();
    if (created) store.vfs.syncDirectory('');
    const state: TreeState = {
      root: result.root,
      footer: result.footer,
      blockCount: freeMap.blockCount,
      greatestSequence: runs.at(-1)?.meta.greatestSequence ?? tree.greatestSequence,
    };
    install(store, tree, state, freeMap, runs);
    installed = true;
    tree.lastRetention = retention;
    store.observe(runs.length > 0 ? 'merge' : 'collect', generation);
    yield* store.references.drop(dropped);
  } finally {
    if (created && !installed) {
      tree.close();
      store.deleteFile(TREE_FILE);
    }
  }
}

function install(store: Store, tree: Tree, state: TreeState, freeMap: FreeMap, runs: readonly RunReader[]): void {
  const { manifest } = store;
  const merged = new Set<FileNumber>(runs.map((run) => run.meta.fileNumber));
  store.swap({
    runs: manifest.runs.filter((run) => !merged.has(run.fileNumber)),
    tree: state,
    collectTime: store.collectTime,
  });
  keepClearEvidence(store, runs);
  tree.install(state, freeMap);
  store.tree = tree;
  store.runs = store.runs.filter((run) => !merged.has(run.meta.fileNumber));
  store.version++;
  for (const run of runs) {
    run.close();
    store.cache.removeFile(run.meta.fileNumber);
    store.deleteFile(runFileName(run.meta.fileNumber));
  }
}

/** Rule 7 asks for range tombstones newer than a live snapshot even where no key was left to carry a deletion. */
function keepClearEvidence(store: Store, runs: readonly RunReader[]): void {
  store.clearEvidence.push(...runs.flatMap((run) => run.rangeTombstones));
  store.trimClearEvidence();
}
