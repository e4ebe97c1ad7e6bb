/**
 * Everything that an open store is, and the few primitives by which it changes. The engine (engine.ts) guards the public
 * calls; flush.ts, merge.ts and log.ts build on these primitives; layers.ts reads.
 *
 * Invariants
 *   1. `published` ≤ `written`; readers use nothing above `published`. In durability `commit`, `published` ≤ `durable`.
 *   2. `manifest` is what the last successful swap made durable; every file that it names is there.
 *   3. Layers cover adjacent sequence intervals: tree ≤ runs ≤ flushedSequence < frozen < active.
 *   4. Once `poison` is set nothing is written any more.
 */
import { assert } from '../base/assert.ts';
import { crc32 } from '../base/checksum.ts';
import type { Clock } from '../base/clock.ts';
import { LightningError } from '../base/errors.ts';
import type { Vfs } from '../vfs/vfs.ts';
import type { ArcCache } from '../base/arc-cache.ts';
import type { Layer, Layers } from './layers.ts';
import type { ManifestState } from './manifest-format.ts';
import { type ManifestChanges, swapSuccessor } from './manifest-writer.ts';
import type { Memtable } from './memtable.ts';
import type { Observer } from './observer.ts';
import type { EngineOptions } from './options.ts';
import type { OpenReferences, References, Stored } from '../vfs/references.ts';
import type { recoverStore } from './recovery.ts';
import type { RunReader } from './run-reader.ts';
import { Snapshots } from './snapshots.ts';
import type { Tree } from './tree.ts';
import {
  asFileNumber,
  asGeneration,
  type FileNumber,
  type Generation,
  type RangeTombstone,
  type Sequence,
} from './types.ts';
import type { WalWriter } from './wal-writer.ts';
import { removeQuietly } from '../vfs/watched-vfs.ts';

/** What surrounds a store. */
export interface StoreEnvironment {
  readonly vfs: Vfs;
  readonly clock: Clock;
  readonly observe: Observer;
  readonly references: OpenReferences;
}

/** What recovery found or made. */
export type StoreParts = ReturnType<typeof recoverStore>['parts'];

export class Store implements Layers {
  readonly vfs: Vfs;
  readonly clock: Clock;
  readonly observe: Observer;
  readonly options: EngineOptions;
  readonly cache: ArcCache;
  readonly databaseId: Uint8Array;
  readonly databaseSeed: number;
  readonly snapshots = new Snapshots();
  readonly references: References;

  manifest: ManifestState;
  nextFileNumber: FileNumber;
  active: Memtable;
  /** Those that get no more writes, oldest first; each holds what the segment of the same place in the manifest does. */
  frozen: readonly Memtable[];
  runs: RunReader[];
  tree: Tree | undefined;
  wal: WalWriter;
  clearEvidence: RangeTombstone[] = [];
  version = 0;

  /** The last commit that the operating system has. */
  written: Sequence;
  /** The last commit that survives a power cut. */
  durable: Sequence;
  /** The last commit that readers see. */
  published: Sequence;
  /** No reader's `now` is below it; ahead of the manifest's while a merge runs. */
  collectTime: number;
  /** Why nothing but `close` works any more. */
  poison: unknown;
  private closed = false;
  private lastBuild: Generation;
  /** The latest time that a reader was given. */
  private latestNow = -Infinity;
  private listed: { readonly version: number; readonly layers: readonly Layer[] } = { version: -1, layers: [] };

  constructor(environment: StoreEnvironment, options: EngineOptions, cache: ArcCache, parts: StoreParts) {
    this.vfs = environment.vfs;
    this.clock = environment.clock;
    this.observe = environment.observe;
    this.options = options;
    this.cache = cache;
    this.databaseId = parts.manifest.databaseId;
    this.databaseSeed = crc32(this.databaseId);
    this.references = environment.references(this.vfs, this.databaseId);
    this.manifest = parts.manifest;
    this.nextFileNumber = parts.nextFileNumber;
    this.active = parts.active;
    this.frozen = parts.frozen;
    this.runs = parts.runs;
    this.tree = parts.tree;
    this.wal = parts.wal;
    this.written = parts.lastSequence;
    this.durable = parts.lastSequence;
    this.published = parts.lastSequence;
    this.collectTime = parts.manifest.collectTime;
    this.lastBuild = parts.manifest.generation;
  }

  /** All layers; the list is made anew when `version` has changed. */
  get newestFirst(): readonly Layer[] {
    if (this.listed.version !== this.version) {
      const { tree, runs, frozen, active } = this;
      const oldestFirst: Layer[] = [...(tree === undefined ? [] : [tree]), ...runs, ...frozen, active];
      this.listed = { version: this.version, layers: oldestFirst.toReversed() };
    }
    return this.listed.layers;
  }

  /** The time that readers go by (rule 10): it stands still while the clock runs backwards. Milliseconds since 1970. */
  now(): number {
    this.latestNow = Math.max(this.latestNow, this.clock.now(), this.collectTime);
    return this.latestNow;
  }

  valueOf({ bytes, isReference }: Stored): Uint8Array {
    return isReference ? this.references.read(bytes) : bytes;
  }

  /** A number that no file of this store has had. */
  newFileNumber(): FileNumber {
    const number = this.nextFileNumber;
    this.nextFileNumber = asFileNumber(number + 1);
    return number;
  }

  /** A generation for the nodes of a build: above the manifest's and above every earlier build's, finished or not. */
  newBuildGeneration(): Generation {
    this.lastBuild = asGeneration(Math.max(this.manifest.generation, this.lastBuild) + 1);
    return this.lastBuild;
  }

  /** Makes commits up to `sequence` readable. */
  publish(sequence: Sequence): void {
    if (sequence <= this.published) return;
    assert(sequence <= this.written, 'only what is written is published', sequence, this.written);
    assert(
      this.options.durability !== 'commit' || sequence <= this.durable,
      'in durability commit nothing is readable before its fsync',
    );
    this.published = sequence;
    this.version++;
    this.observe('publish', sequence);
  }

  /**
   * Swaps the manifest for one with these changes, one generation on. What it names must be durable already.
   * @throws LightningError; nothing has changed unless the store is poisoned
   */
  swap(changes: ManifestChanges): void {
    this.manifest = swapSuccessor(this.vfs, this.manifest, this.nextFileNumber, changes);
    this.version++;
    this.observe('swap-manifest', this.manifest.generation);
  }

  /** Refuses everything but `close` from now on. The first cause stays. */
  poisonWith(cause: unknown): void {
    if (this.poison !== undefined) return;
    this.poison = cause;
    this.version++;
    this.observe('poison', this.written);
  }

  /**
   * Removes a file that the manifest does not name. Never in a poisoned store: after a failed swap nobody knows which
   * manifest the disk has (real bug: RocksDB issue 4990).
   */
  deleteFile(name: string): void {
    if (this.poison === undefined && removeQuietly(this.vfs, name)) this.observe('delete-file', 0);
  }

  /** Drops the evidence that no live snapshot can ask for any more. */
  trimClearEvidence(): void {
    if (this.clearEvidence.length === 0) return;
    const oldest = this.snapshots.oldest(this.published);
    this.clearEvidence = this.clearEvidence.filter((t) => t.sequence > oldest);
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** Refuses everything from now on, open scans included: they see that `version` has changed. */
  markClosed(): void {
    this.closed = true;
    this.version++;
  }

  /** @throws LightningError `LIGHTNING_CLOSED` or `LIGHTNING_POISONED` */
  checkHealthy(): void {
    if (this.closed) throw new LightningError('LIGHTNING_CLOSED', 'the store is closed');
    if (this.poison !== undefined) {
      const problem = 'the store stopped after a failure; close it and open it again';
      throw new LightningError('LIGHTNING_POISONED', problem, {}, this.poison);
    }
  }

  /** Invariants 1 to 3, and those of every memtable. */
  checkInvariants(): void {
    assert(this.published <= this.written, 'published ≤ written');
    assert(this.durable <= this.written, 'durable ≤ written');
    assert(this.options.durability !== 'commit' || this.published <= this.durable, 'published ≤ durable');
    let floor: number = this.manifest.tree.greatestSequence;
    assert(this.runs.length === this.manifest.runs.length, 'the manifest names every run', this.runs.length);
    for (const run of this.runs) {
      assert(run.meta.leastSequence > floor, 'runs cover adjacent intervals', run.meta.leastSequence, floor);
      floor = run.meta.greatestSequence;
    }
    assert(floor <= this.manifest.flushedSequence, 'runs hold only what is flushed');
    floor = this.manifest.flushedSequence;
    for (const [i, memtable] of [...this.frozen, this.active].entries()) {
      memtable.checkInvariants();
      for (const entry of memtable.entries())
        assert(entry.sequence > floor, 'a memtable is newer than what is below it');
      const { sealed } = this.manifest.segments[i];
      floor = sealed?.lastSequence ?? Infinity;
      assert(sealed === undefined || memtable.greatestSequence === floor, 'a frozen memtable ends with its segment');
    }
    assert(this.manifest.segments.length === this.frozen.length + 1, 'the manifest names a segment a memtable');
    this.tree?.checkInvariants();
  }
}
